"""Delivery to programs: which may run, as whom, and what comes of it."""

import os
import pwd
from collections.abc import AsyncIterator, Iterator
from functools import partial

from sekisho.model.config import Config
from sekisho.model.delivery import Deferred, Delivery, Outcome
from sekisho.model.letter import Letter
from sekisho.model.verdict import Reply
from sekisho.queue.pipes import command, environment, facts_of, outcome, words_of
from sekisho.service.program import Limits, Order, run
from sekisho.store.bodies import parts_of
from sekisho.store.maildir import mailbox_form
from sekisho.store.paths import mailbox_folder
from sekisho.world import Unavailable, World

FILE_BYTES = 2 * 1024**3
"""Largest file that a program may write: an mbox of some years."""


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
        settings = self._config.local
        if not words or words[0] not in settings.programs:
            return _later("4.7.1", f"{words[0] if words else 'nothing'} is not among local.programs")
        try:
            owner = _owner(settings.program_user)
            order = self._order(delivery, letter, words, owner)
            ended = await run(order, self._letter(delivery, letter))
        except Unavailable as trouble:
            return _later("4.3.0", f"{trouble.door}: {trouble.why}")
        except OSError as error:  # no process, no memory
            return _later("4.3.0", f"{words[0]} did not start: {error.strerror}")
        if ended.late:
            return _later("4.3.0", f"{words[0]} was stopped after {settings.program_s} s")
        return outcome(words[0], ended.code, ended.output)

    def _order(
        self, delivery: Delivery, letter: Letter, words: tuple[str, ...], owner: tuple[int, int]
    ) -> Order:
        settings = self._config.local
        facts = facts_of(delivery, letter.envelope.sender or "")
        home = os.path.abspath(os.path.dirname(f"{self._config.state}/{mailbox_folder(delivery.recipient)}"))
        limits = Limits(settings.program_s, settings.program_bytes, FILE_BYTES, *owner)
        return Order(command(words, facts), environment(facts, home), home, limits)

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
