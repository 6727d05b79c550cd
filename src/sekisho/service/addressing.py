"""Over which roads an address is reached, as the server's settings are now; and deliveries of letters that we
write ourselves: bounces and notices, addressed as mail from outside would be.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Protocol

from msgspec import Struct

from sekisho.mail.srs import looks_forwarded
from sekisho.model.account import POSTMASTER, key_of
from sekisho.model.address import domain_of
from sekisho.model.config import Config
from sekisho.model.delivery import Delivery, Route
from sekisho.model.ident import make_id
from sekisho.queue.aliases import Led
from sekisho.queue.limits import Limits, destination
from sekisho.queue.retry import SECOND
from sekisho.queue.routes import list_route, lmtp_route, refusing, route_for
from sekisho.queue.routing import Author
from sekisho.service.course import NOBODY, Course, Courses, End
from sekisho.service.returns import Returns
from sekisho.world import World


class Directory(Protocol):
    """The part of `store/directory.py` that knows where an address leads."""

    def is_local_domain(self, domain: str) -> bool: ...

    def resolve(self, address: str) -> tuple[str, ...] | None: ...

    def names(self, address: str) -> tuple[str, ...] | None: ...

    def list_owner(self, address: str) -> str: ...

    def senders_of(self, address: str) -> tuple[str, ...]: ...

    def lead(self, key: str) -> Led: ...

    def first_domain(self) -> str: ...

    def mailbox(self, address: str) -> str: ...


DOMAINS_KEPT = 4096
"""Domains of others of which the road is remembered."""


class Road(Struct, frozen=True):
    """A delivery to be: `recipient` as the next host is told it. `by` is the rule that chose the route, ""
    where none did. `verify`: the next host is to be asked whether it knows the recipient.
    """

    recipient: str
    route: Route
    by: str = ""
    verify: bool = False


class Addressing:
    def __init__(self, world: World, directory: Directory, config: Config) -> None:
        self._world = world
        self._directory = directory
        self.reload(config)

    def reload(self, config: Config) -> None:
        """Letters from now on go by these settings; those that wait keep their road."""
        self._config = config
        self._limits = Limits(config.queue)
        self._returns = Returns(self._world.disk, self._directory, config, self._world.clock.now())
        self._courses = Courses(self._directory, config, self._usual, self.route)
        self._away = lru_cache(DOMAINS_KEPT)(self._way_to)

    def read_keys(self) -> None:
        self._returns.read_keys(self._world.clock.now())

    def course(self, address: str, author: Author = NOBODY) -> Course:
        """Step by step. Raises Unavailable when the directory does not answer."""
        if origin := self._returns.origin(address, self._world.clock.now()):
            return Course(address, (End(origin, self.route(origin)),))
        return self._courses.find(address, author)

    def roads(self, address: str, author: Author = NOBODY) -> tuple[Road, ...]:
        """One for each final address; none when it leads nowhere."""
        if self._courses.plain and "@" in address and not looks_forwarded(address):  # of nearly every letter
            return tuple([Road(recipient, route) for recipient, route in self._usual(address)])
        ends = self.course(address, author).ends
        found = (
            Road(end.recipient, end.route, end.by, end.verify) for end in ends if end.route is not None
        )
        return tuple(dict.fromkeys(found))

    def spelled(self, address: str) -> str:
        """The address that is meant; what relaying is decided by."""
        return self._courses.spelled(address)

    def route(self, target: str) -> Route:
        """Of a final address. Raises Unavailable when the directory does not answer."""
        domain = domain_of(target)
        if not self._directory.is_local_domain(domain):
            return self._away(domain)
        if server := self._config.local.lmtp:
            return lmtp_route(server)
        return route_for(target, self._directory.mailbox(target), self._config.outbound)

    def _way_to(self, domain: str) -> Route:
        """Only the settings decide it, as long as the domain is not ours."""
        return route_for(f"@{domain}" if domain else "", "", self._config.outbound)

    def targets(self, address: str) -> tuple[str, ...]:
        """Final addresses behind one of ours, () if it leads nowhere; of others', itself.

        Each with the extension by which it was reached, where anything is made of it.
        """
        if not self._directory.is_local_domain(domain_of(address)) and "@" in address:
            return (address,)
        local = self._config.local
        if local.extensions == "plain" and local.instructions == "none":
            return self._directory.resolve(address) or ()
        return self._directory.names(address) or ()

    def path_onward(self, sender: str | None, domain: str) -> str:
        """The return path of what an address of ours in `domain` sends on; "" is the sender as it stands."""
        return self._returns.path_onward(sender, domain, self._world.clock.now())

    def postmaster(self, address: str) -> str:
        """Of the domain of an address."""
        return f"{POSTMASTER}@{domain_of(address)}"

    def lifetime_s(self, route: Route, sender: str | None) -> int:
        """How long a delivery is tried; one that nobody can be told about, less long."""
        queue = self._config.queue
        usual_s = queue.lifetime_s if sender else queue.bounce_lifetime_s
        if not queue.limits:
            return usual_s  # of every letter, and taking its lane apart is no small part of it
        return self._limits.lifetime_s(destination(route.lane), usual_s)

    def deliveries(self, message: str, address: str, sender: str | None = None) -> Sequence[Delivery]:
        """One for each final address that `address` leads to; none when it leads nowhere. Behind a signed
        return path of ours is a mailbox: a letter of ours had come back in, and failed.
        """
        real = self._returns.restored(address)
        return self.by_road(message, self._pairs(real), sender)

    def onward(self, message: str, addresses: Sequence[str], sender: str | None) -> Sequence[Delivery]:
        """The same for several, each final address once; one that leads nowhere is refused, so that its
        sender hears of it."""
        roads: dict[str, Route] = {}
        for address in addresses:
            found = self._pairs(self._returns.restored(address))
            roads |= found
            if not found:
                roads[address] = refusing("5.1.1", "No such mailbox here")
        return self.by_road(message, list(roads.items()), sender)

    def _pairs(self, address: str) -> list[tuple[str, Route]]:
        """As mail of nobody in particular: whose letter is sent on has not logged in here."""
        return [(road.recipient, road.route) for road in self.roads(address)]

    def _usual(self, address: str) -> list[tuple[str, Route]]:
        domain = domain_of(address)
        if domain and not self._directory.is_local_domain(domain):
            return [(address, self._away(domain))]
        if "@" in address and self._directory.list_owner(address):
            return [(address, list_route(key_of(address)))]
        return [(target, self.route(target)) for target in self.targets(address)]

    def list_owner(self, name: str) -> str:
        """Who gets the bounces of what goes to all behind this alias; "" where it has no owner."""
        return self._directory.list_owner(name)

    def by_road(
        self, message: str, roads: Sequence[tuple[str, Route]], sender: str | None
    ) -> Sequence[Delivery]:
        at = self._world.clock.now()
        return [
            Delivery(
                make_id(at, self._world.chance.bits(30)),
                message,
                target,
                route,
                0,
                at,
                at + self.lifetime_s(route, sender) * SECOND,
            )
            for target, route in roads
        ]
