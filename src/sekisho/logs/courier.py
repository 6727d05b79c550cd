"""Courier's log: who opened a mailbox over IMAP or POP3, who sent through courieresmtpd.

    imapd-ssl: LOGIN, user=a@example.com, ip=[::ffff:192.0.2.60], port=[50123], protocol=IMAP
    pop3d: LOGIN FAILED, user=a@example.com, ip=[::ffff:192.0.2.61]
    courieresmtpd: error,relay=::ffff:192.0.2.61,port=4455,msg="535 Authentication failed.",cmd: AUTH ...
    courierd: newmsg,id=0038C081.4D026173.000051A4, auth=a@example.com: dns; pc (pc [::ffff:192.0.2.60])

Behind `cmd:` may stand a password in base64: it is read by nobody.
"""

import re

from sekisho.logs.books import Books
from sekisho.logs.facts import Login, ip_address
from sekisho.logs.replies import Result, told
from sekisho.logs.saying import Saying
from sekisho.model.address import normal
from sekisho.model.text import printable

NAME = "courier"
SERVICES = {
    "imapd": "imap", "imapd-ssl": "imaps", "imaplogin": "imap", "pop3d": "pop3", "pop3d-ssl": "pop3s",
    "pop3login": "pop3", "courierpop3login": "pop3", "courierpop3d": "pop3", "courieresmtpd": "smtp",
    "courieresmtpd-ssl": "smtps", "courieresmtpd-msa": "submission", "courierd": "smtp",
    "courierlocal": "smtp",
    "courieresmtp": "smtp", "courierdsn": "smtp", "couriertls": "",  "authdaemond": "", "courierfilter": "",
}  # fmt: skip

_LOGIN = re.compile(
    r"(LOGIN|LOGIN FAILED), (?:user=(.*), )?(?:method=[\w-]+, )?ip=\[([0-9A-Fa-f:.]+)\](?:, [a-z]+=[^,]*)*",
    re.DOTALL,
)
_REFUSED = re.compile(
    r'error,relay=([0-9A-Fa-f:.]+)(?:,port=\d+)?,msg="535 Authentication failed\.",cmd:.*', re.DOTALL
)
_ID = r"([0-9A-F]{8,16}\.[0-9A-F]{8,16}\.[0-9A-F]{8})"
_NEW = re.compile(rf"newmsg,id={_ID}(?:, auth=(.*?))?: dns; .*\[([0-9A-Fa-f:.]+)\]\)", re.DOTALL)
_STARTED = re.compile(rf"started,id={_ID},from=<(.*)", re.DOTALL)
_ENDED = re.compile(
    rf"id={_ID},from=<.*>,addr=<(.*)>(?:,size=\d+)?,(success|status: deferred|status: failure"
    rf"|status: delayed)(?:: .*)?",
    re.DOTALL,
)
_SAID = re.compile(rf"id={_ID},from=<.*>,addr=<(.*)>: (\d.*)", re.DOTALL)
_COMPLETED = re.compile(rf"completed,id={_ID}")
_ABOUT = re.compile(
    r"LOGIN|LOGOUT|DISCONNECTED|Disconnected|TIMEOUT|Connection, |started,|error,|newmsg,|id="
    r"|completed,|Waiting|Loading"
    r"|Starting|Started|Stopping|Installing|Installed|ip=\[|Initiali|queuelo|Purging|SHUTDOWN|modules="
    r"|stopping|authdaemon"
)
_RESULTS: dict[str, Result] = {
    "success": "delivered", "status: deferred": "deferred", "status: delayed": "deferred",
    "status: failure": "failed",
}  # fmt: skip


class Courier:
    name = NAME
    programs = frozenset(SERVICES)

    def __init__(self, books: Books) -> None:
        self._books = books
        self._words: dict[tuple[str, str], str] = {}

    def claims(self, text: str) -> bool:
        return _ABOUT.match(text) is not None

    def hear(self, said: Saying) -> bool:
        text = said.text
        if text.startswith(("LOGIN, ", "LOGIN FAILED, ")):
            return self._login(said, text)
        refused = _REFUSED.fullmatch(text)
        if refused is not None:
            address = ip_address(refused[1])
            if address:
                self._books.failure(said, Login(SERVICES[said.program], False, "", address, why="password"))
            return bool(address)
        if text.startswith(("newmsg,", "started,id", "id=", "completed,")):
            return self._letter(said, text)
        return _ABOUT.match(text) is not None

    def _login(self, said: Saying, text: str) -> bool:
        match = _LOGIN.fullmatch(text)
        address = ip_address(match[3]) if match else ""
        if match is None or not address:
            return False
        account = normal(printable(match[2] or ""))
        if match[1] == "LOGIN":
            if account:
                self._books.login(said, Login(SERVICES[said.program], True, account, address))
            return bool(account)
        self._books.failure(said, Login(SERVICES[said.program], False, account, address, why="password"))
        return True

    def _letter(self, said: Saying, text: str) -> bool:
        if match := _NEW.fullmatch(text):
            letter, address = self._books.begin(said, match[1], ""), ip_address(match[3])
            if match[2] and address:
                login = Login("smtp", True, normal(printable(match[2])), address)
                self._books.signed(said, letter, login)
                self._books.enter(letter)
        elif match := _STARTED.fullmatch(text):
            letter = self._books.find(said, match[1]) or self._books.begin(said, match[1], "")
            sender, _, rest = match[2].partition(">,module=")
            if not letter.sender and sender:
                letter.sender = normal(printable(sender))
                if not letter.account:
                    self._books.enter(letter)
            recipient = rest.rpartition(",addr=<")[2].removesuffix(">")
            self._books.expect(said, letter, normal(printable(recipient)))
        elif match := _ENDED.fullmatch(text):
            found = self._books.find(said, match[1])
            words = self._words.pop((match[1], match[2]), "")
            if found is not None:
                result = told(_RESULTS[match[3]], words)
                self._books.tried(said, found, normal(printable(match[2])), result)
        elif match := _SAID.fullmatch(text):
            if len(self._words) > 1000:
                self._words.clear()
            self._words[match[1], match[2]] = match[3]
        elif match := _COMPLETED.fullmatch(text):
            self._books.close(said, match[1])
        else:
            return False
        return True
