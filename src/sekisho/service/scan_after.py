"""What followed an attack, in numbers and in one sentence: whether it ended, and in which rhythm it knocks
since."""

from collections.abc import Callable, Iterable

from sekisho.guard.after_lock import Cadence, cadence, shared_prefixes
from sekisho.guard.wording import span
from sekisho.model.envelope import Network
from sekisho.model.phrase import Phrase, phrase, phrases
from sekisho.service.scan_report import After, BurstSeen
from sekisho.service.scan_verdict import Verdict


def after(
    verdict: Verdict,
    before: Iterable[str],
    log_end: int,
    find: Callable[[str], Network],
    show: Callable[[int], str],
) -> After:
    """`before`: the addresses from which the intruder signed in; `log_end`: the last moment of the log."""
    attempts = verdict.attempts
    rhythm = cadence([sight.at for sight in attempts])
    addresses = list(dict.fromkeys(sight.address for sight in attempts))
    known = set(before)
    prefixes = shared_prefixes(addresses, known, find)
    return After(
        failures=len(attempts),
        last_failure=show(attempts[-1].at) if attempts else None,
        bursts=tuple(BurstSeen(show(b.first), show(b.last), b.attempts) for b in rhythm.bursts),
        period_s=rhythm.period_s,
        periods_seen=rhythm.periods_seen,
        spacing_s=rhythm.spacing_s,
        distinct_addresses=len(addresses),
        addresses_seen_before=len(known.intersection(addresses)),
        networks_seen_before=prefixes,
        sentence=_sentence(verdict, rhythm, prefixes, (log_end, show)),
    )


def _sentence(
    verdict: Verdict, rhythm: Cadence, prefixes: tuple[str, ...], end: tuple[int, Callable[[int], str]]
) -> Phrase:
    log_end, show = end
    if verdict.kind not in ("takeover", "failures_only"):
        return phrase("nothing follows that could be told apart")
    if not verdict.attempts:
        return phrase(
            "no failed sign-in follows; the log ends {span} after the last one from unfamiliar places,"
            " so it is not known whether the attack is over",
            span=span(max(0, log_end - verdict.last)),
        )
    parts = [_outcome(verdict, show), rhythm_words(rhythm)]
    if prefixes:
        parts.append(
            phrase("addresses of {networks} were used before and after", networks=", ".join(prefixes))
        )
    return phrase("{parts}", parts=tuple(parts))


def _outcome(verdict: Verdict, show: Callable[[int], str]) -> Phrase:
    count = phrases("{count} attempt failed", "{count} attempts failed", len(verdict.attempts))
    last = show(verdict.attempts[-1].at)
    if verdict.kind == "failures_only":
        return phrase("{count}, the last at {last}; none of these addresses got in", count=count, last=last)
    return phrase(
        "after the last sign-in from unfamiliar places at {end} {count}, the last at {last}, {span} later;"
        " none of these addresses got in: the containment is effective",
        end=show(verdict.last),
        count=count,
        last=last,
        span=span(verdict.attempts[-1].at - verdict.last),
    )


def rhythm_words(rhythm: Cadence) -> Phrase:
    bursts = phrases("{count} burst", "{count} bursts", len(rhythm.bursts))
    if rhythm.period_s is None:
        return phrase("{bursts}, no rhythm", bursts=bursts)
    length = clock_length(rhythm.period_s)
    if rhythm.periods_seen == 1:
        return phrase(
            "{bursts}, {period} from start to start: one period seen, too few to call it a rhythm",
            bursts=bursts,
            period=length,
        )
    return phrase(
        "{bursts}, about every {period} (give or take {slack}; {count} periods seen)",
        bursts=bursts,
        period=length,
        slack=clock_length(rhythm.slack_s),
        count=rhythm.periods_seen,
    )


def clock_length(seconds: int) -> str:
    return f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def ended(verdict: Verdict) -> bool:
    """The intruder tried again and failed: somebody shut him out."""
    return verdict.kind == "takeover" and bool(verdict.attempts)
