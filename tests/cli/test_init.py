"""`sekisho init`: a folder that a server can start from, and the records that make it reachable."""

import base64
import os
import ssl
import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key, load_pem_private_key

from command import sekisho
from sekisho.service.founding import HIGH_PORTS, PORTS, Plan, settings_text, txt_value
from sekisho.store.settings import load


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("init") / "state"
    assert 0 == sekisho("init", str(folder), "--domain", "Example.com", "--address", "127.0.0.1").code
    return folder


def test_what_is_made_is_private_and_complete(state: Path) -> None:
    """Settings, two databases, a certificate, two DKIM keys; everything 0600 in folders of 0700."""
    made = sorted(str(path.relative_to(state)) for path in state.rglob("*") if path.is_file())
    keys = [name for name in made if name.startswith("keys/dkim/example.com/")]
    assert 2 == len(keys)
    assert sorted(["house.db", "vault.db", "sekisho.toml", "keys/cert.pem", "keys/key.pem", *keys]) == made
    for path in [state, *state.rglob("*")]:
        assert (0o700 if path.is_dir() else 0o600) == stat.S_IMODE(path.stat().st_mode)


def test_the_settings_are_good_and_explained(state: Path) -> None:
    """Three listeners; `config check` finds nothing to say."""
    config = load(str(state / "sekisho.toml"))
    assert ("mx.example.com", str(state)) == (config.hostname, config.state)
    assert {"mx", "submission", "submissions"} == set(config.listen)
    assert 10 < (state / "sekisho.toml").read_text().count("#")
    assert 0 == sekisho("config", "check", "-c", str(state / "sekisho.toml")).code


def test_nothing_is_overwritten(state: Path, tmp_path: Path) -> None:
    """A second run says what is there and changes nothing; one file of ours is enough."""
    before = {path: path.read_bytes() for path in state.rglob("*") if path.is_file()}
    again = sekisho("init", str(state), "--domain", "example.com")
    assert 1 == again.code and "already there" in again.err
    assert before == {path: path.read_bytes() for path in state.rglob("*") if path.is_file()}
    (tmp_path / "vault.db").write_text("somebody's")
    assert 1 == sekisho("init", str(tmp_path), "--domain", "example.com").code
    assert ["vault.db"] == os.listdir(tmp_path)


def test_what_is_printed_can_be_published_and_typed(tmp_path: Path) -> None:
    """MX, SPF, DKIM, DMARC, the address to fill in; then three commands with the file's name."""
    result = sekisho(
        "init", str(tmp_path / "a b"), "--domain", "example.com", "--hostname", "mail.example.com", "--json"
    )
    (row,) = result.rows()
    records = {(record["name"], record["type"]): record["value"] for record in row["records"]}
    assert "10 mail.example.com." == records["example.com.", "MX"]
    assert '"v=spf1 mx -all"' == records["example.com.", "TXT"]
    assert "" == records["mail.example.com.", "A"]
    assert records["_dmarc.example.com.", "TXT"].startswith('"v=DMARC1; p=none;')
    assert 2 == sum("._domainkey." in name for name, _ in records)
    assert 3 == len(row["next"]) and all(f"-c '{tmp_path}/a b/sekisho.toml'" in step for step in row["next"])


def test_the_printed_keys_belong_to_the_files(state: Path) -> None:
    """What the private key signs, the published one verifies."""
    shown = sekisho("domain", "show", "example.com", "--json", "-c", str(state / "sekisho.toml")).rows()[0]
    for record in shown["records"]:
        selector, found, _ = record["name"].partition("._domainkey.")
        if found:
            pem = (state / "keys" / "dkim" / "example.com" / f"{selector}.pem").read_bytes()
            private = load_pem_private_key(pem, None)
            text = record["value"].strip("( )").replace('" "', "").strip('"')
            public = base64.b64decode(text.rpartition("p=")[2])
            if isinstance(private, rsa.RSAPrivateKey):
                key = load_der_public_key(public)
                assert isinstance(key, rsa.RSAPublicKey) and 2048 == key.key_size and "k=rsa" in text
                key.verify(
                    private.sign(b"x", padding.PKCS1v15(), SHA256()), b"x", padding.PKCS1v15(), SHA256()
                )
            else:
                assert isinstance(private, ed25519.Ed25519PrivateKey) and "k=ed25519" in text
                ed25519.Ed25519PublicKey.from_public_bytes(public).verify(private.sign(b"x"), b"x")


