"""Letters about an incident: one to the owner of the account, one to the operator, each in their
language.

Both say what was seen and what was done in the incident's own sentence. Nothing secret stands in them:
the thief may be reading the mailbox too.
"""

import sys
from collections.abc import Sequence
from datetime import tzinfo

from msgspec import Struct

from sekisho.mail.date import written
from sekisho.mail.mime import header_text, text_part
from sekisho.model.incident import FAILURE_RATE, Grade, Incident
from sekisho.model.phrase import Phrase, phrase
from sekisho.model.text import printable
from sekisho.store.texts import Texts

HOUR = 3600 * 1_000_000


class Sender(Struct, frozen=True):
    """Who writes: the address of the house's postmaster, its name, its clock's zone, its help page."""

    address: str
    hostname: str
    zone: tzinfo
    help_url: str = ""


class Stamp(Struct, frozen=True):
    """What every letter carries whatever it says: who writes, in which language, its id, when."""

    sender: Sender
    texts: Texts
    ident: str
    at: int


def owner_letter(incident: Incident, stamp: Stamp) -> bytes:
    subject = phrase("Somebody else may be using {account}", account=incident.subject)
    paragraphs = [
        phrase(
            "Somebody who knows the password of {account} has used it from places that are new to it.",
            account=incident.subject,
        ),
        incident.sentence,
        phrase("Mail from those places is being held, and nothing is lost."),
        phrase("Your own devices at their usual places work on."),
        phrase("If that was you, tell your postmaster, who can let the mail go."),
        phrase(
            "If it was not, change the password now, and tell your postmaster: the held mail can be removed."
        ),
    ]
    if stamp.sender.help_url:
        paragraphs.append(phrase("More about this: {url}", url=stamp.sender.help_url))
    return _letter(incident.subject, subject, paragraphs, stamp)


def operator_letter(incident: Incident, notes: Sequence[Phrase], to: str, stamp: Stamp) -> bytes:
    """The first alarm, or a reminder: what has waited longer than an hour says so."""
    if incident.kind == FAILURE_RATE:
        return _alarm_letter(incident, to, stamp)
    subject = phrase("{grade}: {account}", grade=grade_name(incident.grade), account=incident.subject)
    paragraphs = [incident.sentence, *notes]
    if stamp.at - incident.opened > HOUR:
        hours = (stamp.at - incident.opened) // HOUR
        paragraphs.append(
            phrase("Nobody has looked at this for {hours} hours. Held mail waits for you.", hours=hours)
        )
    paragraphs += [
        phrase("To see it:"),
        Phrase("  sekisho incident show {id}", {"id": incident.id}),
        phrase("To let the held mail go and allow the logins:"),
        Phrase("  sekisho incident release {id}", {"id": incident.id}),
    ]
    return _letter(to, subject, paragraphs, stamp)


def _alarm_letter(incident: Incident, to: str, stamp: Stamp) -> bytes:
    subject = phrase("Deliveries fail: {account}", account=incident.subject)
    paragraphs = [
        incident.sentence,
        phrase("Nothing is held for this alone. To see it:"),
        Phrase("  sekisho incident show {id}", {"id": incident.id}),
    ]
    if "@" in incident.subject:
        paragraphs += [
            phrase("If somebody else is sending by this account:"),
            Phrase("  sekisho incident contain {account}", {"account": incident.subject}),
        ]
    return _letter(to, subject, paragraphs, stamp)


def quota_letter(account: str, percent: int, sender: Sender, texts: Texts, ident: str, at: int) -> bytes:
    subject = phrase("Your mailbox is nearly full: {percent} %", percent=percent)
    paragraphs = [
        phrase(
            "The mailbox of {account} is filled to {percent} % of what it may hold.",
            account=account,
            percent=percent,
        ),
        phrase("When it is full, new mail for you waits for some days and then goes back to who sent it."),
        phrase("Please remove mail that you do not need, or ask your postmaster for more room."),
    ]
    return _letter(account, subject, paragraphs, Stamp(sender, texts, ident, at))


def grade_name(grade: Grade) -> Phrase:
    match grade:
        case Grade.WATCH:
            return phrase("watched")
        case Grade.CONTAIN:
            return phrase("contained")
        case Grade.LOCK:
            return phrase("all mail held")
        case Grade.OPERATOR:
            return phrase("locked")
        case _:
            return phrase("clear")


def state_name(incident: Incident) -> Phrase:
    """What is said of a case in a list."""
    if incident.closed:
        return phrase("closed")
    return phrase("mail fails") if incident.kind == FAILURE_RATE else grade_name(incident.grade)


def grade_word(grade: Grade) -> str:
    """For programs, always English."""
    return str(grade_name(grade))


def line_of(incident: Incident) -> str:
    """One line for a log, in English, as logs are."""
    return printable(f"incident {incident.id}: {state_name(incident)}: {incident.sentence}", 2000)


def to_stderr(line: str) -> None:
    """Where a service manager takes its log from."""
    sys.stderr.write(f"sekisho: {line}\n")
    sys.stderr.flush()


def _letter(to: str, subject: Phrase, paragraphs: list[Phrase], stamp: Stamp) -> bytes:
    sender, say = stamp.sender, stamp.texts.say
    head = "\n".join(
        [
            f"From: sekisho <{sender.address}>",
            f"To: <{to}>",
            f"Subject: {header_text(say(subject))}",
            f"Date: {written(stamp.at, sender.zone)}",
            f"Message-ID: <{stamp.ident}@{sender.hostname}>",
            "Auto-Submitted: auto-generated",  # RFC 3834 5
            "MIME-Version: 1.0",
        ]
    )
    body = "\n\n".join(say(paragraph) for paragraph in paragraphs)
    return head.encode("ascii", "replace") + b"\n" + text_part(body)
