"""Delivery by LMTP (RFC 2033): LHLO, a reply for each recipient behind the final dot, unix sockets."""

from collections.abc import Callable

from hosts import EHLO, Host, config, deliveries, letter, told

from sekisho.model.delivery import Kind, Outcome, Route, Tls
from sekisho.queue.routes import lmtp_route
from sekisho.service.remote import RemoteCarrier
from sekisho.testing.loop import run
from sekisho.testing.net import FakeNet, HungUp
from sekisho.testing.world import fakes

SOCKET = "unix:/run/dovecot/lmtp"
THREE = ("a@example.com", "b@example.com", "c@example.com")


class Keeper(Host):
    """An LMTP server: it says what `fate` says of each recipient, once per recipient it accepted."""

    def __init__(self, fate: Callable[[str], bytes], **answers: object) -> None:
        super().__init__(**{"LHLO": EHLO, "EHLO": b"500 5.5.1 LHLO here\r\n", **answers})  # type: ignore[arg-type]
        self.fate = fate
        self.accepted: list[str] = []

    def _say(self, verb: str, line: str) -> bytes:
        if verb == "dot":
            said = [self.fate(address) for address in self.accepted]
            self.accepted = []
            if b"" in said:
                raise HungUp
            return b"".join(said)
        answer = super()._say(verb, line)
        if verb == "RCPT" and answer.startswith(b"2"):
            self.accepted.append(line[9:-1])
        return answer


def fate(address: str) -> bytes:
    return {"a": b"250 2.0.0 kept\r\n", "b": b"452 4.2.2 full\r\n", "c": b"552 5.2.2 full\r\n"}[address[0]]


def carry(peer: Host, *recipients: str, route: Route | None = None) -> dict[str, Outcome]:
    route = route or lmtp_route(SOCKET)
    place = ("/run/dovecot/lmtp", 0) if route.host == SOCKET else ("192.0.2.9", 24)
    net = FakeNet({place: lambda: peer})

    async def main() -> dict[str, Outcome]:
        carrier = RemoteCarrier(fakes(net=net).world, config(), lambda event: None, lambda address: False)
        outcomes = await carrier.carry(deliveries(route, *recipients), letter())
        await carrier.close()
        return outcomes

    return run(main())


def test_each_recipient_has_its_own_end() -> None:
    """One letter, three ends, in the order in which the recipients were accepted."""
    peer = Keeper(fate)
    ends = told(carry(peer, *THREE))
    assert ("delivered", 250, "") == ends["a@example.com"]
    assert ("deferred", 452, "4yz") == ends["b@example.com"]
    assert ("failed", 552, "5yz") == ends["c@example.com"]
    assert peer.log[0].startswith("LHLO ") and not any(line.startswith("EHLO") for line in peer.log)


def test_a_refused_recipient_gets_no_second_reply() -> None:
    """Replies behind the dot belong to those who were accepted, and to nobody else."""
    peer = Keeper(fate, RCPT=lambda line: b"550 5.1.1 who?\r\n" if "<a@" in line else b"250 ok\r\n")
    ends = told(carry(peer, *THREE))
    assert ("failed", 550, "5yz") == ends["a@example.com"]
    assert ("deferred", 452, "4yz") == ends["b@example.com"]
    assert ("failed", 552, "5yz") == ends["c@example.com"]


def test_whose_reply_did_not_come_is_tried_again() -> None:
    """The connection breaks behind the dot: nobody is lost, nobody is called delivered."""
    ends = carry(Keeper(lambda address: b""), *THREE)
    assert {"Deferred"} == {type(end).__name__ for end in ends.values()}
    assert all("come twice" in end.reply.text for end in ends.values())


def test_a_server_of_smtp_is_no_keeper() -> None:
    """LHLO refused: deferred or failed as the server says, and never SMTP instead (RFC 2033 5)."""
    peer = Host(LHLO=b"500 5.5.1 unknown\r\n")
    (end,) = carry(peer, "a@example.com").values()
    assert "Delivered" != type(end).__name__
    assert not any(line.startswith(("EHLO", "HELO", "MAIL")) for line in peer.log)


def test_over_tcp() -> None:
    """A host and its port, or port 24."""
    (end,) = carry(
        Keeper(fate), "a@example.com", route=Route(Kind.LMTP, "[192.0.2.9]", "l", tls=Tls.NONE)
    ).values()
    assert "Delivered" == type(end).__name__
