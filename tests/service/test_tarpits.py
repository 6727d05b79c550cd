"""Slow peers on the way out: a host that holds a thousand deliveries holds nobody else's (class S)."""

import asyncio

from hosts import Host
from test_remote_to_the_end import Post

from sekisho.model.config import Outbound
from sekisho.model.event import DeliveryTried
from sekisho.testing.loop import run
from sekisho.testing.net import FakeNet
from sekisho.testing.world import FakeDns, fakes

SLOW, FAST = "203.0.113.66", "203.0.113.1"
LETTERS, DOMAINS = 1000, 1000


class Dripping(Host):
    """Takes a connection and says a byte of its greeting now and then: here it says none."""

    def greeting(self) -> bytes:
        return b""

    def receive(self, data: bytes) -> bytes:
        return b""


def pace(tarpits: bool) -> tuple[float, int]:
    """Seconds until fifty letters to an honest host are delivered, and connections to the tarpit then."""
    mx = {f"d{number}.test": [(10, "slow.test")] for number in range(DOMAINS)} | {
        "fast.test": [(10, "fast.test")]
    }
    dns = FakeDns(mx, {"slow.test": [SLOW], "fast.test": [FAST]})
    net = FakeNet({(SLOW, 25): Dripping, (FAST, 25): Host}, latency=lambda: 0.02)

    async def main() -> tuple[float, int]:
        fake = fakes(net=net, dns=dns)
        post = Post(fake, Outbound(reply_s=300))
        if tarpits:
            for number in range(LETTERS):
                await post.send(f"x@d{number % DOMAINS}.test")
            await asyncio.sleep(5)
        begun = fake.clock.ticks()
        for number in range(50):
            await post.send(f"y{number}@fast.test")
        while (
            sum(isinstance(each, DeliveryTried) and each.result == "delivered" for each in post.events) < 50
        ):
            await asyncio.sleep(0.05)
        took = (fake.clock.ticks() - begun) / 1_000_000
        called = sum(address == SLOW for address, _ in net.dialled)
        await post._deliverer.stop()
        await fake.spawn.stop()
        post.spool.close()
        return took, called

    return run(main())


def test_a_tarpit_that_holds_a_thousand_deliveries() -> None:
    """A thousand domains lead to one host that never greets: it gets twenty connections, and an honest host's
    letters take no longer than without it.
    """
    alone, _ = pace(tarpits=False)
    beside, called = pace(tarpits=True)
    assert 20 == called
    assert beside <= alone * 1.2
