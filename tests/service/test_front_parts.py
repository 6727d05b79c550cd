"""The small parts of a front: counts, the last word of the guard, who may come in, letters while they
arrive.
"""

import asyncio
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from reception_stage import Stage

from sekisho.model.config import Guard, Limits
from sekisho.model.event import LoginTried
from sekisho.model.incident import Grade, Place, Standing
from sekisho.model.verdict import Note
from sekisho.service import arriving, counts, judging
from sekisho.service.admission import CROWDED, FULL, LEAVING, Admission, neighbourhood
from sekisho.service.arriving import BUSY, HEAD_TOO_LARGE, Arriving
from sekisho.service.counts import Counts
from sekisho.service.doorstep import Doorstep
from sekisho.service.judging import Judging
from sekisho.service.listener import Networks
from sekisho.service.messages import Judge, Request
from sekisho.service.underway import Underway
from sekisho.service.zone import zone_of
from sekisho.testing.loop import run
from sekisho.world import Unavailable


def test_notes_are_summed_until_they_are_over() -> None:
    """By table and key, each for its own time."""
    kept = Counts()
    for note in (
        Note("t", "a", 2, 100),
        Note("t", "a", 3, 200),
        Note("t", "b", 5, 300),
        Note("u", "a", 7, 300),
    ):
        kept.remember(note)
    assert [5, 3, 0] == [kept.sum("t", "a", now) for now in (99, 100, 200)]
    assert 0 == kept.sum("t", "c", 0)


def test_counting_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """By keys and by notes of one key; the oldest makes room."""
    monkeypatch.setattr(counts, "KEYS", 2)
    kept = Counts()
    for key in ("a", "b", "a", "c"):
        kept.remember(Note("t", key, 1, 100))
    assert [2, 0, 1] == [kept.sum("t", key, 0) for key in ("a", "b", "c")]
    for _ in range(counts.NOTES + 5):
        kept.remember(Note("t", "c", 1, 100))
    assert counts.NOTES == kept.sum("t", "c", 0)


class Watch:
    """Answers with what is set, after `wait_s`."""

    def __init__(self) -> None:
        self.standing: Standing | None = None
        self.wait_s = 0.0
        self.asked = 0

    async def ask(self, request: Request, answer: type) -> Standing:
        self.asked += 1
        assert isinstance(request, Judge)
        standing = self.standing
        await asyncio.sleep(self.wait_s)
        if standing is None:
            raise Unavailable("watch", "gone")
        return standing


def login(address: str) -> LoginTried:
    return LoginTried(
        id="e",
        at=0,
        source="front",
        account="alice@example.com",
        address=address,
        service="submission",
        ok=True,
    )


def standing(address: str, place: Place, **more: object) -> Standing:
    return Standing("alice@example.com", address, Grade.CONTAIN, place, **more)  # type: ignore[arg-type]


def judge_of(watch: Watch) -> Judging:
    made = Judging(watch)  # type: ignore[arg-type]
    made.configure(Guard(help_url="https://help.example/"))
    return made


def test_the_last_word_is_that_for_this_address_or_for_any_stranger() -> None:
    """An address never seen counts as unfamiliar: a dead guard opens no door that it had closed."""

    async def scene() -> None:
        watch = Watch()
        judge = judge_of(watch)
        watch.standing = standing("192.0.2.1", "known")
        assert (await judge.judge(login("192.0.2.1"))).fresh
        watch.standing = None
        fresh_stranger = await judge.judge(login("198.51.100.9"))
        assert ("unfamiliar", "pass", False) == (
            fresh_stranger.standing.place,
            fresh_stranger.standing.treatment,
            fresh_stranger.fresh,
        )
        watch.standing = standing("198.51.100.1", "unfamiliar", treatment="refuse", network="AS1/BY")
        await judge.judge(login("198.51.100.1"))
        watch.standing = None
        words = [
            await judge.judge(login(address)) for address in ("192.0.2.1", "198.51.100.1", "203.0.113.5")
        ]
        assert ["pass", "refuse", "refuse"] == [word.standing.treatment for word in words]
        assert ["", "AS1/BY", ""] == [word.standing.network for word in words]
        assert "203.0.113.5" == words[2].standing.address and "help.example" in words[2].refusal

    asyncio.run(scene())