def test_the_certificate_is_the_servers(state: Path) -> None:
    """ECDSA, for the host's name, usable at once."""
    certificate = x509.load_pem_x509_certificate((state / "keys" / "cert.pem").read_bytes())
    assert isinstance(certificate.public_key(), ec.EllipticCurvePublicKey)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert ["mx.example.com"] == names.get_values_for_type(x509.DNSName)
    ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(
        state / "keys/cert.pem", state / "keys/key.pem"
    )


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--domain", "not a domain"), "not the name of a domain"),
        (("--domain", "example.com", "--hostname", "mx..example.com"), "not the name of a domain"),
        (("--domain", "example.com", "--address", "localhost"), "not an IP address"),
    ],
)
def test_a_bad_plan_makes_nothing(tmp_path: Path, words: tuple[str, ...], why: str) -> None:
    """One sentence, exit code 1, no folder."""
    result = sekisho("init", str(tmp_path / "state"), *words)
    assert 64 == result.code and why in result.err
    assert [] == os.listdir(tmp_path)


def test_an_empty_folder_is_not_the_current_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a script's variable that is not set would say it."""
    monkeypatch.chdir(tmp_path)
    result = sekisho("init", "", "--domain", "example.com")
    assert 64 == result.code and "is empty" in result.err
    assert [] == os.listdir(tmp_path)


def test_a_folder_that_cannot_be_made_is_unavailable(tmp_path: Path) -> None:
    """A file stands in the way: exit code 69 and the path."""
    (tmp_path / "file").write_text("")
    result = sekisho("init", str(tmp_path / "file" / "state"), "--domain", "example.com")
    assert 69 == result.code and "file" in result.err


@pytest.mark.parametrize("ports", [PORTS, HIGH_PORTS])
@pytest.mark.parametrize("address", ["0.0.0.0", "::"])
def test_every_plan_gives_settings_that_load(tmp_path: Path, ports: dict[str, int], address: str) -> None:
    """For root and for others, IPv4 and IPv6."""
    path = tmp_path / "sekisho.toml"
    path.write_text(settings_text(Plan(str(tmp_path), "example.com", "mx.example.com", address, ports)))
    listeners = load(str(path)).listen
    assert ports == {name: int(listener.address.rpartition(":")[2]) for name, listener in listeners.items()}


def test_long_texts_are_cut_into_strings() -> None:
    """RFC 1035 3.3: a string of a TXT record has at most 255 octets."""
    assert '"short"' == txt_value("short")
    assert f'( "{"a" * 255}" "{"a" * 10}" )' == txt_value("a" * 265)


def test_settings_may_stand_elsewhere_with_users_for_the_roles(tmp_path: Path) -> None:
    """As the package wants it: settings below /etc, everything else below /var/lib."""
    folder, path = tmp_path / "lib", tmp_path / "etc" / "sekisho.toml"
    words = ["init", str(folder), "--domain", "example.com", "--settings", str(path), "--users", "mail"]
    assert 0 == sekisho(*words).code
    config = load(str(path))
    assert (str(folder), "split") == (config.state, config.processes)
    users = config.users
    assert ("mail-front", "mail-local", "mail") == (users.front, users.local, users.group)
    assert not (folder / "sekisho.toml").exists() and (folder / "keys" / "cert.pem").exists()
    assert 1 == sekisho(*words).code
    words[1], words[5] = str(tmp_path / "other"), str(tmp_path / "other.toml")
    for name in ('x"\nevil = 1', "Root", "a" * 26):
        assert 64 == sekisho(*words[:-1], name).code
    assert not (tmp_path / "other").exists()
