"""What an account's story was: taken over, guessed at, sending too much, or nothing; and from when to
when."""

from collections import Counter
from collections.abc import Callable, Sequence

from msgspec import Struct

from sekisho.guard import hindsight
from sekisho.guard.hindsight import Episode, Sight
from sekisho.logs.joining import Join
from sekisho.logs.ledger import Visit
from sekisho.model.envelope import Network
from sekisho.model.incident import Finding, Grade
from sekisho.service.scan_report import Kind

HOUR = 3_600_000_000
SIGN_IN_TERMS = frozenset({"network", "country", "crowd"})
"""Terms of the guard's score that say nothing about mail."""
MAIL_SPEAKS = 1.5
"""Weight of the others from which they count: a few letters to new people have less."""
SURGE_GAP = 6 * HOUR
"""Messages of one surge follow each other faster."""

LIST_AGAIN, LIST_REFUSED = 0.5, 0.15
"""A mailing list: at least this share of its readers is written to again, and at most this share refuses; the
worst lists that `simulate` has lose 12 %."""

CLEAN_MOST, CLEAN_REFUSED = 1000, 0.05
"""A first mailing to no more than this many, of whom at most this share is refused: bought addresses are
never so clean. What the guard would have done is told by `--what-if` all the same."""


class Story(Struct, frozen=True):
    """All that the log tells of one account, in order of time."""

    account: str
    visits: Sequence[Visit]
    joins: Sequence[Join]


class Verdict(Struct, frozen=True):
    """`strange` are the rows of the intruder's sign-ins, `attempts` his failed ones; `detected` None if the
    guard was silent, or `by_shape` where only hindsight shows it."""

    kind: Kind
    first: int
    last: int
    detected: int | None = None
    by_shape: Episode | None = None
    home: frozenset[str] = frozenset()
    strange: frozenset[int] = frozenset()
    attempts: tuple[Sight, ...] = ()


def sights(visits: Sequence[Visit], find: Callable[[str], Network]) -> list[Sight]:
    return [
        Sight(
            visit.at, visit.login.address, find(visit.login.address), visit.login.ok,
            visit.login.ok or visit.login.why in ("password", "guard", ""), visit.row,
        )
        for visit in visits
    ]  # fmt: skip


def judge(story: Story, found: Sequence[Finding], find: Callable[[str], Network]) -> Verdict | None:
    """None: nothing to report."""
    if not found and _is_plain(story.visits):
        return None
    seen = sights(story.visits, find)
    takeover = next((one for one in found if one.kind == "takeover" and one.grade >= Grade.CONTAIN), None)
    part = hindsight.episode(seen, takeover.at if takeover else None)
    if part is not None and takeover is not None and not _is_excused(part, seen, found):
        return _takeover(seen, part, takeover.at)
    if part is not None and hindsight.is_botnet(part):
        return _takeover(seen, part, None)
    volume = next((one for one in found if one.kind == "volume" and one.grade >= Grade.LOCK), None)
    if volume is not None and not _is_list(story, surge := _volume(story, volume.at)):
        return surge
    home = part.home if part is not None else hindsight.home_networks(seen, 2**62)
    attempts = hindsight.guessed(seen, home)
    if attempts:
        return Verdict(
            "failures_only", attempts[0].at, attempts[-1].at, None, None, home, frozenset(), attempts
        )
    return None


def _is_plain(visits: Sequence[Visit]) -> bool:
    """Too few addresses for a botnet, and too few failures for somebody who guesses."""
    addresses = {visit.login.address for visit in visits if visit.login.ok}
    failures = sum(1 for visit in visits if not visit.login.ok)
    return len(addresses) < hindsight.BOTNET_ADDRESSES and failures < hindsight.GUESSES


def _is_excused(part: Episode, seen: Sequence[Sight], found: Sequence[Finding]) -> bool:
    """The guard saw strange sign-ins but no mail that speaks against them, and in hindsight they are
    usual."""
    quiet = all(_mail_weight(finding) < MAIL_SPEAKS for finding in found)
    return quiet and (hindsight.is_pool(part) or hindsight.is_wanderer(part, seen))


def _mail_weight(finding: Finding) -> float:
    return sum(item.weight for item in finding.evidence if item.term not in SIGN_IN_TERMS)


def _takeover(seen: Sequence[Sight], part: Episode, detected: int | None) -> Verdict:
    attempts = hindsight.attempts_after(part, seen)
    strange = frozenset(sight.row for sight in part.strange)
    by_shape = part if detected is None or hindsight.is_botnet(part) else None
    return Verdict("takeover", part.first, part.last, detected, by_shape, part.home, strange, attempts)


def _volume(story: Story, at: int) -> Verdict:
    """The surge around the moment at which the guard had enough; the sign-in that began it belongs to it."""
    times = [join.letter.at for join in story.joins]
    near = min(range(len(times)), key=lambda place: abs(times[place] - at))
    start = end = near
    while start > 0 and times[start] - times[start - 1] < SURGE_GAP:
        start -= 1
    while end + 1 < len(times) and times[end + 1] - times[end] < SURGE_GAP:
        end += 1
    begun = story.joins[start].visit
    first = min(times[start], begun.at) if begun else times[start]
    return Verdict("volume", first, times[end], at)


def _is_list(story: Story, surge: Verdict) -> bool:
    """In hindsight a list of readers: most of them were written to at another time too, and few are refused.
    Spam that was sent once has no other time. The first mailing of a list that is not large must be clean."""
    inside, outside, results = Counter[str](), set[str](), Counter[str]()
    for join in story.joins:
        if surge.first <= join.letter.at <= surge.last:
            inside.update(join.letter.addresses())
            results.update(join.letter.results().values())
        else:
            outside.update(join.letter.addresses())
    again = sum(1 for address in inside if address in outside)
    if again >= LIST_AGAIN * len(inside):
        return results["failed"] <= LIST_REFUSED * inside.total()
    told = results.total() * 2 >= inside.total()
    return told and inside.total() <= CLEAN_MOST and results["failed"] <= CLEAN_REFUSED * inside.total()


def nothing(story: Story) -> Verdict | None:
    """An account that was asked for by name: the whole of its story. None if the log does not know it."""
    times = [visit.at for visit in story.visits] + [join.letter.at for join in story.joins]
    return Verdict("nothing", min(times), max(times)) if times else None
