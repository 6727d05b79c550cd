"""Where an address goes in the end, step by step: its spelling, rules that come before aliases, aliases,
rules, and what is usual. The server delivers by this, and `sekisho route test` shows it.
"""

from collections.abc import Callable, Iterator
from typing import Protocol

from msgspec import Struct

from sekisho.model.account import key_of, split
from sekisho.model.address import domain_of, unquoted
from sekisho.model.config import Config
from sekisho.model.delivery import Route
from sekisho.queue.aliases import NESTING, TARGETS, Led
from sekisho.queue.routes import list_route, mx_route, route_to, smarthost_route
from sekisho.queue.routing import LOCAL, REFUSE, SMARTHOST, USUAL, Asked, Author, Named, Table
from sekisho.queue.sendmail import unfolded
from sekisho.world import Unavailable

NOBODY = Author()
PAST_ALIASES = "\\"
ALIAS, SPELLING, UNKNOWN, REFUSED = "alias", "spelling", "unknown", "refused"
"""Names of steps that no rule of the settings decides."""


Usual = Callable[[str], list[tuple[str, Route]]]


class Directory(Protocol):
    """The part of `store/directory.py` that knows who lives here."""

    def is_local_domain(self, domain: str) -> bool: ...

    def lead(self, key: str) -> Led: ...

    def list_owner(self, address: str) -> str: ...

    def first_domain(self) -> str: ...


class Step(Struct, frozen=True):
    """What an address became on the way: `by` a rule, an alias, or how it was spelled."""

    by: str
    address: str
    became: tuple[str, ...]


class End(Struct, frozen=True):
    """A final address, as the next host is told it, and its road; None: it is refused.

    `by` is the rule that decided, "" for what is usual, or why it is refused. `verify`: the next host is to
    be asked at RCPT.
    """

    recipient: str
    route: Route | None
    by: str = ""
    verify: bool = False


class Course(Struct, frozen=True):
    """`address` is what was asked for, as it is understood: what relaying is decided by."""

    address: str
    ends: tuple[End, ...]
    steps: tuple[Step, ...] = ()


