"""How encryption went, counted for the reports that domains ask for (TLS-RPT, RFC 8460): per domain and day.

A count becomes an event now and then and at the end; who makes a report adds up the events of a day.
"""

from collections.abc import Callable
from datetime import UTC, datetime

from sekisho.model.event import Event, TlsCounted
from sekisho.model.ident import make_id
from sekisho.model.text import printable
from sekisho.world import World

KEYS_MAX = 5000
"""Most different things counted at once; then all of them become events."""

TELL_S = 900
"""How long a count may wait."""

SECOND = 1_000_000
SOURCE = "front"

Key = tuple[str, str, str, str, str, str]


class TlsTally:
    def __init__(self, world: World, record: Callable[[Event], None]) -> None:
        self._world = world
        self._record = record
        self._counts: dict[Key, int] = {}
        self._since = 0

    def count(self, domain: str, policy: str, host: str, address: str, result: str) -> None:
        """`result` "" is an encrypted session as the policy wants it."""
        now = self._world.clock.ticks()
        if self._counts and now - self._since > TELL_S * SECOND:
            self.tell()
        if not self._counts:
            self._since = now
        day = datetime.fromtimestamp(self._world.clock.now() / 1e6, UTC).date().isoformat()
        key = (day, domain, policy, host, address, result)
        self._counts[key] = self._counts.get(key, 0) + 1
        if len(self._counts) >= KEYS_MAX:
            self.tell()

    def tell(self) -> None:
        counts, self._counts = self._counts, {}
        now = self._world.clock.now()
        for (day, domain, policy, host, address, result), count in counts.items():
            self._record(
                TlsCounted(
                    id=make_id(now, self._world.chance.bits(30)),
                    at=now,
                    source=SOURCE,
                    host_address=address,
                    day=day,
                    domain=printable(domain),
                    policy=policy,
                    host=printable(host),
                    result=result,
                    count=count,
                )
            )
