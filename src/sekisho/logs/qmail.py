"""qmail-send as splogger or multilog writes it: messages, their deliveries, their ends.

    new msg 90219
    info msg 90219: bytes 1364 from <hello@example.com> qp 17121 uid 103
    starting delivery 77421: msg 90219 to remote user@example.net
    delivery 77421: failure: 192.0.2.1_does_not_like_recipient./Remote_host_said:_550_no/
    end msg 90219

A message's number is the inode of its file and is used again after its end; a delivery's number counts from
1 with every start of the daemon. No line says who logged in. IndiMail appends the queue's name; some sites
drop the stamp.
"""

import re
from collections.abc import Callable
from typing import Literal

from sekisho.logs.facts import (
    BounceDropped,
    BounceQueued,
    DeliveryEnded,
    DeliveryStarted,
    MessageEnded,
    MessageInfo,
    NewMessage,
    QmailFact,
    SenderIdle,
    SenderSaid,
)
from sekisho.logs.refusals import kind_of
from sekisho.logs.stamp import EPOCH
from sekisho.logs.tags import TAG
from sekisho.model.address import normal
from sekisho.model.text import printable

Match = re.Match[bytes]

NAME = "qmail"
_HEADS = (
    rb"new msg \d|info msg \d|starting delivery \d|delivery \d+: |end msg \d"
    rb"|bounce msg \d|(?:double|triple) bounce: "
    rb"|status: local |warning: |alert: |exiting"
)
PATTERN = rb"qmail[\w.-]*" + TAG + rb"(?:(" + EPOCH + rb")(?:\+[^\n]*| ))?([^\n]*)"
"""Behind the header: splogger's own stamp and the text. A line cut at 799 bytes goes on behind `stamp+`:
that part is anybody's text, and is not captured."""

BARE = rb"((?:" + _HEADS + rb")[^\n]*)"
"""Under multilog there is no header but the stamp; then the text must begin as qmail-send's lines do."""

TEXT_KEPT = 200
"""Characters of a warning that are kept."""

_LINE = re.compile(
    rb"starting delivery (\d{1,18}): msg (\d{1,18}) to ((?:local|remote) .*)"
    rb"|delivery (\d{1,18}): (success|failure|deferral): (.*)"
    rb"|info msg (\d{1,18}): bytes (\d{1,18}) from <(.*)> qp (\d{1,18}) uid (\d{1,18})"
    rb"|end msg (\d{1,18})"
    rb"|new msg (\d{1,18})"
    rb"|status: local (\d{1,9})/(\d{1,9}) remote (\d{1,9})/(\d{1,9})(?: exitasap)?"
    rb"|bounce msg (\d{1,18}) qp (\d{1,18})"
    rb"|(?:double|triple) bounce: discarding bounce/(\d{1,18})"
    rb"|delivery (\d{1,18}): report mangled, will defer"
    rb"|(?:(warning|alert): |(exiting))(.*)",
    re.DOTALL,
)
_INDIMAIL = b" queue"
_CODE = re.compile(rb"_said:_(\d{3})(?:[_-]#?([245]\.\d{1,3}\.\d{1,3}))?|#([245]\.\d{1,3}\.\d{1,3})")
_RESULTS: dict[bytes, Literal["failed", "deferred"]] = {b"failure": "failed", b"deferral": "deferred"}
_CAUSES = (
    (b"this_message_has_been_in_the_queue_too_long", "timeout"),
    (b"any_host_named", "dns"),
    (b"CNAME_lookup", "dns"),
    (b"any_mail_exchanger", "dns"),
    (b"establish_an_SMTP_connection", "connect"),
    (b"greeting_failed", "connect"),
    (b"connection_died", "connect"),
    (b"TLS", "tls"),
)


def parse(raw: bytes) -> QmailFact | None:
    """The text behind the stamp; None for what qmail-send does not say."""
    match = _LINE.fullmatch(raw)
    if match is None or raw[-1] <= 0x20 or _INDIMAIL in raw[-10:]:
        match = _LINE.fullmatch(_trimmed(raw))
    return _MAKERS[match.lastindex](match) if match is not None and match.lastindex else None


def _trimmed(raw: bytes) -> bytes:
    raw = raw.rstrip()
    return raw[: raw.rindex(_INDIMAIL)] if _INDIMAIL in raw[-10:] else raw


def _starting(match: Match) -> QmailFact:
    return DeliveryStarted(int(match[1]), int(match[2]), match[3])


def _ended(match: Match) -> QmailFact:
    delivery, word, report = match.group(4, 5, 6)
    if word == b"success":
        return DeliveryEnded(int(delivery), "delivered")
    result = _RESULTS[word]
    code, status = _code(report)
    kind = kind_of(report.decode("utf-8", "replace"), final=result == "failed")
    return DeliveryEnded(int(delivery), result, _cause(report, result, code), code, status, kind)


def _mangled(match: Match) -> QmailFact:
    return DeliveryEnded(int(match[21]), "deferred", "4yz")


def _cause(report: bytes, result: str, code: int) -> str:
    if code >= 400 and b"too_long" not in report:
        return "5yz" if code >= 500 else "4yz"
    for words, cause in _CAUSES:
        if words in report:
            return cause
    return "5yz" if result == "failed" else "4yz"


def _code(report: bytes) -> tuple[int, str]:
    """The SMTP code and status that the remote host gave; of qmail's own `(#5.1.1)` the status alone."""
    match = _CODE.search(report)
    if match is None:
        return 0, ""
    status = (match[2] or match[3] or b"").decode()
    return int(match[1] or 0), status


def _info(match: Match) -> QmailFact:
    number, size, sender, qp, uid = match.group(7, 8, 9, 10, 11)
    return MessageInfo(int(number), int(size), normal(printable(sender)), int(qp), int(uid))


def _end(match: Match) -> QmailFact:
    return MessageEnded(int(match[12]))


def _new(match: Match) -> QmailFact:
    return NewMessage(int(match[13]))


def _status(match: Match) -> QmailFact:
    return SenderIdle((int(match[14]), int(match[15])), (int(match[16]), int(match[17])))


def _bounce(match: Match) -> QmailFact:
    return BounceQueued(int(match[18]), int(match[19]))


def _dropped(match: Match) -> QmailFact:
    return BounceDropped(int(match[20]))


def _said(match: Match) -> QmailFact:
    level = (match[22] or match[23]).decode()
    return SenderSaid(level, printable(match[24], TEXT_KEPT))  # type: ignore[arg-type]


_MAKERS: dict[int, Callable[[Match], QmailFact]] = {
    3: _starting, 6: _ended, 11: _info, 12: _end, 13: _new, 17: _status, 19: _bounce, 20: _dropped,
    21: _mangled, 24: _said,
}  # fmt: skip
"""By the number of the last group: each form of line has its own."""
