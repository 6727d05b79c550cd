"""What a botnet does once the password is changed: how it comes in bursts, at what pace, in what rhythm,
and from which networks seen before.

Nothing is claimed that was not seen: a rhythm needs two full periods; two bursts show one period, and that
is said. A burst ends where nothing happens for much longer than the usual pace.
"""

import ipaddress
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from statistics import median

from msgspec import Struct

from sekisho.guard.networks import number_of
from sekisho.model.envelope import Network

SECOND = 1_000_000
PAUSE_S = 1800
"""No pause shorter than this ends a burst."""

PAUSE_FACTOR = 20.0
"""Nor one shorter than so many times the usual gap. Of attempts at random times one gap in half a million
is."""

PACE_FACTOR = 6.0
"""The same, where a machine keeps the pace."""

ATTEMPTS_MIN = 6
"""Of fewer attempts no rhythm is told."""

TOLERANCE = 0.1
"""How far from the period, in parts of it, a burst may begin."""

MISSED_MAX = 0.25
"""Share of steps that may be two periods long, because a burst between was not seen."""

PERIODS_MIN = 3
"""So many periods alike speak for themselves; fewer count only if a machine keeps the pace within bursts."""

MACHINE_CV = 0.5
"""Spread of the gaps within bursts, in parts of their mean, under which a machine keeps the pace; chance
has 1."""

PREFIX_MIN = {32: 12, 128: 28}
"""Shortest common prefix of two addresses of one provider that says anything."""


class Burst(Struct, frozen=True):
    first: int
    last: int
    attempts: int


class Cadence(Struct, frozen=True):
    """Times in microseconds, lengths in seconds.

    `period_s` is the time from one burst's start to the next, measured over `periods_seen` of them; with
    one it is a single observation. None where the starts follow no rhythm. `slack_s` is the most that a
    burst was off. `spacing_s` is the median gap within bursts.
    """

    bursts: tuple[Burst, ...] = ()
    period_s: int | None = None
    slack_s: int = 0
    periods_seen: int = 0
    spacing_s: int | None = None
    machine: bool = False


def cadence(times: Sequence[int]) -> Cadence:
    """The rhythm of attempts, given in order of time."""
    if not times:
        return Cadence()
    gaps = [(later - earlier) / SECOND for earlier, later in pairwise(times)]
    bursts = _bursts(times, gaps)
    inside = [gap for gap in gaps if gap <= _pause(gaps)]
    spacing = round(median(inside)) if inside else None
    machine = _is_machine(inside)
    period, slack, seen = _period(bursts) if len(times) >= ATTEMPTS_MIN else (None, 0, 0)
    if seen < PERIODS_MIN and not machine:
        period, slack, seen = None, 0, 0  # a pause between attempts at random times is no period
    return Cadence(bursts, period, slack, seen, spacing, machine)


def _pause(gaps: Sequence[float]) -> float:
    """The longest gap within a burst."""
    if not gaps:
        return PAUSE_S
    near = PACE_FACTOR * median(gaps)
    steady = _is_machine([gap for gap in gaps if gap <= near])
    return max(PAUSE_S, near if steady else PAUSE_FACTOR * median(gaps))


def _bursts(times: Sequence[int], gaps: Sequence[float]) -> tuple[Burst, ...]:
    pause = _pause(gaps)
    starts = [0, *(place + 1 for place, gap in enumerate(gaps) if gap > pause)]
    ends = [*starts[1:], len(times)]
    return tuple(
        Burst(times[start], times[end - 1], end - start) for start, end in zip(starts, ends, strict=True)
    )


def _period(bursts: Sequence[Burst]) -> tuple[int | None, int, int]:
    """Period, slack and periods seen. Single attempts are no bursts; between two of those chance decides."""
    starts = [burst.first for burst in bursts]
    if len(starts) < 2 or median(burst.attempts for burst in bursts) < 2:
        return None, 0, 0
    steps = [(later - earlier) / SECOND for earlier, later in pairwise(starts)]
    usual = median(steps)
    turns = [max(1, round(step / usual)) for step in steps]
    off = [abs(step - turn * usual) for step, turn in zip(steps, turns, strict=True)]
    missed = sum(1 for turn in turns if turn > 1)
    if max(turns) > 2 or missed > MISSED_MAX * len(turns) or max(off) > TOLERANCE * usual:
        return None, 0, 0
    period = sum(steps) / sum(turns)
    slack = max(abs(step - turn * period) for step, turn in zip(steps, turns, strict=True))
    return round(period), round(slack), sum(turns)


def _is_machine(gaps: Sequence[float]) -> bool:
    if len(gaps) < ATTEMPTS_MIN - 1:
        return False
    mean = sum(gaps) / len(gaps)
    spread = (sum((gap - mean) ** 2 for gap in gaps) / len(gaps)) ** 0.5
    return mean > 0 and spread / mean < MACHINE_CV


def shared_prefixes(
    after: Iterable[str], before: Iterable[str], find: Callable[[str], Network]
) -> tuple[str, ...]:
    """The smallest networks that hold addresses of both, each of one provider; widest of those that
    overlap."""
    known: dict[str, list[tuple[int, int]]] = {}
    for address in before:
        known.setdefault(find(address).key, []).append(number_of(address))
    found: set[tuple[int, int, int]] = set()
    for address in after:
        network, (number, bits) = find(address), number_of(address)
        if not network.place or not bits:
            continue
        longest = max(
            (_common(number, other, bits) for other, width in known.get(network.key, ()) if width == bits),
            default=0,
        )
        if longest >= PREFIX_MIN[bits]:
            found.add((bits, number >> (bits - longest) << (bits - longest), longest))
    return tuple(_text(prefix) for prefix in sorted(_widest(found)))


def _common(one: int, other: int, bits: int) -> int:
    return bits - (one ^ other).bit_length()


def _widest(prefixes: set[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    kept: list[tuple[int, int, int]] = []
    for bits, number, length in sorted(prefixes, key=lambda prefix: prefix[2]):
        inside = (
            width == bits and number >> (bits - wide) == base >> (bits - wide) for width, base, wide in kept
        )
        if not any(inside):
            kept.append((bits, number, length))
    return kept


def _text(prefix: tuple[int, int, int]) -> str:
    bits, number, length = prefix
    kind = ipaddress.IPv4Address if bits == 32 else ipaddress.IPv6Address
    return f"{kind(number)}/{length}"
