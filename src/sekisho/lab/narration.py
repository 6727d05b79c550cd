"""The demo's sentences: what just happened, and what it all came to."""

import os
import shlex
from collections.abc import Mapping

from sekisho.lab import history
from sekisho.lab.cast import HISTORY_DAYS, HOUSEHOLD, OWNER, TRAVELLER, Script
from sekisho.lab.places import Find
from sekisho.lab.reckoning import Played, Tally
from sekisho.lab.scenes import Scene
from sekisho.lab.stage import CUSTOMERS, Stage
from sekisho.lab.story import Tempo
from sekisho.lab.visits import SECOND
from sekisho.model.incident import Grade, Incident
from sekisho.model.phrase import Phrase, Value, phrase, phrases

MISSING_SHOWN = 5


def of_house(stage: Stage, script: Script) -> Phrase:
    return phrase(
        "Seed {seed}: a house with {count} accounts is built in {folder}. Most people live in {country}; "
        "{traveller} is in {away}.",
        seed=script.seed,
        count=len(HOUSEHOLD.residents),
        folder=stage.folder,
        country=script.country,
        traveller=TRAVELLER,
        away=script.away,
    )


def of_past(path: str, written: int, told: int) -> Phrase:
    return phrase(
        "{days} days of its past, {written} events, were invented and written to {path}; {told} were read "
        "from there as `sekisho scan` reads an event archive, and shown to the guard. No mail was sent.",
        days=HISTORY_DAYS,
        written=written,
        path=path,
        told=told,
    )


def of_past_cases(grades: tuple[Grade, ...]) -> Phrase:
    """What the guard made of the past."""
    return phrase(
        "In that past it watched {watched} accounts for a while, and contained {contained}.",
        watched=len(grades),
        contained=sum(grade >= Grade.CONTAIN for grade in grades),
    )


def of_release(incident: Incident) -> Phrase:
    return phrase("That was wrong, and the operator releases {account}.", account=incident.subject)


def of_doors(doors: Mapping[str, str]) -> Phrase:
    return phrase(
        "The server is open: mail from outside at {mx}, customers at {submission}, and the demo's clients at "
        "{private}, where they say by PROXY from which address they call.",
        mx=doors["mx"],
        submission=doors["submission"],
        private=CUSTOMERS,
    )


def of_day(tempo: Tempo) -> Phrase:
    return phrase(
        "A day begins; it takes {day_s} seconds, and mail that the guard lets wait waits {delay_s} s instead "
        "of 300.",
        day_s=round(tempo.day_s),
        delay_s=tempo.delay_s,
    )


def clock(at: int, day: int) -> str:
    """The story's time of day."""
    minutes = (at - day) // (60 * SECOND)
    return f"{minutes // 60 % 24:02d}:{minutes % 60:02d}"


def place(address: str, find: Find) -> str:
    """An address with what is known of it."""
    network = find(address)
    words = (f"AS{network.asn}" if network.asn else "", network.name)
    name = " ".join(word for word in words if word)
    known = ", ".join(word for word in (name, network.country) if word)
    return f"{address} ({known})" if known else address


def of_call(played: Played, day: int, find: Find) -> Phrase:
    """One call that is over; the time is when it was due."""
    scene = played.scene
    values: dict[str, Value] = {
        "clock": clock(scene.at, day),
        "account": scene.account,
        "place": place(scene.address, find) if scene.address else "",
        "letters": letters(scene),
        "end": ending(played),
    }
    if scene.side == "outside":
        values["sender"], values["to"] = scene.papers[0].sender, scene.papers[0].recipients[0]
        return phrase("{clock}  from outside {sender} to {to}{end}", **values)
    if scene.side == "bot":
        return phrase("{clock}  THE BOTNET as {account} from {place}, {letters}{end}", **values)
    return phrase("{clock}  {account} from {place}, {letters}{end}", **values)


