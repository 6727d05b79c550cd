"""What a token is worth: whose it is by the provider's keys (JWKS) or by its word (RFC 7662), remembered.

Everything here fails closed: a provider that cannot be asked is Unavailable, and nobody logs in by token
meanwhile. What is fetched is bounded, and comes from the addresses of the settings only.
"""

import asyncio
import hashlib
from base64 import b64encode
from urllib.parse import quote_plus

from msgspec import Struct
from msgspec.structs import replace

from sekisho.model.config_oauth import OAuth
from sekisho.model.secret import Secret
from sekisho.service.fetching import Url, fetch_json, url_of
from sekisho.store.bounded import Bounded
from sekisho.wire.jws import Jws, Key, holds, is_signed_by, parse_jws, read_claims, read_keys
from sekisho.world import Unavailable, World

SECOND = 1_000_000
KEPT = 10_000
"""Most tokens remembered, as keyed digests."""

ANSWER_BYTES = 256 * 1024
AT_ONCE = 8
"""Most questions to the provider at once."""

WAITING = 100
"""Most logins that wait for one; above it 454."""

WRONG_S = 60
"""How long a token that is worth nothing is remembered: it may become valid (nbf)."""

AGAIN_S = 60
"""Keys are fetched anew for a key that is not known, but not more often than this."""

DOOR = "the identity provider"


class Worth(Struct, frozen=True):
    """`owner`: the address that the token speaks for, "" if it is worth nothing. `until` in ticks."""

    owner: str
    until: int


class Bearers:
    """One for each reading of the settings."""

    def __init__(self, world: World, settings: OAuth) -> None:
        self._world = world
        self._settings = settings
        self._key = world.chance.data(32)
        self._known: Bounded[bytes, Worth] = Bounded(KEPT)
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0
        self._fetching = asyncio.Lock()
        self._keys: tuple[Key, ...] = ()
        self._keys_until = 0
        self._keys_at = -AGAIN_S * SECOND

    async def owner(self, token: Secret) -> str:
        """Raises Unavailable."""
        raw = token.reveal()
        mark = hashlib.blake2b(raw, key=self._key).digest()
        known = self._known.get(mark)
        if known is not None and known.until > self._world.clock.ticks():
            return known.owner
        owner, lasts_s = await (self._by_keys(raw) if self._settings.jwks else self._by_word(raw))
        until = self._world.clock.ticks() + int((lasts_s if owner else WRONG_S) * SECOND)
        self._known.put(mark, Worth(owner, until))
        return owner

    # By the provider's keys.

    async def _by_keys(self, raw: bytes) -> tuple[str, float]:
        jws = parse_jws(raw)
        if jws is None or not await self._is_signed(jws):
            return "", 0
        return self._read(jws.payload)

    async def _is_signed(self, jws: Jws) -> bool:
        now, kid = self._world.clock.ticks(), jws.head.kid
        if now >= self._keys_until or not any(key.kid == kid or not kid for key in self._keys):
            await self._fetch_keys()
        return is_signed_by(jws, self._keys)

    async def _fetch_keys(self) -> None:
        """One fetch at a time, and none within a minute of the last: a stranger's `kid` costs nothing."""
        async with self._fetching:
            now = self._world.clock.ticks()
            if now - self._keys_at < AGAIN_S * SECOND:
                if now >= self._keys_until:
                    raise Unavailable(DOOR, "its keys could not be had a moment ago")
                return
            self._keys_at = now
            keys = read_keys(await self._ask(_url(self._settings.jwks), b"", None))
            if keys is None:
                raise Unavailable(DOOR, "no set of keys")
            self._keys, self._keys_until = keys, now + self._settings.cache_s * SECOND

    # By its word.

    async def _by_word(self, raw: bytes) -> tuple[str, float]:
        settings = self._settings
        body = b"token_type_hint=access_token&token=" + quote_plus(raw).encode()
        answer = await self._ask(_url(settings.introspection), body, await self._authorization())
        found = read_claims(answer)
        if found is None:
            raise Unavailable(DOOR, "no answer about a token")
        return self._read(answer, ends=found[0].exp > 0) if found[0].active else ("", 0)

    async def _authorization(self) -> Secret | None:
        if not self._settings.client:
            return None
        path = self._settings.secret_file
        try:
            password: bytes = await self._world.spawn.thread(lambda: self._world.disk.read(path))
        except FileNotFoundError as error:
            raise Unavailable(path, "the file with the password is not there") from error
        words = self._settings.client.encode() + b":" + password.strip(b"\r\n")
        return Secret(b"Basic " + b64encode(words))

    def _read(self, payload: bytes, *, ends: bool = True) -> tuple[str, float]:
        """Whose it is, and for how long that may be believed. The provider's word need not say when it
        `ends`; a token must.
        """
        found, settings = read_claims(payload), self._settings
        if found is None:
            return "", 0
        now = self._world.clock.now() / SECOND
        claims = found[0] if ends else replace(found[0], exp=now + settings.cache_s)
        owner = found[1].get(settings.claim)
        if not isinstance(owner, str) or found[1].get("email_verified") is False:
            return "", 0
        if not holds(claims, now, settings.issuer, settings.audience, settings.scope):
            return "", 0
        return owner, min(settings.cache_s, max(claims.exp - now, 1))

    async def _ask(self, url: Url, body: bytes, authorization: Secret | None) -> bytes:
        if self._waiting >= WAITING:
            raise Unavailable(DOOR, "too many questions at once")
        self._waiting += 1
        try:
            async with self._turns, asyncio.timeout(self._settings.wait_s):
                return await fetch_json(self._world, url, body, authorization, ANSWER_BYTES)
        except TimeoutError as error:
            raise Unavailable(DOOR, "no answer in time") from error
        finally:
            self._waiting -= 1


def _url(text: str) -> Url:
    url = url_of(text)
    if url is None:
        raise Unavailable(DOOR, "no https URL")
    return url
