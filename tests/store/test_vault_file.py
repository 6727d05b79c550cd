"""vault.db: hashes under lock, no plaintext anywhere, and a reader that notices a new password."""

import os
import sqlite3
from pathlib import Path

import pytest

from sekisho.model.secret import Secret
from sekisho.store import hashing
from sekisho.store.hashes import Hashes
from sekisho.store.hashing import make_hash, matches, nobodys_hash, prepared
from sekisho.store.vault import Vault
from sekisho.store.window import POLL_US
from sekisho.testing.world import FakeClock
from sekisho.world import Unavailable


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return Vault.create(str(tmp_path), b"k" * 32)


def test_the_file_is_for_the_vault_alone(vault: Vault, tmp_path: Path) -> None:
    """0600 under any umask; never created twice, never through a link."""
    assert 0o600 == os.stat(tmp_path / "vault.db").st_mode & 0o777
    with pytest.raises(FileExistsError):
        Vault.create(str(tmp_path), b"")
    other = tmp_path / "other"
    other.mkdir()
    (other / "vault.db").symlink_to(tmp_path / "elsewhere.db")
    with pytest.raises(FileExistsError):
        Vault.create(str(other), b"")
    assert not (tmp_path / "elsewhere.db").exists()


def test_umask_does_not_open_it(tmp_path: Path) -> None:
    """A careless umask changes nothing."""
    before = os.umask(0)
    try:
        Vault.create(str(tmp_path), b"")
    finally:
        os.umask(before)
    assert 0o600 == os.stat(tmp_path / "vault.db").st_mode & 0o777


def test_a_new_password_is_noticed(vault: Vault, tmp_path: Path) -> None:
    """Stored hashes are remembered until the file's change counter moves."""
    clock = FakeClock()
    hashes = Hashes.open(str(tmp_path), clock)
    assert "" == hashes.stored("hello@example.com")
    vault.save("hello@example.com", "one", 5)
    clock.advance(POLL_US / 1e6)
    assert "one" == hashes.stored("hello@example.com")
    vault.save("hello@example.com", "two", 6)
    assert "one" == hashes.stored("hello@example.com")
    clock.advance(POLL_US / 1e6)
    assert "two" == hashes.stored("hello@example.com")
    assert 6 == vault.changed_at("hello@example.com")
    vault.remove("hello@example.com")
    clock.advance(POLL_US / 1e6)
    assert "" == hashes.stored("hello@example.com")
    assert 0 == vault.changed_at("hello@example.com")


def test_the_digest_key_is_the_vaults(vault: Vault, tmp_path: Path) -> None:
    """Two readers of one vault tell wrong passwords apart in the same way."""
    assert b"k" * 32 == Hashes.open(str(tmp_path), FakeClock()).digest_key()


def test_a_newer_vault_is_refused(vault: Vault, tmp_path: Path) -> None:
    """By the writer and by the reader."""
    vault.close()
    connection = sqlite3.connect(tmp_path / "vault.db")
    connection.execute("update notes set value = 2 where name = 'schema'")
    connection.commit()
    connection.close()
    with pytest.raises(Unavailable, match="newer sekisho"):
        Vault.open(str(tmp_path))
    with pytest.raises(Unavailable, match="another version"):
        Hashes.open(str(tmp_path), FakeClock()).stored("x")


def test_hashes_are_owasps_argon2id() -> None:
    """19 MiB, two passes, one lane; right opens, wrong does not, nonsense does not."""
    stored = make_hash(b"correct horse", b"s" * 16)
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert matches(stored, b"correct horse")
    assert not matches(stored, b"Correct horse")
    for nonsense in ("", "*", "plain", "$argon2id$", "$1$salt$hash", stored[:-9], "correct horse"):
        assert not matches(nonsense, b"correct horse")


def test_nobodys_hash_costs_what_a_real_one_costs() -> None:
    """The same parameters and lengths, so that an unknown user takes a known one's time."""
    real, nobodys = (
        make_hash(b"x", b"s" * hashing.SALT_BYTES),
        nobodys_hash(b"s" * hashing.SALT_BYTES, b"n" * 32),
    )
    assert real.split("$")[:4] == nobodys.split("$")[:4]
    assert [len(part) for part in real.split("$")] == [len(part) for part in nobodys.split("$")]
    assert not matches(nobodys, b"x")


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        (b"plain", b"plain"),
        ("caf\u00e9".encode(), "caf\u00e9".encode()),
        ("cafe\u0301".encode(), "caf\u00e9".encode()),
        ("a\u3000\u00a0b\u00e9".encode(), "a  b\u00e9".encode()),
        ("\uff41\uff42".encode(), "\uff41\uff42".encode()),
        (b"\xff\xfe", b"\xff\xfe"),
        (b"", b""),
        (b"nul\0inside", b"nul\0inside"),
    ],
)
def test_one_password_has_one_form(typed: bytes, kept: bytes) -> None:
    """RFC 8265 4.2: two spellings of an accent are one; a full-width letter is another letter."""
    assert kept == prepared(Secret(typed))
