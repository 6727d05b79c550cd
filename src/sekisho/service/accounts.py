"""What may be written about domains and accounts, and in which order house and vault learn of it.

Each change has its line in the audit. A running server notices within a second. Passwords go into the vault
only: written before the account and removed before it, so that no crash leaves one behind for the next owner
of the name.
"""

from base64 import urlsafe_b64encode
from hashlib import sha256

from msgspec import Struct
from msgspec.structs import replace

from sekisho.model.account import POSTMASTER, Account, Domain, split
from sekisho.model.phrase import phrase
from sekisho.model.quota import written
from sekisho.model.secret import Secret
from sekisho.model.text import printable
from sekisho.service.names import Misspelt, Refusal, account_address, domain_name
from sekisho.store.hashing import PASSWORD_BYTES, SALT_BYTES, make_hash, prepared
from sekisho.store.house import Change, House
from sekisho.store.scram_keys import make_keys, salt_of
from sekisho.store.vault import Vault
from sekisho.world import Chance, Clock

PASSWORD_CHARACTERS = 8
"""Shortest password: NIST SP 800-63B 5.1.1.1."""

DELIMITERS = "+-=_."
"""Characters that a domain may choose to end a user's name."""


HOUR = 3600 * 1_000_000
TOKEN_BYTES = 32
"""256 bits: nobody guesses one, so a fast hash is enough."""

LINK_IS_OVER = phrase("this link is not good: it was used, its time is over, or a newer one was made")


class Hands(Struct, frozen=True):
    """Who changes something, and with what: the audit's name, the clock and the salt."""

    by: str
    clock: Clock
    chance: Chance

    def change(self, what: str, subject: str, detail: str = "") -> Change:
        return Change(self.clock.now(), self.by, what, subject, detail)


