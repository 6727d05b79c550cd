"""What the sender is told of a letter: one report for all its recipients that failed, wait or were delivered.

Never for a message without a return path (RFC 5321 4.5.5), so a report is never reported on to its sender;
the postmaster may be told of one that could not be delivered. Of a letter that failed a report carries all if
it is small, else its head only, else nothing: it is never much larger than `limit_bytes`.
"""

from collections.abc import Callable, Sequence
from datetime import tzinfo
from typing import Literal

from msgspec import Struct

from sekisho.mail.date import written
from sekisho.mail.dsn import Action, Fate, Notice, Returned, dsn
from sekisho.mail.headers import Head, TooLarge, head_of
from sekisho.mail.words import readable
from sekisho.mail.xtext import decoded
from sekisho.model.envelope import Envelope
from sekisho.model.phrase import Phrase, phrase, phrases
from sekisho.model.text import printable
from sekisho.model.verdict import Reply

LISTED_BYTES = 12 * 1024
"""About how many bytes of recipients with their replies a report lists; the others are counted."""

SUBJECT_MAX = 100
LISTED_MAX = 100


class Original(Struct, frozen=True):
    """The letter that failed. `start`: its wire form, all of it or at least one byte more than a report
    carries.
    """

    envelope: Envelope
    start: bytes


class Failure(Struct, frozen=True):
    """What is told of one recipient; `until`: when it is given up, in microseconds, if it only waits; `here`:
    it has a mailbox of ours.
    """

    recipient: str
    reply: Reply
    until: int = 0
    here: bool = False


Kind = Literal["failed", "delayed", "delivered", "double"]
"""What a report says; `double`: it is for the postmaster, since a bounce itself has failed."""


class Reporter(Struct, frozen=True):
    """Who reports, and how: `say` renders a Phrase in the language of the reader."""

    hostname: str
    limit_bytes: int
    zone: tzinfo
    say: Callable[[Phrase], str]


class Bounce(Struct, frozen=True):
    """`letter` in wire form without the final dot; `subject` for lists of the queue."""

    recipient: str
    letter: bytes
    subject: str


def bounce_for(
    original: Original, failures: Sequence[Failure], reporter: Reporter, ident: str, at: int
) -> Bounce | None:
    """None when no report is owed: the message had no return path, or nobody failed."""
    return report_on(original, failures, reporter, Told("failed", original.envelope.sender or "", ident, at))


class Told(Struct, frozen=True):
    """The report to be made: what it says, to whom, its own id and time."""

    kind: Kind
    recipient: str
    ident: str
    at: int


def report_on(
    original: Original, failures: Sequence[Failure], reporter: Reporter, told: Told
) -> Bounce | None:
    if not told.recipient or not failures:
        return None
    listed = _listed(failures)
    returned = _returned(original, reporter.limit_bytes, told.kind)
    subject = _title(told.kind, len(failures))
    envelope = original.envelope
    notice = Notice(
        ident=told.ident,
        hostname=reporter.hostname,
        sender=reporter.say(phrase("Mail delivery")),
        recipient=told.recipient,
        subject=reporter.say(subject),
        text="\n".join(
            _lines(original, listed, len(failures) - len(listed), returned, reporter, told.kind)
        ),
        date=written(told.at, reporter.zone),
        arrived=written(envelope.origin.at, reporter.zone),
        envelope=decoded(envelope.options.get("ENVID", "")),
    )
    fates = [_fate(each, told.kind, envelope, reporter) for each in listed]
    return Bounce(told.recipient, dsn(notice, fates, returned), str(subject))


def _title(kind: Kind, count: int) -> Phrase:
    match kind:
        case "delayed":
            return phrase("Your message has not been delivered yet")
        case "delivered":
            return phrase("Your message was delivered")
        case "double":
            return phrase("A bounce could not be delivered")
    return phrases(
        "Your message was not delivered", "Your message was not delivered to {count} recipients", count
    )


def _fate(failure: Failure, kind: Kind, envelope: Envelope, reporter: Reporter) -> Fate:
    wanted, colon, address = envelope.wish(failure.recipient).original.partition(";")
    return Fate(
        failure.recipient,
        _status(failure.reply),
        str(failure.reply),
        _action(failure, kind),
        f"{wanted}; {decoded(address)}" if colon else "",
        written(failure.until, reporter.zone) if failure.until else "",
    )


