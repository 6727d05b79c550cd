"""What the sender is told when a letter cannot be delivered: one report for all its failed recipients.

Never for a message without a return path (RFC 5321 4.5.5), so a report is never reported on. A report
carries the letter if it is small, else its head only, else nothing: it is never much larger than
`limit_bytes`.
"""

from collections.abc import Callable, Sequence
from datetime import tzinfo

from msgspec import Struct

from sekisho.mail.date import written
from sekisho.mail.dsn import Failed, Notice, Returned, dsn
from sekisho.mail.headers import Head, TooLarge, head_of
from sekisho.mail.words import readable
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
    recipient: str
    reply: Reply


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
    if not original.envelope.sender or not failures:
        return None
    listed = _listed(failures)
    returned = _returned(original, reporter.limit_bytes)
    subject = phrases(
        "Your message was not delivered",
        "Your message was not delivered to {count} recipients",
        len(failures),
    )
    notice = Notice(
        ident=ident,
        hostname=reporter.hostname,
        sender=reporter.say(phrase("Mail delivery")),
        recipient=original.envelope.sender,
        subject=reporter.say(subject),
        text="\n".join(_lines(original, listed, len(failures) - len(listed), returned, reporter)),
        date=written(at, reporter.zone),
        arrived=written(original.envelope.origin.at, reporter.zone),
    )
    status = [Failed(each.recipient, _status(each.reply), str(each.reply)) for each in listed]
    return Bounce(original.envelope.sender, dsn(notice, status, returned), str(subject))


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
) -> list[str]:
    """The words for people. Addresses and replies are data and stand as they are."""
    say = reporter.say
    date = written(original.envelope.origin.at, reporter.zone)
    subject = _subject(original)
    opening = (
        phrase('Your message "{subject}" of {date} could not be delivered to:', subject=subject, date=date)
        if subject
        else phrase("Your message of {date} could not be delivered to:", date=date)
    )
    lines = [say(phrase("This is the mail server {hostname}.", hostname=reporter.hostname)), say(opening), ""]
    for each in listed:
        lines += [f"  <{_line(each.recipient)}>", f"    {_line(str(each.reply))}", ""]
    if unlisted:
        lines += [say(phrases("and one more recipient", "and {count} more recipients", unlisted)), ""]
    lines.append(say(phrase("It will not be tried again. What stands behind each address is the reason.")))
    lines.append(say(_about(returned, reporter.limit_bytes)))
    return lines


def _line(text: str) -> str:
    """Data on one line, whoever it came from."""
    return " ".join(text.split())


def _about(returned: Returned | None, limit: int) -> Phrase:
    if returned is None:
        return phrase("The message itself is not attached.")
    if returned.whole:
        return phrase("The message is attached.")
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


def _returned(original: Original, limit: int) -> Returned | None:
    """All of the letter if it is not over the limit, else whole lines of its head that are not."""
    headers_only = original.envelope.options.get("RET", "").upper() == "HDRS"  # RFC 3461 4.3
    if len(original.start) <= limit and not headers_only:
        return Returned(original.start, True)
    end = original.start.find(b"\r\n\r\n")
    head = original.start[: end + 2] if end >= 0 else original.start
    cut = head if len(head) <= limit else head[: head.rfind(b"\r\n", 0, limit) + 2]
    return Returned(cut, False) if 2 < len(cut) <= limit else None


def _status(reply: Reply) -> str:
    """RFC 3463: the class of a final failure is 5, or 4 for one that lasted too long."""
    if reply.status.startswith(("4.", "5.")):
        return reply.status
    return "4.0.0" if reply.transient else "5.0.0"
