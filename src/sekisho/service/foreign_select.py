"""Which letters of somebody else's queue a Selector means: the same words as for our own queue.

What the list alone tells is asked first; only letters that are still meant are looked into.
"""

import ipaddress
import re
from collections.abc import Callable, Collection

from msgspec import Struct

from sekisho.integrations.foreign import ForeignLetter, returned_from
from sekisho.mail.return_path import mark_of
from sekisho.model.selector import Cause, Selector
from sekisho.store.spool_patterns import BODY_BYTES, Matchers, is_expression

SECOND = 1_000_000
Text = Callable[[ForeignLetter], bytes]


def nothing(_: str) -> frozenset[str]:
    return frozenset()


class Names(Struct, frozen=True):
    """`domain` stands behind logins without one; `network_of` is the guard's name for an address's network;
    `claimed` has the letters that an action holds.
    """

    domain: str = ""
    network_of: Callable[[str], str] | None = None
    claimed: Callable[[str], Collection[str]] = nothing


class Choice:
    """`text` fetches a letter's header and body."""

    def __init__(self, selector: Selector, now: int, text: Text, names: Names) -> None:
        self.selector = selector
        self._now = now
        self._text = text
        self._names = names
        holds = selector.cause.holds if selector.cause is not None else ()
        self._claimed = {ident for action in holds for ident in names.claimed(action)}
        self._matchers = Matchers()

    @property
    def looks_inside(self) -> bool:
        wanted = self.selector
        inside = (wanted.account, wanted.address, wanted.subject, wanted.body, wanted.header, wanted.spare)
        return any((*inside, wanted.networks, wanted.bounces_of, wanted.cause))

    def on_the_list(self, letter: ForeignLetter) -> bool:
        wanted = self.selector
        return (
            (not wanted.ids or letter.id in wanted.ids)
            and self._addressed(letter.sender, wanted.sender)
            and (
                not wanted.recipient
                or any(self._addressed(to.address, wanted.recipient) for to in letter.recipients)
            )
            and (not wanted.older_s or letter.accepted_at <= self._now - wanted.older_s * SECOND)
            and (
                not wanted.reply
                or any(self._matchers.matches(to.reply, wanted.reply) for to in letter.recipients)
            )
            and (not wanted.states or letter.state in wanted.states)
            and (not wanted.bounces_of or not letter.sender)
        )

    def inside(self, letter: ForeignLetter) -> bool:
        """After `on_the_list`, and for a letter that was looked into."""
        wanted, matches = self.selector, self._matchers.matches
        return (
            self._signed_in(letter.account, wanted.account)
            and self._caused(letter, wanted.cause)
            and (not wanted.address or _in_network(letter.address, wanted.address))
            and (not wanted.subject or matches(letter.subject, wanted.subject))
            and self._from_there(letter)
            and (not wanted.bounces_of or self._reports_on(letter, wanted.bounces_of))
            and (not wanted.header or self._matchers.in_header(self._text(letter), wanted.header))
            and (not wanted.body or self._has_words(letter, wanted.body))
        )

    def _signed_in(self, account: str, wanted: str) -> bool:
        """A login without a domain is known by its name, and by its address."""
        if not wanted:
            return True
        names = (account,) if "@" in account else (account, f"{account}@{self._names.domain}")
        return account != "" and any(self._addressed(name, wanted) for name in names)

    def _caused(self, letter: ForeignLetter, cause: Cause | None) -> bool:
        """What an incident holds, what of its account is held since it began, and the bounces of its letters;
        but nothing that came, or whose cause came, from the account's own networks.
        """
        if cause is None or letter.id in self._claimed:
            return True
        if letter.accepted_at + SECOND <= cause.since or 0 < cause.until < letter.accepted_at:
            return False  # their queues count in whole seconds
        if letter.held and self._signed_in(letter.account, cause.account):
            return not self._is_spared(letter.address, cause)
        to_account = any(to.address.lower() == cause.account.lower() for to in letter.recipients)
        return (
            not letter.sender and to_account and not self._is_spared(returned_from(self._text(letter)), cause)
        )

    def _is_spared(self, address: str, cause: Cause) -> bool:
        network_of = self._names.network_of
        return address != "" and network_of is not None and mark_of(network_of(address)) in cause.spare

    def _addressed(self, address: str, pattern: str) -> bool:
        """An address, "@domain", a glob with `*`, an expression, or "<>" for the null sender."""
        if not pattern:
            return True
        if pattern == "<>":
            return address == ""
        if is_expression(pattern):
            return self._matchers.matches(address, pattern)
        pattern = f"*{pattern}" if pattern.startswith("@") else pattern
        if "*" not in pattern:
            return address.lower() == pattern.lower()
        parts = ".*".join(re.escape(part) for part in pattern.split("*"))
        return self._matchers.matches(address, f"re:^{parts}$")

    def _from_there(self, letter: ForeignLetter) -> bool:
        wanted = self.selector
        if not (wanted.spare or wanted.networks):
            return True
        if not letter.address or self._names.network_of is None:  # from nobody knows where: nothing spares it
            return not wanted.networks
        network = self._names.network_of(letter.address)
        return network not in wanted.spare and (not wanted.networks or network in wanted.networks)

    def _reports_on(self, letter: ForeignLetter, cause: str) -> bool:
        """A bounce to this account, or one that names this letter of theirs."""
        if "@" in cause:
            return any(to.address.lower() == cause.lower() for to in letter.recipients)
        word = rf"(?<![0-9A-Za-z-]){re.escape(cause)}(?![0-9A-Za-z-])".encode()
        return re.search(word, self._text(letter)[:BODY_BYTES]) is not None

    def _has_words(self, letter: ForeignLetter, wanted: str) -> bool:
        text = self._text(letter)[: BODY_BYTES if is_expression(wanted) else None]
        return self._matchers.matches(text.decode("utf-8", "replace"), wanted)


def _in_network(address: str, wanted: str) -> bool:
    try:
        return ipaddress.ip_address(address) in ipaddress.ip_network(wanted, strict=False)
    except ValueError:
        return False
