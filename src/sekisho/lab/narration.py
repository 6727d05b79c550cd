"""The demo's sentences: what just happened, and what it all came to."""

from sekisho.lab.places import Find
from sekisho.lab.reckoning import Played, Tally
from sekisho.lab.scenes import Scene
from sekisho.lab.visits import HOUR, SECOND
from sekisho.model.phrase import Phrase, phrase, phrases

LEAKED_MAX = 3
"""More letters of the botnet than this may not arrive anywhere (issue: at most 3)."""


def clock(at: int, day: int) -> str:
    """The story's time of day."""
    minutes = (at - day) // (60 * SECOND)
    return f"{minutes // 60 % 24:02d}:{minutes % 60:02d}"


def place(address: str, find: Find) -> str:
    """An address with what is known of it."""
    network = find(address)
    words = [f"AS{network.asn}" if network.asn else "", network.name]
    name = " ".join(word for word in words if word)
    return f"{address} ({', '.join(word for word in (name, network.country) if word)})" if name else address


def of_call(played: Played, find: Find) -> Phrase:
    """One call that is over."""
    scene, call = played.scene, played.call
    where = place(scene.address, find) if scene.address else ""
    if scene.side == "outside":
        paper = scene.papers[0]
        return phrase(
            "from outside: {sender} writes to {to}{end}",
            sender=paper.sender,
            to=paper.recipients[0],
            end=_end(played),
        )
    if call.ending == "login refused" and call.login is not None:
        reply = str(call.login)
        return phrase(
            "{account} from {place} is turned away: {reply}", account=scene.account, place=where, reply=reply
        )
    if scene.side == "bot":
        return phrase(
            "THIEF as {account} from {place}: {letters}{end}",
            account=scene.account,
            place=where,
            letters=_letters(scene),
            end=_end(played),
        )
    return phrase(
        "{account} from {place}: {letters}{end}",
        account=scene.account,
        place=where,
        letters=_letters(scene),
        end=_end(played),
    )


def _letters(scene: Scene) -> Phrase:
    recipients = sum(len(paper.recipients) for paper in scene.papers)
    return phrase(
        "{letters} to {recipients}",
        letters=phrases("{count} letter", "{count} letters", len(scene.papers)),
        recipients=phrases("{count} recipient", "{count} recipients", recipients),
    )


def _end(played: Played) -> Phrase | str:
    """Only what went otherwise than it should is said."""
    call = played.call
    if call.ending == "cut off":
        return phrase(", and is cut off")
    if call.refused:
        recipient, reply = call.refused[0]
        return phrase(", refused for {recipient}: {reply}", recipient=recipient, reply=str(reply))
    return ""


def of_botnet(tally: Tally) -> list[Phrase]:
    """What became of the thief's letters."""
    return [
        phrases(
            "The botnet signed in {count} time from {networks}; {denied} of them were refused.",
            "The botnet signed in {count} times from {networks}; {denied} of them were refused.",
            tally.bot_logins,
            networks=phrases("{count} address", "{count} addresses", tally.bot_addresses),
            denied=tally.bot_denied,
        ),
        phrase(
            "Of its letters {accepted} were accepted, {held} are held in the queue, {arrived} arrived.",
            accepted=tally.bot_accepted,
            held=tally.bot_held,
            arrived=tally.bot_arrived,
        ),
    ]


def of_honest(tally: Tally) -> Phrase:
    return phrase(
        "Honest people wrote {letters} to {recipients}; {missing} did not arrive, {held} are held.",
        letters=phrases("{count} letter", "{count} letters", tally.honest_letters),
        recipients=phrases("{count} recipient", "{count} recipients", tally.honest_copies),
        missing=len(tally.honest_missing),
        held=tally.honest_held,
    )
