"""Sessions shared by the letters of one road: who waits, who is begun behind whom, and what breaks nobody."""

import asyncio
from collections.abc import Callable, Sequence

from hosts import EHLO, Host, config, deliveries, mx_route, told

from sekisho.model.config import Config, Queue
from sekisho.model.delivery import Delivered, Outcome
from sekisho.model.envelope import Envelope, Message, Origin
from sekisho.model.event import TlsCounted
from sekisho.model.letter import Letter
from sekisho.service.remote import RemoteCarrier
from sekisho.testing.loop import run
from sekisho.testing.net import FakeNet
from sekisho.testing.world import FakeDns, Fakes, fakes

A, B = "203.0.113.1", "203.0.113.2"
DNS = FakeDns(
    {"example.net": [(10, "mx1.example.net"), (20, "mx2.example.net")]},
    {"mx1.example.net": [A], "mx2.example.net": [B]},
)


def letter(number: int) -> Letter:
    body = b"Subject: %d\r\n\r\nhello %d\r\n" % (number, number)
    envelope = Envelope(f"a{number}@me.example", (), Origin("s", "submission", 0))
    return Letter(Message(f"m{number}", len(body), ""), envelope, b"", (body,))


class Town:
    """Hosts at A (all connections alike) and B; keeps every connection."""

    def __init__(self, first: Callable[[], Host], latency_s: float = 0.01) -> None:
        self.calls: list[Host] = []
        self.second = Host()

        def connect() -> Host:
            self.calls.append(first())
            return self.calls[-1]

        net = FakeNet({(A, 25): connect, (B, 25): lambda: self.second}, latency=lambda: latency_s)
        self.fake: Fakes = fakes(net=net, dns=DNS)

    def send(self, count: int, settings: Config | None = None, at_once: int = 20) -> list[Outcome]:
        async def main() -> list[Outcome]:
            carrier = RemoteCarrier(self.fake.world, settings or config(), _no_trouble, lambda _: False)
            numbers, ends = iter(range(count)), {}

            async def lane() -> None:
                for number in numbers:
                    batch = deliveries(mx_route("example.net"), f"b{number}@example.net")
                    ends[number] = (await carrier.carry(batch, letter(number)))[f"b{number}@example.net"]

            await asyncio.gather(*(lane() for _ in range(at_once)))
            await carrier.close()
            return [ends[number] for number in range(count)]

        return run(main())

    @property
    def taken(self) -> list[bytes]:
        return [body for host in (*self.calls, self.second) for body in host.taken]


def _no_trouble(event: object) -> None:
    assert isinstance(event, TlsCounted), event


def pairs(hosts: Sequence[Host]) -> set[tuple[str, str, bytes]]:
    """Sender, recipient and letter of every transaction, as the hosts saw it."""
    seen: set[tuple[str, str, bytes]] = set()
    for host in hosts:
        senders = [line[10:].partition(">")[0].strip("<") for line in host.log if line[:4] == "MAIL"]
        recipients = [line[8:].partition(">")[0].strip("<") for line in host.log if line[:4] == "RCPT"]
        seen |= set(zip(senders, recipients, host.taken, strict=True))
    return seen


def test_two_hundred_letters_in_few_sessions() -> None:
    """Each goes out once, with its own envelope; most of them in one round trip behind another."""
    town = Town(Host)
    ends = town.send(200)
    assert all(isinstance(end, Delivered) for end in ends)
    bodies = [letter(number).body[0] for number in range(200)]
    assert {(f"a{n}@me.example", f"b{n}@example.net", bodies[n]) for n in range(200)} == pairs(town.calls)
    assert 200 == len(town.taken) and len(town.calls) <= 12


def test_hosts_that_do_not_pipeline_get_more_sessions() -> None:
    """Nobody can be begun behind another: those who wait open their own, up to the limit."""
    town = Town(lambda: Host(EHLO=b"250 mx\r\n"), latency_s=0.1)
    settings = Config(hostname="me.example", queue=Queue(lane_concurrency=8))
    assert all(isinstance(end, Delivered) for end in town.send(60, settings))
    assert 8 == len(town.calls) and 60 == len(town.taken)


