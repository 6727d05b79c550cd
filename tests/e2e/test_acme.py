"""Certificates by ACME from Debian's pebble: got, taken live, renewed in time; and what a failure does."""

import json
import socket
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509

from covers import covers
from e2e.pebble import Pebble, is_free
from e2e.running import Installation
from e2e.test_reload import shown, wait_until

pytest.importorskip("acme")

ACME = """
[acme]
directory = "{directory}"
terms_agreed = true
contact = ["postmaster@example.com"]
names = ["mx.example.com", "mail.example.com"]
listen = "127.0.0.1:{http}"
roots = "{roots}"
"""


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pebble]:
    pebble = Pebble(tmp_path_factory.mktemp("authority") / "pebble")
    yield pebble
    pebble.stop()


def founded(folder: Path, authority: Pebble, *, processes: str = "one") -> Installation:
    roots = authority.folder / "roots.pem"
    extra = ACME.format(directory=authority.directory, http=authority.http, roots=roots)
    return Installation(folder, processes=processes, extra=extra)


@covers("Q-10", partly="the package on an image of another distribution")
@pytest.mark.parametrize("processes", ["one", "split"])
def test_a_certificate_is_got_and_taken_by_the_running_server(
    tmp_path: Path, authority: Pebble, processes: str
) -> None:
    """Names as asked, the key as it was, secrets 0600; shown to new sessions without a signal; then nothing
    to do."""
    site = founded(tmp_path / "site", authority, processes=processes)
    with site.serving():
        before, key = shown(site), (site.folder / "keys" / "key.pem").read_bytes()
        said = site.run("certificate", "renew")
        assert "a new certificate for mx.example.com, mail.example.com" in said
        wait_until(lambda: shown(site) != before)
        found = x509.load_der_x509_certificate(shown(site))
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert {"mx.example.com", "mail.example.com"} == set(names.get_values_for_type(x509.DNSName))
        assert "Pebble" in found.issuer.rfc4514_string()
        assert key == (site.folder / "keys" / "key.pem").read_bytes()
        for path in (site.folder / "keys" / "acme").iterdir():
            assert 0o600 == stat.S_IMODE(path.stat().st_mode), path
        assert "nothing to do before" in site.run("certificate", "renew")
        after = shown(site)
        assert "a new certificate" in site.run("certificate", "renew", "--force"), "the account is known now"
        wait_until(lambda: shown(site) != after)
    assert is_free(authority.http)


def test_a_failure_is_one_sentence_and_changes_nothing(tmp_path: Path, authority: Pebble) -> None:
    """An authority that finds no proof, then one that is not there: code 75, TLS as before, and later tries
    further and further apart."""
    site = founded(tmp_path / "site", authority)
    text = site.settings.read_text()
    with site.serving():
        before = shown(site)
        site.settings.write_text(text.replace(f":{authority.http}", ":0"))
        said = site.run("certificate", "renew", code=75)
        assert said.startswith("sekisho: no new certificate, and the old one stays: ")
        assert "mx.example.com: " in said and 1 == said.count("\n")
        waits = [_wait_s(site)]
        site.settings.write_text(text.replace(authority.directory, "https://127.0.0.1:1/dir"))
        for _ in range(6):
            assert "nothing to do before" in site.run("certificate", "renew")
            assert 1 == site.run("certificate", "renew", "--force", code=75).count("\n")
            waits.append(_wait_s(site))
        assert 0.7 * 3600 < waits[0] < 1.3 * 3600 and 12 * 3600 < waits[-1] < 31 * 3600
        assert waits[2] > waits[0]
        assert before == shown(site)
        site.settings.write_text(text)
        assert "a new certificate" in site.run("certificate", "renew", "--force")
        wait_until(lambda: shown(site) != before)


def _wait_s(site: Installation) -> float:
    kept = json.loads((site.folder / "keys" / "acme" / "renewal.json").read_text())
    return float(kept["not_before"] / 1e6 - time.time())


def test_a_broken_certificate_file_takes_no_tls_away(tmp_path: Path, authority: Pebble) -> None:
    """Half a file in place of the certificate: sessions go on to get the old one."""
    site = founded(tmp_path / "site", authority)
    with site.serving():
        before = shown(site)
        path = site.folder / "keys" / "cert.pem"
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
        wait_until(lambda: "the new certificate is not used" in troubles(site))
        assert before == shown(site)
        path.write_bytes(whole)


def troubles(site: Installation) -> str:
    return "".join(path.read_text() for path in (site.folder / "events").iterdir())


def test_strangers_at_the_proving_port_get_nothing() -> None:
    """Only the proof is there, and only under its name; a request that makes no sense ends."""
    from sekisho.net.acme import WELL_KNOWN, proving

    with proving("127.0.0.1:0", {"token": b"token.proof"}) as port:

        def ask(request: bytes) -> bytes:
            with socket.create_connection(("127.0.0.1", port), timeout=20) as line:
                line.sendall(request)
                found = b""
                while part := line.recv(4096):
                    found += part
                return found

        asked = f"GET {WELL_KNOWN}token HTTP/1.0\r\n\r\n".encode()
        assert ask(asked).endswith(b"\r\n\r\ntoken.proof")
        for path in ("/", WELL_KNOWN, WELL_KNOWN + "../../etc/passwd", "/token", WELL_KNOWN + "x" * 5000):
            said = ask(f"GET {path} HTTP/1.0\r\n\r\n".encode())
            assert b" 404 " in said.split(b"\r\n")[0] and b"proof" not in said
        assert b"proof" not in ask(b"\x00\xff\r\n\r\n")
        assert b"" == ask(b""), "who says nothing is left after some seconds"


def test_without_terms_or_tls_nobody_is_asked(tmp_path: Path) -> None:
    """The settings say so before any authority is spoken to."""
    site = Installation(tmp_path / "site")
    assert "no authority is named" in site.run("certificate", "renew", code=78)
    text = site.settings.read_text()
    for directory, agreed, where in (
        ("http://ca.example/dir", "true", "acme.directory"),
        ("https://ca.example/dir", "false", "acme.terms_agreed"),
    ):
        table = f'[acme]\ndirectory = "{directory}"\nterms_agreed = {agreed}\n'
        site.settings.write_text(text + table)
        assert where in site.run("certificate", "renew", code=78)
