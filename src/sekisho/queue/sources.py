"""From which local addresses and under which name a letter leaves: `[source.NAME]`, by account or sender.

What the guard had doubts about when it came leaves from the quarantine pool, if there is one: a thief's first
letters then cost the reputation of no address that honest customers use.
"""

from collections.abc import Callable, Mapping

from msgspec import Struct

from sekisho.model.address import domain_of, normal
from sekisho.model.config import Config, Source
from sekisho.model.envelope import Envelope


class Way(Struct, frozen=True):
    """`name` is that of the settings, "" for none of them; without addresses the system chooses one."""

    name: str
    helo: str
    addresses: tuple[str, ...] = ()

    def reaches(self, address: str) -> bool:
        """Whether there is an address of the same family to call it from."""
        return not self.addresses or bool(self._fitting(address))

    def address_for(self, address: str, draw: Callable[[], int]) -> str:
        """One of ours, by chance; "" leaves it to the system. Only for what it `reaches`."""
        fitting = self._fitting(address)
        return fitting[draw() % len(fitting)] if fitting else ""

    def _fitting(self, address: str) -> list[str]:
        return [each for each in self.addresses if (":" in each) == (":" in address)]


def way_for(envelope: Envelope, config: Config) -> Way:
    """The quarantine pool, else by account, by its domain, by the domain of the sender; else the usual."""
    out = config.outbound
    usual = out.helo or config.hostname
    for named in _named(envelope, config.source):
        source = config.source[named]
        return Way(named, source.helo or usual, source.addresses)
    return Way("", usual, (out.source,) if out.source else ())


def _named(envelope: Envelope, sources: Mapping[str, Source]) -> list[str]:
    if not sources:
        return []
    account = normal(envelope.origin.account)
    wanted = [name for name in (account, _at(account), _at(envelope.sender or "")) if name]
    found = [name for name, source in sources.items() if source.quarantine and envelope.origin.suspect]
    for key in wanted:
        found += [name for name, source in sources.items() if key in _keys(source)]
    return found


def _keys(source: Source) -> set[str]:
    return {normal(each) for each in source.senders}


def _at(address: str) -> str:
    """The key of a whole domain: "@example.com"."""
    domain = domain_of(address)
    return f"@{domain}" if domain else ""
