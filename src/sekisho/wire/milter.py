"""The filter's side of the milter protocol, versions 2 to 6, as sendmail and Postfix speak it.

A packet is a length, a letter and its data. Most of them are answered at once; a question comes out of
`receive` at each recipient and at the end of a letter, and is owed one answer before the next is taken. What
the MTA does not offer is not asked for, and whoever breaks the form is left without an answer.
"""

import struct
from collections.abc import Iterator

from msgspec import Struct

from sekisho.model.text import printable
from sekisho.wire.milter_words import (
    ADD_HEADERS,
    ANSWERED,
    LATER_ANSWERS,
    OFFERED_STEPS,
    PACKET_OCTETS,
    QUARANTINE,
    UNANSWERED,
    VERSION_LEAST,
    VERSION_MOST,
    header_bytes,
    reply_text,
)

HEADERS = 200
"""Most header fields kept of one letter."""

HEADER_OCTETS = 64 * 1024
MACROS = 50
VALUE_LIMIT = 1024

NAMED = 100
"""Most recipients kept by name."""
RECIPIENTS = 10_000
"""Most recipients counted of one letter."""


class Peer(Struct):
    """Who has come to the MTA."""

    address: str = ""
    port: int = 0
    helo: str = ""
    tls: str = ""


class Mail(Struct):
    """One transaction as far as it has come. `account` is the macro {auth_authen}, "" without a login."""

    account: str
    mechanism: str
    sender: str
    size: int = 0
    queue_id: str = ""
    recipients: int = 0
    named: list[str] = []
    headers: list[tuple[str, str]] = []
    octets: int = 0


class RecipientAsked(Struct, frozen=True):
    peer: Peer
    mail: Mail
    recipient: str


class EndAsked(Struct, frozen=True):
    peer: Peer
    mail: Mail


Question = RecipientAsked | EndAsked


