"""vpopmail's vchkpw: who logged in, or tried to, from where. All five levels of `--enable-logging`.

    vchkpw-submission: (PLAIN) login success user@example.com:192.0.2.1
    vchkpw-pop3: password fail (pass: '...') user@example.com:2001:db8::1

The password that levels `p` and `v` print may contain anything, also the text of another line. So success
counts only directly behind the name, the account is what follows the *last* `') `, and the password is
dropped here.
"""

import re

from sekisho.logs.facts import Login, ip_address
from sekisho.logs.tags import PID_TAG
from sekisho.model.address import normal
from sekisho.model.text import printable

NAME = "vpopmail"
PATTERN = rb"vpopmail" + PID_TAG + rb"(vchkpw[^\n]*)"
"""Behind the line's header: process id, text."""

_LINE = re.compile(
    r"vchkpw(?:-([\w.-]+))?: (?:"
    r"(?:\(([A-Z0-9-]+)\) )?login success "
    r"|(system password login success) "
    r"|(password fail|system password fail) (?:\(pass: '.*'\) )?"
    r"|(vpopmail user not found|system user not found|system user shadow entry not found) "
    r"|(invalid user/domain characters|null user name given|null password given) ?"
    r"|(user has no password) "
    r"|(?:pop|smtp|webmail|imap) (access denied) "
    r")(.*)",
    re.DOTALL,
)
_PASSWORD = re.compile(r"\(pass: '.*(?:'\)|$)", re.DOTALL)
"""From the opening of a password to its last possible end, or to the end of the line if that was cut off."""

_WHY = {4: "password", 5: "unknown_user", 6: "malformed", 7: "denied", 8: "denied"}
_TAIL = 9
LINE_MAX = 4096
"""vchkpw limits user names to 156 bytes and syslog lines to 1 or 2 kB: what is longer was not written by
it."""


def parse(raw: bytes) -> Login | None:
    """The text from `vchkpw` on; None for what is no login: an error of vchkpw's own, a line cut short."""
    if len(raw) > LINE_MAX:
        return None
    text = raw.decode("utf-8", "surrogateescape").rstrip("\r\n ")
    match = _LINE.fullmatch(text)
    if match is None:
        return None
    if match[_TAIL].startswith("(pass: '"):
        return None  # the password's end was cut off: what follows is not an account
    where = _who_and_where(match[_TAIL])
    if where is None:
        return None
    account, address = where
    service = match[1] or ""
    form = match.lastindex and next((group for group in _WHY if match[group]), 0)
    if form:
        return Login(service, False, account, address, why=_WHY[form])
    mechanism = match[2] or ("system" if match[3] else "")
    return Login(service, True, account, address, mechanism)


def _who_and_where(tail: str) -> tuple[str, str] | None:
    """`user@domain:address` cut in two. The user may hold colons, and so does an IPv6 address; a domain
    cannot."""
    start = tail.rfind("@") + 1
    colon = tail.find(":", start)
    while colon >= 0:
        address = ip_address(tail[colon + 1 :])
        if address:
            return printable(normal(tail[:colon].rstrip("@"))), address
        colon = tail.find(":", colon + 1)
    return None


def redacted(line: str) -> str:
    """The line without the password in it; for examples of what was not understood."""
    return _PASSWORD.sub("(pass: ***)", line)
