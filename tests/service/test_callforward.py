"""Recipient verification: what is remembered, for how long, and its limits."""

import asyncio
import functools
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from hosts import Host

from sekisho.checks.ask import Known
from sekisho.model.config import Config
from sekisho.model.config_routing import Routing, Verification
from sekisho.model.delivery import Kind, Route, Tls
from sekisho.service import callforward
from sekisho.service.callforward import CallForward
from sekisho.service.remote import RemoteCarrier
from sekisho.testing.loop import run
from sekisho.testing.net import FakeNet, FakeStream, Silent
from sekisho.testing.world import fakes
from sekisho.world import Stream

Scene = Callable[..., Coroutine[Any, Any, None]]


def played(test: Scene) -> Callable[..., None]:
    """On a loop whose time passes only when everybody waits."""

    @functools.wraps(test)
    def plain(*given: Any, **named: Any) -> None:
        run(test(*given, **named))

    return plain


HUB = Route(Kind.RELAY, "hub.test:25", "relay:hub.test:25")
OTHER = Route(Kind.RELAY, "other.test:25", "relay:other.test:25")


class Asked(CallForward):
    """The host behind it answers from a dictionary, slowly."""

    def __init__(self, settings: Verification, answers: dict[str, Known]) -> None:
        self.fake = fakes()
        super().__init__(self.fake.world, None)  # type: ignore[arg-type]
        config = Config(hostname="mx.example.com", routing=Routing(verification=settings))
        self.configure(config, None, None)  # type: ignore[arg-type]
        self.answers = answers
        self.questions: list[str] = []
        self.under_way = self.most = 0
        self.slow_s = 0.0

    async def _asked(self, route: Route, recipient: str) -> Known:
        self.questions.append(recipient)
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            await asyncio.sleep(self.slow_s)
            return self.answers.get(recipient, "silent")
        finally:
            self.under_way -= 1


@played
async def test_answers_are_remembered_for_their_time() -> None:
    """Known long, unknown shorter, silence of a host for a moment and for everybody there."""
    hub = Asked(Verification(known_s=100, unknown_s=10, silent_s=1), {"a@x": "known", "b@x": "unknown"})
    for _ in range(2):
        assert ["known", "unknown"] == [await hub.verify(HUB, name) for name in ("a@x", "b@x")]
    assert ["a@x", "b@x"] == hub.questions
    assert ["silent", "silent"] == [await hub.verify(OTHER, name) for name in ("c@x", "d@x")]
    assert ["a@x", "b@x", "c@x"] == hub.questions
    hub.fake.clock.advance(11)
    for name in ("a@x", "b@x"):
        await hub.verify(HUB, name)
    await hub.verify(OTHER, "d@x")
    assert ["b@x", "d@x"] == hub.questions[3:]


@played
async def test_many_ask_one_host_only_so_often_at_once() -> None:
    """A hundred letters to five names are five questions, two at a time."""
    names = [f"{number % 5}@x" for number in range(100)]
    hub = Asked(Verification(at_once=2), dict.fromkeys(names, "known"))
    hub.slow_s = 0.01
    assert {"known"} == set(await asyncio.gather(*(hub.verify(HUB, name) for name in names)))
    assert (5, 2) == (len(set(hub.questions)), hub.most) and len(hub.questions) <= 10
    assert not hub._turns and not hub._waiting


@played
async def test_what_takes_too_long_is_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the time of the settings, by the number that may wait; and `take` lets the letter in."""
    hub = Asked(Verification(answer_s=1), {"a@x": "known"})
    hub.slow_s = 30
    assert "silent" == await hub.verify(HUB, "a@x")
    monkeypatch.setattr(callforward, "WAITING_MAX", 0)
    assert "silent" == await hub.verify(OTHER, "a@x")
    assert "known" == await Asked(Verification(unanswered="take"), {}).verify(OTHER, "a@x")


@played
async def test_what_is_remembered_is_bounded() -> None:
    """A dictionary attack pushes out the oldest unknown names, and no known one."""
    hub = Asked(Verification(entries=3), {"a@x": "known", **{f"{each}@x": "unknown" for each in range(9)}})
    for name in ("a@x", *(f"{each}@x" for each in range(9)), "a@x"):
        await hub.verify(HUB, name)
    assert 1 == hub.questions.count("a@x") and 3 == len(hub._unknown)


class Watched(FakeNet):
    """Keeps its streams."""

    def __init__(self, peer: object) -> None:
        super().__init__({("203.0.113.9", 25): lambda: peer})  # type: ignore[dict-item, return-value]
        self.streams: list[FakeStream] = []

    async def dial(self, address: str, port: int, timeout_s: float, source: str = "") -> Stream:
        stream = await super().dial(address, port, timeout_s, source)
        assert isinstance(stream, FakeStream)
        self.streams.append(stream)
        return stream


@pytest.mark.parametrize(
    ("peer", "said"),
    [
        (Silent(), "silent"),
        (Host(MAIL=b""), "silent"),
        (Host(RCPT=b""), "silent"),
        (Host(RCPT=None), "silent"),
        (Host(greeting=b"554 5.7.1 go away\r\n"), "silent"),
        (Host(MAIL=b"550 5.7.1 no bounces\r\n", RCPT=b"503 5.5.1 MAIL first\r\n"), "silent"),
        (Host(RCPT=b"450 4.7.1 greylisted\r\n"), "silent"),
        (Host(RCPT=b"550 5.1.1 who\r\n"), "unknown"),
        (Host(RCPT=b"550 who\r\n"), "unknown"),
        (Host(RCPT=b"251 elsewhere\r\n"), "known"),
        (Host(), "known"),
    ],
)
@played
async def test_no_connection_outlives_its_question(peer: object, said: Known) -> None:
    """Whatever the host does, or does not do, within the wait of the settings; and it never gets a letter."""
    net = Watched(peer)
    routing = Routing(verification=Verification(answer_s=5))
    carrier = RemoteCarrier(
        fakes(net=net).world,
        Config(hostname="mx.example.com", routing=routing),
        lambda _: None,
        lambda _: False,
    )
    route = Route(Kind.RELAY, "203.0.113.9:25", "relay:203.0.113.9:25", tls=Tls.NONE)
    before = asyncio.get_running_loop().time()
    assert said == await carrier.callforward.verify(route, "taro@example.com")
    assert asyncio.get_running_loop().time() - before <= 5.1
    assert net.streams and all(stream._closed for stream in net.streams)
    assert not getattr(peer, "taken", [])
    await carrier.close()
