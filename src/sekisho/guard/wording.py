"""The case in words: one sentence built from the score's own terms, and a line for each piece of evidence.

Only what weighed is told: sign-ins while they still count, recipients and refusals of the flow that was
judged. What an open source says about others' sign-ins is told as its word.
"""

from typing import Literal

from msgspec import Struct

from sekisho.guard.bounces import bounce_at
from sekisho.guard.letters import letters_at
from sekisho.guard.logins import EPISODE, score_at
from sekisho.guard.memory import DAY, HOUR, MINUTE, PROVISIONAL_KEPT, SECOND, Flow, Memory, Place, Term
from sekisho.guard.volume import WATCH_HELD, own_volume, strange_volume
from sekisho.model.incident import Evidence, Grade
from sekisho.model.phrase import Phrase, phrase, phrases

NETWORKS_NAMED = 5
HISTORY_DAYS = 60
NOTABLE = 0.05
"""Evidence of mail under this is what is left of another story."""


class Case(Struct, frozen=True):
    """Why a grade was raised: which sum passed which limit, and how long mail waits under watch.

    `ground`: the evidence of unfamiliar places, that of the account's own places, the cap on first-time
    recipients, mail held under a mere watch, an open source's word, or somebody's decision.
    """

    grade: Grade
    ground: Literal["strange", "own", "cap", "watch", "open", "said"]
    score: float = 0.0
    limit: float = 0.0
    wait_s: int = 0

    @property
    def kind(self) -> Literal["takeover", "volume"]:
        return "volume" if self.ground in ("own", "cap") else "takeover"


def sentence(account: str, memory: Memory, case: Case, at: int) -> Phrase:
    if case.ground == "said":
        return phrase("{account}: contained at {time} UTC", account=account, time=clock(at))
    if case.ground == "cap":
        return phrase(
            "{account}: {count} first-time recipients in 24 h, {limit} are allowed; {outcome}",
            account=account,
            count=round(case.score),
            limit=round(case.limit),
            outcome=_outcome(memory, case, at),
        )
    return phrase(
        "{account}: {observed}; evidence {score} >= {limit}, {outcome}",
        account=account,
        observed=_observed(memory, case, at),
        score=f"{case.score:.1f}",
        limit=f"{case.limit:g}",
        outcome=_outcome(memory, case, at),
    )


def _observed(memory: Memory, case: Case, at: int) -> tuple[Phrase, ...]:
    if case.ground == "open":
        return (
            phrases(
                "sign-ins from {count} network new to it, if an open source is right",
                "sign-ins from {count} networks new to it, if an open source is right",
                len(memory.open_networks),
            ),
        )
    if case.ground == "own":
        return _mail(memory, memory.own, at)
    sign_ins = _sign_ins(memory, at)
    mail = _mail(memory, memory.strange, at)
    if not sign_ins:
        return mail or (phrase("sign-ins and mail that are unusual for it"),)
    return (*sign_ins, phrase("then {mail}", mail=mail)) if mail else sign_ins


def _sign_ins(memory: Memory, at: int) -> tuple[Phrase, ...]:
    """As long as they count; afterwards the mail alone has to speak."""
    strangers = memory.strangers()
    if not strangers or score_at(memory, at) < EPISODE:
        return ()
    first, last = min(p.first for p in strangers.values()), max(p.last for p in strangers.values())
    count = sum(place.logins for place in strangers.values())
    came = phrase(
        "{sign_ins}{time} from {networks}{countries} {novelty} ({names})",
        sign_ins=phrases("{count} sign-in", "{count} sign-ins", count),
        time=_within(last - first) if count > 1 else "",
        networks=phrases("{count} network", "{count} networks", len(strangers)),
        countries=_countries(memory, strangers),
        novelty=_novelty(memory, last),
        names=_names(strangers),
    )
    crowds = [term for term in memory.terms if term.term == "crowd"]
    return (came, *(_crowd(term) for term in crowds[-1:]))


def _crowd(term: Term) -> Phrase:
    """An address, or a way of speaking, that visits several accounts."""
    return phrases(
        "{tool} is also new to {count} other account",
        "{tool} is also new to {count} other accounts",
        max(1, term.count - 1),
        tool=term.address,
    )


