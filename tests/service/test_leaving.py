"""Source address and EHLO name by sender, on real sockets: what the receiving host sees."""

import asyncio

from hosts import deliveries, relay_route

from covers import covers
from sekisho.model.config import Config, Outbound, Source
from sekisho.model.delivery import Deferred, Delivered, Outcome
from sekisho.model.envelope import Envelope, Message, Origin
from sekisho.model.event import TlsCounted
from sekisho.model.letter import Letter
from sekisho.net.dial import Dialer
from sekisho.service.remote import RemoteCarrier
from sekisho.testing.world import fakes

SOURCES = {
    "a": Source(addresses=("127.0.0.5", "::1"), helo="a.out.example", senders=("@a.example",)),
    "b": Source(addresses=("127.0.0.6", "::1"), helo="b.out.example", senders=("@b.example",)),
    "pool": Source(addresses=("127.0.0.7", "::1"), helo="odd.out.example", quarantine=True),
}
BODY = b"Subject: x\r\n\r\nx\r\n"


class Watcher:
    """A mail server that notes who calls, and by which name."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, str]] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer, helo = writer.get_extra_info("peername")[0], ""
        writer.write(b"220 hi\r\n")
        while line := (await reader.readline()).decode().strip():
            verb = line[:4].upper()
            if verb == "EHLO":
                helo = line[5:]
            if verb == "MAIL":
                self.seen.append((line[11:].partition(">")[0], peer, helo))
            writer.write(b"354 go\r\n" if verb == "DATA" else b"250 ok\r\n")
            if verb == "DATA":
                await reader.readuntil(b"\r\n.\r\n")
                writer.write(b"250 taken\r\n")
            if verb == "QUIT":
                break
        writer.close()


def letter(sender: str, account: str = "", suspect: bool = False) -> Letter:
    origin = Origin("s", "submission", 0, account=account, suspect=suspect)
    return Letter(Message("m", len(BODY), ""), Envelope(sender, (), origin), b"", (BODY,))


def send(host: str, letters: list[Letter], sources: dict[str, Source]) -> tuple[Watcher, list[Outcome]]:
    async def main() -> tuple[Watcher, list[Outcome]]:
        watcher = Watcher()
        server = await asyncio.start_server(watcher.serve, host, 0)
        port = server.sockets[0].getsockname()[1]
        config = Config(
            hostname="me.example", outbound=Outbound(port=port, private_networks=True), source=sources
        )
        carrier = RemoteCarrier(fakes(net=Dialer()).world, config, _no_trouble)
        ends = []
        for each in letters:
            batch = deliveries(relay_route(f"[{host}]:{port}"), "x@far.example")
            ends += (await carrier.carry(batch, each)).values()
        await carrier.close()
        server.close()
        return watcher, ends

    return asyncio.run(main())


def _no_trouble(event: object) -> None:
    assert isinstance(event, TlsCounted), event


@covers("Q-24")
def test_the_host_sees_source_and_name() -> None:
    """Domain A from 127.0.0.5, B from 127.0.0.6, mail that the guard doubted from 127.0.0.7, each with its
    own EHLO name; a session of one is not used for the other.
    """
    letters = [
        letter("x@a.example"),
        letter("y@b.example"),
        letter("z@a.example", "z@a.example", suspect=True),
        letter("x@a.example"),
        letter("w@c.example"),
    ]
    watcher, ends = send("127.0.0.1", letters, SOURCES)
    assert all(isinstance(end, Delivered) for end in ends)
    assert [
        ("x@a.example", "127.0.0.5", "a.out.example"),
        ("y@b.example", "127.0.0.6", "b.out.example"),
        ("z@a.example", "127.0.0.7", "odd.out.example"),
        ("x@a.example", "127.0.0.5", "a.out.example"),
        ("w@c.example", "127.0.0.1", "me.example"),
    ] == watcher.seen
    watcher, ends = send("::1", letters[:3], SOURCES)
    assert ["a.out.example", "b.out.example", "odd.out.example"] == [helo for _, _, helo in watcher.seen]
    assert {"::1"} == {peer for _, peer, _ in watcher.seen}


def test_a_source_that_this_machine_has_not() -> None:
    """A mistake in the settings: deferred, and the reply names the address; no other address is used."""
    watcher, (end,) = send(
        "127.0.0.1",
        [letter("x@a.example")],
        {"a": Source(addresses=("192.0.2.77",), senders=("@a.example",))},
    )
    assert isinstance(end, Deferred) and "192.0.2.77" in end.reply.text and "4yz" == end.cause
    assert [] == watcher.seen


def test_a_family_without_a_source() -> None:
    """A host that has IPv6 addresses only is not called from an IPv4 source: deferred, and it says why."""
    _, (end,) = send("::1", [letter("x@a.example")], {"a": Source(("127.0.0.5",), "", ("@a.example",))})
    assert isinstance(end, Deferred) and "4.3.5" == end.reply.status
