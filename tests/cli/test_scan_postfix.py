"""`sekisho scan` on logs of a made-up Postfix and Dovecot house: it finds the thieves, and nobody else."""

import json
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent.parent))

from bench.postfixlog import Order, write

from command import sekisho
from covers import covers
from sekisho.store.networktable import built_in

WORDS = ("--json", "--what-if", "--year", "2026", "--zone", "+02:00")


def house(path: Path, order: Order) -> dict[str, Any]:
    with path.open("w") as out:
        return write(out, order, built_in().find)


def hours(told: dict[str, Any]) -> float:
    first, last = (datetime.fromisoformat(told[name]) for name in ("first", "last"))
    return (last - first).total_seconds() / 3600


def report(path: Path, *words: str) -> dict[str, Any]:
    result = sekisho("scan", str(path), *words)
    assert result.code in (0, 1), result.err
    (row,) = result.rows()
    return row


@covers("O-03", "F-09", "F-10")
@pytest.mark.parametrize(
    "order",
    [
        Order(seed=5, accounts=40, learning=6, days=3, inbound=1),
        Order(6, 40, 6, 3, inbound=1, filtered=False, long_ids=True, stamps="iso"),
    ],
)
def test_the_thieves_are_found_and_nobody_else(tmp_path: Path, order: Order) -> None:
    """Botnet, slow botnet, replay, neighbours' homes, one address: each with its exact numbers, joined for
    certain; behind a content filter or not, in both kinds of stamps and queue ids."""
    truth = house(tmp_path / "maillog", order)
    found = report(tmp_path / "maillog", *WORDS)
    assert (truth["lines"], 0) == (found["lines"], found["unparsed"])
    cases = {case["account"]: case for case in found["incidents"]}
    assert set(truth["thefts"]) == set(cases)
    for account, theft in truth["thefts"].items():
        case = cases[account]
        assert ("takeover", {1.0}) == (case["kind"], {join["confidence"] for join in case["joins"]})
        assert case["first"] <= theft["first"]
        assert hours(theft) - 0.2 <= hours(case) <= hours(theft) + 24  # the owner travelled at that time
        for name in ("logins", "distinct_addresses", "messages", "recipients"):
            # the owner's few are among them
            assert theft[name] <= case[name] <= theft[name] + 80, (account, name)
        assert case["bounced"] - 3 <= theft["bounced"] <= case["bounced"]
    held = {one["account"] for one in found["would_have_bothered"] if one["grade"] != "watch"}
    assert len(held) <= 1  # the first issue of a newsletter to 800 readers


ZONE = timezone(timedelta(hours=2))
DOOR = "mx1 dovecot: imap-login: "


def guessing(path: Path, known: bool) -> None:
    """Forty wrong passwords from as many places; `known`: the owner comes in every hour."""
    start, lines = datetime(2026, 3, 2, 8, tzinfo=ZONE), []
    owner = "a@x.example" if known else "b@x.example"
    wrong = "Disconnected (auth failed, 1 attempts in 2 secs): user=<a@x.example>, method=PLAIN"
    for number in range(40):
        at = start + timedelta(minutes=7 * number)
        lines.append((at, f"{wrong}, rip={20 + number * 3}.7.9.{number}"))
        lines.append((at + timedelta(seconds=9), f"Login: user=<{owner}>, method=PLAIN, rip=81.2.69.142"))
    tail = ", lip=203.0.113.1, TLS\n"
    text = "".join(f"{at:%b} {at.day:2d} {at:%H:%M:%S} {DOOR}{said}{tail}" for at, said in lines)
    path.write_text(text)


def test_guessing_by_imap_alone_is_failures_only(tmp_path: Path) -> None:
    """Of an account that exists; of a name that nobody has ever signed in to, nothing is said."""
    guessing(tmp_path / "log", known=True)
    (case,) = report(tmp_path / "log", *WORDS)["incidents"]
    assert ("failures_only", "a@x.example", 40, 40) == (
        case["kind"], case["account"], case["failures"], case["distinct_addresses"],
    )  # fmt: skip
    assert "none of these addresses got in" in case["sentence"]
    guessing(tmp_path / "log", known=False)
    assert [] == report(tmp_path / "log", *WORDS)["incidents"]
    (case,) = report(tmp_path / "log", *WORDS, "--account", "a@x.example")["incidents"]
    assert "failures_only" == case["kind"]


