"""Beside a real Postfix whose filter we are (milter), set up by what `sekisho configure postfix` prints.

Letters of a stolen login go into its quarantine; a release of the incident lets them go, by our hands there.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from command import sekisho
from covers import covers
from e2e.beside_postfix import WaitingPostfix, waiting_postfix
from e2e.running import Installation
from e2e.test_containment import HOME, ordinary_days, tell
from ports import free_port
from waiting import until

OWNER = "hello@example.com"
STRANGERS = ("93.84.1.1", "212.56.200.7", "195.3.144.9", "200.1.2.3", "41.2.3.4", "103.9.8.7")
"""Six countries."""

BOOTH = """
[listen.filter]
address = "127.0.0.1:{port}"
protocol = "milter"
[outbound.smarthost]
host = "127.0.0.1:{dead}"
"""
HANDS = """
[hands.mx]
program = "postfix"
config = "{config}"
"""


@dataclass
class Site:
    ours: Installation
    theirs: WaitingPostfix

    def send(self, address: str, recipient: str, login: str = OWNER) -> str:
        letter = "Subject: x\r\n\r\nx\r\n"
        return self.theirs.send(login, [recipient], letter, login=login, address=address)

    def listed(self, *words: str) -> list[Any]:
        result = sekisho("queue", "list", "--on", "mx", "-c", str(self.ours.settings), "--json", *words)
        assert 0 == result.code, result.err
        return result.rows()

    def held(self) -> set[str]:
        rows = [json.loads(line) for line in self.theirs.run("postqueue", "-j").splitlines()]
        return {row["queue_id"] for row in rows if row["queue_name"] == "hold"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    extra = BOOTH.format(port=free_port(), dead=free_port())
    ours = Installation(tmp_path_factory.mktemp("beside") / "site", extra=extra)
    with waiting_postfix() as theirs:
        for _ in range(2):
            theirs.apply(ours.run("configure", "postfix"))
        assert 1 == theirs.run("postconf", "-h", "smtpd_milters").count("inet:")
        with ours.settings.open("a") as settings:
            settings.write(HANDS.format(config=theirs.config))
        tell(ours, ordinary_days(40))
        with ours.serving():
            yield Site(ours, theirs)


@covers("F-08", partly="POP and IMAP, the account's lock in the console")
def test_a_filter_holds_and_the_release_lets_go(site: Site) -> None:
    """The client hears 250; the owner at home is spared; the letters carry the action's name."""
    own = site.send(HOME, "friend@example.com")
    strays = [site.send(stranger, f"victim@{stranger}.far.example") for stranger in STRANGERS]
    until(lambda: set(strays) <= site.held())  # the first was passed, and caught while it waited
    assert own not in site.held()
    assert strays[0] in site.theirs.log() and "milter triggers HOLD action" in site.theirs.log()
    (incident,) = json.loads(site.ours.run("incident", "show", OWNER, "--json"))["incidents"]
    held = {row["message"]: row["held_by"] for row in site.listed() if row.get("held_by")}
    assert set(strays) == set(held)
    marked = site.listed("--header", "x-sekisho-held: ")
    assert 5 == len(marked)
    returned = "Subject: no\r\nContent-Type: message/rfc822\r\n\r\nReceived: from x (y [{address}])\r\n\r\n"
    caused = site.theirs.send("", [OWNER], returned.format(address=STRANGERS[0]))
    usual = site.theirs.send("", [OWNER], returned.format(address=HOME))
    found = {row["message"] for row in site.listed("--incident", incident["id"])}
    assert {*strays, caused} == found and usual not in found
    site.ours.run("incident", "release", OWNER, "--keep-password", "--yes")
    until(lambda: not site.held())
    assert incident["id"] in {name for names in held.values() for name in names}


def test_a_filter_that_is_down_stops_no_mail(site: Site) -> None:
    """Killed and started again: Postfix goes by milter_default_action, and asks us when we are back."""
    site.ours.kill()
    site.send(STRANGERS[0], "a@far.example", login="other@example.com")
    site.ours.start()
    for stranger in STRANGERS:
        site.send(stranger, f"b@{stranger}.far.example", login="other@example.com")
    until(site.held)
