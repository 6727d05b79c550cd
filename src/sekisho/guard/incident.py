"""The case in words: one sentence built from the score's own terms, the evidence behind it, and the
folding of findings."""

from typing import Literal

import msgspec
from msgspec import Struct

from sekisho.guard.memory import DAY, HOUR, MINUTE, SECOND, Memory, Place, Term
from sekisho.model.event import Trust
from sekisho.model.incident import Evidence, Finding, Grade, Incident
from sekisho.model.phrase import Phrase, phrase, phrases

NETWORKS_NAMED = 5
HISTORY_DAYS = 60
EVIDENCE_KEPT = 100


class Case(Struct, frozen=True):
    """Why a grade was raised: which sum passed which limit, and how long mail waits under watch."""

    grade: Grade
    kind: Literal["takeover", "volume"]
    score: float
    limit: float
    wait_s: int = 0


def make_finding(account: str, memory: Memory, case: Case, at: int, trust: Trust = "sealed") -> Finding:
    latest = memory.terms[-1] if memory.terms else Term(at, "", 0.0)
    return Finding(
        account=account,
        at=at,
        grade=case.grade,
        kind=case.kind,
        sentence=sentence(account, memory, case, at),
        score=round(case.score, 2),
        evidence=tuple(_evidence(term) for term in memory.terms),
        network=latest.about,
        address=latest.address,
        event=latest.event,
        trust=trust,
    )


def sentence(account: str, memory: Memory, case: Case, at: int) -> Phrase:
    observed = [part for part in (_sign_ins(memory), *_volume(memory, at)) if part is not None]
    return phrase(
        "{account}: {observed}; evidence {score} >= {limit}, {outcome}",
        account=account,
        observed=tuple(observed),
        score=f"{case.score:.1f}",
        limit=f"{case.limit:g}",
        outcome=_outcome(memory, case, at),
    )


def _sign_ins(memory: Memory) -> Phrase | None:
    strangers = memory.strangers()
    if not strangers:
        return None
    first, last = min(p.first for p in strangers.values()), max(p.last for p in strangers.values())
    count = sum(place.logins for place in strangers.values())
    return phrase(
        "{sign_ins}{time} from {networks}{countries} {novelty} ({names})",
        sign_ins=phrases("{count} sign-in", "{count} sign-ins", count),
        time=phrase(" in {span}", span=span(last - first)) if count > 1 else "",
        networks=phrases("{count} network", "{count} networks", len(strangers)),
        countries=_countries(strangers),
        novelty=_novelty(memory),
        names=_names(strangers),
    )


def _countries(strangers: dict[str, Place]) -> Phrase | str:
    known = {place.country for place in strangers.values()} - {""}
    return phrases(" in {count} country", " in {count} countries", len(known)) if known else ""