class Accounts:
    """Raises Refusal for what cannot be."""

    def __init__(self, house: House, vault: Vault, hands: Hands, scram_rounds: int = 0) -> None:
        """`scram_rounds` 0: passwords are kept as hashes only."""
        self.house = house
        self.vault = vault
        self._hands = hands
        self._scram_rounds = scram_rounds

    def domain(self, name: str) -> Domain:
        found = self.house.domain(domain_name(name))
        if found is None:
            raise Refusal(phrase("there is no domain {name} here", name=printable(name)))
        return found

    def add_domain(self, name: str, delimiters: str, postmaster: str) -> Domain:
        key = domain_name(name)
        if self.house.domain(key) is not None:
            raise Refusal(phrase("the domain {name} is already here", name=key))
        domain = Domain(key, _delimiters(delimiters), _postmaster(postmaster, key), self._hands.clock.now())
        self.house.save_domain(domain, self._hands.change("domain added", key))
        return domain

    def set_domain(
        self, name: str, delimiters: str | None, postmaster: str | None, quota: str | None = None
    ) -> Domain:
        domain = self.domain(name)
        if quota is not None:
            domain = replace(domain, quota=kept_quota(quota))
        if delimiters is not None:
            domain = replace(domain, delimiters=_delimiters(delimiters))
        if postmaster is not None:
            domain = replace(domain, postmaster=_postmaster(postmaster, domain.name))
        detail = f"delimiters {domain.delimiters!r}, postmaster {domain.postmaster!r}, quota {domain.quota!r}"
        self.house.save_domain(domain, self._hands.change("domain set", domain.name, detail))
        return domain

    def remove_domain(self, name: str) -> None:
        """With its accounts and aliases. Mail that was delivered stays in the mail folder."""
        domain = self.domain(name)
        for account in self.house.accounts(domain.name):
            self.vault.remove(account.address)
        self.house.remove_domain(domain.name, self._hands.change("domain removed", domain.name))

    def account(self, address: str) -> Account:
        found = self.house.account(account_address(address))
        if found is None:
            raise Refusal(phrase("there is no account {name} here", name=printable(address)))
        return found

    def new_address(self, address: str) -> str:
        """The key of an account that could be added; a Refusal if it could not."""
        key = account_address(address)
        if self.house.domain(split(key)[1]) is None:
            hint = phrase(
                "there is no domain {name} here; add it: sekisho domain add {name}", name=split(key)[1]
            )
            raise Refusal(hint)
        if self.house.account(key) is not None:
            raise Refusal(phrase("the account {name} is already here", name=key))
        return key

    def add(self, address: str, password: Secret | None, language: str) -> Account:
        """Without a password nobody can log in; mail arrives all the same."""
        key = self.new_address(address)
        account = Account(key, language, created_at=self._hands.clock.now())
        if password is None:
            self.vault.remove(key)
        else:
            self._save_password(key, password)
        self.house.save_account(account, self._hands.change("account added", key))
        return account

    def save(self, account: Account, what: str) -> Account:
        """An account with other switches than before; `what` for the audit."""
        self.house.save_account(account, self._hands.change("account set", account.address, what))
        return account

    def set_password(self, address: str, password: Secret) -> None:
        account = self.account(address)
        self._save_password(account.address, password)
        self.house.note(self._hands.change("password set", account.address))

    def make_link(self, address: str, hours: int) -> str:
        """The token of a one-time link; only its hash is kept. An older one of the account ends."""
        account = self.account(address)
        token = urlsafe_b64encode(self._hands.chance.data(TOKEN_BYTES)).rstrip(b"=").decode("ascii")
        until = self._hands.clock.now() + hours * HOUR
        self.vault.save_reset(account.address, _mark_of(token), until)
        self.house.note(self._hands.change("reset link made", account.address, f"for {hours} h"))
        return token

    def redeem(self, token: str, password: Secret) -> str:
        """Sets the password by a link, which opens nothing any more then. Returns whose it was."""
        mark, now = _mark_of(token.strip()), self._hands.clock.now()
        address = self.vault.reset_for(mark, now)
        if not address or self.house.account(address) is None:
            raise Refusal(LINK_IS_OVER)
        if not self._save_password(address, password, mark):
            raise Refusal(LINK_IS_OVER)
        self.house.note(self._hands.change("password set", address, "by a one-time link"))
        return address

    def lock(self, address: str, why: str) -> Account:
        """Nobody can log in; mail arrives all the same."""
        account = self.account(address)
        locked = replace(account, locked_at=account.locked_at or self._hands.clock.now(), locked_why=why)
        self.house.save_account(locked, self._hands.change("account locked", account.address, why))
        return locked

    def unlock(self, address: str) -> Account:
        account = replace(self.account(address), locked_at=0, locked_why="")
        self.house.save_account(account, self._hands.change("account unlocked", account.address))
        return account

    def remove(self, address: str) -> Account:
        """Mail that was delivered stays in the mail folder."""
        account = self.account(address)
        self.vault.remove(account.address)
        self.house.remove_account(account.address, self._hands.change("account removed", account.address))
        return account

    def _save_password(self, key: str, password: Secret, mark: bytes = b"") -> bool:
        plain = prepared(password)
        if len(plain.decode("utf-8", "replace")) < PASSWORD_CHARACTERS:
            raise Refusal(phrase("a password needs {count} characters or more", count=PASSWORD_CHARACTERS))
        if len(plain) > PASSWORD_BYTES:
            raise Refusal(phrase("a password has at most {count} bytes", count=PASSWORD_BYTES))
        stored, keys = make_hash(plain, self._hands.chance.data(SALT_BYTES)), None
        if self._scram_rounds:
            keys = make_keys(plain, salt_of(self.vault.digest_key(), key), self._scram_rounds)
        return self.vault.save(key, stored, self._hands.clock.now(), keys, redeems=mark)


def _mark_of(token: str) -> bytes:
    return sha256(token.encode("utf-8", "surrogatepass")).digest()


def kept_quota(text: str) -> str:
    """As it is kept; raises Refusal for what is no quota."""
    quota = written(text)
    if quota is None:
        given = printable(text, 100)
        raise Misspelt(phrase('{given} is not a quota, such as 500M, 2G, "2G,10000" or none', given=given))
    return str(quota)


def _delimiters(text: str) -> str:
    if any(char not in DELIMITERS for char in text):
        given = printable(text)
        raise Misspelt(phrase("delimiters can be {allowed}, not {given}", allowed=DELIMITERS, given=given))
    return "".join(dict.fromkeys(text))


def _postmaster(text: str, domain: str) -> str:
    address = account_address(text) if text else ""
    return "" if address == f"{POSTMASTER}@{domain}" else address
