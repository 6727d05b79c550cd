"""Roles as users of their own: mail flows, and the user that parses it can open nothing it should not.

The users are numbers that own nothing on this machine. Needs root, and a Python that others may start.
"""

import contextlib
import os
import shutil
import site as packages
import sqlite3
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from covers import covers
from e2e.running import NEWS_S, PASSWORD, Installation
from waiting import until

FRONT, VAULT, WATCH, LOCAL, GROUP = 42101, 42102, 42103, 42104, 42100
USERS = f"""
[users]
front = "{FRONT}"
vault = "{VAULT}"
watch = "{WATCH}"
local = "{LOCAL}"
group = "{GROUP}"
[local]
instructions = "qmail"
"""
ROOT = Path(__file__).parent.parent.parent
LIBRARIES = os.pathsep.join([str(ROOT / "src"), *packages.getsitepackages()])


def python_for_others() -> str:
    """An interpreter that the front's user can start, with our libraries."""
    for path in (sys.executable, f"/usr/bin/python3.{sys.version_info[1]}", "/usr/bin/python3"):
        probe = [path, "-c", "import apsw, argon2, sekisho"]
        environment = {"PYTHONPATH": LIBRARIES, "PYTHONDONTWRITEBYTECODE": "1"}
        try:
            done = subprocess.run(
                probe, user=FRONT, group=FRONT, extra_groups=[], env=environment, check=False
            )
        except OSError:
            continue
        if done.returncode == 0:
            return path
    pytest.skip("no Python on this machine that other users can start with our libraries")


@contextlib.contextmanager
def split_house(monkeypatch: pytest.MonkeyPatch) -> Iterator[Installation]:
    """For roles as users of their own, below a folder that they may pass through. Skips without root."""
    if os.geteuid() != 0:
        pytest.skip("only root can start roles as other users")
    folder = Path(tempfile.mkdtemp(prefix="sekisho-users-"))
    folder.chmod(0o755)
    try:
        site = Installation(folder / "site", processes="split", extra=USERS)
        site.add_account("bob@example.com")
        monkeypatch.setenv("PYTHONPATH", LIBRARIES)
        site.program = [python_for_others(), "-m", "sekisho"]
        yield site
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Installation]:
    with split_house(monkeypatch) as site, site.serving():
        yield site


def as_front(site: Installation, path: str) -> int:
    """What an attempt to read or list a path ends with, as the front's user and groups."""
    code = "import os,sys; p=sys.argv[1]; os.listdir(p) if os.path.isdir(p) else open(p,'rb').read(1)"
    done = subprocess.run(
        [*site.program[:1], "-c", code, str(site.folder / path)],
        user=FRONT,
        group=FRONT,
        extra_groups=[GROUP],
        stderr=subprocess.DEVNULL,
        check=False,
    )
    return done.returncode


def owner_of(pid: int) -> int:
    return os.stat(f"/proc/{pid}").st_uid


@covers("O-04")
def test_the_front_can_open_no_secret_and_no_mailbox(site: Installation) -> None:
    """Mail arrives in both directions, large letters too; hashes, signing keys and mailboxes stay closed."""
    large = "x" * 70 + "\r\n"
    with site.client() as client:
        client.sendmail("a@far.example", ["bob@example.com"], "Subject: small\r\n\r\nx\r\n")
        client.sendmail("a@far.example", ["bob@example.com"], "Subject: large\r\n\r\n" + large * 8000)
    with site.signed_in("bob@example.com") as client:
        client.sendmail("bob@example.com", ["bob@example.com"], "Subject: own\r\n\r\nx\r\n")
    site.wait_for_letters("bob@example.com", 3)
    private = next((site.folder / "keys" / "dkim").rglob("*.pem"), None) or next(
        path for path in (site.folder / "keys" / "dkim").rglob("*") if path.is_file()
    )
    secrets = ["vault.db", "mail", "mail/example.com", str(private.relative_to(site.folder))]
    assert [1, 1, 1, 1] == [as_front(site, path) for path in secrets]
    assert [0, 0, 0] == [as_front(site, path) for path in ("house.db", "sekisho.toml", "keys/key.pem")]
    owners = {owner_of(pid) for pid in site.processes()}
    assert {0, FRONT, VAULT, WATCH, LOCAL} == owners


def test_nobody_else_is_given_anything(site: Installation) -> None:
    """No file of the state folder is open to all but folders that one passes through."""
    for path in [site.folder / "house.db", site.folder / "vault.db", *site.folder.glob("keys/*")]:
        if path.is_file():
            assert not stat.S_IMODE(path.stat().st_mode) & 0o007, path
    letters = list((site.folder / "mail").rglob("*"))
    assert all(path.stat().st_uid in (LOCAL, 0) for path in letters)


def test_what_root_writes_for_an_account_is_followed(site: Installation) -> None:
    """An automatic reply set before the first letter, and a .qmail file: local delivery reads them, and owns
    the mailbox still. It answers and forwards, though it may not talk to anybody."""
    site.add_account("carol@example.com")
    site.run("account", "autoreply", "carol@example.com", "--set", stdin="I am away.\n")
    folder = site.folder / "mail" / "example.com" / "carol"
    assert LOCAL == folder.stat().st_uid == folder.parent.stat().st_uid
    (folder / ".qmail").write_text("./Maildir/\n&bob@example.com\n")
    (folder / ".qmail").chmod(0o644)
    time.sleep(NEWS_S)
    with site.client() as client:
        letter = "To: carol@example.com\r\nSubject: x\r\n\r\n" + "words words\r\n" * 40_000
        client.sendmail("bob@example.com", ["carol@example.com"], letter)
    site.wait_for_letters("carol@example.com", 1)
    found = site.wait_for_letters("bob@example.com", 2)
    assert [False, True] == sorted(b"Auto-Submitted: auto-replied" in each for each in found)


def test_a_restart_and_a_reload_find_everything_where_it_was(site: Installation) -> None:
    """Stopped and started again, with an account added by root meanwhile."""
    site.stop()
    site.add_account("carol@example.com")
    site.start()
    with site.signed_in("carol@example.com") as client:
        client.sendmail("carol@example.com", ["carol@example.com"], "Subject: x\r\n\r\nx\r\n")
    site.wait_for_letters("carol@example.com", 1)
    site.run("incident", "contain", "carol@example.com", "--yes")
    assert "contained by" in site.run("incident", "show", "carol@example.com")
    site.run("incident", "release", "carol@example.com", "--keep-password", "--yes")


def test_the_vault_adds_scram_keys_as_its_own_user(site: Installation) -> None:
    """An account with a hash alone: its first PLAIN login makes keys, in a file that is the vault's alone."""
    vault = site.folder / "vault.db"
    with sqlite3.connect(vault, timeout=10) as file:
        file.execute("delete from scram")
        file.execute("update notes set value = value + 1 where name = 'changes'")

    def has_keys() -> bool:
        """It may still remember, for the fifth of a second, that there were keys."""
        site.signed_in("bob@example.com", PASSWORD).quit()
        return _keys(vault) > 0

    until(has_keys)
    assert (VAULT, 0o600) == (vault.stat().st_uid, stat.S_IMODE(vault.stat().st_mode))


def _keys(vault: Path) -> int:
    with sqlite3.connect(vault, timeout=10) as file:
        return int(file.execute("select count(*) from scram").fetchone()[0])
