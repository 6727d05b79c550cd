"""Joins the lines of Postfix queues into letters, by queue id; followed through content filters that give a
letter another id.

A letter lives from `client=` (or `uid=`, or the `message-id=` of one that Postfix wrote itself) to `removed`;
then its id is free for another. A filter's answer `queued as ID`, from a host of our own, tells the id under
which the same letter goes on: its results are the first one's.
"""

import re
from collections import deque
from enum import Enum
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import Literal

from msgspec import Struct, field, structs

from sekisho.logs.ledger import Ledger
from sekisho.logs.mailroom import Letter, Try
from sekisho.logs.saying import Saying
from sekisho.model.address import normal
from sekisho.model.text import printable

OPEN_MAX = 500_000
"""Letters whose end has not been seen; a queue of this size has left the log behind."""

RECENT_MAX = 20_000
"""Ended letters that are still known by their id: a filter may deliver before it answers."""

MAILBOXES_MAX = 1_000_000
"""Names of mailboxes that are remembered."""

CHAIN_MAX = 8
"""Filters behind one another; more is a loop."""

ADDRESSES_KEPT = 10_000
_INSIDE = tuple(
    ip_network(text)
    for text in (
        "127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16",
        "::1/128", "fc00::/7", "fe80::/10",
    )
)  # fmt: skip

_NEAR = ("127.", "10.", "172.", "192.168.", "100.", "169.254.", ":", "f", "F")
"""How their addresses begin: most others need not be parsed."""

_PLAIN = re.compile(rb"[\x21-\x5b\x5d-\x7e]*")
"""What `printable` leaves as it is."""

_NEXT = re.compile(rb"(?:queued|forwarded) as ([0-9A-Za-z]{5,40})\b")
_RELAY = re.compile(rb"[^\[\]]*\[([^\[\]]*)\](?::\d+)?$")
_CODE = re.compile(rb"(?:said|refused to talk to me): (\d{3})\b")
_CAUSES = (
    (re.compile(rb"(?i)timed out|timeout|too long"), "timeout"),
    (re.compile(rb"(?i)name service|host not found|host or domain|domain not found|nullMX"), "dns"),
    (re.compile(rb"TLS|certificate"), "tls"),
    (re.compile(rb"(?i)connection refused|no route|unreachable|lost connection|connect to "), "connect"),
)  # fmt: skip
_RESULTS: dict[bytes, Literal["delivered", "failed", "deferred"]] = {
    b"sent": "delivered", b"bounced": "failed", b"deferred": "deferred", b"expired": "failed",
    b"SOFTBOUNCE": "deferred",
}  # fmt: skip
"""What does not stand here tells of a probe (`deliverable`, `undeliverable`), not of mail."""


class Delivery(Struct, frozen=True):
    """One `status=` line about one recipient."""

    to: bytes
    orig_to: bytes
    relay: bytes
    local: bool
    result: bytes
    status: bytes
    reply: bytes


class Entry(Struct):
    """What is known of one queue id. `into` is the letter that this one is part of; `inside`: it came from a
    host of our own, or from Postfix itself."""

    letter: Letter
    inside: bool = True
    is_queued: bool = False
    into: "Entry | None" = None
    places: dict[bytes, int] = field(default_factory=dict)

    def root(self) -> "Entry":
        entry = self
        for _ in range(CHAIN_MAX):
            if entry.into is None:
                break
            entry = entry.into
        return entry

    def sign(self, account: str, address: str, row: int) -> None:
        self.letter.account, self.letter.address, self.letter.row = account, address, row

    def place(self, delivery: Delivery) -> int:
        """The recipient's place: under its name, or that by which it was first addressed."""
        name = delivery.to.lower()
        known = self.places.get(name)
        if known is None and delivery.orig_to:
            known = self.places.get(delivery.orig_to.lower())
        if known is None:
            known = len(self.letter.recipients)
            kind = b"local " if delivery.local else b"remote "
            self.letter.recipients.append(kind + (name if _PLAIN.fullmatch(name) else _tidy(name).encode()))
        self.places[name] = known
        return known


class Passing(Enum):
    """A message from outside for which nobody signed in: it is counted, and not kept."""

    CAME_IN = 1
    QUEUED = 2


