"""Beside a real Postfix that asks our policy booth, set up by what `sekisho configure postfix` prints."""

import json
import smtplib
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from e2e.dovecot import dovecot
from e2e.postfix import Claimed, Postfix, postfix
from e2e.running import PASSWORD, Installation
from e2e.test_containment import HOME, ordinary_days, tell
from ports import free_port
from waiting import until

OWNER, OTHER, THIRD = "hello@example.com", "other@example.com", "third@example.com"
STOLEN, CHANGED = "x", "another good password"
STRANGERS = ("93.84.1.1", "212.56.200.7", "195.3.144.9", "200.1.2.3", "41.2.3.4", "103.9.8.7")
"""Six countries."""

BOOTH = """
[listen.policy]
address = "127.0.0.1:{port}"
protocol = "policy"
[listen.sasl]
address = "127.0.0.1:{sasl}"
protocol = "sasl"
tarpit_s = 0
[listen.maps]
address = "127.0.0.1:{maps}"
protocol = "socketmap"
[listen.lines]
address = "127.0.0.1:{lines}"
protocol = "tcp_table"
table = "senders"
[guard]
help_url = "https://help.example/locked"
[outbound.smarthost]
host = "127.0.0.1:{dead}"
"""

AUTH = """
auth_mechanisms = plain login
disable_plaintext_auth = no
service auth {
  unix_listener sasl {
    mode = 0666
  }
}
"""


@dataclass
class Site:
    ours: Installation
    theirs: Postfix


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    ours = Installation(
        tmp_path_factory.mktemp("beside") / "site",
        extra=BOOTH.format(**{name: free_port() for name in ("port", "sasl", "dead", "maps", "lines")}),
    )
    ours.add_account(THIRD)
    tell(ours, ordinary_days(40))
    with ours.serving(), dovecot(OWNER, OTHER, extra=AUTH) as auth:
        setup = ours.run("configure", "postfix")
        with postfix(str(auth.folder / "run" / "sasl"), free_port(), setup) as theirs:
            yield Site(ours, theirs)


def answer(site: Site, address: str, password: str = PASSWORD, mechanism: str = "PLAIN") -> str:
    """To AUTH, where Postfix asks our SASL booth."""
    with Claimed(site.theirs.second, address) as client:
        client.ehlo()
        client.user, client.password = THIRD, password
        try:
            code, text = client.auth(mechanism, getattr(client, f"auth_{mechanism.lower()}"))
        except smtplib.SMTPAuthenticationError as error:
            code, text = error.smtp_code, error.smtp_error
        return f"{code} {text.decode()}"


def send(site: Site, address: str, *recipients: str, account: str = OWNER) -> int:
    """The reply to the letter's end, or to the recipient or password that was refused."""
    with Claimed(site.theirs.port, address) as client:
        try:
            client.login(account, STOLEN)
            client.sendmail(account, recipients, "Subject: x\r\n\r\nx\r\n")
        except smtplib.SMTPAuthenticationError as error:
            return error.smtp_code
        except smtplib.SMTPRecipientsRefused as error:
            return next(iter(error.recipients.values()))[0]
    return 250


def test_after_the_first_stray_letter_they_are_held(site: Site) -> None:
    """A stolen password, one letter each from six countries: the client hears 250, Postfix keeps five.

    The owner goes on at home. A release lets the next ones pass; what was held the operator lets go.
    """
    assert 250 == send(site, HOME, "friend@example.com")
    assert [250] * 6 == [send(site, stranger, f"victim-{stranger}@far.example") for stranger in STRANGERS]
    held = site.theirs.held()
    assert 5 == len(held)
    assert 250 == send(site, HOME, "friend@example.com") and held == site.theirs.held()
    (incident,) = json.loads(site.ours.run("incident", "show", OWNER, "--json"))["incidents"]
    assert f"End-of-data sekisho: {incident['id']}" in site.theirs.log()
    site.ours.run("incident", "release", OWNER, "--teach", "--yes")
    assert 250 == send(site, STRANGERS[1], "friend@example.com") and held == site.theirs.held()


def test_a_guard_killed_in_the_middle_stops_no_mail(site: Site) -> None:
    """Between recipient and text, and before the next client comes; back again, it holds again."""
    with Claimed(site.theirs.port, STRANGERS[0]) as client:
        client.login(OTHER, STOLEN)
        client.mail(OTHER)
        assert 250 == client.rcpt("a@far.example")[0]
        site.ours.kill()
        assert 250 == client.data("Subject: x\r\n\r\nx\r\n")[0]
    before = site.theirs.held()
    assert 250 == send(site, STRANGERS[1], "b@far.example", account=OTHER)
    assert "warning: connect to 127.0.0.1:" in site.theirs.log()
    assert before == site.theirs.held()
    site.ours.start()
    for stranger in STRANGERS:
        assert 250 == send(site, stranger, f"c-{stranger}@far.example", account=OTHER)
    assert before != site.theirs.held()


def test_postfix_has_us_judge_passwords(site: Site) -> None:
    """PLAIN and LOGIN; the wrong one; whoever is contained hears where help is; with a new password and a
    release all is well; a server that is gone is 454.
    """
    assert answer(site, HOME).startswith("235 ")
    assert answer(site, HOME, mechanism="LOGIN").startswith("235 ")
    assert answer(site, HOME, "wrong").startswith("535 5.7.8 Error: authentication failed:")
    assert "help.example" not in answer(site, HOME, "wrong")
    said = [answer(site, stranger) for stranger in STRANGERS]
    locked = "535 5.7.8 Error: authentication failed: Access from this place is suspended"
    assert said[0].startswith("235 ") and said[-1].startswith(locked)
    assert said[-1].endswith("https://help.example/locked") and answer(site, HOME).startswith("235 ")
    site.ours.run("account", "password", THIRD, stdin=CHANGED + "\n")
    site.ours.run("incident", "release", THIRD, "--yes")
    until(lambda: answer(site, STRANGERS[-1], CHANGED).startswith("235 "))
    assert answer(site, STRANGERS[-1]).startswith("535 5.7.8 ")
    site.ours.kill()
    assert answer(site, HOME, CHANGED).startswith("454 4.7.0 ")
    site.ours.start()
    until(lambda: answer(site, HOME, CHANGED).startswith("235 "))


def test_postfix_looks_things_up(site: Site) -> None:
    """To whom an address belongs, by both protocols; who is locked, and who was released."""
    settings = tomllib.loads(site.ours.settings.read_text())["listen"]
    maps = f"socketmap:inet:{settings['maps']['address']}"
    lines = f"tcp:{settings['lines']['address']}"
    assert THIRD == site.theirs.looked_up(f"{maps}:senders", THIRD) == site.theirs.looked_up(lines, THIRD)
    assert "" == site.theirs.looked_up(f"{maps}:senders", "x@example.com")
    assert "" == site.theirs.looked_up(lines, "x y") == site.theirs.looked_up(f"{maps}:locked", THIRD)
