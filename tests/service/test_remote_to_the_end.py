"""What every answer of another host makes of a kept letter: state, reply kept, next try, report to the
sender.

Spool, schedule, carriers and reporter are the real ones, on a fake disk and a fake net, in virtual time.
"""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from hosts import EHLO, Host

from covers import covers
from mailbag import Mailbag
from sekisho.model.config import Config, Outbound, Queue, Smarthost
from sekisho.model.delivery import Kind, State
from sekisho.model.event import Bounced, DeliveryTried, Event
from sekisho.model.queue_row import QueueRow
from sekisho.model.selector import Selector
from sekisho.queue.aliases import Led
from sekisho.queue.retry import SECOND
from sekisho.queue.routes import route_for
from sekisho.service.addressing import Addressing
from sekisho.service.bouncing import Bouncer
from sekisho.service.delivery import Deliverer, Voice
from sekisho.service.local import LocalCarrier
from sekisho.service.remote import RemoteCarrier
from sekisho.service.reporting import Reporter
from sekisho.service.zone import zone_of
from sekisho.store.spool import Spool
from sekisho.testing.loop import run
from sekisho.testing.net import FakeNet, FakeStream
from sekisho.testing.world import FakeDns, Fakes, fakes
from sekisho.world import Stream, Unavailable

A, B = "203.0.113.1", "203.0.113.2"
DNS = FakeDns({"far.test": [(10, "mx.far.test")]}, {"mx.far.test": [A]})
QUEUE = Queue(first_retry_s=300, longest_retry_s=3600, lifetime_s=7200)
WRITER = "writer@example.com"


class Town:
    """Every address at example.com is a mailbox."""

    def is_local_domain(self, domain: str) -> bool:
        return domain == "example.com"

    def resolve(self, address: str) -> tuple[str, ...]:
        return (address,)

    def first_domain(self) -> str:
        return "example.com"

    def list_owner(self, address: str) -> str:
        return ""

    def lead(self, key: str) -> Led:
        return Led(self.resolve(key))

    def mailbox(self, address: str) -> str:
        return "mail/" + address.partition("@")[0]


class NoHandshake(FakeStream):
    async def start_tls(self, name: str, verify: bool, pins: object = None) -> str:
        raise Unavailable(name, "TLS: WRONG_VERSION_NUMBER")


class BrokenTls(FakeNet):
    """Every handshake fails."""

    async def dial(self, address: str, port: int, timeout_s: float, source: str = "") -> Stream:
        self.dialled.append((address, port))
        return NoHandshake(self.peers[address, port](), lambda: 0.0)


class Post:
    """A mail server without listeners."""

    def __init__(self, fake: Fakes, outbound: Outbound, queue: Queue = QUEUE) -> None:
        config = Config(hostname="mx.example.com", outbound=outbound, queue=queue, zone="Asia/Tokyo")
        world = fake.world
        self.fake = fake
        self.events: list[Event] = []
        self.outbound = outbound
        self.spool = Spool.open("/state/spool", world, queue)
        self._mailbag = Mailbag(fake, queue.lifetime_s)
        addressing = Addressing(world, Town(), config)
        bouncer = Bouncer(world.disk, config, zone_of("Asia/Tokyo"))
        reporter = Reporter(world, self.spool, addressing, bouncer, self.events.append)
        remote = RemoteCarrier(world, config, self.events.append, lambda address: False)
        carriers = {Kind.MAILDIR: LocalCarrier(world, "/state"), Kind.MX: remote, Kind.RELAY: remote}
        self._deliverer = Deliverer(
            world, self.spool, carriers, reporter, Voice(self.events.append, _no_trouble)
        )
        world.spawn.task("deliverer", self._deliverer.run())
        world.spawn.task("reporter", reporter.run(_no_trouble))

    async def send(self, *recipients: str, sender: str | None = WRITER) -> str:
        self._mailbag.route = lambda address: route_for(address, "", self.outbound)  # type: ignore[method-assign]
        draft = self._mailbag.draft(*recipients, sender=sender, account=WRITER)
        await self.spool.submit(draft, (b"Subject: far\r\n\r\nhello\r\n",))
        return draft.message.id

    async def states(self, message: str) -> dict[str, str]:
        return {recipient: row.state for recipient, row in (await self.rows(message)).items()}

    async def rows(self, message: str) -> dict[str, QueueRow]:
        """A message that has come to its end has none."""
        found = await self.spool.select(Selector(states=tuple(State)), 100)
        return {row.recipient: row for row in found if row.message == message}

    def tries(self, message: str) -> list[DeliveryTried]:
        return [each for each in self.events if isinstance(each, DeliveryTried) and each.message == message]

    def mail(self) -> list[bytes]:
        """What lies in the writer's mailbox."""
        try:
            names = self.fake.disk.list("/state/mail/writer/new")
        except (Unavailable, FileNotFoundError):
            return []
        return [self.fake.disk.read(f"/state/mail/writer/new/{name}") for name in names]


