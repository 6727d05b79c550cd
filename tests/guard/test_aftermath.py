"""After a containment: who still knocks, at what pace, whether they gave up, whom they try beside it."""

import pytest

from guard.streams import DAY, HOME, HOUR, MINUTE, SECOND, START, bot
from sekisho.guard import aftermath
from sekisho.guard.after_lock import Cadence, cadence
from sekisho.guard.aftermath import (
    ADDRESSES_KEPT,
    FAILED_ACCOUNTS_KEPT,
    FAILED_KEPT,
    RELATED_KEPT,
    TIMES_KEPT,
    Watcher,
    corner_of,
    has_given_up,
)
from sekisho.model.event import LoginTried
from sekisho.model.incident import Grade, Incident
from sekisho.model.phrase import phrase

HELLO, OTHER = "hello@example.com", "other@example.com"
CASE = Incident("case", HELLO, "takeover", Grade.CONTAIN, START, phrase("x"))


def tried(at: int, address: str, account: str = HELLO, *, ok: bool = False, digest: str = "") -> LoginTried:
    return LoginTried(
        id=f"{at}{address}{account}", at=at, source="front", account=account, address=address,
        service="submission", ok=ok, why="" if ok else "password", digest=digest,
    )  # fmt: skip


def watched(*before: LoginTried) -> Watcher:
    watcher = Watcher()
    for event in before:
        watcher.see(event, "unfamiliar")
    watcher.open(CASE, None)
    return watcher


def test_a_knock_every_five_minutes_is_a_machine_that_gives_up() -> None:
    """The pace of the botnet that was seen: 314 s; while it goes on, and a day after the last."""
    watcher = watched()
    for number in range(40):
        watcher.see(tried(START + (number + 1) * 314 * SECOND, bot(number)), "unfamiliar")
    record = watcher.records["case"]
    assert (40, 0, 40) == (record.tries, record.right, len(record.addresses))
    assert not has_given_up(record, record.last + 23 * HOUR)
    assert has_given_up(record, record.last + 25 * HOUR)


def test_a_rhythm_of_twelve_hours_is_waited_for() -> None:
    """Ten knocks in every twelve hours: a pause of a day is two missed bursts, and no end yet."""
    watcher = watched()
    for burst in range(8):
        for number in range(10):
            at = START + burst * 12 * HOUR + (number + 1) * 5 * MINUTE
            watcher.see(tried(at, bot(number)), "unfamiliar")
    record = watcher.records["case"]
    assert not has_given_up(record, record.last + 30 * HOUR)
    assert has_given_up(record, record.last + 37 * HOUR)


def test_the_owner_with_an_old_password_is_no_knock() -> None:
    """From a familiar place, and from before the case."""
    watcher = watched()
    watcher.see(tried(START + MINUTE, HOME), "known")
    watcher.see(tried(START - MINUTE, bot(1)), "unfamiliar")
    assert watcher.records["case"].tries == 0


def test_a_right_password_is_told_apart() -> None:
    """It was refused: who has it still has it."""
    watcher = watched()
    watcher.see(tried(START + MINUTE, bot(1), ok=True), "unfamiliar")
    assert (1, 1) == (watcher.records["case"].tries, watcher.records["case"].right)


def test_the_same_corner_of_the_net_on_another_account() -> None:
    """Named at the second wrong password, and told once; a neighbour with one is not named."""
    watcher = watched()
    watcher.see(tried(START + MINUTE, "93.84.1.1"), "unfamiliar")
    assert watcher.see(tried(START + 2 * MINUTE, "93.84.200.7", OTHER), "unfamiliar") == ()
    assert watcher.records["case"].named() == ()
    assert watcher.see(tried(START + 3 * MINUTE, "93.84.9.9", OTHER), "unfamiliar") == ("case",)
    assert watcher.see(tried(START + 4 * MINUTE, "93.84.9.8", OTHER), "unfamiliar") == ()
    assert watcher.records["case"].named() == (OTHER,)


def test_an_ordinary_mistake_elsewhere_is_not_related() -> None:
    """Another corner; a familiar place; a name that nobody has."""
    watcher = watched()
    watcher.see(tried(START + MINUTE, "93.84.1.1"), "unfamiliar")
    for number in range(9):
        at = START + (2 + number) * MINUTE
        watcher.see(tried(at, "90.1.1.1", OTHER), "unfamiliar")
        watcher.see(tried(at, "93.84.1.9", "third@example.com"), "known")
        nobody = tried(at, "93.84.1.9", "nobody@example.com")
        nobody = LoginTried(
            **{**{f: getattr(nobody, f) for f in nobody.__struct_fields__}, "why": "unknown_user"}
        )
        watcher.see(nobody, "unfamiliar")
    assert watcher.records["case"].named() == ()


