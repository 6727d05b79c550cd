"""App passwords of an account: made here, shown once, for named services, removed by name.

Each has a hash of its own, and with SCRAM keys under the account's one salt, so that a client may use any
mechanism with it.
"""

from sekisho.model.ident import make_id
from sekisho.model.phrase import phrase
from sekisho.model.text import printable
from sekisho.service.accounts import Accounts, Hands
from sekisho.service.names import Refusal
from sekisho.store import app_passwords
from sekisho.store.app_passwords import KEPT_MAX, AppPassword, hashed, made, plain_of
from sekisho.store.scram_keys import make_keys, salt_of

NAME_SHOWN = 60
SERVICES = ("smtp", "submission", "submissions", "imap", "pop3")


class AppPasswords:
    """Raises Refusal for what cannot be."""

    def __init__(self, accounts: Accounts, hands: Hands, scram_rounds: int) -> None:
        self._accounts = accounts
        self._hands = hands
        self._rounds = scram_rounds

    def list(self, address: str) -> list[AppPassword]:
        return self._accounts.vault.app_passwords(self._accounts.account(address).address)

    def add(self, address: str, name: str, services: tuple[str, ...]) -> tuple[AppPassword, str]:
        """And the password, which nobody can show again."""
        vault, hands = self._accounts.vault, self._hands
        known = self.list(address)
        key = self._accounts.account(address).address
        label = printable(name.strip(), NAME_SHOWN)
        if not label or any(one.name == label for one in known):
            raise Refusal(phrase("an app password needs a name that no other one of the account has"))
        if len(known) >= KEPT_MAX:
            raise Refusal(phrase("{name} has {count} app passwords: remove one", name=key, count=KEPT_MAX))
        shown, now = made(hands.chance), hands.clock.now()
        salt = hands.chance.data(app_passwords.SALT_BYTES)
        keys = None
        if self._rounds:
            keys = make_keys(shown.encode(), salt_of(vault.digest_key(), key), self._rounds)
        one = AppPassword(
            make_id(now, hands.chance.bits(30)), key, label, tuple(sorted(set(services))), now, salt,
            hashed(plain_of(shown.encode()), salt), keys,
        )  # fmt: skip
        vault.save_app_password(one)
        self._accounts.house.note(hands.change("app password added", key, f"{one.ident} {label}"))
        return one, shown

    def remove(self, address: str, named: str) -> AppPassword:
        """By its id or its name."""
        for one in self.list(address):
            if named in (one.ident, one.name):
                self._accounts.vault.remove_app_password(one.address, one.ident)
                detail = f"{one.ident} {one.name}"
                self._accounts.house.note(self._hands.change("app password removed", one.address, detail))
                return one
        given = printable(named, NAME_SHOWN)
        raise Refusal(phrase("{address} has no app password {name}", address=printable(address), name=given))