Key = tuple[bytes, bytes]


class Queue:
    """The queues of all hosts. Ids are unique on one host while they live, whichever instance gave them."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._entries: dict[Key, Entry | Passing] = {}
        self._recent: deque[tuple[Key, Entry]] = deque()
        self._managed: set[bytes] = set()

    def begin(self, said: Saying, ident: bytes) -> Entry:
        """A new letter, whatever had this id before. `enter` it when its account is known."""
        name = ident.decode("ascii", "replace")
        letter = Letter(0, said.at, said.file, said.line, ident=name, told=True, recipients=[], tries=[])
        entry = Entry(letter)
        self._put((said.host, ident), entry)
        return entry

    def pass_in(self, said: Saying, ident: bytes) -> None:
        """A stranger's message."""
        self._put((said.host, ident), Passing.CAME_IN)

    def _put(self, key: Key, entry: Entry | Passing) -> None:
        known = self._entries.pop(key, None)
        if isinstance(known, Entry):
            self._end(key, known)
        self._entries[key] = entry
        if len(self._entries) > OPEN_MAX:
            oldest = next(iter(self._entries))
            lost = self._entries.pop(oldest)
            if isinstance(lost, Entry):
                self._end(oldest, lost)

    def enter(self, entry: Entry) -> None:
        self._ledger.take([entry.letter])

    def find(self, said: Saying, ident: bytes) -> Entry | None:
        found = self._entries.get((said.host, ident))
        return found if isinstance(found, Entry) else None

    def entry(self, said: Saying, ident: bytes) -> Entry:
        """The letter of this id; one that the log has not told of before begins here."""
        known = self._entries.get((said.host, ident))
        if isinstance(known, Entry) and not known.letter.ended:
            return known
        entry = self.begin(said, ident)
        self.enter(entry)
        return entry

    def queued(self, said: Saying, ident: bytes, sender: bytes, told: tuple[bytes, bytes]) -> None:
        """The queue manager has taken it in hand, for the first time or again. `told`: size and number of
        recipients."""
        key = (said.host, ident)
        known = self._entries.get(key)
        if known is Passing.QUEUED:
            return
        self._managed.add(said.host)
        if known is Passing.CAME_IN:
            self._entries[key] = Passing.QUEUED
            self._ledger.pass_by(said.at)
            return
        entry = self.entry(said, ident)
        if not entry.is_queued:
            entry.is_queued = True
            entry.letter.sender = printable(normal(sender.decode("utf-8", "surrogateescape")))
            entry.letter.size, entry.letter.count = int(told[0]), int(told[1])

    def refuse(self, said: Saying, ident: bytes) -> None:
        """It never came in: the client was told so."""
        entry = self._entries.get((said.host, ident))
        if entry is Passing.CAME_IN:
            del self._entries[said.host, ident]
        elif isinstance(entry, Entry) and not entry.is_queued:
            entry.letter.dropped = entry.letter.ended = True

    def removed(self, said: Saying, ident: bytes) -> None:
        key = (said.host, ident)
        entry = self._entries.get(key)
        if not isinstance(entry, Entry):
            if entry is not None:
                del self._entries[key]
            return
        if entry.letter.ended:
            return
        entry.letter.ended = True
        self._recent.append((key, entry))
        if len(self._recent) > RECENT_MAX:
            old, ended = self._recent.popleft()
            if self._entries.get(old) is ended:
                del self._entries[old]

    def expired(self, said: Saying, ident: bytes) -> None:
        """Too long in the queue: whoever still waits is given up."""
        if isinstance(self._entries.get((said.host, ident)), Passing):
            return
        root = self.entry(said, ident).root()
        for place, result in root.letter.results().items():
            if result == "deferred":
                root.letter.tries.append(Try(said.at, place, "failed", "timeout"))

    def notified(self, said: Saying, ident: bytes, report: bytes) -> None:
        """`report` is the id of the letter that tells the sender."""
        letter = self.entry(said, report).letter
        about = self.find(said, ident)
        letter.sender, letter.bounce_of = "", about.root().letter if about is not None else None

    def is_passing(self, said: Saying, ident: bytes) -> bool:
        return isinstance(self._entries.get((said.host, ident)), Passing)

    def tried(self, said: Saying, ident: bytes, delivery: Delivery) -> None:
        result = _RESULTS.get(delivery.result)
        if result is None:
            return
        known = self._entries.get((said.host, ident))
        if isinstance(known, Passing):
            self.passed(delivery.to if delivery.local and result == "delivered" else b"")
            return
        entry = known if known is not None else self.entry(said, ident)
        root = entry.root()
        place = root.place(delivery)
        entry.is_queued = True
        if result == "delivered" and self._passed_on(said, entry, delivery):
            return
        code, cause = _why(delivery.reply, delivery.status) if result != "delivered" else (0, "")
        root.letter.tries.append(Try(said.at, place, result, cause, code, _word(delivery.status)))

    def passed(self, mailbox: bytes) -> None:
        """A result for a stranger's message; `mailbox` is whose mail it is now, if it came into the house."""
        self._ledger.passing_tries += 1
        if mailbox and len(self._ledger.mailboxes) < MAILBOXES_MAX:
            self._ledger.mailboxes.add(_tidy(mailbox))

    def _passed_on(self, said: Saying, entry: Entry, delivery: Delivery) -> bool:
        """Whether the same letter goes on under another id of this host. What a stranger's host says of ids
        is not believed."""
        if b"ed as " not in delivery.reply or not (delivery.relay == b"local" or _is_ours(delivery.relay)):
            return False
        match = _NEXT.search(delivery.reply)
        following = self.find(said, match[1]) if match is not None else None
        if following is None or not following.inside or following.letter.account:
            return False
        return self.link(entry, following)

    def link(self, entry: Entry, following: Entry) -> bool:
        """`following` is the same letter as `entry`, further on its way."""
        root = entry.root()
        if following.into is not None:
            return following.root() is root
        if following.root() is root:
            return False
        following.into = root
        following.letter.dropped = True
        names = {place: name for name, place in following.places.items()}
        moved = {}
        for place, where in enumerate(following.letter.recipients):
            local = where.startswith(b"local ")
            moved[place] = root.place(Delivery(names.get(place, b""), b"", b"", local, b"", b"", b""))
        for attempt in following.letter.tries:
            root.letter.tries.append(structs.replace(attempt, place=moved[attempt.place]))
        following.letter.tries = []
        return True

    def settle(self) -> None:
        for key, entry in self._entries.items():
            if isinstance(entry, Entry):
                self._end(key, entry)

    def _end(self, key: Key, entry: Entry) -> None:
        """Its id is given away, or the log has ended. What the queue manager never saw was not taken in, if
        the log tells what it saw."""
        if not entry.is_queued and key[0] in self._managed:
            entry.letter.dropped = True