def test_one_postfix_dialect_alone(tmp_path: Path) -> None:
    """`--format postfix` leaves Dovecot's lines unread."""
    guessing(tmp_path / "log", known=True)
    found = report(tmp_path / "log", *WORDS, "--format", "postfix")
    assert (80, {}) == (found["unparsed"], found["dialects"])
    assert "a@x.example" not in json.dumps(found["incidents"])


ENTRIES = (
    ("postfix/submission/smtpd", "connect from pc[81.2.69.142]"),
    ("postfix/submission/smtpd", ("AAAAA1: client=pc[81.2.69.142], sasl_method=PLAIN,"
    " sasl_username=a@x.example")),
    ("postfix/qmgr", "AAAAA1: from=<a@x.example>, size=9, nrcpt=1 (queue active)"),
    ("dovecot", "imap-login: Login: user=<a@x.example>, method=PLAIN, rip=81.2.69.142, lip=203.0.113.1"),
    ("evil: x\ndovecot", ("imap-login: Login: user=<boss@x.example>, method=PLAIN, rip=6.6.6.6,"
    " lip=203.0.113.1")),
    ("dovecot", ("imap-login: Disconnected (auth failed, 1 attempts): user=<a>, rip=81.2.69.142\nOct 11"
    " 22:14:15 mx1"
     " dovecot: imap-login: Login: user=<boss@x.example>, method=PLAIN, rip=6.6.6.6, lip=203.0.113.1")),
)  # fmt: skip
MOMENT = datetime(2026, 10, 11, 22, 14, 15, 123456, tzinfo=UTC)


def journal(form: str) -> bytes:
    """As journalctl prints these entries, each a minute after the one before."""
    out = b""
    for minute, (program, said) in enumerate(ENTRIES):
        at = MOMENT + timedelta(minutes=minute)
        micros = int(at.timestamp()) * 1_000_000 + at.microsecond
        fields = {
            "__CURSOR": f"s={minute}", "__REALTIME_TIMESTAMP": str(micros), "_HOSTNAME": "mx1",
            "PRIORITY": "6",
            "SYSLOG_IDENTIFIER": program, "SYSLOG_PID": "77", "MESSAGE": said,
        }  # fmt: skip
        if form == "json":
            odd = {**fields, "MESSAGE": list(said.encode())} if minute % 2 else fields
            out += json.dumps(odd).encode() + b"\n"
        elif form == "export":
            for name, value in fields.items():
                raw, size = value.encode(), len(value.encode()).to_bytes(8, "little")
                out += f"{name}=".encode() + raw if "\n" not in value else name.encode() + b"\n" + size + raw
                out += b"\n"
            out += b"\n"
        elif "\n" not in program:
            shown = {"short-iso": f"{at:%Y-%m-%dT%H:%M:%S}+0000", "short-precise": f"{at:%b %d %H:%M:%S.%f}"}
            head = shown.get(form, f"{at:%b %d %H:%M:%S}")
            out += f"{head} mx1 {program}[77]: {said.partition(chr(10))[0]}\n".encode()
    return out


@pytest.mark.parametrize("form", ["short", "short-iso", "short-precise", "json", "export"])
def test_the_journal_of_systemd(tmp_path: Path, form: str) -> None:
    """Whatever `journalctl -o` prints: two sign-ins, a message,
    a failure; a newline begins no line."""
    (tmp_path / "journal").write_bytes(journal(form))
    words = ("--json", "--year", "2026", "--zone", "UTC", "--account")
    found = report(tmp_path / "journal", *words, "a@x.example")
    (case,) = found["incidents"]
    assert ({"submission": 1, "imap": 1}, 1) == (case["services"], case["messages"])
    assert "2026-10-11T22:15:15" == case["first"][:19]
    assert "boss@x.example" not in json.dumps(found["accounts"])
    assert [] == report(tmp_path / "journal", *words, "boss@x.example")["incidents"]