def _no_trouble(what: str, about: str, trace: str) -> None:
    raise AssertionError((what, about, trace))


def play(net: FakeNet, act: Callable[[Post], Awaitable[None]], outbound: Outbound | None = None) -> None:
    async def main() -> None:
        fake = fakes(net=net, dns=DNS)
        post = Post(fake, outbound or Outbound(reply_s=60, final_dot_s=60))
        await act(post)
        await post._deliverer.stop()
        await fake.spawn.stop()
        post.spool.close()

    run(main())


def town(**answers: object) -> FakeNet:
    host = Host(**answers)  # type: ignore[arg-type]
    return FakeNet({(A, 25): lambda: host})


SURE = Outbound(
    smarthost=Smarthost(host=f"[{A}]:25", tls="required"), reply_s=60, final_dot_s=60
)  # the road on which encryption is demanded
TLS_HELLO = b"250-mx\r\n250-PIPELINING\r\n250 STARTTLS\r\n"

AFTER = [
    # name, net, outbound, state, start of the reply kept, cause of the try
    ("2yz", town(), None, "done", "250 2.0.0 taken", ""),
    ("4yz to RCPT", town(RCPT=b"450 4.2.1 busy\r\n"), None, "waiting", "450 4.2.1 busy", "4yz"),
    ("4yz to the dot", town(dot=b"451 4.3.0 later\r\n"), None, "waiting", "451 4.3.0 later", "4yz"),
    ("5yz to RCPT", town(RCPT=b"550 5.1.1 who?\r\n"), None, "reported", "550 5.1.1 who?", "5yz"),
    ("5yz to the dot", town(dot=b"554 5.7.1 spam\r\n"), None, "reported", "554 5.7.1 spam", "5yz"),
    (
        "timeout",
        town(MAIL=b""),
        None,
        "waiting",
        "451 4.4.2 mx.far.test[203.0.113.1] did not answer",
        "timeout",
    ),
    (
        "silence after the dot",
        town(dot=b""),
        None,
        "waiting",
        "451 4.4.2 mx.far.test[203.0.113.1] did",
        "timeout",
    ),
    (
        "reset after the dot",
        town(dot=None),
        None,
        "waiting",
        "451 4.4.2 connection to mx.far.test",
        "connect",
    ),
    ("no connection", FakeNet(), None, "waiting", "451 4.4.1 no connection to mx.far.test", "connect"),
    ("no STARTTLS", town(), SURE, "waiting", "451 4.7.10 the server offers no encryption", "tls"),
    (
        "handshake fails",
        BrokenTls({(A, 25): lambda: Host(EHLO=TLS_HELLO, STARTTLS=b"220 go\r\n")}),
        SURE,
        "waiting",
        "451 4.7.5 no encryption with 203.0.113.1: TLS: WRONG_VERSION_NUMBER",
        "tls",
    ),
]


@covers("Q-20")
@pytest.mark.parametrize(
    ("net", "outbound", "state", "reply", "cause"), [row[1:] for row in AFTER], ids=[row[0] for row in AFTER]
)
def test_state_reply_and_next_try(
    net: FakeNet, outbound: Outbound | None, state: str, reply: str, cause: str
) -> None:
    """One recipient, one try: what the table says of it afterwards, and what its event says."""

    async def act(post: Post) -> None:
        message = await post.send("b@far.test")
        start = post.fake.clock.now()
        await asyncio.sleep(200)
        row = (await post.rows(message)).get("b@far.test")
        (tried,) = post.tries(message)
        assert str(tried.reply).startswith(reply)
        assert (cause, WRITER) == (tried.cause, tried.account)
        if state == "waiting":
            assert row is not None and row.last_reply.startswith(reply)
            assert ("waiting", "deferred", 1) == (row.state, tried.result, row.tries)
            assert 225 * SECOND <= row.next_at - start <= (375 + 121) * SECOND
            assert row.next_at == tried.next_at and [] == post.mail()
        else:
            assert row is None
            assert {"done": "delivered", "reported": "failed"}[state] == tried.result
            assert (1 if state == "reported" else 0) == len(post.mail())

    play(net, act, outbound)


def test_a_failed_handshake_where_plain_text_will_do() -> None:
    """Under `may` the same host is called again, in the clear, in the same try."""
    host = Host(EHLO=TLS_HELLO, STARTTLS=b"220 go\r\n")
    net = BrokenTls({(A, 25): lambda: host})

    async def act(post: Post) -> None:
        message = await post.send("b@far.test")
        await asyncio.sleep(10)
        (tried,) = post.tries(message)
        assert ("delivered", "mx.far.test") == (tried.result, tried.host)

    play(net, act)
    assert [(A, 25), (A, 25)] == net.dialled and 1 == len(host.taken)


