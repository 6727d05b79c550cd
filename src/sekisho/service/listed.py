"""Our own addresses on other people's block lists (RFC 5782): asked daily, hourly while a case is open.

Only lists that the settings name are asked. What a list says that it will not answer is no listing, and
neither is silence: then what was known stands.
"""

import contextlib
from collections.abc import Sequence
from functools import partial
from ipaddress import ip_address

import msgspec
from msgspec import Struct

from sekisho.model.config import Config
from sekisho.model.phrase import Phrase, phrase
from sekisho.service.notices import to_stderr
from sekisho.service.zone import moment
from sekisho.store.house import House
from sekisho.world import NotFound, Unavailable, World

STATE = "listed"
SECOND = 1_000_000
DAILY_S, HOURLY_S = 86_400, 3600
ADDRESSES_MAX = 32
"""Own addresses that are asked about; times the lists that is a round of questions."""

LISTED = "127."
"""What a list answers for an address that stands on it (RFC 5782 2.1)."""

REFUSED = "127.255.255."
"""What Spamhaus and others answer to who may not ask: a public resolver, too many questions."""


class Listing(Struct, frozen=True):
    """`since`: when we first saw it, in microseconds."""

    address: str
    name: str
    since: int


class Listed:
    def __init__(self, world: World, house: House) -> None:
        self._world = world
        self._house = house
        self._found: dict[tuple[str, str], Listing] = {}
        self._asked_at: int | None = None

    def configure(self, config: Config) -> None:
        self._config = config

    async def read(self) -> None:
        """Raises Unavailable."""
        for each in await self._world.spawn.thread(partial(listings, self._house)):
            self._found[each.address, each.name] = each

    async def look(self, *, urgent: bool) -> None:
        """Asks if it is time; a new listing is a line of the log. Raises Unavailable for the house."""
        ticks, pause_s = self._world.clock.ticks(), HOURLY_S if urgent else DAILY_S
        lists = self._config.guard.blocklists
        if not lists and not self._found:
            return
        if self._asked_at is not None and ticks - self._asked_at < pause_s * SECOND:
            return
        self._asked_at = ticks
        before, asked = dict(self._found), set()
        for address in await self._own():
            for name in lists:
                asked.add((address, name))
                await self._ask(address, name)
        for gone in self._found.keys() - asked:
            del self._found[gone]
        for key in self._found.keys() - before.keys():
            to_stderr(str(sentence(self._found[key])))
        if self._found != before:
            data, now = msgspec.json.encode(tuple(self._found.values())), self._world.clock.now()
            await self._world.spawn.thread(partial(self._house.save_state, STATE, data, now))

    def sentences(self) -> tuple[Phrase, ...]:
        return tuple(sentence(each) for each in self._found.values())

    async def _ask(self, address: str, name: str) -> None:
        """A list that does not answer says nothing."""
        with contextlib.suppress(Unavailable):
            try:
                answers = await self._world.dns.addresses(question(address, name))
            except NotFound:
                answers = ()
            if any(each.startswith(REFUSED) for each in answers):
                return
            if any(each.startswith(LISTED) for each in answers):
                self._found.setdefault((address, name), Listing(address, name, self._world.clock.now()))
            else:
                self._found.pop((address, name), None)

    async def _own(self) -> Sequence[str]:
        """Where mail leaves from: addresses of the settings, those in front of a NAT, those of our name."""
        config = self._config
        found = [each for source in config.source.values() for each in source.addresses]
        found += [each for each in config.outbound.own_addresses if "/" not in each]
        with contextlib.suppress(Unavailable, NotFound):
            found += await self._world.dns.addresses(config.hostname)
        return list(dict.fromkeys(each for each in found if _is_ours_to_ask(each)))[:ADDRESSES_MAX]


def sentence(listing: Listing) -> Phrase:
    return phrase(
        "our address {address} stands on the block list {name} (seen at {time})",
        address=listing.address,
        name=listing.name,
        time=moment(listing.since),
    )


def listings(house: House) -> tuple[Listing, ...]:
    """As they were last written down. It blocks."""
    data = house.state(STATE)
    return msgspec.json.decode(data, type=tuple[Listing, ...]) if data is not None else ()


def question(address: str, name: str) -> str:
    """Octets, or nibbles of IPv6, in reverse (RFC 5782 2.1, 2.4)."""
    pointer = ip_address(address).reverse_pointer
    return f"{pointer.removesuffix('.in-addr.arpa').removesuffix('.ip6.arpa')}.{name}"


def _is_ours_to_ask(text: str) -> bool:
    try:
        address = ip_address(text)
    except ValueError:
        return False
    return not (address.is_loopback or address.is_unspecified or address.is_link_local)
