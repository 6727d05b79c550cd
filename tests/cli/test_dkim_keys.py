"""`sekisho dkim`: keys, and how new ones take over without a letter that nobody can verify."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from mailhome import MailHome
from publishing import keyed_house, name_server, publish, rows

from covers import covers
from nameserver import NameServer
from sekisho.host import HostClock, HostDisk
from sekisho.mail.dkim_key import Key, key_of
from sekisho.store.dkim_keys import SigningKeys


@pytest.fixture
def server() -> Iterator[NameServer]:
    with name_server() as server:
        yield server


@pytest.fixture
def keyed(tmp_path: Path, server: NameServer) -> MailHome:
    return keyed_house(tmp_path, server)


def signing(keyed: MailHome) -> set[str]:
    return set(SigningKeys(HostDisk(), HostClock(), str(keyed.folder)).signers("example.com"))


@covers("Q-38", partly="a rotation is shown on files, not on a running server")
def test_a_rotation(keyed: MailHome, server: NameServer) -> None:
    """New keys sign only when all of them are published; the old records stay for the overlap, then go."""
    assert {"202311r", "202311e"} == signing(keyed)
    said = keyed("dkim", "rotate", "example.com")
    assert (
        1 == said.code and "Publish in the DNS" in said.out and "._domainkey.example.com. IN TXT" in said.out
    )
    new = {name for name, (state, _) in rows(keyed).items() if state == "pending"}
    assert 2 == len(new) and {"202311r", "202311e"} == signing(keyed)
    publish(server, keyed, sorted(new)[0])
    assert 1 == keyed("dkim", "rotate", "example.com").code and {"202311r", "202311e"} == signing(keyed)
    publish(server, keyed, *new)
    assert 0 == keyed("dkim", "rotate", "example.com").code
    assert new == signing(keyed)
    assert {"retired"} == {rows(keyed)[name][0] for name in ("202311r", "202311e")}
    assert "just been changed" in keyed("dkim", "rotate", "example.com").out and new == signing(keyed)
    folder = keyed.folder / "keys" / "dkim" / "example.com"
    long_ago = (datetime.now(UTC) - timedelta(days=9)).strftime("%Y%m%d")
    for path in folder.glob("*.retired"):
        path.rename(folder / f"{path.name.partition('.')[0]}.{long_ago}.retired")
    said = keyed("dkim", "rotate", "example.com")
    assert "202311r is forgotten" in said.out and "202311r" not in rows(keyed)
    assert new == signing(keyed) and all(path.stat().st_mode & 0o77 == 0 for path in folder.iterdir())


@covers("P-04")
def test_what_is_published_is_looked_at(keyed: MailHome, server: NameServer) -> None:
    """Nothing, another key, two records, silence of the DNS, and all right."""
    said = keyed("dkim", "check", "example.com")
    assert 1 == said.code and 2 == said.out.count("nothing is published")
    publish(server, keyed, "202311r", "202311e")
    assert 0 == keyed("dkim", "check", "example.com").code
    zone = server.zone
    place = ("202311r._domainkey.example.com", "TXT")
    zone[place] = [*zone["202311e._domainkey.example.com", "TXT"]]
    assert "202311r: another key is published" in keyed("dkim", "check", "example.com").out
    zone[place] = ['"v=DKIM1; p="', '"v=DKIM1; p=AAAA"']
    assert "more than one record" in keyed("dkim", "check", "example.com").out


@covers("Q-37")
def test_a_key_of_qmail_goes_on_signing(keyed: MailHome, tmp_path: Path) -> None:
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
    assert 0 == keyed("dkim", "import", "example.com", str(file)).code
    assert {"default", "202311e"} == signing(keyed)
    assert "pending" == rows(keyed)["202311r"][0]
    digest = bytes(32)
    signature = SigningKeys(HostDisk(), HostClock(), str(keyed.folder)).sign("example.com", "default", digest)
    published = key_of(rows(keyed)["default"][1].encode())
    assert isinstance(published, Key) and published.public == key.public_key()
    assert published.proves(signature, digest)
    assert 1 == keyed("dkim", "import", "example.com", str(file)).code


@pytest.mark.parametrize(
    "content", [b"", b"junk", b"-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n"]
)
def test_what_is_no_key_is_refused(keyed: MailHome, tmp_path: Path, content: bytes) -> None:
    """With the reason; and no selector leads out of the folder."""
    file = tmp_path / "key"
    file.write_bytes(content)
    assert "no private key" in keyed("dkim", "import", "example.com", str(file)).err
    for selector in ("../x", "a/b", "", "x y", "."):
        assert 0 != keyed("dkim", "import", "example.com", str(file), "--selector", selector).code
    assert 0 != keyed("dkim", "keys", "../../etc").code
    assert {"202311r", "202311e"} == set(rows(keyed))
