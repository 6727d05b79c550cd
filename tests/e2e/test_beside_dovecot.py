"""Beside a real Dovecot that asks our wforce booth, set up by what `sekisho configure dovecot` prints: right
passwords reach the guard, and whoever is contained hears where help is.
"""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from conftest import program
from e2e.dovecot import Dovecot, dovecot
from e2e.running import Installation
from e2e.test_containment import HOME, OWNER, ordinary_days, tell
from ports import free_port
from waiting import until

RIGHT, OTHER = "x", "other@example.com"
STRANGERS = ("93.84.1.1", "212.56.200.7", "195.3.144.9", "200.1.2.3", "41.2.3.4", "103.9.8.7")
BOOTH = """
[listen.wforce]
address = "127.0.0.1:{port}"
protocol = "wforce"
password_file = "keys/wforce"
tarpit_s = 0
[guard]
help_url = "https://help.example/locked"
[outbound.smarthost]
host = "127.0.0.1:{dead}"
"""
AUTH = """
auth_mechanisms = plain login
disable_plaintext_auth = no
service auth {
  unix_listener auth-client {
    mode = 0666
  }
}
"""


@dataclass
class Site:
    ours: Installation
    theirs: Dovecot

    def login(self, address: str, password: str = RIGHT, account: str = OWNER) -> tuple[bool, str]:
        """Did it succeed, and what was said: as any server that asks Dovecot's authentication."""
        words = [program("doveadm"), "-c", self.theirs.folder / "dovecot.conf", "auth", "test"]
        words += ["-a", self.theirs.folder / "run" / "auth-client", "-x", "service=imap"]
        words += ["-x", f"rip={address}"]
        done = subprocess.run([*words, account, password], capture_output=True, text=True, timeout=120)
        return done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("dovecot") / "site"
    ours = Installation(folder, extra=BOOTH.format(port=free_port(), dead=free_port()))
    assert 78 == ours.tried("configure", "dovecot")[0]  # there is no password yet
    (folder / "keys" / "wforce").write_text("a long random word\n")
    tell(ours, ordinary_days(40))
    with ours.serving(), dovecot(OWNER, OTHER, extra=AUTH + ours.run("configure", "dovecot")) as theirs:
        yield Site(ours, theirs)


def test_who_is_contained_hears_where_help_is(site: Site) -> None:
    """The right password from six countries: three get in, three hear why not. A wrong one never hears it,
    the owner goes on at home, and after a release everybody does.
    """
    assert site.login(HOME)[0] and not site.login(HOME, "wrong")[0]
    tried = [site.login(stranger) for stranger in STRANGERS]
    assert [True, True, True, False, False, False] == [ok for ok, _ in tried]
    assert all("suspended" in said and "https://help.example/locked" in said for _, said in tried[3:])
    ok, said = site.login(STRANGERS[0], "wrong")
    assert not ok and "reason=" not in said
    assert site.login(HOME)[0]
    listed = until(lambda: site.ours.run("incident", "list"))
    assert f"{OWNER}: 3 sign-ins" in listed and "3 countries" in listed
    site.ours.run("incident", "release", OWNER, "--teach", "--yes")
    assert site.login(STRANGERS[5])[0]


def test_a_guard_that_is_killed_keeps_nobody_out(site: Site) -> None:
    """Dovecot goes on by itself; back again, we are asked again."""
    site.ours.kill()
    assert site.login(HOME, account=OTHER)[0] and not site.login(HOME, "wrong", OTHER)[0]
    assert "Policy server HTTP error" in until(site.theirs.log)
    site.ours.start()
    assert not all(site.login(stranger, account=OTHER)[0] for stranger in STRANGERS)