def _action(failure: Failure, kind: Kind) -> Action:
    """RFC 3464 2.3.3. A host that took it and does not report is where our knowledge ends: relayed."""
    if kind == "delivered":
        return "delivered" if failure.here else "relayed"
    return "delayed" if kind == "delayed" else "failed"


def _listed(failures: Sequence[Failure]) -> Sequence[Failure]:
    size = 0
    for place, each in enumerate(failures):
        size += len(each.recipient) + len(each.reply.text)
        if place and (size > LISTED_BYTES or place >= LISTED_MAX):
            return failures[:place]
    return failures


def _lines(
    original: Original,
    listed: Sequence[Failure],
    unlisted: int,
    returned: Returned | None,
    reporter: Reporter,
    kind: Kind,
) -> list[str]:
    """The words for people. Addresses and replies are data and stand as they are."""
    say = reporter.say
    opening = _opening(kind, _subject(original), written(original.envelope.origin.at, reporter.zone))
    lines = [say(phrase("This is the mail server {hostname}.", hostname=reporter.hostname)), say(opening), ""]
    for each in listed:
        lines += [f"  <{_line(each.recipient)}>", f"    {_line(str(each.reply))}", ""]
    if unlisted:
        lines += [say(phrases("and one more recipient", "and {count} more recipients", unlisted)), ""]
    lines.append(say(_closing(kind)))
    lines.append(say(_about(returned, reporter.limit_bytes)))
    return lines


def _opening(kind: Kind, subject: str, date: str) -> Phrase:
    values = {"subject": subject, "date": date}
    match kind:
        case "delayed":
            return phrase('Your message "{subject}" of {date} could not be delivered yet to:', **values)
        case "delivered":
            return phrase('Your message "{subject}" of {date} was delivered to:', **values)
        case "double":
            return phrase('The report "{subject}" of {date}, which has no sender, could not be delivered to:',
                          **values)  # fmt: skip
    if subject:
        return phrase('Your message "{subject}" of {date} could not be delivered to:', **values)
    return phrase("Your message of {date} could not be delivered to:", date=date)


def _closing(kind: Kind) -> Phrase:
    match kind:
        case "delayed":
            return phrase("It is tried again by itself, and you need do nothing; you are told if it fails.")
        case "delivered":
            return phrase("You asked to be told. What another host took may still be on its way.")
    return phrase("It will not be tried again. What stands behind each address is the reason.")


def _line(text: str) -> str:
    """Data on one line, whoever it came from."""
    return " ".join(text.split())


def _about(returned: Returned | None, limit: int) -> Phrase:
    if returned is None:
        return phrase("The message itself is not attached.")
    if returned.whole:
        return phrase("The message is attached.")
    if returned.wanted:
        return phrase("Only the head of the message is attached.")
    return phrase(
        "Only the head of the message is attached, since it is larger than {limit} bytes.", limit=limit
    )


def _subject(original: Original) -> str:
    head = _head(original.start)
    found = head.first(b"subject") if head is not None else None
    return printable(readable(found), SUBJECT_MAX) if found else ""


def _head(start: bytes) -> Head | None:
    try:
        return head_of(start)
    except TooLarge:
        return None


def _returned(original: Original, limit: int, kind: Kind) -> Returned | None:
    """All of the letter if it is not over the limit, else whole lines of its head that are not. Of what has
    not failed its sender has the letter (RFC 3461 4.3: RET is about failures).
    """
    wanted = original.envelope.options.get("RET", "").upper() == "HDRS"
    headers_only = wanted or kind in ("delayed", "delivered")
    if len(original.start) <= limit and not headers_only:
        return Returned(original.start, True)
    end = original.start.find(b"\r\n\r\n")
    head = original.start[: end + 2] if end >= 0 else original.start
    cut = head if len(head) <= limit else head[: head.rfind(b"\r\n", 0, limit) + 2]
    return Returned(cut, False, headers_only) if 2 < len(cut) <= limit else None


def _status(reply: Reply) -> str:
    """RFC 3463: the class of a final failure is 5, or 4 for one that lasted too long."""
    if reply.status.startswith(("2.", "4.", "5.")):
        return reply.status
    return "2.0.0" if reply.positive else "4.0.0" if reply.transient else "5.0.0"
