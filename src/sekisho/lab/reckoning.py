"""The demo's truth: what arrived, what is held, what leaked; counted in sink, Maildirs and queue."""

import os
import re
from collections.abc import Iterable, Iterator

from msgspec import Struct

from sekisho.lab.player import Call
from sekisho.lab.scenes import TOKENS, Scene
from sekisho.lab.sink import Sink
from sekisho.mail.words import readable
from sekisho.model.queue_row import QueueRow
from sekisho.model.text import printable
from sekisho.store.paths import mailbox_folder

_TOKEN = re.compile(rb"^Message-ID: *<([^>\r\n]+)>", re.IGNORECASE | re.MULTILINE)

_SUBJECT = re.compile(rb"^Subject: *((?:[^\r\n]|\r?\n[ \t])*)", re.IGNORECASE | re.MULTILINE)

Copy = tuple[str, str]
"""One letter's token and one of its recipients."""


def look(sink: Sink, state: str, accounts: Iterable[str]) -> dict[Copy, int]:
    """When which copy arrived, in microseconds: taken by the sink, or found in a Maildir of the house."""
    arrived: dict[Copy, int] = {}
    for message in sink.messages:
        for recipient in message.recipients:
            arrived.setdefault((_token(message.body), recipient), message.at)
    for account in accounts:
        for path in _letters(os.path.join(state, mailbox_folder(account))):
            with open(path, "rb") as file:
                copy = (_token(file.read()), account)
            arrived.setdefault(copy, os.stat(path).st_mtime_ns // 1000)
    return arrived


def notices(state: str, accounts: Iterable[str]) -> list[tuple[str, str]]:
    """Letters of the server's own making in these mailboxes: whose mailbox, and the subject."""
    found = []
    for account in accounts:
        for path in _letters(os.path.join(state, mailbox_folder(account))):
            with open(path, "rb") as file:
                letter = file.read()
            if not _token(letter).endswith(TOKENS) and (subject := _SUBJECT.search(letter)):
                found.append((account, printable(readable(subject.group(1).replace(b"\r\n", b"")))))
    return found


def _letters(folder: str) -> Iterator[str]:
    for part in ("new", "cur"):
        inside = os.path.join(folder, part)
        if os.path.isdir(inside):
            yield from (os.path.join(inside, name) for name in sorted(os.listdir(inside)))


def _token(letter: bytes) -> str:
    found = _TOKEN.search(letter)
    return found.group(1).decode("ascii", "replace") if found else ""


class Played(Struct, frozen=True):
    """A scene and how its call went; `ended` when, in microseconds of the real clock."""

    scene: Scene
    call: Call
    began: int
    ended: int


class Tally(Struct, frozen=True):
    """The day in numbers. A copy is one recipient of one letter; where the recipient's host does not know the
    address, none is expected. `owner_in_time`: the owner wrote in the attack, and it arrived before its end.
    """

    honest_letters: int = 0
    honest_copies: int = 0
    honest_missing: tuple[Copy, ...] = ()
    honest_held: int = 0
    bot_logins: int = 0
    bot_denied: int = 0
    bot_accepted: int = 0
    bot_held: int = 0
    bot_moving: int = 0
    bot_arrived: int = 0
    bot_addresses: int = 0
    owner_in_time: bool = True

    @property
    def honest_whole(self) -> bool:
        return not self.honest_missing and not self.honest_held


class Ledger:
    """Everything that was played so far, and what is asked of it."""

    def __init__(self, dead: frozenset[str], owner: str) -> None:
        self.played: list[Played] = []
        self._dead = dead
        self._owner = owner

    def expected(self) -> set[Copy]:
        """What must arrive of the honest letters, whether or not the server took them on."""
        return {copy for one in self._of(("customer", "outside")) for copy in self._copies(one)}

    def _of(self, sides: tuple[str, ...]) -> list[Played]:
        return [one for one in self.played if one.scene.side in sides]

    def _copies(self, one: Played) -> Iterator[Copy]:
        for paper in one.scene.papers:
            yield from ((paper.token, to) for to in paper.recipients if to not in self._dead)

    def tally(self, arrived: dict[Copy, int], queue: Iterable[QueueRow]) -> Tally:
        """`queue` is what has not left yet: held by an action, or still on its way.

        Whose a waiting letter is follows from the address it came from: a client that was cut off never
        learned the number of its letter.
        """
        bots, honest = self._of(("bot",)), self._of(("customer", "outside"))
        tokens = {paper.token for one in bots for paper in one.scene.papers}
        addresses = {one.scene.address for one in bots}
        held, moving = _messages(queue)
        bot_held = {message for message, address in held if address in addresses}
        bot_moving = {message for message, address in moving if address in addresses}
        acknowledged = {ident for one in bots for ident in one.call.accepted.values()}
        expected = self.expected()
        return Tally(
            honest_letters=sum(len(one.scene.papers) for one in honest),
            honest_copies=len(expected),
            honest_missing=tuple(sorted(expected - arrived.keys())),
            honest_held=len(held) - len(bot_held),
            bot_logins=len(bots),
            bot_denied=sum(one.call.ending == "login refused" for one in bots),
            bot_accepted=len(acknowledged | bot_held | bot_moving),
            bot_held=len(bot_held),
            bot_moving=len(bot_moving),
            bot_arrived=len({token for token, _ in arrived} & tokens),
            bot_addresses=len(addresses),
            owner_in_time=self._owner_in_time(arrived),
        )

    def _owner_in_time(self, arrived: dict[Copy, int]) -> bool:
        bots = self._of(("bot",))
        if not bots:
            return True
        begin, end = min(one.began for one in bots), max(one.ended for one in bots)
        own = [
            one for one in self._of(("customer",)) if one.scene.account == self._owner and one.began >= begin
        ]
        return any(arrived.get(copy, end) < end for one in own for copy in self._copies(one))


def _messages(queue: Iterable[QueueRow]) -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
    """Messages with the addresses they came from: those held, and those not."""
    rows = list(queue)
    held = {(row.message, row.address) for row in rows if row.held_by}
    return held, {(row.message, row.address) for row in rows if not row.held_by}
