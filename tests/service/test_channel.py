"""Roles understand each other, in one process and over a socket, and a role that is gone is Unavailable."""

import asyncio
import os
import stat
from pathlib import Path
from typing import get_args

import pytest
from msgspec import Struct

from sekisho.model.secret import Secret
from sekisho.service.channel import Channel, ChannelServer, LocalChannel, NotDone, SocketChannel
from sekisho.service.control import call, control_path
from sekisho.service.frames import Requests
from sekisho.service.messages import (
    IncidentAsk,
    Request,
    StatusAnswer,
    StatusAsk,
    Verified,
    VerifyPassword,
)
from sekisho.world import Unavailable


async def answering(request: Request) -> Struct | None:
    match request:
        case VerifyPassword(login=login, password=password):
            return Verified(login if password.reveal() == b"open sesame" else "")
        case StatusAsk():
            return StatusAnswer(True, 42, {"mx": "127.0.0.1:25"})
        case IncidentAsk(verb="list"):
            raise Unavailable("house.db", "disk full")
        case IncidentAsk(verb="show"):
            raise NotDone("no such incident")
    raise KeyError("canary-password")


async def questions(channel: Channel) -> None:
    right = VerifyPassword("hello@example.com", Secret(b"open sesame"), "submission")
    assert await channel.ask(right, Verified) == Verified("hello@example.com")
    assert await channel.ask(StatusAsk(), StatusAnswer) == StatusAnswer(True, 42, {"mx": "127.0.0.1:25"})
    with pytest.raises(Unavailable, match="disk full"):
        await channel.ask(IncidentAsk("list"), StatusAnswer)
    with pytest.raises(NotDone, match="no such incident"):
        await channel.ask(IncidentAsk("show"), StatusAnswer)
    with pytest.raises(Unavailable, match="internal error"):
        await channel.ask(IncidentAsk("undo"), StatusAnswer)


def test_one_conversation_over_every_kind_of_channel(tmp_path: Path) -> None:
    """The same questions get the same answers in one process, encoded in one process, and over a socket."""
    trouble: list[tuple[str, str, str]] = []

    def record(what: str, about: str, trace: str) -> None:
        trouble.append((what, about, trace))

    async def play() -> None:
        server = ChannelServer(str(tmp_path / "vault"), answering, record, reveal=True)
        await server.start()
        await questions(LocalChannel(answering, record))
        await questions(LocalChannel(answering, record, encode=True, reveal=True))
        await questions(SocketChannel("vault", str(tmp_path / "vault"), reveal=True))
        await server.stop()

    asyncio.run(play())
    assert 3 == len(trouble)
    assert "canary" not in repr(trouble)


def test_a_secret_crosses_only_the_channel_to_the_vault(tmp_path: Path) -> None:
    """Sending a password over any other channel is our bug and fails before a byte is written."""

    async def play() -> None:
        channel = LocalChannel(answering, lambda *_: None, encode=True)
        with pytest.raises(TypeError):
            await channel.ask(VerifyPassword("a", Secret(b"x"), "smtp"), Verified)

    asyncio.run(play())


def test_a_role_that_is_gone_is_unavailable_and_one_that_returns_is_found(tmp_path: Path) -> None:
    """Asking a dead role fails at once; after its restart the same channel works again."""
    path = str(tmp_path / "watch")

    async def play() -> None:
        channel = SocketChannel("watch", path)
        with pytest.raises(Unavailable):
            await channel.ask(StatusAsk(), StatusAnswer)
        channel.tell(StatusAsk())
        server = ChannelServer(path, answering, lambda *_: None)
        await server.start()
        assert 42 == (await channel.ask(StatusAsk(), StatusAnswer)).pid
        await server.stop()
        await asyncio.sleep(0.05)
        with pytest.raises(Unavailable):
            await channel.ask(StatusAsk(), StatusAnswer)
        again = ChannelServer(path, answering, lambda *_: None)
        await again.start()
        assert 42 == (await channel.ask(StatusAsk(), StatusAnswer)).pid
        await again.stop()

    asyncio.run(play())


def test_garbage_on_a_channel_ends_that_connection_only(tmp_path: Path) -> None:
    """A peer that writes no frames is closed, and the next one is served."""
    path = str(tmp_path / "watch")

    async def play() -> None:
        server = ChannelServer(path, answering, lambda *_: None)
        await server.start()
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"" == await reader.read()
        writer.close()
        channel = SocketChannel("watch", path)
        assert 42 == (await channel.ask(StatusAsk(), StatusAnswer)).pid
        await server.stop()

    asyncio.run(play())


def test_the_control_socket_answers_the_command_line(tmp_path: Path) -> None:
    """`call` gets the answer of a running server, None without one, and the file is for its owner only."""
    state = str(tmp_path)
    os.mkdir(tmp_path / "run")
    assert call(state, StatusAsk(), StatusAnswer) is None

    async def play() -> None:
        server = ChannelServer(control_path(state), answering, lambda *_: None)
        await server.start()
        assert 0o600 == stat.S_IMODE(os.stat(control_path(state)).st_mode)
        answer = await asyncio.to_thread(call, state, StatusAsk(), StatusAnswer)
        assert answer is not None and 42 == answer.pid
        with pytest.raises(NotDone):
            await asyncio.to_thread(call, state, IncidentAsk("show"), StatusAnswer)
        await server.stop()

    asyncio.run(play())


def test_every_request_has_its_frame() -> None:
    """What is forgotten there works in one process, and is never answered in a split server."""
    assert set(Request.__subclasses__()) == set(get_args(Requests))