class MilterServer:
    __slots__ = (
        "_at", "_buffer", "_macros", "_mail", "_out", "_owed", "_peer", "_steps", "_wishes", "closed",
    )  # fmt: skip

    def __init__(self) -> None:
        self._buffer = b""
        self._at = 0
        self._out: list[bytes] = []
        self._macros: dict[str, dict[str, str]] = {}
        self._peer = Peer()
        self._mail: Mail | None = None
        self._steps = self._wishes = 0
        self._owed = ""
        self.closed = False

    @property
    def can_hold(self) -> bool:
        """The MTA can put a letter into quarantine."""
        return bool(self._wishes & QUARANTINE)

    def receive(self, data: bytes) -> Iterator[Question]:
        self._buffer += data
        while not self.closed and (packet := self._next()) is not None:
            question = self._heard(chr(packet[0]), packet[1:])
            if question is not None:
                yield question
                if self._owed:  # nobody has answered: the MTA goes by its own default
                    self.close()
        self._buffer, self._at = self._buffer[self._at :], 0

    def take(self) -> bytes:
        out, self._out = self._out, []
        return b"".join(out)

    def close(self) -> None:
        self.closed = True
        self._buffer = b""

    def go_on(self) -> None:
        self._answer("c")

    def refuse(self, code: int, status: str, text: str) -> None:
        """`code` 4yz or 5yz."""
        self._answer("y", reply_text(code, status, text))

    def hold(self, reason: str) -> None:
        """The letter is accepted, and waits in the MTA's queue. Only at its end."""
        assert self._owed == "E" and self.can_hold, "a quarantine was offered, and this is the letter's end"
        self._say("q", header_bytes(reason) + b"\0")
        self._answer("c")

    def add_header(self, name: str, value: str) -> None:
        """Before the answer at the end of a letter; where the MTA does not let us, nothing happens."""
        if self._owed == "E" and self._wishes & ADD_HEADERS:
            self._say("h", header_bytes(name) + b"\0" + header_bytes(value) + b"\0")

    def _answer(self, letter: str, data: bytes = b"") -> None:
        assert self._owed, "an answer without a question"
        self._owed = ""
        self._say(letter, data)

    def _say(self, letter: str, data: bytes = b"") -> None:
        self._out.append(struct.pack(">I", len(data) + 1) + letter.encode() + data)

    def _next(self) -> bytes | None:
        start = self._at + 4
        if len(self._buffer) < start:
            return None
        (length,) = struct.unpack_from(">I", self._buffer, self._at)
        if not 0 < length <= PACKET_OCTETS:
            self.close()
            return None
        if len(self._buffer) < start + length:
            return None
        self._at = start + length
        return self._buffer[start : self._at]

    def _heard(self, letter: str, data: bytes) -> Question | None:
        if letter == "O":
            self._negotiate(data)
        elif not self._steps or (letter not in ANSWERED and letter not in UNANSWERED):
            self.close()
        elif letter == "D":
            self._keep_macros(data)
        elif letter == "Q":
            self.close()
        elif letter in ("A", "K"):
            self._mail = None
            self._peer = Peer() if letter == "K" else self._peer
        else:
            return self._step(letter, data)
        return None

    def _step(self, letter: str, data: bytes) -> Question | None:
        match letter:
            case "C":
                self._peer = _peer(data)
                self._mail = None
            case "H":
                self._peer.helo = _word(data)
            case "M":
                self._mail = self._begun(data)
            case "R" if self._mail is not None:
                self._mail.recipients = min(self._mail.recipients + 1, RECIPIENTS)
                self._owed = letter
                recipient = _path(data)
                if len(self._mail.named) < NAMED:
                    self._mail.named.append(recipient)
                return RecipientAsked(self._peer, self._mail, recipient)
            case "L" if self._mail is not None:
                self._keep_header(self._mail, data)
            case "B" if self._mail is not None:
                self._mail.octets += len(data)
            case "E" if self._mail is not None:
                return self._ended(self._mail, data)
            case "R" | "E":
                self.close()  # of no letter
                return None
        if letter in ANSWERED and not self._steps & LATER_ANSWERS.get(letter, 0):
            self._say("c")
        return None

    def _ended(self, mail: Mail, data: bytes) -> Question:
        mail.octets += len(data)
        mail.queue_id = self._macro("i") or mail.queue_id
        mail.size = max(mail.size, mail.octets)
        self._owed, self._mail = "E", None
        return EndAsked(self._peer, mail)

    def _negotiate(self, data: bytes) -> None:
        """Version, actions and steps: of those that are offered, what we want."""
        if len(data) < 12:
            self.close()
            return
        version, actions, steps = struct.unpack_from(">III", data)
        if version < VERSION_LEAST:
            self.close()
            return
        self._wishes = actions & (ADD_HEADERS | QUARANTINE)
        wanted = steps & OFFERED_STEPS
        self._steps = wanted | 1 << 31  # ours alone: it has been said
        self._say("O", struct.pack(">III", min(version, VERSION_MOST), self._wishes, wanted))

    def _keep_macros(self, data: bytes) -> None:
        """Those of a step replace what was known for that step."""
        words = data[1:].split(b"\0")[: 2 * MACROS]
        names = (printable(name, 64).strip("{}") for name in words[0::2])
        values = (printable(value, VALUE_LIMIT) for value in words[1::2])
        self._macros[chr(data[0]) if data else ""] = dict(zip(names, values, strict=False))

    def _macro(self, name: str, steps: str = "EBNLTRMHC") -> str:
        """From the latest step that has it."""
        return next((found for step in steps if (found := self._macros.get(step, {}).get(name))), "")

    def _begun(self, data: bytes) -> Mail:
        for step in "RTLNBE":
            self._macros.pop(step, None)  # of the letter before
        size = next((word[5:] for word in data.split(b"\0")[1:] if word[:5].upper() == b"SIZE="), b"")
        version, cipher = self._macro("tls_version", "MHC"), self._macro("cipher", "MHC")
        self._peer.tls = f"{version} {cipher}".strip()
        return Mail(
            self._macro("auth_authen", "M"),
            self._macro("auth_type", "M"),
            _path(data),
            int(size) if size.isdigit() and len(size) <= 15 else 0,
            self._macro("i", "M"),
        )

    def _keep_header(self, mail: Mail, data: bytes) -> None:
        name, _, value = data.partition(b"\0")
        value = value.removesuffix(b"\0")
        mail.octets += len(name) + len(value) + 4
        if len(mail.headers) < HEADERS and mail.octets <= HEADER_OCTETS:
            mail.headers.append((printable(name, 100), printable(value.strip(), VALUE_LIMIT)))


def _peer(data: bytes) -> Peer:
    """Name, family, and for 4 and 6 port and address."""
    family, rest = data[data.find(b"\0") + 1 :][:1], data[data.find(b"\0") + 2 :]
    if family not in (b"4", b"6") or len(rest) < 3:
        return Peer()
    address = _word(rest[2:])
    address = address[5:] if address[:5].lower() == "ipv6:" else address
    return Peer(address, int.from_bytes(rest[:2], "big"))


def _word(data: bytes) -> str:
    return printable(data.partition(b"\0")[0], VALUE_LIMIT)


def _path(data: bytes) -> str:
    """The address of a MAIL or RCPT, as it stands between its angle brackets."""
    word = _word(data).strip()
    return word[1:-1] if word.startswith("<") and word.endswith(">") else word
