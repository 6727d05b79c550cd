"""Beside a real sendmail that has us as its filter, set up by what `sekisho configure sendmail` prints; and
our hands in its queue.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from command import Result, sekisho
from covers import covers
from e2e.beside_sendmail import WaitingSendmail, waiting_sendmail
from e2e.running import Installation
from ports import free_port
from waiting import until

HELLO, BOB = "hello@example.com", "bob@example.com"

BOOTH = """
[listen.filter]
address = "127.0.0.1:{port}"
protocol = "milter"
[guard]
first_time_recipients = 5
[outbound.smarthost]
host = "127.0.0.1:{dead}"
"""
HANDS = """
[hands.old]
program = "sendmail"
config = "{config}"
tools = "{tools}"
"""


@dataclass
class Site:
    ours: Installation
    theirs: WaitingSendmail

    def queue(self, *words: str) -> Result:
        result = sekisho("queue", *words, "--on", "old", "-c", str(self.ours.settings))
        assert 0 == result.code, result.err
        return result

    def listed(self, *words: str) -> dict[str, dict[str, Any]]:
        return {row["message"]: row for row in self.queue("list", "--json", *words).rows()}

    def done(self, verb: str, *words: str) -> dict[str, Any]:
        said = self.queue(verb, "--yes", "--json", *words).out
        performed: dict[str, Any] = json.loads(said)["performed"]
        return performed


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    extra = BOOTH.format(port=free_port(), dead=free_port())
    ours = Installation(tmp_path_factory.mktemp("beside") / "site", extra=extra)
    with waiting_sendmail(ours.run("configure", "sendmail")) as theirs:
        with ours.settings.open("a") as settings:
            settings.write(HANDS.format(config=theirs.config, tools=theirs.program.parent))
        ours.add_account(HELLO)
        with ours.serving():
            yield Site(ours, theirs)


@covers("T-02")
def test_their_queue_as_ours(site: Site) -> None:
    """By login, not by sender; held by quarantine and let go, purged and put back; given up in the end."""
    text = "Subject: cheap\r\nX-A: b\r\n\r\nthe words\r\n"
    spam = site.theirs.send("x@far.example", ["a@far.example", "b@far.example"], text, login=BOB)
    other = site.theirs.send("x@far.example", ["a@far.example"], "Subject: l\r\n\r\nx\r\n")
    bounce = site.theirs.send("", [BOB], f"Subject: no\r\n\r\nid {spam}\r\n")
    (row,) = site.listed("--account", BOB, "--recipient", "a@far.example").values()
    assert (spam, "127.0.0.1", "cheap", "x@far.example") == (
        row["message"], row["address"], row["subject"], row["sender"]
    )  # fmt: skip
    assert [spam] == list(site.listed("--body", "the words")) == list(site.listed("--header", "x-a: b"))
    assert [bounce] == list(site.listed("--bounces-of", BOB)) == list(site.listed("--bounces-of", spam))
    site.queue("hold", "--account", BOB, "--dry-run")
    assert f"qf{spam}" in site.theirs.names()
    held = site.done("hold", "--account", BOB)
    assert [spam] == held["changed"] and {f"hf{spam}", f"qf{other}"} < site.theirs.names()
    site.done("release", "--held-by", held["action"])
    assert f"qf{spam}" in site.theirs.names()
    purge = site.done("purge", "--account", BOB)
    assert not [name for name in site.theirs.names() if spam in name]
    back = site.done("restore", "--held-by", purge["action"])
    row = site.listed()[spam]
    assert ([back["action"]], BOB) == (row["held_by"], row["account"])
    assert "the words" in site.queue("show", spam).out
    site.done("release", "--held-by", back["action"])
    site.done("bounce", "--id", spam)
    until(lambda: spam not in site.listed())


def test_the_filter_puts_letters_into_quarantine(site: Site) -> None:
    """More strangers than the account may write to in a day: 250 to the client, the letter is held and bears
    the action's name; the release lets it go, and another account's mail was never held."""
    few = site.theirs.send(HELLO, ["a@far.example"], "Subject: 1\r\n\r\nx\r\n", login=HELLO)
    many = [f"{number}@far.example" for number in range(9)]
    stray = site.theirs.send("x@far.example", many, "Subject: 2\r\n\r\nx\r\n", login=HELLO)
    others = site.theirs.send(BOB, ["a@far.example"], "Subject: 3\r\n\r\nx\r\n", login=BOB)
    assert {f"hf{stray}", f"qf{few}", f"qf{others}"} < site.theirs.names()
    assert [stray] == list(site.listed("--header", "re:^x-sekisho-held: [0-9a-z]+$"))
    site.ours.run("incident", "release", HELLO, "--keep-password", "--yes")
    until(lambda: f"qf{stray}" in site.theirs.names())