def _novelty(memory: Memory) -> Phrase:
    days = min(HISTORY_DAYS, (memory.first_stranger - memory.born) // DAY)
    if days < 1:
        return phrase("it has not used before")
    return phrases("it has not used in {count} day", "it has not used in {count} days", days)


def _names(strangers: dict[str, Place]) -> tuple[Phrase, ...]:
    named = [
        network_name(key, place.asn, place.country) for key, place in list(strangers.items())[:NETWORKS_NAMED]
    ]
    if (more := len(strangers) - len(named)) > 0:
        named.append(phrases("{count} more", "{count} more", more))
    return tuple(named)


def network_name(key: str, asn: int, country: str) -> Phrase:
    """ "BY AS6697", or the prefix of a network that is known by it."""
    where = key if "/" in key and key[:2] != "AS" else f"AS{asn}"
    return (
        phrase("{country} {network}", country=country, network=where)
        if country
        else phrase("{network}", network=where)
    )


def _volume(memory: Memory, at: int) -> list[Phrase]:
    flow = memory.strange if memory.strange.fresh_at >= memory.own.fresh_at else memory.own
    parts = []
    if flow.named:
        parts.append(
            phrases(
                "then {count} first-time recipient in {span} (usual maximum {usual})",
                "then {count} first-time recipients in {span} (usual maximum {usual})",
                flow.named,
                span=span(flow.fresh_at - flow.began),
                usual=round(memory.usual),
            )
        )
    if flow.refused:
        parts.append(phrase("{refused} of {tried} refused", refused=flow.refused, tried=flow.tried))
    return parts


def _outcome(memory: Memory, case: Case, at: int) -> Phrase:
    if case.grade >= Grade.LOCK:
        return phrase("all outgoing mail of the account held at {time} UTC", time=clock(at))
    if case.kind == "volume":
        return phrase("mail to first-time recipients waits from {time} UTC on", time=clock(at))
    if case.grade == Grade.WATCH:
        return phrase("mail from those networks waits {wait_s} s", wait_s=case.wait_s)
    return phrase(
        "mail from those networks held at {time} UTC after {messages}",
        time=clock(at),
        messages=phrases("{count} message", "{count} messages", memory.passed),
    )


def span(length: int) -> Phrase:
    """A length of time as people say it: under 90 of a unit in that unit."""
    if length < 90 * SECOND:
        return phrase("{count} s", count=max(1, length // SECOND))
    if length < 90 * MINUTE:
        return phrase("{count} min", count=length // MINUTE)
    if length < 48 * HOUR:
        return phrase("{count} h", count=length // HOUR)
    return phrase("{count} days", count=length // DAY)


def clock(at: int) -> str:
    second = at // SECOND % 86400
    return f"{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}"


def _evidence(term: Term) -> Evidence:
    return Evidence(term.at, term.term, round(term.weight, 2), _term_text(term), term.event)


def _term_text(term: Term) -> Phrase:
    match term.term:
        case "network":
            return phrase(
                "sign-in from {address} in {network}, a network new to the account",
                address=term.address,
                network=term.about,
            )
        case "country":
            return phrase(
                "sign-in from {address} in {network}, in a country new to the account",
                address=term.address,
                network=term.about,
            )
        case "crowd":
            return phrase(
                "{address} is strange to {count} accounts within a day",
                address=term.address,
                count=term.count,
            )
        case "volume":
            return phrase("{count} first-time recipients within the hour", count=term.count)
        case "letters":
            return phrases(
                "{count} message from unfamiliar networks, to strangers only",
                "{count} messages from unfamiliar networks, nearly all to strangers only",
                term.count,
            )
        case "refused":
            return phrase("{count} first-time recipients refused by their servers", count=term.count)
        case _:
            return phrase("{count} first-time recipients in 24 hours", count=term.count)


def counters(memory: Memory) -> dict[str, int]:
    """What is counted of a case: strangers' sign-ins, networks and countries, messages, recipients,
    refusals."""
    strangers = memory.strangers()
    return {
        "sign_ins": sum(place.logins for place in strangers.values()),
        "networks": len(strangers),
        "countries": len({place.country for place in strangers.values()} - {""}),
        "messages": memory.passed,
        "first_time_recipients": memory.strange.named + memory.own.named,
        "refused_recipients": memory.strange.refused + memory.own.refused,
        "held_messages": memory.held,
        "denied_sign_ins": memory.denied,
    }


def fold(incident: Incident | None, finding: Finding, ident: str) -> Incident:
    """Add a finding to the open case of its account, or open one."""
    if incident is None:
        return Incident(
            id=ident,
            subject=finding.account,
            kind=finding.kind,
            grade=finding.grade,
            opened=finding.at,
            sentence=finding.sentence,
            evidence=finding.evidence[-EVIDENCE_KEPT:],
        )
    known = {(item.at, item.term, item.event) for item in incident.evidence}
    new = tuple(item for item in finding.evidence if (item.at, item.term, item.event) not in known)
    higher = finding.grade >= incident.grade
    return msgspec.structs.replace(
        incident,
        grade=max(finding.grade, incident.grade),
        kind=finding.kind if higher else incident.kind,
        sentence=finding.sentence if higher else incident.sentence,
        evidence=(incident.evidence + new)[-EVIDENCE_KEPT:],
    )