def _countries(memory: Memory, strangers: dict[str, Place]) -> Phrase | str:
    """Told where all of them are new to the account."""
    home = {place.country for place in memory.confirmed.values()}
    countries = {place.country for place in strangers.values()}
    if not countries.isdisjoint(home | {""}):
        return ""
    return phrases(" in {count} country", " in {count} countries", len(countries))


def _novelty(memory: Memory, last: int) -> Phrase:
    """For how long the account is known not to have been there: it may be young, or have forgotten."""
    since = memory.born
    if len(memory.provisional) >= PROVISIONAL_KEPT:
        since = max(since, min(place.last for place in memory.provisional.values()))
    days = min(HISTORY_DAYS, (memory.first_stranger - since) // DAY)
    if days < 1:
        return phrase("new to it")
    if last - memory.first_stranger >= DAY:
        return phrases(
            "it had not used in the {count} day before", "it had not used in the {count} days before", days
        )
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


def _mail(memory: Memory, flow: Flow, at: int) -> tuple[Phrase, ...]:
    """The present burst, if it weighs anything."""
    volume = own_volume(memory, at) if flow is memory.own else strange_volume(memory, at)
    bounce = bounce_at(flow, at)
    if not flow.named or volume + letters_at(flow, at) + bounce < NOTABLE:
        return ()
    told = phrases(
        "{count} first-time recipient{time}{usual}",
        "{count} first-time recipients{time}{usual}",
        flow.named,
        time=_within(flow.fresh_at - flow.began) if flow.named > 1 else "",
        usual=phrase(" (usual maximum {usual})", usual=round(memory.usual)) if memory.usual >= 1 else "",
    )
    if not flow.refused or not bounce:
        return (told,)
    return (told, phrase("{refused} of {tried} refused", refused=flow.refused, tried=flow.tried))


def _outcome(memory: Memory, case: Case, at: int) -> Phrase:
    match case.ground:
        case "open":
            return phrase("nothing is held on the word of an open source")
        case "watch":
            return phrase(
                "mail from unfamiliar networks held: more than {count} first-time recipients",
                count=WATCH_HELD,
            )
        case "cap" if case.grade < Grade.LOCK:
            return phrase("mail to first-time recipients held from {time} UTC on", time=clock(at))
        case "own" | "cap":
            return phrase(
                "its waiting mail and all mail to first-time recipients held at {time} UTC", time=clock(at)
            )
    if case.grade >= Grade.LOCK:
        return phrase("all outgoing mail of the account held at {time} UTC", time=clock(at))
    return _contained(memory, case, at)


def _contained(memory: Memory, case: Case, at: int) -> Phrase:
    told = bool(_sign_ins(memory, at))
    if case.grade == Grade.WATCH and told:
        return phrase("mail from those networks waits {wait_s} s", wait_s=case.wait_s)
    if case.grade == Grade.WATCH:
        return phrase("mail from unfamiliar networks waits {wait_s} s", wait_s=case.wait_s)
    messages = phrases("{count} message", "{count} messages", memory.passed)
    if told:
        return phrase(
            "mail from those networks held at {time} UTC after {messages}", time=clock(at), messages=messages
        )
    return phrase(
        "mail from unfamiliar networks held at {time} UTC after {messages}", time=clock(at), messages=messages
    )


def _within(length: int) -> Phrase:
    return phrase(" at once") if length < SECOND else phrase(" in {span}", span=span(length))


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


def evidence_of(term: Term) -> Evidence:
    return Evidence(term.at, term.term, round(term.weight, 2), _term_text(term), term.event)


def _term_text(term: Term) -> Phrase:
    count = max(1, term.count)
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
                "{address} is strange to {count} accounts within a day", address=term.address, count=count
            )
        case "volume":
            return phrases(
                "{count} first-time recipient of late", "{count} first-time recipients of late", count
            )
        case "letters":
            return phrase("messages to nobody that the account has written to before")
        case "refused":
            return phrases(
                "{count} first-time recipient refused by its server",
                "{count} first-time recipients refused by their servers",
                count,
            )
        case _:
            return phrases(
                "{count} first-time recipient in 24 hours", "{count} first-time recipients in 24 hours", count
            )