@pytest.mark.parametrize(("pause_s", "related"), [(314, True), (330, True), (500, False)])
def test_the_same_pace_on_another_account(pause_s: int, related: bool) -> None:
    """From other corners of the net, at a machine's pace that is this one's."""
    watcher = watched()
    for number in range(20):
        watcher.see(tried(START + (number + 1) * 314 * SECOND, bot(number)), "unfamiliar")
    for number in range(8):
        at = START + DAY + number * pause_s * SECOND
        watcher.see(tried(at, bot(60 + number), OTHER), "unfamiliar")
    assert (watcher.records["case"].named() == (OTHER,)) == related


def test_one_device_with_an_old_password_has_no_part_in_it() -> None:
    """It asks at a machine's pace too, always from its one address."""
    watcher = watched()
    for number in range(20):
        watcher.see(tried(START + (number + 1) * 300 * SECOND, bot(number)), "unfamiliar")
        watcher.see(tried(START + (number + 1) * 300 * SECOND, "90.1.1.1", OTHER), "unfamiliar")
    assert watcher.records["case"].named() == ()


def test_what_was_tried_before() -> None:
    """In the month before; what is older says nothing."""
    before = [tried(START - day * DAY, bot(day), digest=f"{day % 3}") for day in (40, 9, 8, 7, 6, 5)]
    record = watched(*before).records["case"]
    assert (5, 3, 5) == (record.failures, record.passwords, record.guessers)
    assert watched().records["case"].failures == 0


def test_strangers_cost_no_memory() -> None:
    """Ten thousand names, ten thousand addresses, ten thousand tries."""
    watcher = watched()
    for number in range(10_000):
        address = f"93.84.{number // 250}.{number % 250}"
        watcher.see(tried(START + number * SECOND, address), "unfamiliar")
        watcher.see(tried(START + number * SECOND, address, f"a{number}@example.com"), "unfamiliar")
    record = watcher.records["case"]
    assert len(record.times) == TIMES_KEPT and len(record.addresses) == ADDRESSES_KEPT
    assert len(record.related) == RELATED_KEPT
    assert len(watcher.failures()) == FAILED_ACCOUNTS_KEPT
    assert record.tries == 9_999


def test_a_watch_ends_a_month_after_the_case() -> None:
    """And not before; then the account is one like others."""
    watcher = watched()
    watcher.close("case", START + DAY)
    assert watcher.drop_old(START + 31 * DAY) == ()
    assert watcher.drop_old(START + 31 * DAY + SECOND) == ("case",)
    watcher.see(tried(START + 32 * DAY, bot(1)), "unfamiliar")
    assert watcher.records == {}


@pytest.mark.parametrize(
    ("address", "corner"),
    [
        ("93.84.1.1", "93.84/16"),
        ("::ffff:93.84.1.1", "93.84/16"),
        ("2b00:1::5", "2b000001/32"),
        ("?", ""),
        ("", ""),
    ],
)
def test_a_corner(address: str, corner: str) -> None:
    """Of both families; of what is no address none."""
    assert corner_of(address) == corner


def test_a_night_of_stuffing_under_many_cases_is_cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pace of a case is worked out anew when the case has more tries, not for each wrong password."""
    watcher, worked_out = Watcher(), []

    def counted(times: list[int]) -> Cadence:
        worked_out.append(len(times))
        return cadence(times)

    monkeypatch.setattr(aftermath, "cadence", counted)
    for case in range(50):
        victim = f"v{case}@example.com"
        watcher.open(Incident(f"c{case}", victim, "takeover", Grade.CONTAIN, START, CASE.sentence), None)
        for number in range(40):
            watcher.see(tried(START + (number + 1) * 314 * SECOND, bot(number), victim), "unfamiliar")
    for number in range(2_000):
        address, account = f"90.{number % 200}.1.{number % 7}", f"a{number % 50}@example.com"
        guess = tried(START + DAY + number * SECOND, address, account)
        watcher.see(guess, "unfamiliar")
    assert sum(1 for count in worked_out if count > FAILED_KEPT) <= 50
    assert len(worked_out) <= 50 + 2_000
