"""`sekisho dkim`: keys, and how new ones take over without a letter that nobody can verify."""

import asyncio
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from mailhome import MailHome

from covers import covers
from nameserver import NameServer
from sekisho.host import HostClock, HostDisk
from sekisho.mail.dkim_key import Key, key_of
from sekisho.store.dkim_keys import SigningKeys
from sekisho.store.keys import make_dkim_keys


@pytest.fixture
def server() -> Iterator[NameServer]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    server = NameServer({})
    server.port = asyncio.run_coroutine_threadsafe(server.start(), loop).result(60)  # type: ignore[attr-defined]
    yield server
    loop.call_soon_threadsafe(server.stop)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(60)


@pytest.fixture
def home(tmp_path: Path, server: NameServer) -> MailHome:
    home = MailHome(tmp_path)
    settings = Path(home.path)
    port = server.port  # type: ignore[attr-defined]
    settings.write_text(settings.read_text() + f'\n[outbound]\nresolver = ["127.0.0.1:{port}"]\n')
    make_dkim_keys(HostDisk(), str(tmp_path / "keys" / "dkim" / "example.com"), 1_700_000_000_000_000)
    return home


def rows(home: MailHome) -> dict[str, tuple[str, str]]:
    said = [json.loads(line) for line in home("dkim", "keys", "example.com", "--json").out.splitlines()]
    return {row["selector"]: (row["state"], row["value"]) for row in said}


def publish(server: NameServer, home: MailHome, *selectors: str) -> None:
    for selector in selectors:
        text = rows(home)[selector][1]
        server.zone[f"{selector}._domainkey.example.com", "TXT"] = [f'"{text[:200]}" "{text[200:]}"']


def signing(home: MailHome) -> set[str]:
    return set(SigningKeys(HostDisk(), HostClock(), str(home.folder)).signers("example.com"))


@covers("Q-38", partly="a rotation is shown on files, not on a running server")
def test_a_rotation(home: MailHome, server: NameServer) -> None:
    """New keys sign only when all of them are published; the old records stay for the overlap, then go."""
    assert {"202311r", "202311e"} == signing(home)
    said = home("dkim", "rotate", "example.com")
    assert (
        1 == said.code and "Publish in the DNS" in said.out and "._domainkey.example.com. IN TXT" in said.out
    )
    new = {name for name, (state, _) in rows(home).items() if state == "pending"}
    assert 2 == len(new) and {"202311r", "202311e"} == signing(home)
    publish(server, home, sorted(new)[0])
    assert 1 == home("dkim", "rotate", "example.com").code and {"202311r", "202311e"} == signing(home)
    publish(server, home, *new)
    assert 0 == home("dkim", "rotate", "example.com").code
    assert new == signing(home)
    assert {"retired"} == {rows(home)[name][0] for name in ("202311r", "202311e")}
    assert "just been changed" in home("dkim", "rotate", "example.com").out and new == signing(home)
    folder = home.folder / "keys" / "dkim" / "example.com"
    long_ago = (datetime.now(UTC) - timedelta(days=9)).strftime("%Y%m%d")
    for path in folder.glob("*.retired"):
        path.rename(folder / f"{path.name.partition('.')[0]}.{long_ago}.retired")
    said = home("dkim", "rotate", "example.com")
    assert "202311r is forgotten" in said.out and "202311r" not in rows(home)
    assert new == signing(home) and all(path.stat().st_mode & 0o77 == 0 for path in folder.iterdir())


@covers("P-04", partly="a letter with it: tests/e2e/test_signing.py")
def test_what_is_published_is_looked_at(home: MailHome, server: NameServer) -> None:
    """Nothing, another key, two records, silence of the DNS, and all right."""
    said = home("dkim", "check", "example.com")
    assert 1 == said.code and 2 == said.out.count("nothing is published")
    publish(server, home, "202311r", "202311e")
    assert 0 == home("dkim", "check", "example.com").code
    zone = server.zone
    place = ("202311r._domainkey.example.com", "TXT")
    zone[place] = [*zone["202311e._domainkey.example.com", "TXT"]]
    assert "202311r: another key is published" in home("dkim", "check", "example.com").out
    zone[place] = ['"v=DKIM1; p="', '"v=DKIM1; p=AAAA"']
    assert "more than one record" in home("dkim", "check", "example.com").out


@covers("Q-37")
def test_a_key_of_qmail_goes_on_signing(home: MailHome, tmp_path: Path) -> None:
    """With its selector, so that the record that is published verifies; keys never published wait."""
    key = rsa.generate_private_key(65537, 1024)
    file = tmp_path / "default"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
    )
    assert 0 == home("dkim", "import", "example.com", str(file)).code
    assert {"default", "202311e"} == signing(home)
    assert "pending" == rows(home)["202311r"][0]
    digest = bytes(32)
    signature = SigningKeys(HostDisk(), HostClock(), str(home.folder)).sign("example.com", "default", digest)
    published = key_of(rows(home)["default"][1].encode())
    assert isinstance(published, Key) and published.public == key.public_key()
    assert published.proves(signature, digest)
    assert 1 == home("dkim", "import", "example.com", str(file)).code


@pytest.mark.parametrize(
    "content", [b"", b"junk", b"-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n"]
)
def test_what_is_no_key_is_refused(home: MailHome, tmp_path: Path, content: bytes) -> None:
    """With the reason; and no selector leads out of the folder."""
    file = tmp_path / "key"
    file.write_bytes(content)
    assert "no private key" in home("dkim", "import", "example.com", str(file)).err
    for selector in ("../x", "a/b", "", "x y", "."):
        assert 0 != home("dkim", "import", "example.com", str(file), "--selector", selector).code
    assert 0 != home("dkim", "keys", "../../etc").code
    assert {"202311r", "202311e"} == set(rows(home))
