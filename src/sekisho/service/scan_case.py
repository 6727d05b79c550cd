"""One account's case as the report shows it: counts over its whole span, the joins, the evidence with its
lines."""

from collections import Counter
from collections.abc import Callable, Sequence

from msgspec import Struct, structs

from sekisho.guard.wording import span
from sekisho.logs.joining import Join
from sekisho.logs.ledger import Visit
from sekisho.logs.stamp import SECOND
from sekisho.logs.story import address_of, name_of, source_of
from sekisho.model.envelope import Network
from sekisho.model.incident import Evidence, Finding, Grade
from sekisho.model.phrase import Phrase, phrase, phrases
from sekisho.service.scan_after import after, ended
from sekisho.service.scan_report import Case, Joined, Proof, TopAddress
from sekisho.service.scan_verdict import Story, Verdict

TOP = 10
JOINS_SHOWN = 5000
EVIDENCE_SHOWN = 50
NEVER = 2**62
TAIL = 600 * SECOND
"""A message belongs to the incident if it comes this long after the last sign-in at most."""


class Setting(Struct, frozen=True):
    """What all cases of a report share. `related` says which other accounts those addresses visited."""

    find: Callable[[str], Network]
    show: Callable[[int], str]
    files: tuple[str, ...]
    log_end: int
    related: Callable[[str, frozenset[str]], tuple[str, ...]]


def messages_of(story: Story, verdict: Verdict) -> list[Join]:
    """The messages that somebody signed in to send, within the span."""
    return [
        join
        for join in story.joins
        if address_of(join) and verdict.first <= join.letter.at <= verdict.last + TAIL
    ]


def build(story: Story, verdict: Verdict, found: Sequence[Finding], setting: Setting) -> Case:
    find, show = setting.find, setting.show
    within = [visit for visit in story.visits if verdict.first <= visit.at <= verdict.last]
    good = [visit for visit in within if visit.login.ok]
    bad = [visit for visit in story.visits if not visit.login.ok and visit.at >= verdict.first]
    uses = Counter(visit.login.address for visit in good)
    intruders = _intruders(story, verdict)
    addresses = _counted(verdict, uses, bad)
    networks = [find(address) for address in addresses]
    joins = messages_of(story, verdict)
    results = Counter(result for join in joins for result in join.letter.results().values())
    case = Case(
        account=story.account,
        kind=verdict.kind,
        sentence=phrase(""),
        opened=_opened(verdict, show),
        closed=show(verdict.last) if ended(verdict) else None,
        first=show(verdict.first),
        last=show(verdict.last),
        logins=len(good),
        failures=len(bad),
        services=dict(Counter(visit.login.service for visit in good).most_common()),
        distinct_addresses=len(addresses),
        distinct_networks=len({network.key for network in networks if network.place}),
        distinct_countries=len({network.country for network in networks if network.country}),
        logins_per_address={str(times): count for times, count in sorted(Counter(uses.values()).items())},
        top_addresses=_top(uses, Counter(visit.login.address for visit in bad), addresses, find),
        messages=len(joins),
        recipients=sum(join.letter.recipient_count for join in joins),
        delivered=results["delivered"],
        bounced=results["failed"],
        deferred=results["deferred"],
        joins=tuple(_joined(join, show) for join in joins[:JOINS_SHOWN]),
        evidence=_evidence(story, verdict, found, setting),
        after=after(verdict, intruders if verdict.strange else (), setting.log_end, find, show),
        related_accounts=setting.related(story.account, frozenset(intruders) or frozenset(uses)),
    )
    return structs.replace(case, sentence=_sentence(case, verdict))


def _intruders(story: Story, verdict: Verdict) -> set[str]:
    strange = {visit.login.address for visit in story.visits if visit.row in verdict.strange}
    return strange or {sight.address for sight in verdict.attempts if verdict.kind == "failures_only"}


def _counted(verdict: Verdict, uses: Counter[str], bad: Sequence[Visit]) -> list[str]:
    """The addresses that the case is about: of one who only guesses those that he called from, not the
    owner's."""
    if verdict.kind == "failures_only":
        return list(dict.fromkeys(sight.address for sight in verdict.attempts))
    return list(uses) or list(dict.fromkeys(visit.login.address for visit in bad))


def _opened(verdict: Verdict, show: Callable[[int], str]) -> str | None:
    """When it was noticed, or would have been."""
    if verdict.detected is not None:
        return show(verdict.detected)
    if verdict.by_shape is not None:
        return show(verdict.by_shape.detected or verdict.by_shape.last)
    return show(verdict.last) if verdict.kind == "failures_only" else None


def _top(
    uses: Counter[str], tried: Counter[str], counted: Sequence[str], find: Callable[[str], Network]
) -> tuple[TopAddress, ...]:
    """The busiest, those that the case is about before the others."""
    about = frozenset(counted)
    order = sorted({*uses, *tried}, key=lambda each: (each not in about, -uses[each], -tried[each], each))
    return tuple(
        TopAddress(
            address, uses[address], tried[address], _network_name(find(address)), find(address).country
        )
        for address in order[:TOP]
    )


def _network_name(network: Network) -> str:
    return f"AS{network.asn} {network.name}".strip() if network.asn else network.key


def _joined(join: Join, show: Callable[[int], str]) -> Joined:
    letter, visit = join.letter, join.visit
    return Joined(
        show(visit.at) if visit else None, address_of(join), name_of(letter), show(letter.at), join.gap_s,
        letter.recipient_count, join.confidence,
    )  # fmt: skip


