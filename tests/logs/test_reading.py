"""The fast way through a log and the slow one say the same, and both say what the generator wrote."""

import random
from datetime import UTC, datetime, timedelta, timezone

import pytest

from covers import covers
from logs.lines import MARK, STYLES, Clock, letter, logins, micros, mixed, spam
from sekisho.logs.ledger import Ledger
from sekisho.logs.reading import Place, Reader
from sekisho.logs.stamp import Calendar


def reader_at(near: datetime, zone: timezone = UTC) -> Reader:
    reader = Reader(Ledger())
    reader.begin(Place(0, b"log", Calendar(zone, micros(near))))
    return reader


def in_blocks(reader: Reader, text: bytes, chance: random.Random) -> Reader:
    """Blocks of whole lines, each behind a newline, cut at random."""
    lines = text.splitlines()
    while lines:
        count = chance.randint(1, 60)
        reader.feed(b"\n" + b"\n".join(lines[:count]))
        lines = lines[count:]
    return reader


def line_by_line(reader: Reader, text: bytes) -> Reader:
    for line in text.splitlines():
        reader.read_line(line)
    return reader


def essence(reader: Reader) -> tuple[object, ...]:
    ledger = reader.ledger
    letters = [
        (
            sender, item.number, item.at, item.line, item.size, item.qp, tuple(item.recipients),
            tuple(item.tries), item.ended,
        )
        for sender, group in sorted(ledger.letters.items())
        for item in group
    ]  # fmt: skip
    visits = ledger.visits(ledger.accounts())
    counts = {name: count for name, count in reader.dialects.items() if count}
    return visits, letters, counts, reader.lines, reader.shapes.count, ledger.spanning()


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("seed", range(6))
def test_blocks_and_lines_say_the_same(style: str, seed: int) -> None:
    """However a log is cut into blocks, it is read as it is line by line."""
    text, near = mixed(seed, style), datetime(2012, 1, 1, tzinfo=UTC)
    slow = essence(line_by_line(reader_at(near), text))
    assert slow == essence(in_blocks(reader_at(near), text, random.Random(seed)))
    assert slow == essence(in_blocks(reader_at(near), text, random.Random(seed + 1000)))


@covers("L-03")
@pytest.mark.parametrize("style", STYLES)
def test_logins_of_a_whole_log_come_out_as_written(style: str) -> None:
    """Time, process and meaning of every form, through the whole way of a line."""
    chance, every = random.Random(7), list(logins())
    chance.shuffle(every)
    zone = timezone(timedelta(hours=-3, minutes=-30))
    clock = Clock(style, datetime(2020, 2, 28, 23, 50, tzinfo=zone))
    lines, expected = [], []
    for told in every:
        clock.later(chance.randint(0, 90))
        pid = chance.randint(2, 32_000)
        lines.append(f"{clock.header()}vpopmail[{pid}]: {told.text}")
        if told.account:
            expected.append((micros(clock.at), told.account, told.ok, told.service, told.address, pid))
    reader = reader_at(datetime(2020, 3, 1, tzinfo=UTC), zone)
    in_blocks(reader, "\n".join(lines).encode(), chance)
    stories = reader.ledger.visits(reader.ledger.accounts())
    found = [
        (visit.at, account, visit.login.ok, visit.login.service, visit.login.address, visit.pid)
        for account, story in stories.items()
        for visit in story
    ]
    assert sorted(expected) == sorted(found)
    assert MARK not in str(reader.ledger.logins)
    assert 0 == reader.shapes.count


@covers("L-02", "F-06")
@pytest.mark.parametrize("seed", range(8))
def test_letters_come_out_as_written(seed: int) -> None:
    """Messages, recipients and results, with numbers that are used again and a daemon that restarts."""
    chance = random.Random(seed)
    clock = Clock("classic", datetime(2019, 5, 5, tzinfo=timezone(timedelta(hours=2))))
    lines, expected, delivery = [], [], 1
    for count in range(120):
        if count % 40 == 39:
            delivery = 1  # the daemon was restarted
        said, told = letter(chance, clock, 500 + count % 25, delivery)
        delivery += told.recipients
        lines += said
        expected.append(told)
    reader = in_blocks(reader_at(datetime(2019, 5, 5, tzinfo=UTC)), "\n".join(lines).encode(), chance)
    found = sorted(
        (item for group in reader.ledger.letters.values() for item in group), key=lambda item: item.at
    )
    assert [told.number for told in expected] == [item.number for item in found]
    for told, item in zip(expected, found, strict=True):
        results = list(item.results().values())
        counts = tuple(results.count(result) for result in ("delivered", "failed", "deferred"))
        assert (told.sender, told.size, told.recipients) == (item.sender, item.size, len(item.recipients))
        assert (told.delivered, told.failed, told.deferred) == counts


def test_multilog_has_no_header_but_a_stamp() -> None:
    """The same messages under multilog: no host, no program, TAI64N."""
    chance = random.Random(3)
    clock = Clock("classic", datetime(2013, 7, 22, 9, 52, 57, 611039, tzinfo=UTC))
    lines = [
        f"{clock.tai()} new msg 90219",
        f"{clock.tai()} info msg 90219: bytes 1364 from <hello@example.com> qp 17121 uid 103",
        f"{clock.tai()} starting delivery 1: msg 90219 to remote a@example.net",
        f"{clock.tai()} delivery 1: success: ok/",
        f"{clock.tai()} end msg 90219",
    ]
    reader = in_blocks(reader_at(datetime(1999, 1, 1, tzinfo=UTC)), "\n".join(lines).encode(), chance)
    (item,) = reader.ledger.letters["hello@example.com"]
    assert (micros(clock.at), 1364, ["a@example.net"], True) == (
        item.at, item.size, item.addresses(), item.ended,
    )  # fmt: skip


@covers("L-04")
@pytest.mark.parametrize("seed", range(4))
def test_spamd_is_told_apart(seed: int) -> None:
    """All of spamd's forms are spamd's, and none is a login or a message."""
    chance = random.Random(seed)
    clock = Clock("classic", datetime(2013, 7, 22, tzinfo=UTC))
    lines = [line for _ in range(20) for line in spam(chance, clock)]
    reader = in_blocks(reader_at(clock.at), "\n".join(lines).encode(), chance)
    assert (100, 0, 0) == (reader.dialects["spamd"], reader.shapes.count, len(reader.ledger))
