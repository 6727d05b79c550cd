"""What is counted, from runs small enough to count by hand."""

from msgspec import structs

from sekisho.lab.alarms import Alarm
from sekisho.lab.honest import score_honest, score_newsletters
from sekisho.lab.places import MadeUp
from sekisho.lab.play import Fate, What
from sekisho.lab.raids import Planned
from sekisho.lab.scoring import Run, score_attacks, spread
from sekisho.lab.traffic import Scale, Traffic
from sekisho.lab.visits import DAY, HOUR, SECOND, Visit
from sekisho.model.incident import Grade

TRAFFIC = Traffic(1, Scale(accounts=40, learning=1, days=4), MadeUp(1).find)
SCALE = TRAFFIC.scale
VICTIM = next(person for person in TRAFFIC.people if person.kind == "home")
HONEST = next(person for person in TRAFFIC.people if person.kind == "traveller")
LETTERS = next(person for person in TRAFFIC.people if person.kind == "newsletter")
THIEF = SCALE.counted_from + DAY
PLANNED = [Planned("botnet", (VICTIM,), THIEF)]


def fate(account: str, at: int, what: What, recipients: int = 1, by: str = "owner") -> Fate:
    visit = Visit(at, account, "198.51.100.1", "submission")
    return Fate(structs.replace(visit, by=by), at, what, recipients)


def alarm(account: str, at: int, grade: Grade = Grade.CONTAIN) -> Alarm:
    return Alarm(account, at, grade, true=True, sentence="")


def test_what_is_accepted_before_containment_counts_and_what_leaves_counts_apart() -> None:
    """A letter accepted afterwards does not count as accepted before; one that leaves late did leave."""
    name, minute = VICTIM.account, 60 * SECOND
    fates = [
        fate(name, THIEF + minute, "accepted", 7, by="attack"),
        fate(name, THIEF + 2 * minute, "left", 7, by="attack"),
        fate(name, THIEF + 4 * minute, "accepted", 5, by="attack"),
        fate(name, THIEF + 4 * minute, "held", 5, by="attack"),
    ]
    report = score_attacks(Run(TRAFFIC, PLANNED, fates, [alarm(name, THIEF + 3 * minute)]))[0]
    assert (report.kind, report.attacks, report.detected) == ("botnet", 1, 1)
    assert (report.messages.median, report.recipients.median) == (1, 7)
    assert (report.left_messages.median, report.left_recipients.median) == (1, 7)
    assert report.minutes.median == 2  # since the first visit, which came a minute after the start


def test_an_attack_that_nobody_notices_counts_in_full() -> None:
    """An alarm of grade watch is no containment, nor is one from before the thief came."""
    name = VICTIM.account
    fates = [fate(name, THIEF + n * HOUR, "accepted", 2, by="attack") for n in range(5)]
    alarms = [alarm(name, THIEF - HOUR), alarm(name, THIEF + HOUR, Grade.WATCH)]
    report = score_attacks(Run(TRAFFIC, PLANNED, fates, alarms))[0]
    assert (report.detected, report.messages.median, report.recipients.median) == (0, 5, 10)


def test_the_owners_own_letters_are_told_apart() -> None:
    """Held, or turned away with letters; a turned-away look into the mailbox is no letter."""
    name = VICTIM.account
    fates = [
        fate(name, THIEF + 1, "accepted"),
        fate(name, THIEF + 2, "accepted"),
        fate(name, THIEF + 2, "held"),
        fate(name, THIEF + 3, "denied", 1),
        fate(name, THIEF + 4, "denied", 0),
        fate(name, THIEF - 1, "held"),
    ]
    report = score_attacks(Run(TRAFFIC, PLANNED, fates, []))[0]
    assert (report.owner_messages, report.owner_bothered) == (3, 2)


def test_what_befalls_the_owner_soon_is_told_apart() -> None:
    """Until a day after the containment; an account that is not contained has no such end."""
    name = VICTIM.account
    fates = [fate(name, THIEF + hours * HOUR, "held") for hours in (1, 20, 30)]
    contained = [alarm(name, THIEF + 2 * HOUR)]
    report = score_attacks(Run(TRAFFIC, PLANNED, fates, contained))[0]
    assert (report.owner_bothered, report.soon_bothered) == (3, 2)
    assert score_attacks(Run(TRAFFIC, PLANNED, fates, []))[0].soon_bothered == 3


def test_false_alarms_are_counted_by_account_day() -> None:
    """Two on one day are one; learning, newsletters and what follows a thief do not count."""
    name, noon = HONEST.account, SCALE.counted_from + DAY // 2
    alarms = [
        alarm(name, noon),
        alarm(name, noon + HOUR),
        alarm(name, noon + DAY, Grade.WATCH),
        alarm(name, SCALE.start),
        alarm(VICTIM.account, THIEF + HOUR),
        alarm(LETTERS.account, noon),
    ]
    fates = [
        fate(name, noon, "held"),
        fate(name, noon + 2 * DAY, "delayed"),
        fate(LETTERS.account, noon, "held"),
    ]
    report = score_honest(Run(TRAFFIC, PLANNED, fates, alarms))
    people = [person for person in TRAFFIC.people if person.kind != "newsletter"]
    assert report.account_days == 4 * len(people) - 3
    one = round(1000 / report.account_days, 3)
    assert report.by_kind == {"traveller": 1}
    assert (report.contained_per_1000, report.visible_per_1000) == (one, one)
    assert (report.delayed_per_1000, report.watched_per_1000) == (one, one)


def test_newsletters_are_counted_apart() -> None:
    """Held is a hit; waiting is not."""
    noon = SCALE.counted_from + DAY // 2
    held = score_newsletters(Run(TRAFFIC, [], [fate(LETTERS.account, noon, "held")], []))
    waits = score_newsletters(Run(TRAFFIC, [], [fate(LETTERS.account, noon, "delayed")], []))
    assert (held.hit, held.delayed, sum(held.hit_by_dead.values())) == (1, 0, 1)
    assert (waits.hit, waits.delayed) == (0, 1)


def test_median_and_ninetieth_percentile() -> None:
    """The nearest rank; of nothing it is zero."""
    assert (spread(range(1, 11)).median, spread(range(1, 11)).p90) == (5.5, 9)
    assert (spread([3]).median, spread([3]).p90) == (3, 3)
    assert (spread([]).median, spread([]).p90) == (0, 0)