@lru_cache(ADDRESSES_KEPT)
def _word(status: bytes) -> str:
    return status.decode("ascii", "replace")


def _tidy(address: bytes) -> str:
    return printable(normal(address.decode("utf-8", "surrogateescape")))


@lru_cache(ADDRESSES_KEPT)
def _is_ours(relay: bytes) -> bool:
    """`127.0.0.1[127.0.0.1]:10024`, `mx1[private/dovecot-lmtp]`."""
    match = _RELAY.match(relay)
    return match is not None and is_inside(match[1].decode("ascii", "replace"))


@lru_cache(ADDRESSES_KEPT)
def is_inside(address: str) -> bool:
    """A socket of this host, or an address of a house's own network."""
    if "/" in address:
        return True
    if not address.startswith(_NEAR):
        return False
    try:
        place = ip_address(address)
    except ValueError:
        return False
    return any(place in network for network in _INSIDE)


def _why(reply: bytes, status: bytes) -> tuple[int, str]:
    """The remote host's code, 0 if none, and the cause as in `DeliveryTried`."""
    match = _CODE.search(reply)
    if match is not None and match[1][:1] in (b"4", b"5"):
        return int(match[1]), match[1][:1].decode() + "yz"
    cause = next((cause for words, cause in _CAUSES if words.search(reply)), "")
    return 0, cause or ("5yz" if status.startswith(b"5") else "4yz")
