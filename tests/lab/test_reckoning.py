"""The demo's truth is counted where mail ends up."""

import os
from pathlib import Path

from msgspec import structs

from sekisho.lab.player import Call, Paper
from sekisho.lab.reckoning import Ledger, Played, Tally, look
from sekisho.lab.scenes import Scene, Side
from sekisho.lab.sink import Sink, SinkMessage
from sekisho.lab.story import FAST
from sekisho.lab.theatre import Bill, Outcome
from sekisho.model.incident import Grade, Incident
from sekisho.model.phrase import phrase
from sekisho.model.queue_row import QueueRow

OWNER = "hello@example.com"
BOT, HOME = "198.51.100.1", "203.0.113.1"


def paper(number: int, *recipients: str) -> Paper:
    return Paper(f"letter-{number}@demo.example", OWNER, recipients, "Hello")


def played(side: Side, sheet: Paper, began: int, ended: int, ident: str = "") -> Played:
    scene = Scene(began, side, OWNER, BOT if side == "bot" else HOME, (sheet,))
    ending = Call(accepted={sheet.token: ident}) if ident else Call(ending="login refused")
    return Played(scene, ending, began, ended)


def row(message: str, address: str, *held_by: str) -> QueueRow:
    return QueueRow(
        "d", message, "waiting", OWNER, "x@host1.example", OWNER, address, "", 1, 0, 0, 0, 0, "relay", held_by
    )


def test_arrivals_are_read_from_sink_and_maildirs(tmp_path: Path) -> None:
    """By Message-ID and recipient; a letter in new/ or cur/ counts, one in tmp/ does not."""
    sink = Sink()
    sink.messages.append(SinkMessage("a", ("x@host1.example",), paper(1, "x@host1.example").wire(), at=5))
    box = tmp_path / "mail" / "example.com" / "hello" / "Maildir"
    for part in ("new", "cur", "tmp"):
        (box / part).mkdir(parents=True)
    (box / "new" / "1").write_bytes(b"Received: x\r\n" + paper(2, OWNER).wire())
    (box / "cur" / "2:2,S").write_bytes(paper(3, OWNER).wire())
    (box / "tmp" / "3").write_bytes(paper(4, OWNER).wire())
    os.utime(box / "new" / "1", ns=(7000, 7000))
    arrived = look(sink, str(tmp_path), (OWNER,))
    assert arrived.keys() == {
        ("letter-1@demo.example", "x@host1.example"),
        ("letter-2@demo.example", OWNER),
        ("letter-3@demo.example", OWNER),
    }
    assert (arrived["letter-1@demo.example", "x@host1.example"], arrived["letter-2@demo.example", OWNER]) == (
        5,
        7,
    )


def ledger() -> Ledger:
    book = Ledger(frozenset({"dead@host1.example"}), OWNER)
    book.played = [
        played("bot", paper(1, "x@host1.example"), 10, 11, "m1"),
        played("bot", paper(2, "y@host1.example"), 20, 30, ""),
        played("customer", paper(3, "z@host1.example", "dead@host1.example"), 15, 16, "m3"),
        played("outside", paper(4, OWNER), 17, 18, "m4"),
    ]
    return book


def test_dead_addresses_are_not_waited_for() -> None:
    """Everything else that honest people wrote is."""
    assert ledger().expected() == {
        ("letter-3@demo.example", "z@host1.example"),
        ("letter-4@demo.example", OWNER),
    }


def test_the_tally_tells_held_leaked_and_missing_apart() -> None:
    """A held letter of the botnet is as it should be, a held honest one is not."""
    arrived = {
        ("letter-3@demo.example", "z@host1.example"): 16,
        ("letter-1@demo.example", "x@host1.example"): 40,
    }
    tally = ledger().tally(arrived, [row("m1", BOT, "action"), row("m4", HOME, "action")])
    assert (tally.bot_logins, tally.bot_denied, tally.bot_accepted) == (2, 1, 1)
    assert (tally.bot_held, tally.bot_arrived, tally.honest_held) == (1, 1, 1)
    assert tally.honest_missing == (("letter-4@demo.example", OWNER),)
    assert tally.owner_in_time


def test_a_letter_whose_client_was_cut_off_is_still_counted() -> None:
    """The bot never heard the message's number, but the queue knows where it came from."""
    queue = [row("m1", BOT, "action"), row("m8", BOT, "action"), row("m9", BOT)]
    tally = ledger().tally({}, queue)
    assert (tally.bot_accepted, tally.bot_held, tally.bot_moving, tally.honest_held) == (3, 2, 1, 0)


def test_the_owners_letter_must_arrive_before_the_attack_ends() -> None:
    """One that arrives with the botnet's last call is too late."""
    late = {("letter-3@demo.example", "z@host1.example"): 30, ("letter-4@demo.example", OWNER): 18}
    assert not ledger().tally(late, []).owner_in_time


def outcome(tally: Tally, contained: bool = True) -> Outcome:
    case = Incident("i", OWNER, "takeover", Grade.CONTAIN, 1, phrase("x"))
    return Outcome(tally, (case,) if contained else (), contained)


def test_what_a_good_day_is() -> None:
    """Contained, all honest mail there, at most three of the botnet's letters, the owner in time."""
    good, bill = Tally(bot_logins=30, bot_arrived=3), Bill(1, FAST)
    assert outcome(good).good(bill)
    assert not outcome(good, contained=False).good(bill)
    for wrong in (
        {"bot_arrived": 4},
        {"honest_held": 1},
        {"honest_missing": (("t", "r"),)},
        {"owner_in_time": False},
    ):
        assert not outcome(structs.replace(good, **wrong)).good(bill)


def test_what_a_good_day_without_a_thief_is() -> None:
    """No case at all, and nothing held."""
    bill = Bill(1, FAST, thief=False)
    assert outcome(Tally(), contained=False).good(bill)
    assert not outcome(Tally()).good(bill)
    assert not structs.replace(outcome(Tally(), contained=False), wronged=("anna@example.org",)).good(bill)
    assert not outcome(Tally(honest_held=1), contained=False).good(bill)
