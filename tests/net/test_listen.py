"""Listening sockets by the names that the settings give them."""

import asyncio
import contextlib
import os
import socket
from pathlib import Path

import pytest

from sekisho.net import listen
from sekisho.net.listen import bind, bound_name, peer_of, serve
from sekisho.world import Unavailable


@pytest.mark.parametrize("address", ["127.0.0.1:0", "[::1]:0"])
def test_tcp_by_address_and_port(address: str, tmp_path: Path) -> None:
    """Port 0 lets the system choose, and the name says what it chose."""
    listener = bind(address, str(tmp_path))
    host, _, port = bound_name(listener).rpartition(":")
    assert (address.rpartition(":")[0], True) == (host, int(port) > 0)
    with pytest.raises(Unavailable, match=port):
        bind(f"{host}:{port}", str(tmp_path)).close()
    listener.close()


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "127.0.0.1:x", "127.0.0.1:99999", "nobody.invalid.:25", "unix:a/b"]
)
def test_what_cannot_be_bound_is_said(address: str, tmp_path: Path) -> None:
    """With the address as it stands in the settings."""
    with pytest.raises((Unavailable, OverflowError)) as error:
        bind(address, str(tmp_path))
    assert error.type is Unavailable and address in str(error.value)


def test_a_file_that_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    """Only a socket whose server is gone is in the way and nobody's."""
    (tmp_path / "door").write_text("precious")
    with pytest.raises(Unavailable):
        bind("unix:door", str(tmp_path))
    assert "precious" == (tmp_path / "door").read_text()


def test_who_is_at_the_other_end(tmp_path: Path) -> None:
    """An IP address for TCP, nothing for a unix socket."""
    peers: list[str] = []

    class Noting(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            peers.append(peer_of(transport))
            transport.close()

    async def scene() -> None:
        for address in ("127.0.0.1:0", "[::1]:0", "unix:door"):
            listener = bind(address, str(tmp_path))
            server = await serve(listener, Noting)
            with socket.socket(listener.family) as client:
                client.setblocking(False)
                await asyncio.get_running_loop().sock_connect(client, listener.getsockname())
                await asyncio.get_running_loop().sock_recv(client, 1)
            server.close()

    asyncio.run(scene())
    assert ["127.0.0.1", "::1", ""] == peers
    assert 0o600 == os.stat(tmp_path / "door").st_mode & 0o777


def test_several_listen_at_one_port_each_with_a_queue_of_its_own(tmp_path: Path) -> None:
    """The system spreads who comes; one unix socket is for all; a port that others share is not free."""
    bound = listen.bind_each("127.0.0.1:0", str(tmp_path), 0o600, 2)
    clients = [socket.create_connection(bound[0].getsockname()) for _ in range(60)]
    try:
        shares = [accepted(each) for each in bound]
        assert 60 == sum(shares) and 10 <= min(shares), shares
        with pytest.raises(Unavailable):
            listen.bind_each(listen.bound_name(bound[0]), str(tmp_path), 0o600, 2)
    finally:
        for each in (*clients, *bound):
            each.close()
    (one,) = listen.bind_each("unix:socket", str(tmp_path), 0o600, 2)
    one.close()


def accepted(listener: socket.socket) -> int:
    """Whoever waits there."""
    count = 0
    with contextlib.suppress(BlockingIOError):
        while True:
            listener.accept()[0].close()
            count += 1
    return count


def test_whom_a_neighbour_lets_wait_is_taken_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody accepts at that socket but us, now and then."""
    monkeypatch.setattr(listen, "RELIEF_S", 0.01)

    class Greeter(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            assert isinstance(transport, asyncio.Transport)
            transport.write(b"220 hello\r\n")

    async def main() -> None:
        (neighbour,) = listen.bind_each("127.0.0.1:0", str(tmp_path), 0o600, 1)
        relief = asyncio.create_task(listen.relieve(neighbour, Greeter))
        for _ in range(3):
            reader, writer = await asyncio.open_connection(*neighbour.getsockname())
            assert b"220 hello\r\n" == await asyncio.wait_for(reader.readline(), 60)
            writer.close()
        relief.cancel()
        neighbour.close()

    asyncio.run(main())
