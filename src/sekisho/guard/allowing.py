"""The operator's exceptions: places that count as none for some accounts, until a day.

No place is neither evidence nor trust, and nobody is refused there; what is sent from there still counts, so
a thief in an allowed network is held by volume and by what other hosts refuse.
"""

import ipaddress
from collections.abc import Mapping
from datetime import date

from msgspec import Struct

from sekisho.guard.memory import DAY
from sekisho.guard.networks import number_of
from sekisho.model.config_guard import Allow

EPOCH = date(1970, 1, 1).toordinal()


class _Place(Struct, frozen=True):
    """Of one family; the first `bits - shift` bits of an address are `prefix`."""

    bits: int
    shift: int
    prefix: int


class _Exception(Struct, frozen=True):
    """`end` in microseconds; no `accounts`: all; no `places`: everywhere."""

    end: int
    accounts: frozenset[str]
    places: tuple[_Place, ...]


class Allowed:
    def __init__(self, settings: Mapping[str, Allow]) -> None:
        self._exceptions = tuple(_exception(each) for each in settings.values())

    def __bool__(self) -> bool:
        return bool(self._exceptions)

    def covers(self, account: str, address: str, at: int) -> bool:
        """`account` in small letters."""
        return any(
            at < each.end
            and (not each.accounts or account in each.accounts)
            and (not each.places or _is_within(each.places, address))
            for each in self._exceptions
        )


def end_of(until: str) -> int:
    """The moment after that day (UTC), in microseconds. Raises ValueError."""
    return (date.fromisoformat(until).toordinal() - EPOCH + 1) * DAY


def _exception(settings: Allow) -> _Exception:
    places = []
    for text in settings.networks:
        network = ipaddress.ip_network(text)
        shift = network.max_prefixlen - network.prefixlen
        places.append(_Place(network.max_prefixlen, shift, int(network.network_address) >> shift))
    accounts = frozenset(name.lower() for name in settings.accounts)
    return _Exception(end_of(settings.until), accounts, tuple(places))


def _is_within(places: tuple[_Place, ...], address: str) -> bool:
    number, bits = number_of(address)
    return any(place.bits == bits and number >> place.shift == place.prefix for place in places)
