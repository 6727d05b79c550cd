"""The table of rules that says where an address goes: which rule fits, and what it makes of the address.

Pure: who lives here, and what aliases lead to, has been found out by the caller.
"""

import re
from collections.abc import Iterable

from msgspec import Struct

from sekisho.model.account import split
from sekisho.model.address import domain_of, normal
from sekisho.model.config import Config
from sekisho.model.config_routing import Rule
from sekisho.queue.sendmail import rules_of

LOCAL, REFUSE, USUAL, SMARTHOST = "local", "refuse", "mx", "smarthost"
"""Values of `Rule.to` that are no host."""

MX = "mx:"
OURS, BARE, ALL = "ours", "bare", "*"


class Author(Struct, frozen=True):
    """Whose mail it is: the sender of the envelope, and the account that has logged in, "" for none."""

    sender: str = ""
    account: str = ""


class Asked(Struct, frozen=True):
    """An address in question. `bare`: it had no domain, or an alias led to it; `known`: somebody is here of
    that name."""

    address: str
    ours: bool
    bare: bool = False
    known: bool = False
    author: Author = Author()


class Named(Struct, frozen=True):
    """A rule and its name in the settings."""

    name: str
    rule: Rule

    def told(self, asked: Asked) -> str:
        """What the next host is told of this address. A name of ours that moves is written in small letters,
        as a mailbox of ours is; of others the case is theirs (RFC 5321 2.4).
        """
        if self.rule.address == "keep":
            return asked.address
        local = split(asked.address)[0]
        return (normal(local) if asked.ours else local) + self.rule.address

    def fits(self, asked: Asked) -> bool:
        rule = self.rule
        if rule.users == "unknown" and (asked.known or not asked.ours):
            return False
        if rule.senders and not any(_sent_by(each, asked.author) for each in rule.senders):
            return False
        return any(_meant(each, asked) for each in rule.recipients)


class Table:
    """All rules in order. `before`: those that are asked before aliases; `after`: of what these lead to."""

    def __init__(self, config: Config) -> None:
        rules = (*config.routing.rules.items(), *rules_of(config.routing.sendmail))
        named = [Named(name, rule) for name, rule in rules]
        self._before = tuple(each for each in named if each.rule.aliases == "before")
        self._after = tuple(each for each in named if each.rule.aliases == "after")
        self.by_sender = any(each.rule.senders for each in named)

    @property
    def empty(self) -> bool:
        return not self._before and not self._after

    def elsewhere(self, address: str) -> bool:
        """Whether a name of ours that an alias leads to, and that nobody has here, is sent on to another
        host."""
        named = self.after(Asked(address, ours=True, bare=True))
        return named is not None and named.rule.to not in (LOCAL, REFUSE)

    def before(self, asked: Asked) -> Named | None:
        return _first(self._before, asked)

    def after(self, asked: Asked) -> Named | None:
        return _first(self._after, asked)


def named_exchanges(config: Config) -> frozenset[str]:
    """The names whose mail servers the settings send mail to: what DNS says of these is believed."""
    rules = (*config.routing.rules.values(), *(rule for _, rule in rules_of(config.routing.sendmail)))
    return frozenset(rule.to.removeprefix(MX).lower() for rule in rules if rule.to.startswith(MX))


def _first(rules: Iterable[Named], asked: Asked) -> Named | None:
    return next((each for each in rules if each.fits(asked)), None)


def _meant(pattern: str, asked: Asked) -> bool:
    if pattern in (OURS, BARE, ALL):
        return pattern == ALL or (asked.bare if pattern == BARE else asked.ours)
    local, domain = split(normal(pattern))
    said = normal(asked.address)
    if domain.startswith("*."):
        here = domain_of(said).endswith(domain[1:])
    else:
        here = domain_of(said) == domain if domain else asked.ours
    return here and (not local or _matches(local, split(said)[0]))


def _matches(pattern: str, text: str) -> bool:
    if "*" not in pattern:
        return pattern == text
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), text, re.DOTALL) is not None


def _sent_by(pattern: str, author: Author) -> bool:
    """Who has logged in is believed; a sender is what somebody says."""
    who = normal(author.account or author.sender)
    return who == normal(pattern) or (pattern.startswith("@") and "@" + domain_of(who) == normal(pattern))
