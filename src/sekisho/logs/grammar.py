"""What a line of a mail log looks like before its program speaks, and all dialects in one expression.

Reading a block and reading one line use the same expression, so they cannot disagree. Every line of a block
matches exactly once; what no dialect knows is captured whole.
"""

import re

from sekisho.logs import own, qmail, spamd, vpopmail
from sekisho.logs.stamp import CLASSIC, EPOCH, ISO, TAI64N
from sekisho.logs.tags import TAG

_PRIORITY = rb"(?:\xef\xbb\xbf)?(?:<\d{1,3}>(?:1 )?)?"
"""What a syslog message carries on the wire (RFC 3164, RFC 5424 6.2.1), if somebody kept it; and a BOM."""

_STAMP = rb"(" + CLASSIC + rb"|" + ISO + rb"|" + TAI64N + rb"|" + EPOCH + rb") "
_HOST = rb"(?:(?:<\w+\.\w+> )?([^ \n\[<{]++)(?<!:) |\w+\.\w+: (?:" + CLASSIC + rb" )?)?"
"""A host, behind FreeBSD's `<mail.info>`; or socklog's `mail.info: ` and the stamp that it was sent with."""

LINE = re.compile(
    rb"\n(?:" + _PRIORITY + _STAMP
    + rb"(?:" + _HOST + rb"(?:" + vpopmail.PATTERN + rb"|" + qmail.PATTERN + rb"|" + spamd.PATTERN + rb")"
    + rb"|" + qmail.BARE + rb"|" + spamd.BARE + rb")"
    + rb"|" + own.PATTERN + rb"|([^\n]*))"
)  # fmt: skip
"""Groups: stamp, host, process id, vchkpw text, splogger's stamp, qmail text, spamd text, qmail text
without a program, spamd text without a program, JSON object, other."""

CLASSIC_STAMP = re.compile(rb"\n" + _PRIORITY + rb"(" + CLASSIC + rb") (?:<\w+\.\w+> )?([^ \n\[<{]*)")
ABSOLUTE_STAMP = re.compile(
    rb"\n" + _PRIORITY + rb"(" + ISO + rb"|" + TAI64N + rb"|" + EPOCH + rb") ([^ \n]*)"
)
TIE = re.compile(
    rb"\n" + _PRIORITY + rb"(" + CLASSIC + rb") " + _HOST + rb"qmail[\w.-]*" + TAG + rb"(" + EPOCH + rb")[ +]"
)  # fmt: skip
"""A line that tells syslog's stamp and the Unix time together."""

_TAIL = (
    rb"(?:vpopmail\[(\d{1,9})\]: (vchkpw[^\n]*+)"
    rb"|qmail: (?:(" + EPOCH + rb") |(?!" + EPOCH + rb"\+|\[ID ))([^\n]*+)"
    rb"|spamd\[\d++\]: (spamd: [^\n]*+))"
)

Pattern = re.Pattern[bytes]


def _strict(stamp: bytes, tail: bytes) -> Pattern:
    return re.compile(rb"\n(?:(" + stamp + rb") " + tail + rb"|([^\n]*+))")


FAST = (
    _strict(rb"[A-Z][a-z][a-z] [ \d]\d \d\d:\d\d:\d\d", rb"([^ \n\[<{:]++) " + _TAIL),
    _strict(
        rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:?\d\d)", rb"([^ \n\[<{:]++) " + _TAIL
    ),
    _strict(TAI64N, rb"()()()()" + qmail.BARE + rb"()"),
)
"""The three usual headers: syslog's, RFC 3339, multilog. Groups: stamp, host, process id, vchkpw text,
splogger's stamp, qmail text, spamd text, other."""

Row = tuple[bytes, bytes, bytes, bytes, bytes, bytes, bytes, bytes]
"""Stamp, host, process id, vchkpw text, splogger's stamp, qmail text, spamd text, JSON object."""


def understood(line: bytes) -> Row | None:
    """One line by the full grammar; None if no dialect knows it."""
    match = LINE.match(b"\n" + line)
    if match is None or match[11]:
        return None
    stamp, host, pid, auth, epoch, send, spam, bare_send, bare_spam, json = (
        match[group] or b"" for group in range(1, 11)
    )
    return stamp, host, pid, auth, epoch, send or bare_send, spam or bare_spam, json
