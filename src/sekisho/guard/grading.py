"""When evidence becomes a grade, and how long a grade lasts (rule 3: a day for a watch, until release for
the rest)."""

from typing import Literal, cast

from sekisho.guard import logins, volume
from sekisho.guard.bounces import bounce_at
from sekisho.guard.evidence import add_term
from sekisho.guard.letters import letters_at
from sekisho.guard.memory import DAY, Flow, Memory, Term
from sekisho.guard.wording import Case
from sekisho.model.config import Guard as Settings
from sekisho.model.incident import Grade

WATCH_KEPT = DAY
"""Rule 3: who pauses for a night comes back into the watch."""
OWN_LIMIT = 8.0
"""Half the volume and correspondence evidence plus the bounce evidence of the account's own places, from
which all its mail is held.
"""
OWN_SHARE = 0.5
"""Owners write to many strangers now and then; dead addresses are what tells malware from them."""
FAR = 2
"""Mail over the cap is held; who goes on to twice the cap is no person reading the notice."""


def grade_at(memory: Memory, at: int) -> Grade:
    if memory.grade == Grade.WATCH and at >= memory.watch_until:
        return Grade.CLEAR
    return memory.grade


def strange_score(memory: Memory, at: int) -> float:
    """S + N + V + B of unfamiliar networks."""
    mail = volume.strange_volume(memory, at) + letters_at(memory.strange, at) + bounce_at(memory.strange, at)
    return logins.score_at(memory, at) + mail


def own_score(memory: Memory, at: int) -> float:
    mail = volume.own_volume(memory, at) + letters_at(memory.own, at)
    return OWN_SHARE * mail + bounce_at(memory.own, at)


def raise_grade(memory: Memory, settings: Settings, at: int) -> Case | None:
    """Compare the sums with the limits; a Case when the grade went up."""
    strange, own = strange_score(memory, at), own_score(memory, at)
    before = grade_at(memory, at)  # a watch that has ended is no watch that goes on
    if strange >= settings.watch:
        memory.watch_until = max(memory.watch_until, at + WATCH_KEPT)
    case = _case(memory, settings, strange, own, at)
    if case is None or case.grade <= before:
        return None
    _note_sums(memory, memory.own if case.ground == "own" else memory.strange, at)
    _keep(memory, case, at)
    memory.all_mail = case.grade >= Grade.LOCK and case.kind != "volume"
    return case


def _keep(memory: Memory, case: Case, at: int) -> None:
    """The grade and why it was given, for the sentence of a standing asked for later."""
    memory.grade, memory.since = case.grade, at
    memory.ground, memory.raised_score, memory.raised_limit = case.ground, case.score, case.limit


def _case(memory: Memory, settings: Settings, strange: float, own: float, at: int) -> Case | None:
    if own >= OWN_LIMIT:
        return Case(Grade.LOCK, "own", own, OWN_LIMIT)
    if logins.score_at(memory, at) >= settings.whole_account:
        return Case(Grade.LOCK, "strange", logins.score_at(memory, at), settings.whole_account)
    if strange >= settings.contain:
        return Case(Grade.CONTAIN, "strange", strange, settings.contain)
    if strange >= settings.watch:
        return Case(Grade.WATCH, "strange", strange, settings.watch, settings.watch_delay_s)
    return None


def pass_cap(memory: Memory, settings: Settings, at: int) -> Case | None:
    """More first-time recipients in 24 hours than allowed: told once a day."""
    limit = volume.cap(memory, settings.first_time_recipients, at)
    count = volume.fresh_today(memory, at)
    if count <= limit or at - memory.over_cap < DAY:
        return None
    memory.over_cap = at
    add_term(memory, Term(at, "cap", 1.0, count=count))
    return Case(Grade.WATCH, "cap", count, limit)


def pass_cap_far(memory: Memory, settings: Settings, at: int) -> Case | None:
    """Going on although it is held: after FAR times the cap the account is locked until somebody has
    looked."""
    if not memory.over_cap or grade_at(memory, at) >= Grade.LOCK:
        return None
    limit = FAR * volume.cap(memory, settings.first_time_recipients, at)
    count = volume.fresh_today(memory, at)
    if count <= limit:
        return None
    case = Case(Grade.LOCK, "cap", count, limit)
    _keep(memory, case, at)
    memory.all_mail = False
    return case


def begin_count(memory: Memory, at: int) -> None:
    """Messages of unfamiliar networks are counted from where the evidence begins."""
    if grade_at(memory, at) == Grade.CLEAR and strange_score(memory, at) < logins.EPISODE:
        memory.passed = 0


def _note_sums(memory: Memory, flow: Flow, at: int) -> None:
    """Volume and refusals enter the evidence with the value they have when the grade is raised."""
    weight = volume.own_volume(memory, at) if flow is memory.own else volume.strange_volume(memory, at)
    add_term(memory, Term(at, "letters", letters_at(flow, at), count=flow.messages))
    add_term(memory, Term(at, "volume", weight, count=round(volume.fresh_at(memory, flow, at))))
    add_term(memory, Term(at, "refused", bounce_at(flow, at), count=flow.refused))


def present_case(memory: Memory, settings: Settings, at: int) -> Case:
    """Why mail is held or a login refused now: as it was when the grade was raised."""
    grade = grade_at(memory, at)
    if grade >= Grade.CONTAIN:
        ground = cast(Literal["strange", "own", "cap", "said"], memory.ground or "said")
        return Case(grade, ground, memory.raised_score, memory.raised_limit)
    count = volume.fresh_today(memory, at)
    limit = volume.cap(memory, settings.first_time_recipients, at)
    if grade == Grade.CLEAR or count > limit:
        return Case(grade, "cap", count, limit)
    return Case(grade, "watch", memory.raised_score, memory.raised_limit)
