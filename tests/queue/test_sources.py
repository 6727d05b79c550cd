"""From where a letter leaves: who decides, in which order, and what an address family means."""

import pytest

from sekisho.model.config import Config, Outbound, Source
from sekisho.model.envelope import Envelope, Origin
from sekisho.queue.sources import Way, way_for

SOURCES = {
    "a": Source(addresses=("192.0.2.5", "2001:db8::5"), helo="out5.example", senders=("@a.example",)),
    "vip": Source(addresses=("192.0.2.9",), senders=("boss@a.example",)),
    "pool": Source(addresses=("192.0.2.7",), helo="odd.example", quarantine=True),
}


def way(sender: str | None, account: str = "", suspect: bool = False, sources: object = SOURCES) -> Way:
    origin = Origin("s", "submission", 0, account=account, suspect=suspect)
    config = Config(hostname="me.example", outbound=Outbound(source="192.0.2.1"), source=sources)  # type: ignore[arg-type]
    return way_for(Envelope(sender, (), origin), config)


@pytest.mark.parametrize(
    ("chosen", "name", "helo"),
    [
        (way("x@a.example"), "a", "out5.example"),
        (way("x@A.Example"), "a", "out5.example"),
        (way("x@elsewhere.example", "y@a.example"), "a", "out5.example"),
        (way("x@a.example", "Boss@a.example"), "vip", "me.example"),
        (way("x@a.example", "boss@a.example", suspect=True), "pool", "odd.example"),
        (way("x@b.example", "x@b.example"), "", "me.example"),
        (way("x@sub.a.example"), "", "me.example"),
        (way(None), "", "me.example"),
        (way("x@b.example", "x@b.example", True, {}), "", "me.example"),
    ],
)
def test_who_decides(chosen: Way, name: str, helo: str) -> None:
    """Doubt first, then the account, its domain, the sender's domain; else the settings of outbound."""
    assert (name, helo) == (chosen.name, chosen.helo)


def test_families() -> None:
    """An address of the same family as the host's; a host of a family without one is out of reach."""
    both, four = way("x@a.example"), way("x@b.example")
    assert "192.0.2.5" == both.address_for("198.51.100.1", lambda: 3)
    assert "2001:db8::5" == both.address_for("2001:db8:1::1", lambda: 3)
    assert four.reaches("198.51.100.1") and not four.reaches("2001:db8:1::1")
    free = Way("", "me.example")
    assert free.reaches("2001:db8:1::1") and "" == free.address_for("2001:db8:1::1", lambda: 0)


def test_a_pool_of_several() -> None:
    """Chance spreads the sessions over the addresses of a source."""
    pool = Way("p", "me.example", ("192.0.2.1", "192.0.2.2"))
    assert {"192.0.2.1", "192.0.2.2"} == {pool.address_for("198.51.100.1", lambda n=n: n) for n in range(4)}
