"""Delivers to our own mailboxes. The letter comes in memory when it has just been accepted, else from the
spool."""

import contextlib
import os
from collections.abc import Callable, Iterator
from functools import partial

from sekisho.model.account import key_of
from sekisho.model.config import Local
from sekisho.model.delivery import Deferred, Delivered, Delivery, Outcome
from sekisho.model.letter import Letter
from sekisho.model.verdict import Reply
from sekisho.service.quotas import Purse, Quotas
from sekisho.store.bodies import parts_of
from sekisho.store.bounded import Bounded
from sekisho.store.maildir import LEFTOVER, Booking, Maildir, mailbox_form, unbooked
from sekisho.store.paths import divided
from sekisho.store.seen import Seen
from sekisho.store.sweeping import mark_line
from sekisho.world import Unavailable, World

CLEANED_KEPT = 20_000
"""Most mailboxes of which it is remembered when their `tmp` was looked through."""

Choice = Callable[[Delivery, Maildir], Maildir]
TAKEN = Reply(250, "2.1.5", "delivered to the mailbox")
TAKEN_BEFORE = Reply(250, "2.1.5", "had been delivered to the mailbox before")


class LocalCarrier:
    """A Carrier. `state` is the folder that the mailbox folders of routes are relative to."""

    def __init__(
        self, world: World, state: str, settings: Local | None = None, quotas: Quotas | None = None
    ) -> None:
        self._quotas = quotas
        self._world = world
        self._state = state
        self._settings = settings or Local()
        self._seen = Seen(world.clock.ticks)
        self._cleaned: Bounded[str, int] = Bounded(CLEANED_KEPT)

    def reload(self, settings: Local) -> None:
        self._settings = settings

    async def carry(self, batch: tuple[Delivery, ...], letter: Letter) -> dict[str, Outcome]:
        outcomes: dict[str, Outcome] = await self._world.spawn.thread(partial(self._carry, batch, letter))
        return outcomes

    def _carry(self, batch: tuple[Delivery, ...], letter: Letter) -> dict[str, Outcome]:
        return {delivery.id: self._deliver(delivery, letter) for delivery in batch}

    def _deliver(self, delivery: Delivery, letter: Letter) -> Outcome:
        return self._into(delivery, letter, delivery.route.host, self._folder)

    def _into(self, delivery: Delivery, letter: Letter, folder: str, choose: Choice | None = None) -> Outcome:
        mailbox = self._mailbox(folder)
        try:
            maildir = choose(delivery, mailbox) if choose is not None else mailbox
            if delivery.tries and any(self._seen.holds(each, delivery.id) for each in (maildir, mailbox)):
                return Delivered(TAKEN_BEFORE)
            purse = self._purse(delivery, mailbox) if folder == delivery.route.host else None
            if self._quotas is None or purse is None:
                self._bring(delivery, letter, maildir)
            elif self._quotas.is_full(purse, size := len(letter.head) + letter.message.size):
                return self._quotas.refusal(purse, size)
            else:
                self._bring(delivery, letter, maildir, self._quotas.booking(purse))
                self._quotas.tell_owner(purse)
        except Unavailable as trouble:
            return Deferred(Reply(451, "4.3.0", f"mailbox is not available: {trouble.why}"))
        except FileNotFoundError:  # a folder inside, or the body's file, vanished meanwhile
            return Deferred(Reply(451, "4.3.0", "mailbox is not available: a file is missing"))
        self._clean(maildir)
        return Delivered(TAKEN)

    def _bring(
        self, delivery: Delivery, letter: Letter, maildir: Maildir, booking: Booking = unbooked
    ) -> None:
        with self._seen.coming(maildir, delivery.id):
            maildir.deliver(delivery.id, self._parts(delivery, letter), booking)

    async def is_full(self, account: str, folder: str, size: int) -> bool:
        """Raises Unavailable."""
        quotas = self._quotas
        if quotas is None:
            return False
        purse = quotas.purse(account, self._mailbox(folder))
        try:
            return bool(await self._world.spawn.thread(partial(quotas.is_full, purse, size)))
        except FileNotFoundError as error:
            raise Unavailable(folder, "a folder has vanished") from error

    def _mailbox(self, folder: str) -> Maildir:
        base = f"{self._state}/{folder.partition('/')[0]}"
        return Maildir(self._world.disk, f"{self._state}/{folder}", base)

    def _purse(self, delivery: Delivery, mailbox: Maildir) -> Purse | None:
        if self._quotas is None:
            return None
        account, _ = divided(key_of(delivery.recipient), delivery.route.host)
        return self._quotas.purse(account, mailbox)

    async def deliver_into(self, delivery: Delivery, letter: Letter, folder: str) -> Outcome:
        """Into a Maildir below the account's folder, as its owner's instructions say."""
        home = os.path.dirname(delivery.route.host)
        deliver = partial(self._into, delivery, letter, f"{home}/{folder.rstrip('/')}")
        outcome: Outcome = await self._world.spawn.thread(deliver)
        return outcome

    def _folder(self, delivery: Delivery, mailbox: Maildir) -> Maildir:
        """Where it goes by its extension. Strangers choose extensions: they make no folders."""
        if self._settings.extensions == "plain":
            return mailbox
        _, extension = divided(key_of(delivery.recipient), delivery.route.host)
        return mailbox.folder(extension) or mailbox

    def _clean(self, maildir: Maildir) -> None:
        """Now and then. The letter is delivered already, whatever comes of this."""
        now = self._world.clock.now()
        if now >= (self._cleaned.get(maildir.path) or 0):
            self._cleaned.put(maildir.path, now + LEFTOVER)
            with contextlib.suppress(Unavailable, FileNotFoundError):
                maildir.clean(now)

    def _parts(self, delivery: Delivery, letter: Letter) -> Iterator[bytes]:
        # RFC 5321 4.4: the one that makes final delivery writes the return path
        yield f"Return-Path: <{letter.envelope.sender or ''}>\n".encode()
        yield f"Delivered-To: {delivery.recipient}\n".encode()
        yield mark_line(letter.envelope)
        yield letter.head.replace(b"\r\n", b"\n")
        yield from mailbox_form(parts_of(letter, self._world.disk))