@covers("Q-16")
def test_each_recipient_goes_its_own_way() -> None:
    """Delivered, deferred and failed in one letter: three states, one report, about the failed one only."""

    def rcpt(line: str) -> bytes:
        return {"b": b"250 ok\r\n", "c": b"450 4.2.1 busy\r\n", "d": b"550 5.1.1 who?\r\n"}[line[9]]

    async def act(post: Post) -> None:
        message = await post.send("b@far.test", "c@far.test", "d@far.test")
        await asyncio.sleep(200)
        assert "waiting" == (await post.states(message))["c@far.test"]
        assert {"b@far.test": "delivered", "c@far.test": "deferred", "d@far.test": "failed"} == {
            tried.recipient: tried.result for tried in post.tries(message)
        }
        (mail,) = post.mail()
        assert mail.startswith(b"Return-Path: <>") and b"Auto-Submitted: auto-replied" in mail
        assert b"Final-Recipient: rfc822; d@far.test" in mail
        assert b"Diagnostic-Code: smtp; 550 5.1.1 who?" in mail
        assert b"c@far.test" not in mail and b"b@far.test" not in mail
        assert b"Subject: far\r\n" in mail or b"Subject: far\n" in mail
        (bounced,) = [each for each in post.events if isinstance(each, Bounced)]
        assert ("d@far.test", message, WRITER) == (bounced.recipient, bounced.message, bounced.account)
        assert bounced.bounce

    play(town(RCPT=rcpt), act)


def test_several_failures_one_report() -> None:
    """Five refused recipients are told in one letter."""

    async def act(post: Post) -> None:
        await post.send(*(f"r{number}@far.test" for number in range(5)))
        await asyncio.sleep(200)
        (mail,) = post.mail()
        assert 5 == mail.count(b"Final-Recipient: rfc822; r")

    play(town(RCPT=b"550 5.1.1 who?\r\n"), act)


def test_expired_letters_come_back_with_the_last_reply() -> None:
    """After its lifetime a deferred recipient is given up; the report says what the host said last."""

    async def act(post: Post) -> None:
        message = await post.send("b@far.test")
        await asyncio.sleep(6 * 3600)
        assert {} == await post.rows(message)
        assert len(post.tries(message)) > 3
        (mail,) = post.mail()
        assert b"Status: 5.4.7" in mail and b"450 4.2.1 busy" in mail

    play(town(RCPT=b"450 4.2.1 busy\r\n"), act)


@covers("Q-06", "Q-36")
def test_a_resolver_that_is_down_bounces_nothing() -> None:
    """SERVFAIL for half an hour: the letter waits, and goes out when DNS is back."""
    host = Host()
    dns = FakeDns({"far.test": [(10, "mx.far.test")]}, {"mx.far.test": [A]})
    dns.fail.add("mx far.test")

    async def main() -> None:
        fake = fakes(net=FakeNet({(A, 25): lambda: host}), dns=dns)
        post = Post(fake, Outbound())
        message = await post.send("b@far.test")
        await asyncio.sleep(1800)
        assert {"b@far.test": "waiting"} == await post.states(message)
        assert {"dns"} == {tried.cause for tried in post.tries(message)}
        dns.fail.clear()
        await asyncio.sleep(3600)
        assert {} == await post.rows(message)
        assert [] == post.mail()
        await post._deliverer.stop()
        await fake.spawn.stop()
        post.spool.close()

    run(main())
    assert 1 == len(host.taken)


@pytest.mark.parametrize("answers", [{"RCPT": b"550 5.1.1 who?\r\n"}, {"dot": b"554 no\r\n"}])
def test_a_report_that_fails_ends_there(answers: dict[str, bytes]) -> None:
    """RFC 5321 4.5.5: the null sender is never reported on; the event says that nothing was owed."""

    async def act(post: Post) -> None:
        message = await post.send("b@far.test", sender=None)
        await asyncio.sleep(200)
        (bounced,) = [each for each in post.events if isinstance(each, Bounced)]
        assert (message, "") == (bounced.message, bounced.bounce)
        assert 0 == (await post.spool.count(Selector())).deliveries

    play(town(**answers), act)


def test_a_report_to_another_host() -> None:
    """The report of a sender elsewhere goes out by MX with the null path; refused there, it ends."""
    host = Host(EHLO=EHLO, RCPT=lambda line: b"550 5.1.1 who?\r\n")
    net = FakeNet({(A, 25): lambda: host})

    async def act(post: Post) -> None:
        await post.send("b@far.test", sender="stranger@far.test")
        await asyncio.sleep(200)
        assert 2 == len([each for each in post.events if isinstance(each, Bounced)])
        assert 0 == (await post.spool.count(Selector())).deliveries

    play(net, act)
    assert [line for line in host.log if line.startswith("MAIL FROM:<>")]
    assert ["RCPT TO:<b@far.test>", "RCPT TO:<stranger@far.test>"] == [
        line for line in host.log if line.startswith("RCPT")
    ]
