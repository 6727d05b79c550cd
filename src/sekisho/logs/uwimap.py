"""UW IMAP and its POP3 server: who opened a mailbox, and who could not.

    ipop3d[25745]: Login user=info host=pc.example.org [192.0.2.60] nmsgs=3/3
    imapd[666]: Login failed user=info auth=info host=pc.example.org [192.0.2.61]

The client is the last thing in the line but for numbers of the server's own.
"""

import re

from sekisho.logs.books import Books
from sekisho.logs.facts import Login, Why, ip_address
from sekisho.logs.saying import Saying
from sekisho.model.address import normal
from sekisho.model.text import printable

NAME = "uw-imap"
SERVICES = {"imapd": "imap", "ipop2d": "pop2", "ipop3d": "pop3"}

_LINE = re.compile(
    r"(Login|Authenticated|Auth|APOP|Login failed|Login failure|Login excessive login failures|Login disabled"
    r"|AUTHENTICATE \S+ failure|Failed uwmaster override of)"
    r"(?: user=(.*?))?(?: auth=(?:.*))? +host=(\S*) \[([0-9A-Fa-f:.]+)\](?: (?:nmsgs|mech)=\S+)* ?",
    re.DOTALL,
)
_RIGHT = frozenset({"Login", "Authenticated", "Auth", "APOP"})
_ABOUT = re.compile(
    r"Login |Authenticated |Auth |APOP |AUTHENTICATE |Failed uwmaster|Logout|Autologout|Killed"
    r"|Command stream end"
    r"|Connection (?:reset|refused|timed)|imaps? SSL service|imap service|pop3s? (?:SSL )?service"
    r"|port \d+ service"
    r"|Moved \d+ bytes|Broken pipe|Error opening|Null command|Missing command"
    r"|Unexpected client disconnect|SSL_"
)


class UwImap:
    name = NAME
    programs = frozenset(SERVICES)

    def __init__(self, books: Books) -> None:
        self._books = books

    def claims(self, text: str) -> bool:
        return _ABOUT.match(text) is not None

    def hear(self, said: Saying) -> bool:
        match = _LINE.fullmatch(said.text)
        if match is None:
            return _ABOUT.match(said.text) is not None
        account, address = normal(printable(match[2] or "")), ip_address(match[4])
        service = SERVICES[said.program]
        if not address:
            return False
        if match[1] in _RIGHT:
            if account:
                self._books.once(said, Login(service, True, account, address))
            return bool(account)
        why: Why = "denied" if "disabled" in match[1] else "password"
        self._books.failure(said, Login(service, False, account, address, why=why))
        return True
