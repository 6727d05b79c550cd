"""`sekisho queue --on exim` against a real Exim: listed, held, released, purged and put back."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from command import Result, sekisho
from covers import covers
from e2e.beside_exim import WaitingExim, waiting_exim
from waiting import until

HELLO = "hello@example.com"


@pytest.fixture(scope="module")
def theirs() -> Iterator[WaitingExim]:
    with waiting_exim() as server:
        yield server


@pytest.fixture(autouse=True)
def state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, theirs: WaitingExim) -> Path:
    monkeypatch.setenv("SEKISHO_STATE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    for row in listed(theirs):
        theirs.run("-Mrm", row)
    return tmp_path


def queue(theirs: WaitingExim, verb: str, *words: str) -> Result:
    where = ("--config", str(theirs.config), "--programs", str(theirs.program.parent))
    return sekisho("queue", verb, "--on", "exim", *where, *words)


def done(theirs: WaitingExim, verb: str, *words: str) -> dict[str, Any]:
    result = queue(theirs, verb, *words, "--yes", "--json")
    assert 0 == result.code, result.err
    performed: dict[str, Any] = json.loads(result.out)["performed"]
    return performed


def listed(theirs: WaitingExim, *words: str) -> dict[str, dict[str, Any]]:
    result = queue(theirs, "list", "--json", *words)
    assert 0 == result.code, result.err
    return {row["message"]: row for row in result.rows()}


@covers("T-05")
def test_their_spool_is_listed_as_ours(theirs: WaitingExim) -> None:
    """By the login, whatever sender and text say; bounces by whom they go to, or by what they name."""
    text = "Subject: cheap\r\n-auth_id: bob\r\n\r\n--auth_id bob@example.com\r\nwords\r\n"
    spam = theirs.send("x@far.example", ["a@far.example", "b@far.example"], text, login=HELLO)
    other = theirs.send(
        "bob@example.com", ["c@far.example"], "Subject: l\r\n\r\nx\r\n", login="bob@example.com"
    )
    bounce = theirs.send("", [HELLO], f"Subject: no\r\n\r\nid {spam}\r\n")
    rows = queue(theirs, "list", "--json", "--account", HELLO).rows()
    assert [("a@far.example", "127.0.0.1"), ("b@far.example", "127.0.0.1")] == [
        (row["recipient"], row["address"]) for row in rows
    ]
    assert [spam] == list(listed(theirs, "--subject", "cheap")) == list(listed(theirs, "--body", "words"))
    assert [other] == list(listed(theirs, "--account", "bob@*"))
    assert (
        [bounce] == list(listed(theirs, "--bounces-of", HELLO)) == list(listed(theirs, "--bounces-of", spam))
    )
    assert "words" in queue(theirs, "show", spam).out


@covers("T-02")
def test_what_is_held_and_purged_comes_back(theirs: WaitingExim) -> None:
    """Frozen and thawed by action; purged, put back under its id, frozen; delivered in the end."""
    spam = theirs.send("x@far.example", ["a@far.example"], "Subject: s\r\n\r\nthe text\r\n", login=HELLO)
    before = theirs.send(HELLO, ["a@far.example"], "Subject: 2\r\n\r\nx\r\n", login=HELLO)
    theirs.run("-Mf", before)
    held = done(theirs, "hold", "--account", HELLO)
    assert [spam] == held["changed"] and [held["action"]] == listed(theirs)[spam]["held_by"]
    done(theirs, "release", "--held-by", held["action"])
    assert "held_by" not in listed(theirs)[spam] and listed(theirs)[before]["held_by"]
    purge = done(theirs, "purge", "--id", spam)
    assert [before] == list(listed(theirs)) and spam not in theirs.run("-bp")
    back = done(theirs, "restore", "--held-by", purge["action"])
    row = listed(theirs)[spam]
    assert ([back["action"]], HELLO) == (row["held_by"], row["account"])
    assert "frozen" in theirs.run("-bp") and "the text" in queue(theirs, "show", spam).out
    done(theirs, "release", "--held-by", back["action"])
    done(theirs, "retry", "--id", spam)
    until(lambda: f"{spam} == a@far.example" in theirs.log())  # tried: nobody listens there


def test_bounce_gives_up_and_tells_the_sender(theirs: WaitingExim) -> None:
    """As Exim does it."""
    spam = theirs.send("x@far.example", ["a@far.example"], "Subject: s\r\n\r\nx\r\n", login=HELLO)
    done(theirs, "bounce", "--id", spam)
    until(lambda: [row for row in listed(theirs).values() if row["recipient"] == "x@far.example"])
