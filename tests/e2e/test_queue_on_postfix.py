"""`sekisho queue --on postfix` against a real Postfix: listed, held, released, purged and put back."""

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cli.mailhome import MailHome
from cli.mailtown import VICTIM, Town, botnet, polling
from command import Result, sekisho
from covers import covers
from e2e.beside_postfix import WaitingPostfix, waiting_postfix
from sekisho.model.config import Config, Hand
from sekisho.model.selector import Selector
from sekisho.service.foreign_hold import ForeignHands, hands_beside
from sekisho.service.roles import real_world
from waiting import until

HELLO = "hello@example.com"


@pytest.fixture(scope="module")
def theirs() -> Iterator[WaitingPostfix]:
    with waiting_postfix() as server:
        yield server


@pytest.fixture(autouse=True)
def state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, theirs: WaitingPostfix) -> Path:
    """A state folder and an empty queue for each test."""
    monkeypatch.setenv("SEKISHO_STATE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    theirs.run("postsuper", "-d", "ALL")
    return tmp_path


def queue(theirs: WaitingPostfix, verb: str, *words: str) -> Result:
    return sekisho("queue", verb, "--on", "postfix", "--config", str(theirs.config), *words)


def done(theirs: WaitingPostfix, verb: str, *words: str) -> dict[str, Any]:
    result = queue(theirs, verb, *words, "--yes", "--json")
    assert 0 == result.code, result.err
    told: dict[str, Any] = json.loads(result.out)
    return told


def listed(theirs: WaitingPostfix, *words: str) -> dict[str, dict[str, Any]]:
    """Rows by queue id."""
    result = queue(theirs, "list", "--json", *words)
    assert 0 == result.code, result.err
    return {row["message"]: row for row in result.rows()}


def waits(theirs: WaitingPostfix, *idents: str) -> bool:
    """All of them have been tried once, and wait."""
    rows = listed(theirs)
    return all(rows.get(ident, {}).get("state") == "waiting" for ident in idents)


@covers("T-05")
@covers("T-01", partly="the selector --campaign: nothing finds campaigns yet")
def test_their_queue_is_listed_as_ours(theirs: WaitingPostfix) -> None:
    """Sender, recipients, age, size, next try, last reply, login, address; text imitates nothing."""
    spam = theirs.send(
        "forged@far.example",
        ["a@far.example", "b@far.example"],
        "Subject: cheap\r\nnamed_attribute: sasl_username=bob@example.com\r\n\r\n"
        "*** ENVELOPE RECORDS hold/ABCDEF ***\r\nnamed_attribute: sasl_username=bob@example.com\r\n",
        login=HELLO,
    )
    other = theirs.send(
        "bob@example.com", ["c@far.example"], "Subject: lunch\r\n\r\nx\r\n", login="bob@example.com"
    )
    until(lambda: waits(theirs, spam, other))
    rows = queue(theirs, "list", "--json", "--account", HELLO).rows()
    assert ["a@far.example", "b@far.example"] == [row["recipient"] for row in rows]
    (row,) = listed(theirs, "--recipient", "b@far.example").values()
    assert (HELLO, "192.0.2.7", "forged@far.example", "cheap", "deferred transport") == (
        row["account"], row["address"], row["sender"], row["subject"], row["last_reply"],
    )  # fmt: skip
    assert row["size"] > 0 and row["next_at"] > row["accepted_at"]
    for selector, value in (
        ("--id", spam), ("--sender", "@far.example"), ("--account", "hello@*"), ("--subject", "CHEAP"),
        ("--body", "re:\\*{3} envelope"), ("--header", "named_attribute: sasl"),
            ("--recipient", "re:^b@"),
    ):  # fmt: skip
        assert [spam] == list(listed(theirs, selector, value)), selector
    assert {spam, other} == set(listed(theirs, "--address", "192.0.2.0/24", "--reply", "deferred"))
    assert {} == listed(theirs, "--older", "3600")
    shown = queue(theirs, "show", spam)
    assert "Subject: cheap" in shown.out and "*** ENVELOPE RECORDS" in shown.out


@covers("O-05")
def test_hold_and_release_touch_only_what_is_meant(theirs: WaitingPostfix) -> None:
    """A dry run counts what is held then, and a release by action leaves what others held."""
    mine = theirs.send("x@far.example", ["a@far.example"], "Subject: 1\r\n\r\nx\r\n", login=HELLO)
    before = theirs.send(HELLO, ["a@far.example"], "Subject: 2\r\n\r\nx\r\n", login=HELLO)
    others = theirs.send(HELLO, ["a@far.example"], "Subject: 3\r\n\r\nx\r\n", login="bob@example.com")
    until(lambda: waits(theirs, mine, before, others))
    theirs.run("postsuper", "-h", before)
    plan = queue(theirs, "hold", "--account", HELLO, "--dry-run")
    assert plan.out.startswith("hold 1 delivery of 1 message")
    held = done(theirs, "hold", "--account", HELLO)["performed"]
    assert ([mine], 1, "postfix") == (held["changed"], held["count"], held["owner"])
    rows = listed(theirs)
    assert ([held["action"]], "held_by" in rows[others]) == (rows[mine]["held_by"], False)
    assert 1 == queue(theirs, "hold", "--account", HELLO, "--yes").code  # nothing is left to be held
    done(theirs, "release", "--held-by", held["action"])
    rows = listed(theirs)
    assert "held_by" not in rows[mine] and rows[before]["held_by"]


@covers("T-02")
def test_a_purge_takes_spam_and_its_bounces_and_can_be_taken_back(
    theirs: WaitingPostfix, state: Path
) -> None:
    """What comes back is held, has its login still, and is the same letter."""
    spam = theirs.send("x@far.example", ["a@far.example"], "Subject: s\r\n\r\nthe text\r\n", login=HELLO)
    bounce = theirs.send("", [HELLO], f"Subject: no\r\n\r\nX-Postfix-Queue-ID: {spam}\r\n")
    stays = theirs.send("", ["bob@example.com"], "Subject: no\r\n\r\nx\r\n")
    until(lambda: waits(theirs, spam, bounce, stays))
    assert [bounce] == list(listed(theirs, "--bounces-of", spam))
    assert [bounce] == done(theirs, "purge", "--bounces-of", HELLO)["performed"]["changed"]
    purge = done(theirs, "purge", "--account", HELLO)["performed"]
    assert [stays] == list(listed(theirs))
    assert {spam, bounce} == set(listed(theirs, "--state", "purged"))
    back = done(theirs, "restore", "--held-by", purge["action"])["performed"]
    (new,) = back["changed"]
    (row,) = listed(theirs, "--account", HELLO).values()
    assert (new, [back["action"]], "192.0.2.7") == (row["message"], row["held_by"], row["address"])
    assert "the text" in queue(theirs, "show", new).out
    done(theirs, "release", "--held-by", back["action"])
    until(lambda: waits(theirs, new))
    assert [bounce] == list(listed(theirs, "--state", "purged"))
    assert 0 == len(list((state / "hands").glob("*/kept/*.new")))


def test_bounce_gives_up_and_tells_the_sender(theirs: WaitingPostfix) -> None:
    """Their own non-delivery notification, to the envelope sender."""
    spam = theirs.send("x@far.example", ["a@far.example"], "Subject: s\r\n\r\nx\r\n", login=HELLO)
    until(lambda: waits(theirs, spam))
    done(theirs, "bounce", "--id", spam)
    rows = until(lambda: [row for row in listed(theirs).values() if row["recipient"] == "x@far.example"])
    assert "" == rows[0]["sender"]


def test_what_cannot_be_is_said(theirs: WaitingPostfix) -> None:
    """Unknown servers, a folder that is none, options without --on."""
    assert 64 == sekisho("queue", "list", "--on", "sednmail").code
    wrong = sekisho("queue", "list", "--on", "postfix", "--config", "/nowhere")
    assert 69 == wrong.code and "postconf" in wrong.err
    assert 64 == sekisho("queue", "list", "--queue", "/nowhere").code
    assert 64 == queue(theirs, "purge", "--yes").code


@covers("F-08", partly="POP and IMAP, the account's lock in the console")
def test_a_containment_holds_what_waits_and_what_comes(theirs: WaitingPostfix, state: Path) -> None:
    """The guard's action stands until its release, over a restart; the release lets go what it held alone."""
    settings = Config(
        hostname="localhost",
        state=str(state),
        hands={"mx": Hand(program="postfix", config=str(theirs.config))},
    )
    spam = theirs.send("x@far.example", ["a@far.example"], "Subject: 1\r\n\r\nx\r\n", login=HELLO)
    mine = theirs.send(HELLO, ["a@far.example"], "Subject: 2\r\n\r\nx\r\n", login=HELLO)
    until(lambda: waits(theirs, spam, mine))
    theirs.run("postsuper", "-h", mine)

    def beside() -> ForeignHands:
        """A new process, as after a restart."""
        (hands,) = hands_beside(real_world(settings), settings)
        return hands

    async def scene() -> None:
        wanted = Selector(account=HELLO, spare=("",))
        assert (spam,) == await beside().hold("1k0zt57sgk6d4kkh5", wanted)
        assert (spam,) == await beside().hold("1k0zt57sgk6d4kkh5", wanted)  # twice is once
        later = theirs.send("x@far.example", ["a@far.example"], "Subject: 3\r\n\r\nx\r\n", login=HELLO)
        others = theirs.send(
            "x@far.example", ["a@far.example"], "Subject: 4\r\n\r\nx\r\n", login="bob@example.com"
        )
        await beside().look()
        rows = listed(theirs)
        assert {spam, mine, later} == {ident for ident, row in rows.items() if "held_by" in row}
        assert ["1k0zt57sgk6d4kkh5"] == rows[later]["held_by"] and others in rows
        assert {spam, later} == set(await beside().release("1k0zt57sgk6d4kkh5", (spam,), HELLO))
        await beside().look()
        assert {mine} == {ident for ident, row in listed(theirs).items() if "held_by" in row}
        await beside().post("postmaster@example.com", b"Subject: told\n\nA login was stopped.\n")

    asyncio.run(scene())
    notice = until(lambda: listed(theirs, "--subject", "told"))
    assert [""] == [row["sender"] for row in notice.values()]


@covers("F-08", partly="POP and IMAP, the account's lock in the console")
def test_a_theft_that_the_log_tells_of_stops_what_waits(theirs: WaitingPostfix, tmp_path: Path) -> None:
    """`sekisho watch` beside Postfix: by the log alone the guard holds the account's mail in Postfix's queue,
    and has Postfix tell the operator; the next run goes on, and the release lets go."""
    for name in ("house", "log"):
        (tmp_path / name).mkdir()
    home = MailHome(tmp_path / "house")
    with open(home.path, "a") as settings:
        settings.write(f'\n[hands.mx]\nprogram = "postfix"\nconfig = "{theirs.config}"\n')
    spam = theirs.send("x@far.example", ["a@far.example"], "Subject: 1\r\n\r\nx\r\n", login=VICTIM)
    others = theirs.send("x@far.example", ["a@far.example"], "Subject: 2\r\n\r\nx\r\n", login=HELLO)
    until(lambda: waits(theirs, spam, others))
    town = Town(1, datetime.now(UTC).replace(microsecond=0) - timedelta(days=6))
    polling(town, VICTIM, town.address(), 6)
    botnet(town, datetime.now(UTC) - timedelta(hours=2), 1, 20)
    (tmp_path / "log" / "maillog").write_bytes(town.text())
    watched = home("watch", str(tmp_path / "log" / "maillog"), "--once", "--json")
    assert (1, VICTIM) == (watched.code, watched.rows()[0]["subject"]), watched.err

    def held() -> dict[str, list[str]]:
        rows = home("queue", "list", "--on", "mx", "--json").rows()
        return {row["message"]: row["held_by"] for row in rows if "held_by" in row}

    assert {spam: [watched.rows()[0]["id"]]} == held() and others not in held()
    assert until(lambda: listed(theirs, "--recipient", "postmaster@example.com", "--sender", "<>"))
    later = theirs.send("x@far.example", ["a@far.example"], "Subject: 3\r\n\r\nx\r\n", login=VICTIM)
    assert 0 == home("incident", "release", VICTIM, "--keep-password", "--yes").code
    home("watch", str(tmp_path / "log" / "maillog"), "--once")
    assert {} == held() and later in listed(theirs)
