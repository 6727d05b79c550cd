"""`sekisho-checkpassword` around another checkpassword program: called as qmail's programs call it, and by a
real Dovecot; with a guard that watches, one that is gone, and one that hangs.
"""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from conftest import program
from e2e.dovecot import dovecot
from e2e.running import Installation
from e2e.test_containment import HOME, OWNER, ordinary_days, tell
from ports import free_port
from waiting import until

RIGHT = "canary-right-9c1"
STRANGERS = ("93.84.1.1", "212.56.200.7", "195.3.144.9", "200.1.2.3", "41.2.3.4", "103.9.8.7")
BOOTH = """
[listen.wforce]
address = "127.0.0.1:{port}"
protocol = "wforce"
password_file = "keys/wforce"
[outbound.smarthost]
host = "127.0.0.1:{dead}"
"""
REAL = f"""\
#!{sys.executable} -IS
import os, sys
given = b""
while data := os.read(3, 512):
    given += data
name, password, stamp = given.split(b"\\0")[:3]
if password == b"later":
    sys.exit(111)
if password != b"{RIGHT}":
    sys.exit(1)
os.environ["USER"] = name.decode()
os.execvp(sys.argv[1], sys.argv[1:])
"""
OURS = """\
#!{python}
import os
os.environ["SEKISHO_GUARD"] = "127.0.0.1:{port}"
os.environ["SEKISHO_GUARD_PASSWORD"] = "{word}"
from sekisho.cli.checkpassword import run
run()
"""
AUTH = """
auth_mechanisms = plain
disable_plaintext_auth = no
passdb {{
  driver = checkpassword
  args = {ours} {real}
}}
service auth {{
  unix_listener auth-client {{
    mode = 0666
  }}
}}
"""
SHOWN = ("sh", "-c", 'echo "$USER ${SEKISHO_DOOR-none}"; exit 7')


@dataclass
class Site:
    ours: Installation
    folder: Path
    port: int

    def script(self, name: str, port: int) -> Path:
        path = self.folder / name
        word = self.folder / "site" / "keys" / "wforce"
        path.write_text(OURS.format(python=sys.executable, port=port, word=word))
        path.chmod(0o755)
        return path

    def login(
        self, address: str, password: str = RIGHT, account: str = OWNER, guard: int = 0
    ) -> "subprocess.CompletedProcess[str]":
        """As qmail-popup or qmail-smtpd starts it: the secret on descriptor 3."""
        given = self.folder / "given"
        given.write_bytes(f"{account}\0{password}\0stamp\0".encode())
        words = [self.script("called", guard or self.port), self.folder / "real", *SHOWN]
        environment = {**os.environ, "TCPREMOTEIP": address, "TCPLOCALPORT": "110"}
        return subprocess.run(
            ["sh", "-c", f'exec "$0" "$@" 3<{given}', *words],
            capture_output=True, text=True, env=environment, check=False, timeout=120,
        )  # fmt: skip

    def told(self) -> list[dict[str, object]]:
        """Logins in our archive."""
        lines = [line for path in (self.ours.folder / "events").iterdir() for line in path.open()]
        return [event for event in map(json.loads, lines) if event["event"] == "login_tried"]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder, port = tmp_path_factory.mktemp("checkpassword"), free_port()
    ours = Installation(folder / "site", extra=BOOTH.format(port=port, dead=free_port()))
    (folder / "site" / "keys" / "wforce").write_text("a long random word\n")
    (folder / "real").write_text(REAL)
    (folder / "real").chmod(0o755)
    tell(ours, ordinary_days(40))
    with ours.serving():
        yield Site(ours, folder, port)


def test_the_real_program_decides_and_the_guard_hears_of_it(site: Site) -> None:
    """Exit codes are those of the real one, or of the program behind it; what was wrong is told once, a
    failure of the moment is not.
    """
    done = site.login(HOME)
    assert (7, f"{OWNER} none\n", "") == (done.returncode, done.stdout, done.stderr)
    assert 111 == site.login(HOME, "later").returncode
    assert 1 == site.login(HOME, "wrong").returncode and 7 == site.login(HOME).returncode
    told = until(lambda: site.told() if len(site.told()) >= 3 else [])
    assert [(ok, "pop3", HOME, OWNER) for ok in (True, False, True)] == [
        (event["ok"], event["service"], event["address"], event["account"]) for event in told
    ]
    assert told[0]["digest"] != told[1]["digest"]


def test_whoever_is_contained_is_as_if_the_password_was_wrong(site: Site) -> None:
    """Other programs cannot be told more than that. The owner goes on at home, and a release undoes it."""
    codes = [site.login(stranger).returncode for stranger in STRANGERS]
    assert 7 == codes[0] and 1 == codes[-1] and sorted(codes, reverse=True) == codes
    assert 7 == site.login(HOME).returncode
    site.ours.run("incident", "release", OWNER, "--teach", "--yes")
    assert 7 == site.login(STRANGERS[-1]).returncode


def test_a_real_dovecot_goes_on_with_it(site: Site) -> None:
    """Its checkpassword passdb, with descriptor 4 and what it says of the client."""
    auth = AUTH.format(ours=site.script("dovecots", site.port), real=site.folder / "real")
    with dovecot("nobody@example.com", extra=auth) as theirs:

        def tried(password: str) -> bool:
            words = [program("doveadm"), "-c", theirs.folder / "dovecot.conf", "auth", "test"]
            words += ["-a", theirs.folder / "run" / "auth-client", "-x", "service=imap", "-x", f"rip={HOME}"]
            return subprocess.run([*words, OWNER, password], capture_output=True).returncode == 0

        before = len(site.told())
        assert tried(RIGHT), theirs.log()
        assert not tried("wrong")
        told = until(lambda: site.told()[before + 1 :])
        assert ("imap", HOME, False) == tuple(told[-1][key] for key in ("service", "address", "ok"))


def test_a_guard_that_is_gone_or_hangs_keeps_nobody_out(site: Site) -> None:
    """Wrong passwords stay wrong."""
    assert 7 == site.login(HOME, guard=free_port()).returncode
    assert 1 == site.login(HOME, "wrong", guard=free_port()).returncode
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        assert 7 == site.login(HOME, guard=silent.getsockname()[1]).returncode
        assert time.monotonic() - began > 1.5, "it did not ask"


def test_misuse(site: Site) -> None:
    """No words; no descriptor 3; a real program that is not there."""
    script = site.script("called", site.port)
    assert 2 == subprocess.run([script], capture_output=True).returncode
    assert 2 == subprocess.run([script, "real", "true"], capture_output=True).returncode
    words = ["sh", "-c", 'exec "$0" "$@" 3</dev/null', script, site.folder / "absent", "true"]
    done = subprocess.run(words, capture_output=True, text=True)
    assert 111 == done.returncode and "absent: No such file" in done.stderr
    logs = "".join(path.read_text() for path in (site.ours.folder / "events").iterdir())
    assert RIGHT not in logs
