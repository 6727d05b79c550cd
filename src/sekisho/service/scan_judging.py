"""Judges the accounts of a log that was read: which were taken over, which only tried, which sent too much.

The guard's findings say when it would have been noticed; hindsight says what it was, and counts the whole of
it. Most accounts come from one network and send little: they are honest without a closer look.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

from msgspec import UNSET, Struct

from sekisho.guard.hindsight import GUESSERS_ADDRESSES, GUESSES
from sekisho.logs.joining import join
from sekisho.logs.ledger import Ledger
from sekisho.logs.stamp import DAY_S, SECOND
from sekisho.model.envelope import Network
from sekisho.model.incident import Finding, Grade
from sekisho.model.phrase import phrase
from sekisho.service.scan_case import Setting, build, messages_of, with_what_if
from sekisho.service.scan_guard import findings
from sekisho.service.scan_report import (
    Accounts,
    AssumedTime,
    Bothered,
    Busy,
    Case,
    Report,
    ShapeSeen,
    Span,
)
from sekisho.service.scan_verdict import Story, Verdict, judge, nothing
from sekisho.service.scanning import Reading, Wanted, without_collections

SHAPES_SHOWN = 20
BUSIEST_SHOWN = 5
RELATED_SHOWN = 20
MANY_RECIPIENTS, SOME_REFUSED = 200, 4
"""An account of one network that wrote to fewer, and of whose recipients fewer were refused, can hold nothing
that the guard would find."""

FAILURES_ONLY_MAX = 50
"""Where every account is being guessed at, only those most tried are reported."""

ORDER = ("takeover", "volume", "failures_only", "nothing")

Found = Mapping[str, Sequence[Finding]]
Find = Callable[[str], Network]


class Summary(Struct):
    """One account at a glance."""

    logins: int = 0
    failures: int = 0
    addresses: set[str] = set()
    tried_from: set[str] = set()
    networks: int = 0
    messages: int = 0
    recipients: int = 0
    refused: int = 0
    exists: bool = False

    @property
    def is_guarded(self) -> bool:
        busy = self.recipients >= MANY_RECIPIENTS or self.refused >= SOME_REFUSED
        return self.networks > 1 or (self.logins > 0 and busy)

    @property
    def is_candidate(self) -> bool:
        tried = self.failures >= GUESSES and len(self.tried_from) >= GUESSERS_ADDRESSES
        return self.is_guarded or tried


def investigate(reading: Reading, wanted: Wanted) -> Report:
    with without_collections():
        return _investigate(reading, wanted)


def _investigate(reading: Reading, wanted: Wanted) -> Report:
    summaries = _summaries(reading.ledger, reading.find)
    chosen = [account for account, summary in summaries.items() if summary.is_candidate]
    stories = _stories(reading.ledger, {*chosen, wanted.account} - {""})
    guarded = {
        account: (story.visits, story.joins)
        for account, story in stories.items()
        if account in summaries and summaries[account].is_guarded
    }
    found = findings(guarded, reading.find, Grade.LOCK if wanted.what_if else Grade.CONTAIN)
    verdicts = _verdicts(stories, found, reading.find, wanted)
    verdicts = _without_noise(reading.ledger, summaries, verdicts, wanted.account)
    cases = _cases(reading, stories, verdicts, found, wanted)
    return _report(reading, summaries, cases, (found, verdicts, stories), wanted)


def _summaries(ledger: Ledger, find: Find) -> dict[str, Summary]:
    tallies = ledger.tallies()
    summaries: dict[str, Summary] = {}
    for account, keys in ledger.accounts().items():
        summary = summaries[account] = Summary()
        for key in keys:
            login, count = ledger.logins[key], tallies[key]
            summary.exists |= login.ok or login.why == "password"
            if login.ok and count:
                summary.logins += count
                summary.addresses.add(login.address)
            elif count:
                summary.failures += count
                summary.tried_from.add(login.address)
        summary.networks = len({find(address).key for address in summary.addresses})
        for letter in ledger.letters.get(account, ()):
            summary.messages += 1
            summary.recipients += letter.recipient_count
            summary.refused += sum(1 for attempt in letter.tries if attempt.result == "failed")
    return summaries


def _stories(ledger: Ledger, accounts: Iterable[str]) -> dict[str, Story]:
    stories = {}
    for account, visits in sorted(ledger.visits(accounts).items()):
        letters = sorted(ledger.letters.get(account, ()), key=lambda letter: letter.at)
        stories[account] = Story(account, visits, join(visits, letters))
    return stories


def _verdicts(stories: Mapping[str, Story], found: Found, find: Find, wanted: Wanted) -> dict[str, Verdict]:
    verdicts = {}
    for account, story in stories.items():
        verdict = judge(story, found.get(account, ()), find)
        if verdict is None and account == wanted.account:
            verdict = nothing(story)
        if verdict is not None and (not wanted.account or account == wanted.account):
            verdicts[account] = verdict
    return verdicts


def _without_noise(
    ledger: Ledger, summaries: Mapping[str, Summary], verdicts: dict[str, Verdict], asked: str
) -> dict[str, Verdict]:
    """Of accounts that are only guessed at, those that exist as far as the log tells, the most tried first. A
    log without any sign-in does not tell."""
    guessed = [account for account, verdict in verdicts.items() if verdict.kind == "failures_only"]
    guessed.sort(key=lambda account: -len(verdicts[account].attempts))
    unknown = {account for account in guessed if not summaries[account].exists}
    if unknown and any(summary.logins for summary in summaries.values()):
        unknown -= _mailboxes(ledger)
    else:
        unknown.clear()
    known = [account for account in guessed if account not in unknown]
    dropped = {*unknown, *known[FAILURES_ONLY_MAX:]} - {asked}
    return {account: verdict for account, verdict in verdicts.items() if account not in dropped}


def _mailboxes(ledger: Ledger) -> set[str]:
    """Whose mail was delivered in this house."""
    return ledger.mailboxes | {
        letter.address_at(attempt.place)
        for group in ledger.letters.values()
        for letter in group
        for attempt in letter.tries
        if attempt.result == "delivered" and letter.recipients[attempt.place].startswith(b"local ")
    }


def _cases(
    reading: Reading,
    stories: Mapping[str, Story],
    verdicts: Mapping[str, Verdict],
    found: Found,
    wanted: Wanted,
) -> tuple[Case, ...]:
    span = reading.ledger.spanning()
    names = tuple(file.name for file in reading.files)
    setting = Setting(reading.find, reading.show, names, span[1] if span else 0, _relations(reading.ledger))
    cases = []
    for account, verdict in verdicts.items():
        story, mine = stories[account], found.get(account, ())
        case = build(story, verdict, mine, setting)
        if wanted.what_if:
            case = with_what_if(case, story, verdict, mine, reading.show)
        cases.append(case)
    return tuple(sorted(cases, key=lambda case: (ORDER.index(case.kind), -case.logins, -case.failures)))


def _relations(ledger: Ledger) -> Callable[[str, frozenset[str]], tuple[str, ...]]:
    """Which other accounts were signed in to, or tried, from these addresses: most shared addresses first."""
    visitors: dict[str, set[str]] = defaultdict(set)
    for login in ledger.logins:
        if login.account and (login.ok or login.why == "password"):
            visitors[login.address].add(login.account)

    def related(account: str, addresses: frozenset[str]) -> tuple[str, ...]:
        shared: dict[str, int] = defaultdict(int)
        for address in addresses:
            for other in visitors.get(address, ()):
                shared[other] += other != account
        names = sorted((name for name in shared if shared[name]), key=lambda name: (-shared[name], name))
        return tuple(names[:RELATED_SHOWN])

    return related


def _report(
    reading: Reading,
    summaries: Mapping[str, Summary],
    cases: tuple[Case, ...],
    judged: tuple[Found, Mapping[str, Verdict], Mapping[str, Story]],
    wanted: Wanted,
) -> Report:
    ledger, reader, show = reading.ledger, reading.reader, reading.show
    found, verdicts, stories = judged
    span, assumed = ledger.spanning(), reading.assumed
    theirs = sum(len(messages_of(stories[account], verdict)) for account, verdict in verdicts.items())
    tries = sum(len(letter.tries) for group in ledger.letters.values() for letter in group)
    tries += ledger.passing_tries
    shapes = reader.shapes.most(SHAPES_SHOWN)
    return Report(
        files=reading.files,
        lines=reader.lines,
        events=len(ledger) + ledger.letter_count + tries,
        unparsed=reader.shapes.count,
        unparsed_shapes=tuple(ShapeSeen(shape.shape, shape.count, shape.example) for shape in shapes),
        dialects={name: count for name, count in sorted(reader.dialects.items()) if count},
        assumed=AssumedTime(assumed.year if span else None, assumed.zone, assumed.how)
        if assumed
        else AssumedTime(None, "", phrase("nothing was read")),
        span=Span(show(span[0]), show(span[1])) if span else Span(None, None),
        accounts=Accounts(sum(1 for summary in summaries.values() if summary.exists), _busiest(summaries)),
        unrelated_messages=ledger.letter_count - theirs,
        incidents=cases,
        verdicts=dict(sorted(reader.verdicts.items())),
        failures_by_kind=dict(sorted(reader.failures.items())),
        account_days=_account_days(summaries, span) if wanted.what_if else UNSET,
        would_have_bothered=_bothered(found, verdicts, show) if wanted.what_if else UNSET,
    )


def _busiest(summaries: Mapping[str, Summary]) -> tuple[Busy, ...]:
    order = sorted(summaries.items(), key=lambda item: (-len(item[1].addresses), -item[1].logins, item[0]))
    return tuple(
        Busy(account, summary.logins, summary.failures, len(summary.addresses), summary.messages)
        for account, summary in order[:BUSIEST_SHOWN]
    )


def _account_days(summaries: Mapping[str, Summary], span: tuple[int, int] | None) -> int:
    """Accounts that signed in, times the days that the log covers, begun ones counted."""
    days = (span[1] - span[0]) // (DAY_S * SECOND) + 1 if span else 0
    return days * sum(1 for summary in summaries.values() if summary.logins)


def _bothered(
    found: Found, verdicts: Mapping[str, Verdict], show: Callable[[int], str]
) -> tuple[Bothered, ...]:
    """Honest accounts on which the guard would have acted: a watch delays mail, the rest holds it."""
    return tuple(
        Bothered(account, show(finding.at), finding.grade.name.lower(), finding.sentence)
        for account, several in sorted(found.items())
        if account not in verdicts or verdicts[account].kind == "nothing"
        for finding in several
    )