class Courses:
    """`usual` gives the roads of an address that no rule has a say about; none: nobody is here of that name.
    `route` is the usual road of a final address. `plain`: the settings say nothing of routing.
    """

    def __init__(
        self, directory: Directory, config: Config, usual: Usual, route: Callable[[str], Route]
    ) -> None:
        self._directory = directory
        self._config = config
        self._spellings = config.routing.sendmail.spellings
        self._own = frozenset(name.lower() for name in config.routing.own_names)
        self._by_names = config.local.extensions != "plain" or config.local.instructions != "none"
        self._usual = usual
        self._route = route
        self.table = Table(config)
        self.plain = self.table.empty and not self._spellings and not self._own

    def spelled(self, address: str) -> str:
        """The address that is meant, before anything is decided about it: a name without domain, one of our
        own names, and, where the settings say so, user%host. What it gives means itself: relaying is
        decided by it, and nothing may be found in it later.
        """
        if self.plain and domain_of(address):
            return address
        while (meant := self._read(address)) != address:
            address = meant
        return address

    def _read(self, address: str) -> str:
        """One of these steps: a domain becomes the one it stands for, or a local part gets shorter."""
        local, domain = split(address)
        if not domain:
            return f"{local}@{self._directory.first_domain() or self._config.hostname}"
        if self.plain:
            return address
        if domain.lower() in self._own:
            address = f"{local}@{self._home()}"
        if self._spellings and self._directory.is_local_domain(domain_of(address)):
            return unfolded(local) or address
        return address

    def find(self, address: str, author: Author = NOBODY) -> Course:
        """Raises Unavailable when the directory does not answer."""
        meant = self.spelled(address)
        steps = (Step(SPELLING, address, (meant,)),) if meant != address else ()
        ours = self._directory.is_local_domain(domain_of(meant))
        past = ours and self._spellings and unquoted(split(meant)[0]).startswith(PAST_ALIASES)
        if self.table.empty and not past:
            return Course(meant, tuple(self._as_usual(meant)), steps)
        led = self._led(_plain(meant) if past else meant) if ours else Led((meant,))
        known = key_of(_plain(meant)) in led.targets if past else bool(led.targets)
        asked = Asked(meant, ours, "@" not in address, known, author)
        if not asked.bare and (rule := self.table.before(asked)) and rule.rule.to != LOCAL:
            return Course(meant, tuple(self._by_rule(rule, asked)), steps)
        if key_of(meant) in led.refused:
            return Course(meant, (End(meant, None, REFUSED),), steps)
        if not led.aliased or past:
            return Course(meant, tuple(self._after(asked)), steps)
        if self._directory.list_owner(meant):
            return Course(meant, (End(meant, list_route(key_of(meant))),), steps)
        others = self._behind(led, author)
        steps = (*steps, Step(ALIAS, meant, tuple(each.address for each in others)))
        return Course(meant, tuple(end for each in others for end in self._after(each)), steps)

    def _led(self, address: str) -> Led:
        led = self._directory.lead(key_of(address))
        if led.excess:
            why = f"leads to more than {TARGETS} addresses or through more than {NESTING} aliases"
            raise Unavailable(f"alias {address}", why)
        return led

    def _behind(self, led: Led, author: Author) -> list[Asked]:
        """What aliases lead to; whom nobody has here may yet be known elsewhere."""
        missing = [name for name in led.unknown if name not in led.refused]
        found = []
        targets = led.names if self._by_names else led.targets
        for address in (*targets, *missing):
            ours = self._directory.is_local_domain(domain_of(address))
            found.append(Asked(address, ours, ours, address in targets, author))
        return found

    def _after(self, asked: Asked) -> Iterator[End]:
        rule = self.table.after(asked)
        if rule is not None:
            yield from self._by_rule(rule, asked)
        else:
            yield from self._here(asked)

    def _here(self, asked: Asked) -> Iterator[End]:
        """As if there were no rules. What an alias led to is not looked at again."""
        plain = _plain(asked.address)
        if plain == asked.address and not (asked.bare and asked.known):
            yield from self._as_usual(plain)
        elif asked.known:
            yield End(asked.address, self._route(plain))
        else:
            yield End(asked.address, None, UNKNOWN)

    def _by_rule(self, named: Named, asked: Asked) -> Iterator[End]:
        told, to = named.told(asked), named.rule.to
        if to == LOCAL:
            yield from self._kept(named, asked, told)
        elif to == REFUSE:
            yield End(told, None, named.name)
        else:
            yield End(told, self._road(to, told), named.name, named.rule.verify)

    def _kept(self, named: Named, asked: Asked, told: str) -> Iterator[End]:
        if told != asked.address:
            asked = Asked(told, self._directory.is_local_domain(domain_of(told)))
        if not asked.ours:
            yield End(told, None, UNKNOWN)
            return
        for end in self._here(asked):
            yield End(end.recipient, end.route, named.name if end.route else UNKNOWN)

    def _road(self, to: str, told: str) -> Route | None:
        if to == SMARTHOST or to.startswith(f"{SMARTHOST}:"):
            return smarthost_route(self._config.outbound, to.partition(":")[2])
        if to == USUAL:
            return mx_route(domain_of(told), self._config.outbound)
        return route_to(to, self._config.outbound)

    def _as_usual(self, address: str) -> Iterator[End]:
        roads = self._usual(address)
        for recipient, route in roads:
            yield End(recipient, route)
        if not roads:
            yield End(address, None, UNKNOWN)

    def _home(self) -> str:
        """The domain that our own names stand for."""
        hostname = self._config.hostname.lower()
        if self._directory.is_local_domain(hostname):
            return hostname
        return self._directory.first_domain() or hostname


def _plain(address: str) -> str:
    r"""Without the backslash of \name, which says that aliases are not to be looked at."""
    local, domain = split(address)
    inside = unquoted(local)
    return f"{inside[1:]}@{domain}" if inside.startswith(PAST_ALIASES) else address