def test_a_refused_letter_hurts_no_other() -> None:
    """The one behind a refused letter goes out in another session, once."""
    answers = iter(range(10_000))

    def dot(_line: str) -> bytes:
        return b"550 5.7.1 spam\r\n" if next(answers) % 5 == 4 else b"250 ok\r\n"

    town = Town(lambda: Host(dot=dot))
    ends = town.send(100)
    refused = [end for end in ends if not isinstance(end, Delivered)]
    assert {550} == {end.reply.code for end in refused}
    assert 100 - len(refused) == len(town.taken) == len(set(town.taken))


def test_a_host_that_breaks_after_every_third_dot() -> None:
    """A letter whose dot went unanswered is deferred; those begun behind it are delivered all the same."""

    def host() -> Host:
        count = iter(range(10_000))
        return Host(dot=lambda _line: None if next(count) % 3 == 2 else b"250 ok\r\n")

    town = Town(host)
    ends = town.send(60)
    doubtful = [end for end in ends if not isinstance(end, Delivered)]
    assert all("may have been taken" in end.reply.text for end in doubtful)
    assert 60 - len(doubtful) == len(town.taken) == len(set(town.taken))


def test_a_host_that_forgets_what_stood_behind_the_dot() -> None:
    """It answers the dot and throws away what came with it: after the deadline the next host has that letter,
    and from then on it gets one after the other.
    """

    class Forgetful(Host):
        def receive(self, data: bytes) -> bytes:
            head, dot, _ = data.partition(b"\r\n.\r\n")
            return super().receive(head + dot) if dot else super().receive(data)

    town = Town(Forgetful)
    ends = town.send(200, config(reply_s=30), at_once=5)
    assert all(isinstance(end, Delivered) for end in ends)
    assert 200 == len(town.taken) == len(set(town.taken))
    assert town.fake.clock.ticks() < 45 * 1_000_000  # once, not for every letter


def test_limits_of_the_host() -> None:
    """RFC 9422: RCPTMAX recipients a transaction, MAILMAX transactions a session, RCPTDOMAINMAX domains."""
    town = Town(lambda: Host(EHLO=EHLO.replace(b"250 SIZE 1000000", b"250 LIMITS MAILMAX=4")))
    assert all(isinstance(end, Delivered) for end in town.send(10, at_once=1))
    assert [4, 4, 2] == [len(host.taken) for host in town.calls]

    host = Host(EHLO=b"250-mx\r\n250-PIPELINING\r\n250 LIMITS RCPTMAX=2 RCPTDOMAINMAX=1\r\n")
    fake = fakes(net=FakeNet({(A, 25): lambda: host}), dns=DNS)
    people = ("a@one.example", "b@one.example", "c@one.example", "d@two.example", "e@two.example")

    async def main() -> None:
        carrier = RemoteCarrier(fake.world, config(), _no_trouble, lambda _: False)
        ends = await carrier.carry(deliveries(mx_route("example.net"), *people), letter(1))
        assert set(told(ends)) == set(people) and all(isinstance(end, Delivered) for end in ends.values())
        await carrier.close()

    run(main())
    assert 3 == len(host.taken)


def test_a_letter_that_is_stopped_leaves_its_session_to_nobody() -> None:
    """Tries are cancelled in the middle: the letters that waited behind them go out in sessions of their own.
    """
    town = Town(Host, latency_s=0.5)

    async def main() -> None:
        carrier = RemoteCarrier(town.fake.world, config(), _no_trouble, lambda _: False)
        route = mx_route("example.net")
        tries = [
            asyncio.create_task(carrier.carry(deliveries(route, f"b{n}@example.net"), letter(n)))
            for n in range(30)
        ]
        for wait in range(1, 12):
            await asyncio.sleep(0.3)
            tries[wait].cancel()
        ends = await asyncio.gather(*tries, return_exceptions=True)
        stopped = sum(isinstance(end, asyncio.CancelledError) for end in ends)
        for end in ends:
            assert isinstance(end, asyncio.CancelledError | dict)
        delivered = [end for end in ends if isinstance(end, dict)]
        assert stopped + len(delivered) == 30 and stopped
        assert all(isinstance(each, Delivered) for end in delivered for each in end.values())
        await carrier.close()

    run(main())
    assert len(town.taken) == len(set(town.taken))