def test_a_late_answer_is_the_next_last_word(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for it, nothing is lost."""
    monkeypatch.setattr(judging, "PATIENCE_S", 0.01)

    async def scene() -> None:
        watch = Watch()
        judge = judge_of(watch)
        watch.standing, watch.wait_s = standing("192.0.2.1", "known", treatment="hold"), 0.05
        assert "pass" == (await judge.judge(login("192.0.2.1"))).standing.treatment
        await asyncio.sleep(0.1)
        watch.standing, watch.wait_s = None, 0.0
        assert "hold" == (await judge.judge(login("192.0.2.1"))).standing.treatment

    asyncio.run(scene())


def test_a_guard_that_hangs_is_not_waited_for_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """After three silences nobody waits; it is still asked, and once it answers in time it is waited for."""
    monkeypatch.setattr(judging, "PATIENCE_S", 30.0)

    async def scene() -> None:
        watch = Watch()
        judge = judge_of(watch)
        loop = asyncio.get_running_loop()
        watch.standing, watch.wait_s = standing("192.0.2.1", "known"), 1000.0
        began = loop.time()
        words = [await judge.judge(login("192.0.2.1")) for _ in range(10)]
        assert [False] * 10 == [word.fresh for word in words]
        assert (90.0, 10) == (loop.time() - began, watch.asked)
        watch.wait_s = 20.0
        assert not (await judge.judge(login("192.0.2.1"))).fresh
        await asyncio.sleep(21)
        assert (await judge.judge(login("192.0.2.1"))).fresh

    run(scene())


def test_questions_to_a_guard_that_hangs_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the limit the last word is given without asking."""
    monkeypatch.setattr(judging, "OPEN_MOST", 5)

    async def scene() -> None:
        watch = Watch()
        judge = judge_of(watch)
        watch.standing, watch.wait_s = standing("192.0.2.1", "known"), 1000.0
        for _ in range(20):
            await judge.judge(login("192.0.2.1"))
        assert 5 == watch.asked

    run(scene())


STALE = [("192.0.2.1", "alice@example.com", "1f00")] * 500


def test_an_address_has_a_budget_of_different_wrong_passwords() -> None:
    """A telephone that repeats an old password spends it once; an hour later it is full again."""
    door, hour = Doorstep(), 3600 * 1_000_000
    door.most = 3
    for address, name, digest in STALE:
        door.was_wrong(address, name, digest, 0)
    assert not door.is_spent("192.0.2.1", "bob@example.com", 1)
    for number in range(2):
        door.was_wrong("192.0.2.1", f"guess{number}@example.com", "beef", 0)
    assert door.is_spent("192.0.2.1", "bob@example.com", 1)
    assert not door.is_spent("192.0.2.2", "bob@example.com", 1)
    assert not door.is_spent("192.0.2.1", "bob@example.com", hour)


def test_a_neighbour_s_guesses_do_not_lock_out_who_belongs_there() -> None:
    """Who has had the right password at that address goes on; an IPv6 subscriber has one budget."""
    door = Doorstep()
    door.most = 3
    door.was_right("2001:db8::1", "alice@example.com", 0)
    for number in range(3):
        door.was_wrong(f"2001:db8::{number}", "alice@example.com", f"{number}", 0)
    assert not door.is_spent("2001:db8::1", "alice@example.com", 1)
    assert door.is_spent("2001:db8::1", "bob@example.com", 1)
    assert door.is_spent("2001:db8::ffff", "alice@example.com", 1)


@pytest.mark.parametrize(
    ("address", "wanted"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("", ""),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2"),
        ("2001:db8::1", "2001:db8:0:0"),
        ("2001:db8:1:2::", "2001:db8:1:2"),
        ("::1", "0:0:0:0"),
        ("fe80::1:2:3:4", "fe80:0:0:0"),
    ],
)
def test_of_ipv6_the_subscribers_network_counts(address: str, wanted: str) -> None:
    """A /64 has more addresses than all of IPv4; it is one client."""
    assert wanted == neighbourhood(address)


def test_admission_counts_in_and_out() -> None:
    """Who is sent away is counted until it has left; a unix socket has no limit of its own; closing ends
    all.
    """
    limits = Limits(sessions=4, sessions_per_address=2)
    door = Admission()
    assert [None, None, CROWDED] == [door.enter("192.0.2.1", limits) for _ in range(3)]
    door.leave("192.0.2.1")
    assert [None, None, FULL] == [door.enter("", limits) for _ in range(3)]
    for address in ("", "", "", "192.0.2.1"):
        door.leave(address)
    assert 1 == door.open
    door.closing = True
    assert LEAVING == door.enter("192.0.2.9", limits)


def test_networks_of_the_settings() -> None:
    """Addresses of both kinds, and the unix socket by its name only."""
    some = Networks(("192.0.2.0/24", "2001:db8::/32", "unix"))
    told = [some.contains(each) for each in ("192.0.2.7", "192.0.3.7", "2001:db8::7", "2001:db9::7", "")]
    assert [True, False, True, False, True] == told
    assert not Networks(()).contains("127.0.0.1") and not Networks(()).contains("")


def test_zones(monkeypatch: pytest.MonkeyPatch) -> None:
    """By name, by TZ, by the system; a name that nobody knows is said."""

    def hours(name: str, month: int) -> float:
        offset = datetime(2026, month, 1, tzinfo=UTC).astimezone(zone_of(name)).utcoffset()
        assert offset is not None
        return offset.total_seconds() / 3600

    assert (9, -5, -4) == (hours("Asia/Tokyo", 1), hours("America/New_York", 1), hours("America/New_York", 7))
    monkeypatch.setenv("TZ", ":Asia/Kolkata")
    assert 5.5 == hours("", 1)
    monkeypatch.setenv("TZ", "no such zone")
    hours("", 1)
    monkeypatch.delenv("TZ")
    hours("", 1)
    with pytest.raises(Unavailable, match="Mars"):
        zone_of("Mars/Olympus")


def test_quiet_waits_only_for_what_had_begun() -> None:
    """Not for other accounts, nor for letters that come meanwhile; nor at all when nothing is under way."""

    async def scene() -> None:
        under_way = Underway()
        await under_way.quiet("a")
        with under_way.message_of("b"), under_way.message_of(""):
            await under_way.quiet("a")
        with under_way.message_of("a"):
            waiting = asyncio.create_task(under_way.quiet("a"))
            await asyncio.sleep(0)
            with under_way.message_of("a"):
                pass
            assert not waiting.done()
        await waiting

    asyncio.run(scene())


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def arrive(stage: Stage, *parts: bytes) -> Arriving:
    """A letter in these parts, to its end or until something is wrong with it."""

    async def scene() -> Arriving:
        await stage.start()
        letter = Arriving(stage.reception._front, "message")
        for part in parts:
            letter.add(part)
        await letter.finish()
        await stage.reception.stop()
        await stage.spawn.stop()
        return letter

    return asyncio.run(scene())


def test_how_a_letter_is_cut_makes_no_difference(stage: Stage) -> None:
    """Size, digest and head are those of the whole."""
    content = b"Subject: x\r\n y\r\nTo: z\r\n\r\n" + b"hello\r\n" * 100
    whole = arrive(stage, content)
    pieces = arrive(stage, *(content[at : at + 7] for at in range(0, len(content), 7)))
    assert (whole.size, whole.digest, whole.head) == (pieces.size, pieces.digest, pieces.head)
    assert (len(content), b"x y", 2) == (whole.size, whole.head.first(b"subject"), len(whole.head.fields))


def test_a_letter_without_empty_line_is_all_head(stage: Stage) -> None:
    """And an empty one has none."""
    assert [b"a", b"b"] == [field.name for field in arrive(stage, b"a: 1\r\nb: 2\r\n").head.fields]
    assert () == arrive(stage).head.fields == arrive(stage, b"\r\nhello\r\n").head.fields


def test_under_pressure_letters_go_to_files_early(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """When all together are too large for memory; a letter whose head has not even ended is put off."""
    monkeypatch.setattr(arriving, "TOGETHER_BYTES", 10)
    letter = arrive(stage, b"a: b\r\n\r\n", b"hello\r\n")
    assert b"a: b\r\n\r\nhello\r\n" == Path(stage.folder / "message").read_bytes()
    assert letter.flaw is None
    os.unlink(stage.folder / "message")
    assert BUSY == arrive(stage, b"a: b\r\n", b"c: d\r\n" * 5).flaw


def test_a_head_that_does_not_end_is_not_kept_in_memory(stage: Stage) -> None:
    """After 256 KB the rest is read and forgotten."""
    letter = arrive(stage, *[b"x: " + b"y" * 995 + b"\r\n"] * 300)
    assert HEAD_TOO_LARGE == letter.flaw
    assert 0 == stage.reception._front.arriving_bytes and not (stage.folder / "message").exists()
