"""Who is here, for the hot path: local domains, accounts, where an address leads, who may write as whom.

Synchronous, cached within bounds, and dropped as soon as somebody changes the house database (asked at most
every 200 ms). Raises Unavailable when an answer is not remembered and the database does not give it.
"""

import os
from typing import Self

import msgspec

from sekisho.model.account import POSTMASTER, Account, Domain, key_of, split
from sekisho.model.quota import Quota, written
from sekisho.queue.aliases import NESTING, TARGETS, Entry, Led, Search, entry_of, names_of
from sekisho.store.bounded import Bounded
from sekisho.store.lists import Lists
from sekisho.store.paths import mailbox_folder
from sekisho.store.window import Window
from sekisho.world import Clock, Unavailable

FILE = "house.db"
SCHEMA = 2

KEPT = 20_000
"""Most answers remembered, of each kind."""

STRANGERS_KEPT = 5_000
"""Most addresses remembered as unknown: a dictionary attack must not push out the others."""


OWNER = "owner-"
"""How the name of a list's owner begins, as with sendmail."""

COLUMNS = (
    "address", "language", "active", "sends", "receives", "locked_at", "locked_why", "created_at", "quota",
)  # fmt: skip


class Directory:
    def __init__(self, window: Window) -> None:
        self._window = window
        self._domains: Bounded[str, Domain | None] = Bounded(KEPT)
        self._accounts: Bounded[str, Account | None] = Bounded(KEPT)
        self._known: Bounded[str, Led] = Bounded(KEPT)
        self._strangers: Bounded[str, bool] = Bounded(STRANGERS_KEPT)
        self._owners: Bounded[str, str] = Bounded(KEPT)
        self._lists = Lists()

    @classmethod
    def open(cls, state: str, clock: Clock) -> Self:
        """Opens nothing yet: the file is looked for at the first question."""
        return cls(Window(os.path.join(state, FILE), SCHEMA, clock))

    def is_local_domain(self, domain: str) -> bool:
        self._forget_if_changed()
        return self._domain(key_of(domain)) is not None

    def account(self, address: str) -> Account | None:
        """The account of exactly this address, whatever its state; no alias, no extension."""
        self._forget_if_changed()
        return self._account(key_of(address))

    def resolve(self, address: str) -> tuple[str, ...] | None:
        """Final addresses, ours or others', behind aliases; None: nobody here, or not a domain of ours."""
        led = self._led(address)
        return led.targets if led is not None else None

    def names(self, address: str) -> tuple[str, ...] | None:
        """The same, each with the extension by which it was reached: hello+news@d."""
        led = self._led(address)
        return led.names if led is not None else None

    def list_owner(self, address: str) -> str:
        """`owner-NAME`, if the address is an alias and that exists: bounces of what goes through it are for
        the owner. "" otherwise.
        """
        led, key = self._led(address), key_of(address)
        local, domain = split(key)
        if led is None or not led.aliased or key in led.targets or local.startswith(OWNER):
            return ""
        known = self._owners.get(key)
        if known is None:
            owner = f"{OWNER}{local}@{domain}"
            known = owner if self._entry(owner) and self._entry(key) else ""
            self._owners.put(key, known)
        return known

    def _led(self, address: str) -> Led | None:
        self._forget_if_changed()
        key = self._completed(key_of(address))
        known = self._known.get(key)
        if known is not None:
            return known
        if not key or key in self._strangers:
            return None
        led = self.lead(key)
        if led.lists and not led.excess:
            return led if led.targets else None  # files change without our being told
        if led.excess:
            why = f"leads to more than {TARGETS} addresses or through more than {NESTING} aliases"
            raise Unavailable(f"alias {key}", why)
        if not led.targets:
            self._strangers.put(key, True)
            return None
        self._known.put(key, led)
        return led

    def lead(self, key: str) -> Led:
        """`resolve` together with what went wrong on the way, for `alias show`; not remembered."""
        return self._search().lead(key)

    def named(self, address: str) -> bool:
        """Whether it has a meaning of its own, and is not only what a catch-all takes."""
        self._forget_if_changed()
        return self._search().named(self._completed(key_of(address)))

    def may_send_as(self, account: str, address: str) -> bool:
        """Its own address, with an extension too, an alias that leads to it alone, or a delegated one.

        The null sender is everybody's (RFC 8098 3: a receipt has no other): it counts as the account's.
        """
        self._forget_if_changed()
        owner = self._account(key_of(account))
        if owner is None or not owner.active:
            return False
        key = key_of(address)
        if key in ("", owner.address):
            return key == owner.address or not address
        everything = "@" + split(key)[1]
        return key in owner.send_as or everything in owner.send_as or self._is_name_of(owner, key)

    def _is_name_of(self, owner: Account, key: str) -> bool:
        """Not by way of the catch-all, which gives its owner every invented name."""
        domain = self._domain(split(key)[1])
        if domain is None:
            return False
        named = any(self._entry(name) for name in names_of(key, domain.delimiters))
        return named and self.resolve(key) == (owner.address,)

    def senders_of(self, address: str) -> tuple[str, ...]:
        """The accounts whose address this may be: those it leads to, and those it was given to."""
        key = key_of(address)
        query = "select account from senders where address in (?, ?) order by account"
        given = [account for (account,) in self._window.rows(query, key, "@" + split(key)[1])]
        return tuple(dict.fromkeys((*(self.resolve(key) or ()), *given)))

    def quota(self, account: str) -> Quota | None:
        """Its own, else its domain's; None: nothing was said of either."""
        self._forget_if_changed()
        key = key_of(account)
        known, domain = self._account(key), self._domain(split(key)[1])
        text = (known.quota if known else "") or (domain.quota if domain else "")
        return written(text) if text else None

    def mailbox(self, address: str) -> str:
        """The Maildir of an account, relative to the state folder; an extension leads to its account's."""
        key = key_of(address)
        return mailbox_folder(self._owner(key) or key or address)

    def first_domain(self) -> str:
        """The oldest domain, whose postmaster is told what has no other addressee; "" when there is none."""
        rows = self._window.rows("select name from domains order by created_at, name limit 1")
        return rows[0][0] if rows else ""

    def close(self) -> None:
        self._window.close()

    def _search(self) -> Search:
        return Search(self._entry, self._domain, self._lists.addresses)

    def _forget_if_changed(self) -> None:
        if self._window.changed():
            for cache in (self._domains, self._accounts, self._known, self._strangers, self._owners):
                cache.clear()

    def _owner(self, key: str) -> str:
        """The account that a name belongs to, by itself or with an extension; "" when there is none."""
        domain = self._domain(split(key)[1])
        names = names_of(key, domain.delimiters) if domain is not None else ()
        return next((name for name in names if self._account(name) is not None), "")

    def _completed(self, key: str) -> str:
        """RFC 5321 4.5.1: RCPT TO:<postmaster> without a domain is the postmaster of our first one."""
        return f"{POSTMASTER}@{self.first_domain()}" if key == POSTMASTER else key

    def _domain(self, name: str) -> Domain | None:
        if not name or name in self._domains:
            return self._domains.get(name)
        query = "select name, delimiters, postmaster, created_at, quota from domains where name = ?"
        rows = self._window.rows(query, name)
        domain = Domain(*rows[0]) if rows else None
        self._domains.put(name, domain)
        return domain

    def _account(self, key: str) -> Account | None:
        if not key or key in self._accounts:
            return self._accounts.get(key)
        rows = self._window.rows(f"select {', '.join(COLUMNS)} from accounts where address = ?", key)
        account = self._made(dict(zip(COLUMNS, rows[0], strict=True))) if rows else None
        self._accounts.put(key, account)
        return account

    def _made(self, row: dict[str, object]) -> Account:
        query = "select address from senders where account = ? order by address"
        names = [name for (name,) in self._window.rows(query, str(row["address"]))]
        return msgspec.convert({**row, "send_as": names}, Account, strict=False)  # SQLite's truth is 0 or 1

    def _entry(self, key: str) -> Entry:
        query = (
            "select targets.target from aliases left join targets on targets.alias = aliases.address"
            " where aliases.address = ? order by targets.place"
        )
        rows = self._window.rows(query, key)
        targets = tuple(target for (target,) in rows if target is not None) if rows else None
        return entry_of(key, self._account(key), targets)