def of_last_call(played: Played, day: int, endings: Mapping[str, int]) -> Phrase:
    """The botnet has made all its calls."""
    return phrase(
        "{clock}  the botnet has called {count} times: {sent} of its clients were let in, {denied} turned "
        "away, {cut} cut off",
        clock=clock(played.scene.at, day),
        count=sum(endings.values()),
        sent=endings.get("sent", 0),
        denied=endings.get("login refused", 0),
        cut=endings.get("cut off", 0),
    )


def letters(scene: Scene) -> Phrase:
    return phrase(
        "{letters} to {recipients}",
        letters=phrases("{count} letter", "{count} letters", len(scene.papers)),
        recipients=phrases(
            "{count} recipient", "{count} recipients", sum(len(paper.recipients) for paper in scene.papers)
        ),
    )


def ending(played: Played) -> Phrase:
    """How it ended."""
    call = played.call
    if call.ending == "login refused":
        return phrase(": turned away, {reply}", reply=str(call.login))
    if call.ending == "cut off":
        return phrase(": cut off")
    if call.refused:
        recipient, reply = call.refused[0]
        return phrase(": refused for {recipient}, {reply}", recipient=recipient, reply=str(reply))
    return phrase(": accepted")


def of_incident(incident: Incident) -> Phrase:
    return phrase("       INCIDENT {ident}  {sentence}", ident=incident.id, sentence=incident.sentence)


def of_tally(tally: Tally) -> list[Phrase]:
    """What the day came to."""
    sentences = [
        phrase(
            "Honest people wrote {letters} to {recipients}: {missing} did not arrive, {held} are held.",
            letters=phrases("{count} letter", "{count} letters", tally.honest_letters),
            recipients=phrases("{count} recipient", "{count} recipients", tally.honest_copies),
            missing=len(tally.honest_missing),
            held=tally.honest_held,
        )
    ]
    for token, recipient in tally.honest_missing[:MISSING_SHOWN]:
        sentences.append(phrase("  {token} did not arrive at {recipient}", token=token, recipient=recipient))
    if tally.bot_logins:
        sentences += _of_botnet(tally)
    return sentences


def _of_botnet(tally: Tally) -> list[Phrase]:
    return [
        phrase(
            "The botnet called {logins} times with the right password of {account}, from {addresses} "
            "addresses; {denied} logins were refused.",
            logins=tally.bot_logins,
            account=OWNER,
            addresses=tally.bot_addresses,
            denied=tally.bot_denied,
        ),
        phrase(
            "Of its letters {accepted} were accepted, {held} are held, {moving} are still on their way, "
            "{arrived} arrived anywhere.",
            accepted=tally.bot_accepted,
            held=tally.bot_held,
            moving=tally.bot_moving,
            arrived=tally.bot_arrived,
        ),
    ]


def of_notices(notices: tuple[tuple[str, str], ...]) -> list[Phrase]:
    """What the server has written to people."""
    return [
        phrase("{account} has a letter: {subject}", account=account, subject=what)
        for account, what in notices
    ]


def of_verdict(incidents: tuple[Incident, ...], *, good: bool) -> list[Phrase]:
    """The sentence of every case, and whether the day went as it should."""
    if not good:
        last = phrase("The day did NOT go as it should.")
    elif incidents:
        last = phrase("The attack was contained, and everybody's mail arrived.")
    else:
        last = phrase("Nobody was bothered, and everybody's mail arrived.")
    return [*(incident.sentence for incident in incidents), last]


def of_looking(stage: Stage, incidents: tuple[Incident, ...]) -> list[Phrase]:
    """Commands for a second terminal."""
    settings = shlex.quote(stage.settings)
    commands = [f"sekisho incident show {incident.id} -c {settings}" for incident in incidents]
    commands += [f"sekisho queue list -c {settings}", f"sekisho account logins {OWNER} -c {settings}"]
    archive = [os.path.join(stage.folder, name) for name in (history.FILE, "events")]
    commands.append(f"sekisho scan {shlex.join(archive)}")
    return [phrase("  {command}", command=command) for command in commands]
