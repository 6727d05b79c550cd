"""A grade that was raised, as a finding, and the folding of findings into the case of an account."""

import msgspec

from sekisho.guard.memory import Memory, Term
from sekisho.guard.wording import Case, evidence_of, sentence
from sekisho.model.event import Trust
from sekisho.model.incident import Finding, Incident

EVIDENCE_KEPT = 100


def make_finding(account: str, memory: Memory, case: Case, at: int, trust: Trust = "sealed") -> Finding:
    latest = memory.terms[-1] if memory.terms else Term(at, "", 0.0)
    return Finding(
        account=account,
        at=at,
        grade=case.grade,
        kind=case.kind,
        sentence=sentence(account, memory, case, at),
        score=round(case.score, 2),
        evidence=tuple(evidence_of(term) for term in memory.terms),
        network=latest.about,
        address=latest.address,
        event=latest.event,
        trust=trust,
    )


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
