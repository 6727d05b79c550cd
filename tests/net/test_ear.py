"""Syslog is heard as datagrams and streams, from those who are listened to, and never more than fits."""

import asyncio
import socket
from pathlib import Path

import pytest

from sekisho.net import ear
from sekisho.net.ear import Ear, Heard
from sekisho.world import Unavailable


def everybody(address: str) -> bool:
    return True


async def arrived(heard: Heard, count: int) -> list[bytes]:
    found: list[bytes] = []
    async with asyncio.timeout(60):
        while len(found) < count:
            found += heard.take(100)
            await asyncio.sleep(0.01)
    return found


def test_one_port_for_datagrams_and_streams(tmp_path: Path) -> None:
    """The port that the system chose is the same for both."""

    async def scene() -> None:
        one = Ear("127.0.0.1:0", str(tmp_path), everybody)
        host, port = (await one.open()).rsplit(":", 1)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"<22>a datagram\n", (host, int(port)))
        with socket.create_connection((host, int(port))) as sender:
            sender.sendall(b"<22>a line\n11 <22>counted")
            assert [b"<22>a line", b"<22>counted"] == await arrived(one.streams, 2)
        assert [b"<22>a datagram"] == await arrived(one.datagrams, 1)
        one.close()

    asyncio.run(scene())


def test_a_unix_socket_as_syslog_3_uses_it(tmp_path: Path) -> None:
    """Datagrams; one that a killed process left behind is replaced, one in use is not."""

    async def scene() -> None:
        for _ in range(2):
            one = Ear("unix:log", str(tmp_path), everybody)
            await one.open()
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.sendto(b"<22>hello", str(tmp_path / "log"))
            assert [b"<22>hello"] == await arrived(one.datagrams, 1)
            with pytest.raises(Unavailable):
                await Ear("unix:log", str(tmp_path), everybody).open()
            one._path = ""  # it dies without removing its file
            one.close()
            await asyncio.sleep(0)

    asyncio.run(scene())


def test_who_is_not_listened_to(tmp_path: Path) -> None:
    """Datagrams are dropped, connections closed."""

    async def scene() -> None:
        one = Ear("127.0.0.1:0", str(tmp_path), lambda address: address != "127.0.0.1")
        host, port = (await one.open()).rsplit(":", 1)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"<22>a datagram", (host, int(port)))
        reader, writer = await asyncio.open_connection(host, int(port))
        assert b"" == await asyncio.wait_for(reader.read(), 60)
        writer.close()
        assert [] == one.datagrams.take(9) + one.streams.take(9)
        one.close()

    asyncio.run(scene())


def test_more_than_fits_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """And what was heard before stays."""
    monkeypatch.setattr(ear, "WAITING_MAX", 2)
    heard = Heard()
    for name in (b"a", b"b", b"c"):
        heard.put(name)
    assert ([b"a", b"b"], 1) == (heard.take(9), heard.dropped)


def test_an_address_that_cannot_be(tmp_path: Path) -> None:
    """Says which."""
    with pytest.raises(Unavailable, match="99999"):
        asyncio.run(Ear("127.0.0.1:99999", str(tmp_path), everybody).open())
