"""The vault: says whether a password is right, at a cost that no fleet of mail programs and no bot can raise.

A right password is remembered for minutes, and so is a wrong one, as a keyed digest over login, stored hash
and password: a new password ends both memories. What must be hashed waits for one of a few turns in a thread.
An unknown user costs the same hash as a known one; the answer differs only in `why`, which no client sees.
SCRAM needs no hash: a name that has no keys is measured by keys that nobody has. Who has a password and no
keys gets them when the password has been right.
"""

import asyncio
import contextlib
import functools
import hashlib
from base64 import b64decode
from collections import Counter
from collections.abc import Callable

from msgspec import Struct
from msgspec.structs import replace

from sekisho.model import config
from sekisho.model.account import KEY_LENGTH, Account, key_of
from sekisho.model.action import Performed
from sekisho.service.channel import NotDone
from sekisho.service.messages import (
    AskAccount,
    AskSalt,
    AskSigners,
    Request,
    RestoreAccess,
    RevokeAccess,
    Salted,
    Signatures,
    SignDigests,
    Signers,
    Verified,
    VerifyPassword,
    VerifyProof,
)
from sekisho.store.app_passwords import AppPassword, plain_of
from sekisho.store.bounded import Bounded
from sekisho.store.directory import Directory
from sekisho.store.dkim_keys import SigningKeys
from sekisho.store.hashes import Hashes
from sekisho.store.hashing import HASH_BYTES, PASSWORD_BYTES, SALT_BYTES, matches, nobodys_hash, prepared
from sekisho.store.scram_keys import ROUNDS_MIN, ScramKeys, make_keys, proves, salt_of, signature_of
from sekisho.world import Unavailable, World

UNDER_WAY_PER_LOGIN = 8
"""Most passwords of one login being hashed or waiting: who guesses does not take everybody's turns."""

KEYS_AGAIN = 60 * 1_000_000
"""Microseconds until keys are made again that could not be kept: each time they cost 0.1 s of a core."""

Verify = Callable[[str, bytes], bool]
"""Stored hash and password; runs in a thread."""


class _Keyed(Struct, frozen=True):
    """For which hash keys were made last, and how long nobody looks whether they are kept."""

    stored: str
    until: int


