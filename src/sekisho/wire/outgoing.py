"""A letter on its way out: can it be said to this server, who has answered, and the last look at its bytes.

A bare CR or LF, or an end of data inside the letter, would let one reader see two messages where another
sees one (SMTP smuggling). Our server refuses such letters; the gate makes sure that nothing else has put
one in the spool.
"""

import re
from collections.abc import Mapping

from sekisho.model.verdict import Reply
from sekisho.wire.client_extensions import size_limit
from sekisho.wire.client_steps import Ended, Transaction

NOT_UTF8 = Reply(553, "5.6.7", "the server takes no internationalized addresses and headers")
NO_REQUIRETLS = Reply(550, "5.7.30", "the server does not offer REQUIRETLS, which the sender demands")
NOT_8BIT = Reply(554, "5.6.3", "the server takes 7-bit messages only")
BAD_ADDRESS = Reply(553, "5.1.3", "the address cannot be said in SMTP")
BAD_SENDER = Reply(553, "5.1.7", "the sender's address cannot be said in SMTP")

ADDRESS_MAX = 320
"""Longest address: 64 octets, "@" and 255 octets (RFC 5321 4.5.3.1)."""

CONTROLS = bytes(each for each in range(256) if each not in b"\r\n\0")
"""Everything that may stand anywhere; what is left of a letter without it must be CRLF again and again."""

_UTF8 = re.compile(
    r'(?:"(?:[\x20\x21\x23-\x5b\x5d-\x7e\xa0-\U0010ffff]|\\[\x20-\x7e])*"'
    r'|[^\s<>"(),:;\\\x00-\x1f\x7f-\x9f]+)'
    r"@(?:\[[0-9A-Za-z.:-]+\]|[^\s<>\"(),:;\\@\[\]\x00-\x1f\x7f-\x9f]+)"
)
_ADDRESS = re.compile(
    r'(?:"(?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\[\x20-\x7e])*"|[^\s<>"(),:;\\\x00-\x1f\x7f-\U0010ffff]+)'
    r"@(?:\[[0-9A-Za-z.:-]+\]|[0-9A-Za-z._-]+)"
)
_NOTIFY = re.compile(r"NEVER|(?:SUCCESS|FAILURE|DELAY)(?:,(?:SUCCESS|FAILURE|DELAY)){0,2}")
_XTEXT = re.compile(r"[!-~]{1,100}")  # RFC 3461 4.4: at most 100 characters
_ORCPT = re.compile(r"[A-Za-z0-9-]{1,60};[!-~\xa0-\U0010ffff]{1,500}")
_END_OF_DATA = b"\r\n.\r\n"