def _evidence(
    story: Story, verdict: Verdict, found: Sequence[Finding], setting: Setting
) -> tuple[Proof, ...]:
    """The terms of the guard's score with their lines, then what hindsight adds."""
    terms: dict[tuple[int, str, str], Evidence] = {}
    for finding in found:
        terms.update({(item.at, item.term, item.event): item for item in finding.evidence})
    proofs = [_proof(item, story, setting) for item in sorted(terms.values(), key=lambda item: item.at)]
    return (*proofs[:EVIDENCE_SHOWN], *_told_apart(story, verdict, setting))


def _proof(item: Evidence, story: Story, setting: Setting) -> Proof:
    file, line = source_of(item.event, story.visits, story.joins) if item.event else _latest(story, item.at)
    name = setting.files[file] if 0 <= file < len(setting.files) else ""
    return Proof(setting.show(item.at), item.term, item.weight, item.text, name, line)


def _latest(story: Story, at: int) -> tuple[int, int]:
    """Sums grow: their line is that of the message that brought them so far."""
    letters = (join.letter for join in reversed(story.joins))
    found = next((letter for letter in letters if letter.at <= at), None)
    return (found.file, found.line) if found is not None else (-1, 0)


def _told_apart(story: Story, verdict: Verdict, setting: Setting) -> list[Proof]:
    proofs = []
    part = verdict.by_shape
    if part is not None:
        text = phrase(
            "within a day sign-ins from {addresses} addresses of {places} providers or regions;"
            " {once} % of all addresses were used once",
            addresses=part.peak_addresses,
            places=part.peak_places,
            once=round(part.once * 100),
        )
        proofs.append(_at_visit("shape", 0.0, text, _visit_at(story, part.first), setting))
    if verdict.kind == "takeover":
        good = [v for v in story.visits if v.login.ok and verdict.first <= v.at <= verdict.last]
        owner = [visit for visit in good if visit.row not in verdict.strange]
        if owner:
            text = phrases(
                "{count} of the sign-ins is the owner's: from places used before, or from our own",
                "{count} of the sign-ins are the owner's: from places used before, or from our own",
                len(owner),
            )
            proofs.append(_at_visit("owner", 0.0, text, owner[0], setting))
    if verdict.kind == "failures_only":
        text = phrases("{count} failed sign-in", "{count} failed sign-ins", len(verdict.attempts))
        first = _visit_at(story, verdict.first)
        proofs.append(_at_visit("failures", 0.0, text, first, setting))
    return proofs


def _visit_at(story: Story, at: int) -> Visit:
    return next(visit for visit in story.visits if visit.at >= at)


def _at_visit(term: str, weight: float, text: Phrase, visit: Visit, setting: Setting) -> Proof:
    return Proof(setting.show(visit.at), term, weight, text, setting.files[visit.file], visit.line)


def _sentence(case: Case, verdict: Verdict) -> Phrase:
    length = span(max(SECOND, verdict.last - verdict.first))
    if case.kind == "failures_only":
        return phrase(
            "{account}: {failures} from {addresses} within {span}; none of these addresses got in",
            account=case.account,
            failures=phrases("{count} failed sign-in", "{count} failed sign-ins", len(verdict.attempts)),
            addresses=phrases("{count} address", "{count} addresses", case.distinct_addresses),
            span=length,
        )
    return phrase(
        "{account}: {sign_ins} from {addresses} in {networks} within {span}{once}{sent}",
        account=case.account,
        sign_ins=phrases("{count} sign-in", "{count} sign-ins", case.logins),
        addresses=phrases("{count} address", "{count} addresses", case.distinct_addresses),
        networks=phrases("{count} network", "{count} networks", case.distinct_networks),
        span=length,
        once=phrase(", {once} of the addresses used once", once=case.logins_per_address.get("1", 0)),
        sent=_sent(case),
    )


def _sent(case: Case) -> Phrase | str:
    if not case.messages:
        return ""
    return phrase(
        "; {messages} to {recipients}{bounced}",
        messages=phrases("{count} message", "{count} messages", case.messages),
        recipients=phrases("{count} recipient", "{count} recipients", case.recipients),
        bounced=phrase(", {bounced} refused", bounced=case.bounced) if case.bounced else "",
    )


def with_what_if(
    case: Case, story: Story, verdict: Verdict, found: Sequence[Finding], show: Callable[[int], str]
) -> Case:
    """When the guard would have acted, and what would have gone out before."""
    watched, contained, locked = (_first(found, grade) for grade in (Grade.WATCH, Grade.CONTAIN, Grade.LOCK))
    joins = messages_of(story, verdict)
    before = [join for join in joins if join.letter.at < contained and not _is_owner(join, verdict)]
    held = [join for join in joins if join.letter.at >= locked and _is_owner(join, verdict)]
    return structs.replace(
        case,
        watch_at=_shown(watched, show),
        contain_at=_shown(contained, show),
        lock_at=_shown(locked, show),
        messages_before=len(before),
        recipients_before=sum(join.letter.recipient_count for join in before),
        owner_messages_held=len(held),
    )


def _is_owner(join: Join, verdict: Verdict) -> bool:
    return verdict.kind == "takeover" and join.visit is not None and join.visit.row not in verdict.strange


def _first(found: Sequence[Finding], grade: Grade) -> int:
    """When this grade, or a higher one, was first reached; NEVER if it was not."""
    return next((finding.at for finding in found if finding.grade >= grade), NEVER)


def _shown(at: int, show: Callable[[int], str]) -> str | None:
    return None if at == NEVER else show(at)
