"""Which letters are an incident's, from its file: the account's, not from spared networks, since it began.

An incident that the guard opened began with its first evidence; one that the operator opened, a day before he
did. What its actions hold is its own in any case.
"""

from sekisho.mail.return_path import mark_of
from sekisho.model.selector import Cause
from sekisho.service.messages import IncidentAnswer

DAY = 86_400 * 1_000_000


def cause_of(answer: IncidentAnswer) -> Cause:
    incident = answer.incidents[0]
    holds = [action for action in answer.actions if action.kind == "hold_queue"]
    since = min((evidence.at for evidence in incident.evidence), default=incident.opened - DAY)
    spared = holds[-1].spare if holds else ("",)
    return Cause(
        incident.subject,
        min(since, incident.opened),
        incident.closed,
        tuple(mark_of(network) for network in spared),
        tuple(dict.fromkeys((incident.id, *(action.id for action in holds)))),
    )