class VaultRole:
    def __init__(
        self,
        world: World,
        limits: config.Vault,
        directory: Directory,
        hashes: Hashes,
        verify: Verify = matches,
        signing: SigningKeys | None = None,
    ) -> None:
        self._signing = signing
        self._world = world
        self._directory = directory
        self._hashes = hashes
        self._verify = verify
        self._key = world.chance.data(32)
        self._nobodys = nobodys_hash(world.chance.data(SALT_BYTES), world.chance.data(HASH_BYTES))
        self._under_way: dict[bytes, asyncio.Task[bool]] = {}
        self._per_login: Counter[str] = Counter()
        self._nobodys_keys = ScramKeys(b"", 0, world.chance.data(HASH_BYTES), world.chance.data(HASH_BYTES))
        self.configure(limits)

    def configure(self, limits: config.Vault) -> None:
        """What was judged is forgotten; what is being hashed is finished under the old limits."""
        self._limits = limits
        self._turns = asyncio.Semaphore(limits.concurrency)
        self._judged: dict[bool, Bounded[bytes, int]] = {
            right: Bounded(limits.cache_entries) for right in (True, False)
        }
        self._keyed: Bounded[str, _Keyed] = Bounded(limits.cache_entries)

    async def handle(self, request: Request) -> Struct | None:
        """For a channel. Raises Unavailable when too many passwords wait or a database does not answer."""
        match request:
            case VerifyPassword():
                return await self.verify(request)
            case AskSalt(login=login):
                return self.salt(_login(login))
            case VerifyProof():
                return self.check_proof(request)
            case AskAccount(login=login):
                return self.may_log_in(_login(login))
            case RevokeAccess(action=action, account=account):
                return await self._performed(
                    action, functools.partial(self._hashes.revoke, _login(account), action)
                )
            case RestoreAccess(action=action, revoked=revoked):
                return await self._performed(action, lambda at: self._hashes.restore(revoked))
            case AskSigners() | SignDigests() if self._signing is not None:
                return await self._sign(request, self._signing)
        raise NotDone(f"the vault does not answer {type(request).__name__}")

    async def _performed(self, action: str, do: Callable[[int], tuple[str, ...]]) -> Performed:
        now = self._world.clock.now()
        changed = await self._world.spawn.thread(functools.partial(do, now))
        return Performed(action, "vault", now, changed, count=len(changed))

    async def _sign(self, request: AskSigners | SignDigests, keys: SigningKeys) -> Struct:
        """In a thread: reading a key and signing with RSA take longer than anybody should wait."""
        if isinstance(request, AskSigners):
            return Signers(await self._world.spawn.thread(functools.partial(keys.signers, request.domain)))
        return Signatures(await self._world.spawn.thread(functools.partial(_signatures, request, keys)))

    async def verify(self, request: VerifyPassword) -> Verified:
        login, password = _login(request.login), prepared(request.password)
        account = self._directory.account(login)
        if account is not None and (found := self._by_app(account, password, request.service)) is not None:
            return found
        stored = self._hashes.stored(login) if account is not None and len(password) <= PASSWORD_BYTES else ""
        right = await self._is_right(login, stored or self._nobodys, password)
        digest = self._digest(login, password)
        if account is None:
            return Verified("", "unknown_user", digest)
        if not right:
            return Verified("", "password", digest)
        self._give_keys(login, stored, password)
        return Verified("", "denied", digest) if _denied(account) else Verified(account.address, "", digest)

    def _by_app(self, account: Account, password: bytes, service: str) -> Verified | None:
        """An app password of this account, whether or not it opens; None: it is none. It has 100 bits of
        chance, so that there is nothing to hash slowly.
        """
        plain = plain_of(password)
        for one in self._hashes.app_passwords(account.address) if plain else ():
            if one.opens(plain):
                return _by_credential(account, one, service)
        return None

    def may_log_in(self, login: str) -> Verified:
        account = self._directory.account(login)
        if account is None:
            return Verified("", "unknown_user")
        return Verified("", "denied") if _denied(account) else Verified(account.address)

    def salt(self, login: str) -> Salted:
        """A name without keys of its own has salt and rounds as if it had."""
        keys, key = self._hashes.scram(login), self._hashes.digest_key()
        if keys is None:
            return Salted(salt_of(key, login), self._limits.scram_rounds or ROUNDS_MIN)
        return Salted(keys.salt, keys.rounds)

    def check_proof(self, request: VerifyProof) -> Verified:
        """Which of the reasons it was costs no time of its own."""
        login = _login(request.login)
        account, keys = self._directory.account(login), self._hashes.scram(login)
        if account is not None and (found := self._by_app_proof(account, request)) is not None:
            return found
        measure = keys or self._nobodys_keys
        right = proves(measure, request.message, b64decode(request.proof)) and keys is not None
        signature = signature_of(measure, request.message)
        if account is None:
            return Verified("", "unknown_user")
        if not right:
            return Verified("", "password")
        return Verified("", "denied") if _denied(account) else Verified(account.address, signature=signature)

    def _by_app_proof(self, account: Account, request: VerifyProof) -> Verified | None:
        """All keys of an account have one salt, so the client need not say which password it has."""
        proof = b64decode(request.proof)
        for one in self._hashes.app_passwords(account.address):
            if one.keys is not None and proves(one.keys, request.message, proof):
                found = _by_credential(account, one, request.service)
                signed = signature_of(one.keys, request.message)
                return replace(found, signature=signed) if found.account else found
        return None

    def _give_keys(self, login: str, stored: str, password: bytes) -> None:
        """Once for each password; should it fail, again after a while."""
        known, now = self._keyed.get(login), self._world.clock.ticks()
        if not self._limits.scram_rounds or (known and known.stored == stored and now < known.until):
            return
        if self._hashes.scram(login) is None:
            self._keyed.put(login, _Keyed(stored, now + KEYS_AGAIN))
            self._world.spawn.task("scram keys", self._make_keys(login, stored, password))

    async def _make_keys(self, login: str, stored: str, password: bytes) -> None:
        salt = salt_of(self._hashes.digest_key(), login)
        work = functools.partial(make_keys, password, salt, self._limits.scram_rounds)
        async with self._turns:
            keys = await self._world.spawn.thread(work)
        with contextlib.suppress(Unavailable):  # they log in as before, and get keys another time
            await self._world.spawn.thread(functools.partial(self._hashes.keep, login, stored, keys))

    async def _is_right(self, login: str, stored: str, password: bytes) -> bool:
        mark = hashlib.blake2b(_joined(login, stored) + password, key=self._key).digest()
        for right, judged in self._judged.items():
            if (judged.get(mark) or 0) > self._world.clock.ticks():
                return right
        task = self._under_way.get(mark)
        if task is None:
            self._refuse_crowds(login)
            task = asyncio.create_task(self._hash(mark, login, stored, password))
            self._under_way[mark] = task
            self._per_login[login] += 1
        return await asyncio.shield(task)  # the asker may leave; the answer is remembered all the same

    def _refuse_crowds(self, login: str) -> None:
        crowd = len(self._under_way) >= self._limits.concurrency + self._limits.waiting
        if crowd or self._per_login[login] >= UNDER_WAY_PER_LOGIN:
            raise Unavailable("the vault", "too many password checks at once")

    async def _hash(self, mark: bytes, login: str, stored: str, password: bytes) -> bool:
        try:
            async with self._turns:
                work = functools.partial(self._verify, stored, password)
                right = bool(await self._world.spawn.thread(work))
            self._judged[right].put(mark, self._world.clock.ticks() + self._limits.cache_s * 1_000_000)
            return right
        finally:
            del self._under_way[mark]
            self._per_login[login] -= 1
            if not self._per_login[login]:
                del self._per_login[login]

    def _digest(self, login: str, password: bytes) -> str:
        """16 bits: enough to see one wrong password repeated, too few to find it."""
        key = self._hashes.digest_key()
        return hashlib.blake2b(_joined(login, "") + password, key=key, digest_size=2).hexdigest()


def _signatures(request: SignDigests, keys: SigningKeys) -> tuple[bytes, ...]:
    return tuple([keys.sign(request.domain, selector, digest) for selector, digest in request.items])


def _login(given: str) -> str:
    return key_of(given) or given[:KEY_LENGTH]


def _by_credential(account: Account, one: AppPassword, service: str) -> Verified:
    if one.revoked:
        return Verified("", "revoked", credential=one.ident)
    if not one.is_for(service) or _denied(account):
        return Verified("", "denied", credential=one.ident)
    return Verified(account.address, credential=one.ident)


def _denied(account: Account) -> bool:
    return account.locked or not account.active or not account.sends


def _joined(login: str, stored: str) -> bytes:
    """Two texts as bytes that no other two give, whatever a stranger says that he is called."""
    return f"{len(login)} {len(stored)} {login}{stored}".encode("utf-8", "surrogatepass")
