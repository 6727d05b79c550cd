"""The MTA-STS policies of other people's domains: found, fetched, kept as long as they say (RFC 8461).

A policy that is kept counts until its time is over, whatever DNS and the web say meanwhile, unless a newer
one can be fetched: that is what makes it worth more than DNS. What is kept stands in one file and outlives a
restart.
"""

import asyncio
from collections.abc import Callable

import msgspec
from msgspec import Struct

from sekisho.mail.mta_sts import POLICY_BYTES, Policy, parse_policy, record_id
from sekisho.service.boundary import Record, boundary
from sekisho.service.fetching import fetch_text
from sekisho.world import NotFound, NoTls, Unavailable, World

PATH = "/.well-known/mta-sts.txt"
KEPT_MAX = 10_000
"""Most policies kept; above it the one that was used least lately goes."""

AGAIN_S = 300
"""A policy that could not be fetched is asked for again after this long (RFC 8461 3.3)."""

SAVE_AFTER_S = 5
SECOND = 1_000_000


class Kept(Struct, frozen=True):
    """`until` in microseconds since the epoch."""

    policy: Policy
    until: int


class Found(Struct, frozen=True):
    """What to go by. `trouble` is the result that RFC 8460 4.3.2.2 has for a policy that could not be had."""

    policy: Policy | None = None
    trouble: str = ""


class Policies:
    """`path` is the file; "" keeps them in memory only. `trouble` is told of our bugs."""

    def __init__(self, world: World, path: str, private: Callable[[], bool], trouble: Record) -> None:
        self._world = world
        self._path = path
        self._private = private
        self._trouble = trouble
        self._kept: dict[str, Kept] | None = None if path else {}
        self._failed: dict[str, tuple[int, str, str]] = {}
        self._asking: dict[str, asyncio.Lock] = {}
        self._dirty = False
        self._saving = False

    async def find(self, domain: str) -> Found:
        """The policy of a recipient's domain (A-labels, small letters). Others' faults are no exceptions."""
        lock = self._asking.setdefault(domain, asyncio.Lock())
        try:
            async with lock:
                return await self._find(domain)
        finally:
            if not lock.locked():
                self._asking.pop(domain, None)

    async def close(self) -> None:
        if self._dirty:
            await self._save()

    async def _find(self, domain: str) -> Found:
        kept = await self._remembered(domain)
        try:
            ident = record_id(await self._world.dns.txt(f"_mta-sts.{domain}"))
        except NotFound:
            ident = ""
        except Unavailable:
            return Found(kept)
        if not ident or (kept is not None and kept.ident == ident):
            return Found(kept)
        trouble = self._failure(domain, ident)
        if not trouble:
            fetched = await self._fetch(domain, ident)
            if isinstance(fetched, Policy):
                self._keep(domain, fetched)
                return Found(fetched)
            trouble = fetched
            self._remember_failure(domain, ident, trouble)
        return Found(kept, trouble)

    async def _fetch(self, domain: str, ident: str) -> Policy | str:
        """Or the result for the report."""
        try:
            body = await fetch_text(
                self._world,
                f"mta-sts.{domain}",
                PATH,
                limit_bytes=POLICY_BYTES,
                private=self._private(),
            )
        except NoTls:
            return "sts-webpki-invalid"
        except Unavailable:
            return "sts-policy-fetch-error"
        return parse_policy(body, ident) or "sts-policy-invalid"

    def _failure(self, domain: str, ident: str) -> str:
        until, failed, trouble = self._failed.get(domain, (0, "", ""))
        return trouble if failed == ident and until > self._world.clock.ticks() else ""

    def _remember_failure(self, domain: str, ident: str, trouble: str) -> None:
        self._failed.pop(domain, None)
        if len(self._failed) >= KEPT_MAX:
            del self._failed[next(iter(self._failed))]
        self._failed[domain] = (self._world.clock.ticks() + AGAIN_S * SECOND, ident, trouble)

    # What is kept.

    async def _remembered(self, domain: str) -> Policy | None:
        if self._kept is None:
            self._kept = await self._load()
        kept = self._kept.pop(domain, None)
        if kept is None or kept.until <= self._world.clock.now():
            return None
        self._kept[domain] = kept
        return kept.policy

    def _keep(self, domain: str, policy: Policy) -> None:
        assert self._kept is not None
        self._failed.pop(domain, None)
        self._kept.pop(domain, None)
        if len(self._kept) >= KEPT_MAX:
            del self._kept[next(iter(self._kept))]
        self._kept[domain] = Kept(policy, self._world.clock.now() + policy.max_age_s * SECOND)
        self._dirty = True
        if self._path and not self._saving:
            self._saving = True
            self._world.spawn.task("policies", self._save_later())

    async def _load(self) -> dict[str, Kept]:
        """A file that is not there or cannot be read is an empty one: policies can be fetched again."""
        try:
            data: bytes = await self._world.spawn.thread(lambda: self._world.disk.read(self._path))
            return msgspec.json.decode(data, type=dict[str, Kept])
        except (FileNotFoundError, Unavailable, msgspec.DecodeError):
            return {}

    async def _save_later(self) -> None:
        async with boundary(self._trouble, "policies"):
            await self._world.clock.sleep(SAVE_AFTER_S)
            self._saving = False
            await self._save()
        self._saving = False

    async def _save(self) -> None:
        self._dirty = False
        data = msgspec.json.encode(self._kept)
        try:
            await self._world.spawn.thread(lambda: self._write(data))
        except (OSError, Unavailable):
            self._dirty = True  # the next one to be kept tries again

    def _write(self, data: bytes) -> None:
        disk, new = self._world.disk, self._path + ".new"
        if disk.exists(new):
            disk.unlink(new)
        disk.write_new(new, (data,))
        disk.rename(new, self._path)
