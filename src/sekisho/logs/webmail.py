"""Web mail and groupware: who could not sign in there. roundcube, Horde, squirrelmail, SOGo, openwebmail,
Zimbra and their like.

    roundcube: <j2pncet8> Failed login for a@example.com from 192.0.2.61 in session j2pn (error: 0)
    SOGoRootPage Login from '192.0.2.61' for user 'a' might not have worked - password policy: ...

The address that counts is the last before the program's own words; before it stands what a stranger typed.
"""

import re

from sekisho.logs.books import Books
from sekisho.logs.facts import Login, Why, ip_address
from sekisho.logs.saying import Saying
from sekisho.model.address import normal
from sekisho.model.text import printable

NAME = "webmail"
_IP = r"(?P<ip>[0-9A-Fa-f:.]*[0-9A-Fa-f:])"
_FORMS = tuple((re.compile(form, re.DOTALL), why) for form, why in (
    ((r"(?:<\w+> )?(?:IMAP Error: )?(?:FAILED login|Failed login|Login failed) for (?P<user>.*)(?: against"
     rf" \S+)? from {_IP}"
     r"(?:\(X-[^()]*\))?(?:\. [A-Z][A-Za-z]* .*| in session \w+.*)?"), "password"),
    (rf"(?:HORDE )?\[\w+\] \[\w+\] FAILED LOGIN for (?P<user>.*) \[{_IP}\] to .*", "password"),
    (rf"\[LOGIN_ERROR\] (?P<user>.*) \([^()]*\) from {_IP}: Unknown user or password incorrect\..*",
    "password"),
    ((rf"(?:sogod \[\d+\]: )?SOGoRootPage Login from '{_IP}(?:, [^']*)?' for user '(?P<user>.*)' might not"
      r" have worked.*"),
     "password"),
    (rf"\[\d+\] \({_IP}\) (?P<user>.*) - login error - .*[Pp]assword incorrect.*", "password"),
    (rf"\[\d+\] \({_IP}\) (?P<user>.*) - login error - no such user - loginname=.*", "unknown_user"),
    (rf"LOGIN FAILED for user: \"(?P<user>.*)\" from IP: {_IP}", "password"),
    ((rf"(?:INFO|WARN) +\[[^\]]*\] \[(?:name=[^;\]]*;)?oip={_IP};[^\]]*\] SoapEngine - handler exception:"
     r" authentication"
     r" failed for \[(?P<user>[^\]]*)\](?:, .*)?"), "password"),
    (rf"WARNING in limiter: Authentication attempt from {_IP} has been rate-limited\.", "denied"),
))  # fmt: skip
_WELCOME = re.compile(rf"LOGIN SUCCESS for user: \"(?P<user>.*)\" from IP: {_IP}", re.DOTALL)
_ABOUT = re.compile(
    r"(?:<\w+> )?(?:IMAP Error: |FAILED login|Failed login|Login failed)|\[LOGIN_ERROR\]|(?:sogod \[\d+\]:"
    r" )?(?:SOGoRootPage|<0x)"
    r"|\[\d+\] \([0-9a-f.:]+\) |LOGIN (?:FAILED|SUCCESS) for user: |HORDE \[|(?:INFO|WARN) +\[qtp|WARNING"
    r" in limiter|\[error\] \["
)


class Webmail:
    name = NAME
    programs = frozenset({"roundcube", "roundcubemail", "HORDE", "horde", "sogod", "squirrelmail"})

    def __init__(self, books: Books) -> None:
        self._books = books

    def claims(self, text: str) -> bool:
        return _ABOUT.match(text.lstrip()) is not None

    def hear(self, said: Saying) -> bool:
        text = said.text.strip()
        for form, why in _FORMS:
            match = form.fullmatch(text)
            if match is not None:
                return self._failed(said, match, why)  # type: ignore[arg-type]
        welcome = _WELCOME.fullmatch(text)
        if welcome is not None and ip_address(welcome["ip"]):
            account = normal(printable(welcome["user"]))
            self._books.login(said, Login("webmail", True, account, ip_address(welcome["ip"])))
        return _ABOUT.match(text) is not None

    def _failed(self, said: Saying, match: "re.Match[str]", why: Why) -> bool:
        address = ip_address(match["ip"])
        if address:
            user = match.groupdict().get("user") or ""
            self._books.failure(said, Login("webmail", False, normal(printable(user)), address, why=why))
        return bool(address)
