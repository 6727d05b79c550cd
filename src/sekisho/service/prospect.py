"""What `sekisho route test` shows: the course of an address under the settings and the house as they are now,
and, when asked for, the hosts that DNS names.
"""

from collections.abc import Sequence

from msgspec import Struct

from sekisho.model.address import BadAddress, parse_path
from sekisho.model.config import Config
from sekisho.model.delivery import Deferred, Failed, Kind, Route
from sekisho.model.envelope import Envelope, Origin
from sekisho.net.dial import leads_home
from sekisho.queue.routing import Author
from sekisho.queue.sources import Way, way_for
from sekisho.service.addressing import Addressing
from sekisho.service.course import Course
from sekisho.service.destinations import Destinations
from sekisho.store.directory import Directory
from sekisho.world import World

ON_THE_WIRE = (Kind.MX, Kind.RELAY, Kind.LMTP)


class Prospect(Struct, frozen=True):
    """`hosts`, for each end, are those to be called, or why there is nobody; empty when DNS was not asked."""

    asked: str
    course: Course
    way: Way
    hosts: tuple[tuple[str, ...], ...] = ()


class Prospects:
    """`sender` is an account of ours, or the sender of the envelope. Raises Unavailable."""

    def __init__(self, world: World, config: Config, sender: str) -> None:
        self._directory = Directory.open(config.state, world.clock)
        self._addressing = Addressing(world, self._directory, config)
        self._destinations = Destinations(world, config, leads_home)
        known = self._directory.account(sender) if sender else None
        self._author = Author(sender, known.address if known is not None else "")
        origin = Origin("", "", 0, account=self._author.account)
        self._way = way_for(Envelope(sender or None, (), origin), config)

    def find(self, addresses: Sequence[str]) -> list[Prospect]:
        return [Prospect(each, self._addressing.course(each, self._author), self._way) for each in addresses]

    async def ask(self, prospect: Prospect) -> Prospect:
        """The same with what DNS says."""
        hosts = [await self._hosts(end.route) for end in prospect.course.ends]
        return Prospect(prospect.asked, prospect.course, prospect.way, tuple(hosts))

    async def _hosts(self, route: Route | None) -> tuple[str, ...]:
        if route is None or route.kind not in ON_THE_WIRE:
            return ()
        found = await self._destinations.find(route, self._way)
        if isinstance(found, Deferred | Failed):
            return (str(found.reply),)
        return tuple(f"{hop.name}[{hop.address}]:{hop.port}" for hop in found)

    def close(self) -> None:
        self._directory.close()


def address_of(typed: str, config: Config) -> str | None:
    """What was typed as an address of the wire: a name without a domain stays one; a source route is dropped
    (RFC 5321 C). Where sendmail's spellings are read, so is \\name. None: it is no address.
    """
    name, at, domain = typed.rpartition("@") if "@" in typed else (typed, "", "")
    if config.routing.sendmail.spellings and name.startswith("\\"):
        name = f'"\\{name}"'
    probe = f"{name}@{domain or 'x.example'}"
    try:
        mailbox = parse_path(probe.encode(), smtputf8=True)
    except UnicodeEncodeError:
        return None
    if mailbox is None or isinstance(mailbox, BadAddress):
        return None
    return str(mailbox) if at else mailbox.local
