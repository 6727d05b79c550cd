"""Delivery to programs: which may run, as whom, and what comes of it."""

import os
import pwd
from collections.abc import AsyncIterator, Iterator
from functools import partial

from msgspec import Struct

from sekisho.model.config import Config
from sekisho.model.delivery import Deferred, Delivery, Outcome
from sekisho.model.letter import Letter
from sekisho.model.text import printable
from sekisho.model.verdict import Reply
from sekisho.queue.pipes import LAST, allowed, command, environment, facts_of, outcome, words_of
from sekisho.service.program import Limits, Order, run
from sekisho.store.bodies import parts_of
from sekisho.store.maildir import mailbox_form
from sekisho.store.paths import mailbox_folder
from sekisho.world import Unavailable, World

FILE_BYTES = 2 * 1024**3
"""Largest file that a program may write: an mbox of some years."""


class Errand(Struct, frozen=True):
    """One letter for one program. `mailbox`: whose folder it works in."""

    delivery: Delivery
    letter: Letter
    words: list[str]
    facts: dict[str, str]
    mailbox: str


class Handed(Struct, frozen=True):
    """How it ended. `last`: no further instruction is to be followed."""

    outcome: Outcome
    last: bool = False


class PipeCarrier:
    """A Carrier for routes of kind pipe. Programs must stand in `local.programs` by their absolute path."""

    def __init__(self, world: World, config: Config) -> None:
        self._world = world
        self._config = config

    def reload(self, config: Config) -> None:
        self._config = config

    async def carry(self, batch: tuple[Delivery, ...], letter: Letter) -> dict[str, Outcome]:
        return {delivery.id: await self._deliver(delivery, letter) for delivery in batch}

    async def _deliver(self, delivery: Delivery, letter: Letter) -> Outcome:
        words = words_of(delivery.route)
        if not words or words[0] not in self._config.local.programs:
            return _later("4.7.1", f"{words[0] if words else 'nothing'} is not among local.programs")
        facts = facts_of(delivery, letter.envelope.sender or "")
        errand = Errand(delivery, letter, command(words, facts), facts, mailbox_folder(delivery.recipient))
        return (await self.hand_over(errand)).outcome

    async def obey(self, delivery: Delivery, letter: Letter, text: str, extension: str) -> Handed:
        """The same for a command of the recipient's own `.qmail` or `.forward` file."""
        words = allowed(text, self._config.local.programs)
        if not words:
            return Handed(_later("4.7.1", f"{printable(text, 100)} needs what is not among local.programs"))
        facts = facts_of(delivery, letter.envelope.sender or "", extension)
        return await self.hand_over(Errand(delivery, letter, list(words), facts, delivery.route.host))

    async def hand_over(self, errand: Errand) -> Handed:
        settings, name = self._config.local, errand.words[0]
        try:
            order = self._order(errand, _owner(settings.program_user))
            ended = await run(order, self._letter(errand.delivery, errand.letter))
        except Unavailable as trouble:
            return Handed(_later("4.3.0", f"{trouble.door}: {trouble.why}"))
        except OSError as error:  # no process, no memory
            return Handed(_later("4.3.0", f"{name} did not start: {error.strerror}"))
        if ended.late:
            return Handed(_later("4.3.0", f"{name} was stopped after {settings.program_s} s"))
        return Handed(outcome(name, ended.code, ended.output), last=ended.code == LAST)

    def _order(self, errand: Errand, owner: tuple[int, int]) -> Order:
        settings = self._config.local
        home = os.path.abspath(os.path.dirname(f"{self._config.state}/{errand.mailbox}"))
        limits = Limits(settings.program_s, settings.program_bytes, FILE_BYTES, *owner)
        return Order(errand.words, environment(errand.facts, home), home, limits)

    async def _letter(self, delivery: Delivery, letter: Letter) -> AsyncIterator[bytes]:
        """As a Maildir would hold it."""
        yield f"Return-Path: <{letter.envelope.sender or ''}>\n".encode()
        yield f"Delivered-To: {delivery.recipient}\n".encode()
        yield letter.head.replace(b"\r\n", b"\n")
        parts = mailbox_form(parts_of(letter, self._world.disk))
        while (part := await self._world.spawn.thread(partial(_next, parts, letter.path))) is not None:
            yield part


def _next(parts: Iterator[bytes], path: str) -> bytes | None:
    try:
        return next(parts, None)
    except FileNotFoundError as error:
        raise Unavailable(path, "the file of the message is gone") from error


def _owner(user: str) -> tuple[int, int]:
    """Whom the program belongs to. Root's programs are nobody's business to run for strangers."""
    if os.geteuid() != 0:
        return os.geteuid(), os.getegid()
    try:
        found = pwd.getpwnam(user) if user else None
    except KeyError:
        found = None
    if found is None or found.pw_uid == 0:
        raise Unavailable("local.program_user", "names no user that programs can run as")
    return found.pw_uid, found.pw_gid


def _later(status: str, text: str) -> Deferred:
    return Deferred(Reply(451, status, text))