class Deal:
    """A transaction under way: the reply of each recipient that has one, and who was accepted.

    What cannot be said to this server at all has its reply from the beginning.
    """

    def __init__(self, transaction: Transaction, extensions: Mapping[str, str]) -> None:
        refusal = _unable(transaction, extensions)
        self.accepted: list[int] = []
        self.gate = Gate()
        self.started = False
        self.dotted = False
        self.question = transaction.question
        self.barred = False
        self._asked = transaction
        self._extensions = extensions
        self._replies: list[Reply | None] = [
            refusal or (None if _sayable(recipient, transaction.utf8) else BAD_ADDRESS)
            for recipient in transaction.recipients
        ]
        self._dsn = "DSN" in extensions

    def open(self) -> tuple[int, ...]:
        """The places of recipients without a reply."""
        return tuple(place for place, reply in enumerate(self._replies) if reply is None)

    def wanted(self) -> bool:
        """Whether a recipient was accepted and still waits for the letter."""
        return any(self._replies[place] is None for place in self.accepted)

    def judge(self, place: int, reply: Reply) -> None:
        self._replies[place] = self._replies[place] or reply

    def judge_all(self, reply: Reply) -> None:
        self._replies = [kept or reply for kept in self._replies]

    def bar(self, reply: Reply) -> None:
        """The server takes nothing from this sender; in a question that says nothing about recipients."""
        self.barred = self.question
        self.judge_all(reply)

    def ended(self, undecided: tuple[int, ...] = ()) -> Ended:
        if self.barred:
            undecided = tuple(range(len(self._replies)))
        return Ended(tuple(reply for reply in self._replies if reply is not None), undecided, self._dsn)

    def mail_line(self) -> bytes:
        asked = self._asked
        words = [f"MAIL FROM:<{asked.sender}>"]
        if "SIZE" in self._extensions:  # RFC 1870
            words.append(f"SIZE={asked.size}")
        if asked.eight_bit:  # RFC 6152
            words.append("BODY=8BITMIME")
        if asked.utf8:  # RFC 6531 3.4
            words.append("SMTPUTF8")
        if asked.require_tls:  # RFC 8689 2
            words.append("REQUIRETLS")
        if self._dsn and asked.ret in ("FULL", "HDRS"):  # RFC 3461 4.3
            words.append(f"RET={asked.ret}")
        if self._dsn and _XTEXT.fullmatch(asked.envid):  # RFC 3461 4.4
            words.append(f"ENVID={asked.envid}")
        return " ".join(words).encode() + b"\r\n"

    def rcpt_line(self, place: int) -> bytes:
        words = [f"RCPT TO:<{self._asked.recipients[place]}>"]
        if self._dsn and self._asked.wishes:
            wish = self._asked.wishes[place]
            if _NOTIFY.fullmatch(wish.notify):  # RFC 3461 4.1
                words.append(f"NOTIFY={wish.notify}")
            if _ORCPT.fullmatch(wish.original):  # RFC 3461 4.2
                words.append(f"ORCPT={wish.original}")
        return " ".join(words).encode() + b"\r\n"

    def unfit(self) -> Reply:
        return Reply(550, "5.6.11", f"the message cannot be sent: {self.gate.flaw}")


class Gate:
    """Parts go in, the same bytes come out; `flaw` says in a few words what must not be sent."""

    def __init__(self) -> None:
        self.flaw = ""
        self._held = b""
        self._tail = b"\r\n"  # RFC 5321 4.1.1.4: a letter begins behind the CRLF of DATA

    def through(self, part: bytes) -> bytes:
        """The bytes to send now: a CR at the end of a part waits for its LF."""
        data = self._held + part if self._held else part
        self._held = b""
        if data.endswith(b"\r"):
            data, self._held = data[:-1], b"\r"
        self._examine(data)
        self._tail = (self._tail + data[-4:])[-4:]
        return data

    def finish(self) -> None:
        """The letter is over: the final dot must stand on a line of its own."""
        if self._held or not self._tail.endswith(b"\r\n"):
            self.flaw = self.flaw or "last line without CRLF"

    def _examine(self, data: bytes) -> None:
        ends = data.translate(None, CONTROLS)
        if ends != b"\r\n" * (len(ends) // 2):
            self.flaw = self.flaw or ("NUL" if b"\0" in ends else "bare CR or LF")
        elif data.count(b"\r\n") != len(ends) // 2:
            self.flaw = self.flaw or "bare CR or LF"
        if _END_OF_DATA in data or _END_OF_DATA in self._tail + data[:4]:
            self.flaw = self.flaw or "end of data within the message"


def _unable(transaction: Transaction, extensions: Mapping[str, str]) -> Reply | None:
    if transaction.sender and not _sayable(transaction.sender, transaction.utf8):
        return BAD_SENDER
    if transaction.utf8 and "SMTPUTF8" not in extensions:  # RFC 6531 3.2
        return NOT_UTF8
    if transaction.require_tls and "REQUIRETLS" not in extensions:  # RFC 8689 4.2.1
        return NO_REQUIRETLS
    if transaction.eight_bit and "8BITMIME" not in extensions:  # RFC 6152 3
        return NOT_8BIT
    limit = size_limit(extensions)
    if 0 < limit < transaction.size:  # RFC 1870 6.1
        return Reply(552, "5.3.4", f"the server takes messages up to {limit} bytes only")
    return None


def _sayable(address: str, utf8: bool) -> bool:
    """Nothing in it can end the command or the path (RFC 5321 4.1.2)."""
    grammar = _UTF8 if utf8 else _ADDRESS
    return len(address) <= ADDRESS_MAX and grammar.fullmatch(address) is not None
