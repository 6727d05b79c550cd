"""What webhooks are told of incidents: written down first, then posted until somebody takes it.

A posting waits in the house and outlives a restart. Whoever listens must know its id: one that was answered
just before we died is posted again. Nothing that mail waits for happens here.
"""

import asyncio
import contextlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from sekisho.model.config_notify import Webhook
from sekisho.model.incident import Incident
from sekisho.model.phrase import Phrase
from sekisho.model.secret import Secret
from sekisho.model.text import printable
from sekisho.service.boundary import Record, boundary
from sekisho.service.fetching import post_json, url_of
from sekisho.service.notices import grade_word
from sekisho.store.house import House
from sekisho.world import Unavailable, World

T = TypeVar("T")

PREFIX = "outbox:"
SECOND = 1_000_000
RHYTHM_S = 2.0
"""The outbox is looked through this often."""

RELOADED_S = 60.0
"""Where there is no webhook, a new one is noticed within this."""

WAITS_S = (5, 15, 60, 300, 900, 3600)
"""Pauses after failed postings, the last one again and again: a listener that restarts is soon told, one that
is gone for a night is not hammered."""

GIVEN_UP_S = 3 * 86_400
"""What nobody took for three days is dropped, and that is told: the mail has said it long ago."""

WAITING_MAX = 1000
"""Most postings that wait; the next one is dropped, and that is told."""

WHY_SHOWN = 200

SECRET_BYTES_MIN = 16
"""A shorter secret is a password that somebody guesses."""


class Posting(Struct, frozen=True):
    """`body` is sent as it was written, so that a second try says the same."""

    hook: str
    ident: str
    body: bytes
    made: int
    tries: int = 0
    next_at: int = 0


def body_of(incident: Incident, notes: tuple[Phrase, ...], ident: str, hostname: str, at: int) -> bytes:
    """In English, for programs; times in microseconds since the epoch."""
    case = {
        "id": incident.id,
        "account": incident.subject,
        "kind": incident.kind,
        "grade": grade_word(incident.grade),
        "opened": incident.opened,
        "sentence": str(incident.sentence),
        "notes": [str(note) for note in notes],
        "counters": incident.counters,
    }
    return msgspec.json.encode(
        {"v": 1, "event": "incident", "delivery": ident, "at": at, "host": hostname, "incident": case}
    )


def signature(secret: bytes, timestamp: str, body: bytes) -> str:
    """HMAC-SHA256 over the time of this try, a dot and the body: neither can be changed or used later."""
    return "v1=" + hmac.digest(secret, timestamp.encode("ascii") + b"." + body, "sha256").hex()


class Outbox:
    def __init__(self, world: World, house: House) -> None:
        self._world = world
        self._house = house
        self._hooks: Mapping[str, Webhook] = {}
        self._stopped = False

    def configure(self, hooks: Mapping[str, Webhook]) -> None:
        self._hooks = hooks

    async def put(self, hook: str, ident: str, body: bytes) -> bool:
        """Written when this returns. False for a name that the settings do not have any more, and when too
        much waits."""
        waiting = await self._keep(self._house.states, PREFIX)
        if hook not in self._hooks or len(waiting) >= WAITING_MAX:
            return False
        await self._save(Posting(hook, ident, body, self._world.clock.now()))
        return True

    async def run(self, trouble: Record) -> None:
        """`trouble` is told of listeners that do not take what is posted."""
        while not self._stopped:
            if self._hooks:
                async with boundary(trouble, "webhooks"):
                    with contextlib.suppress(Unavailable):
                        await self._turn(trouble)
            await self._world.clock.sleep(RHYTHM_S if self._hooks else RELOADED_S)

    async def _turn(self, trouble: Record) -> None:
        """Posts what is due, to each listener one after the other: a silent one holds up no other. Raises
        Unavailable for the house."""
        now = self._world.clock.now()
        due: dict[str, list[Posting]] = {}
        for data in (await self._keep(self._house.states, PREFIX)).values():
            posting = msgspec.json.decode(data, type=Posting)
            if posting.next_at <= now:
                due.setdefault(posting.hook, []).append(posting)
        await asyncio.gather(*(self._try_all(postings, trouble) for postings in due.values()))

    async def _try_all(self, postings: Sequence[Posting], trouble: Record) -> None:
        for posting in postings:
            if not self._stopped and not await self._try(posting, trouble):
                return  # its other ones would fail too; they keep their turn

    def stop(self) -> None:
        self._stopped = True

    async def _try(self, posting: Posting, trouble: Record) -> bool:
        """False when nobody took it."""
        hook = self._hooks.get(posting.hook)
        if hook is None:  # the operator has taken it out of the settings
            await self._drop(posting)
            return True
        try:
            status = await self._post(hook, posting)
            why = "" if 200 <= status < 300 else f"HTTP status {status}"
        except Unavailable as error:
            why = printable(str(error), WHY_SHOWN)
        if not why:
            await self._drop(posting)
            return True
        now = self._world.clock.now()
        if now - posting.made > GIVEN_UP_S * SECOND:
            trouble("webhook", posting.hook, f"given up: {why}")
            await self._drop(posting)
            return False
        if not posting.tries:
            trouble("webhook", posting.hook, why)
        pause = WAITS_S[min(posting.tries, len(WAITS_S) - 1)]
        await self._save(replace(posting, tries=posting.tries + 1, next_at=now + pause * SECOND))
        return False

    async def _post(self, hook: Webhook, posting: Posting) -> int:
        url = url_of(hook.url)
        if url is None:
            raise Unavailable(hook.url, "no https URL")
        timestamp = str(self._world.clock.now() // SECOND)
        secret = await self._secret(hook.secret_file)
        fields = {
            "Sekisho-Delivery": posting.ident,
            "Sekisho-Timestamp": timestamp,
            "Sekisho-Signature": signature(secret.reveal(), timestamp, posting.body),
        }
        return await post_json(self._world, url, posting.body, fields)

    async def _secret(self, path: str) -> Secret:
        """Read each time: a new one counts at once."""
        try:
            data: bytes = await self._world.spawn.thread(lambda: self._world.disk.read(path))
        except FileNotFoundError as error:
            raise Unavailable(path, "the file with the secret is not there") from error
        secret = data.strip()
        if len(secret) < SECRET_BYTES_MIN:
            raise Unavailable(path, f"a secret needs {SECRET_BYTES_MIN} bytes or more")
        return Secret(secret)

    async def _save(self, posting: Posting) -> None:
        data = msgspec.json.encode(posting)
        await self._keep(self._house.save_state, PREFIX + posting.ident, data, posting.made)

    async def _drop(self, posting: Posting) -> None:
        await self._keep(self._house.drop_state, PREFIX + posting.ident)

    async def _keep(self, call: Callable[..., T], *values: Any) -> T:
        result: T = await self._world.spawn.thread(partial(call, *values))
        return result
