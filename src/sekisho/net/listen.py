"""Listening sockets: TCP and unix, opened apart from being served, so that a supervisor can open them as
root.
"""

import asyncio
import contextlib
import os
import socket
import stat
import struct
from collections.abc import Callable

from sekisho.model.config import BOOTHS
from sekisho.world import Unavailable

BACKLOG = 4096
"""Connections that may wait to be accepted. asyncio's 100 loses SYNs in a burst, which then wait for a
second.
"""

UNIX = "unix:"

RELIEF_S = 1.0
"""How often somebody looks whether a neighbour's clients wait."""

RELIEVED_MOST = 64
"""Clients taken over at once: the neighbour may just have been busy."""


SHARED = (socket.SO_REUSEADDR, socket.SO_REUSEPORT)
"""`options` for a port that several processes bind, each its own: the system spreads who comes."""


def bind(
    address: str, folder: str, mode: int = 0o600, options: tuple[int, ...] = (socket.SO_REUSEADDR,)
) -> socket.socket:
    """`address` is "IP:PORT", "[IPV6]:PORT" or "unix:PATH", relative to `folder`. Raises Unavailable.

    It listens at once, which shows whether somebody else does; who connects waits until it is served.
    `mode` says who may connect to a unix socket.
    """
    try:
        if address.startswith(UNIX):
            return _bind_unix(unix_path(address, folder), mode)
        return _bind_tcp(address, options)
    except OSError as error:
        raise Unavailable(address, error.strerror or str(error)) from error


def bind_each(address: str, folder: str, mode: int, count: int) -> list[socket.socket]:
    """A socket for each of `count` processes that take turns at one port; a unix socket is one for all.
    Raises Unavailable.

    Each has a queue of its own, and the system chooses by the client's address and port: with one queue
    whoever wakes first empties it, and of twenty clients that come at once one process had all.
    """
    first = bind(address, folder, mode)  # it is free, or somebody else has it: sharers do not notice
    if count == 1 or first.family == socket.AF_UNIX:
        return [first]
    name = bound_name(first)
    first.close()
    found: list[socket.socket] = []
    with contextlib.ExitStack() as opened:
        for _ in range(count):
            found.append(opened.enter_context(bind(name, folder, mode, SHARED)))
        opened.pop_all()
    return found


def unix_path(address: str, folder: str) -> str:
    return os.path.join(folder, address.removeprefix(UNIX))


def bound_name(listener: socket.socket) -> str:
    """The address as it really is: with the port that the system chose for port 0."""
    name = listener.getsockname()
    if listener.family == socket.AF_UNIX:
        return UNIX + str(name)
    host, port = name[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def peer_of(transport: asyncio.BaseTransport) -> str:
    """The IP address at the other end, IPv4 in its own form and without a scope; "" on a unix socket."""
    name = transport.get_extra_info("peername")
    if not isinstance(name, tuple):
        return ""
    return str(name[0]).partition("%")[0].removeprefix("::ffff:")


def user_of(transport: asyncio.BaseTransport) -> int:
    """The number of the user who has connected to a unix socket, as the kernel saw it then."""
    sock = transport.get_extra_info("socket")
    credentials = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return int(struct.unpack("3i", credentials)[1])


def mode_of(protocol: str) -> int:
    """Who may connect to a unix socket: every user where local programs bring mail, our group where a mail
    server asks.
    """
    if protocol in BOOTHS:
        return 0o660
    return 0o666 if protocol == "local" else 0o600


async def serve(listener: socket.socket, protocol: Callable[[], asyncio.Protocol]) -> asyncio.AbstractServer:
    """Accepts from now on."""
    loop = asyncio.get_running_loop()
    if listener.family == socket.AF_UNIX:
        return await loop.create_unix_server(protocol, sock=listener, backlog=BACKLOG)
    return await loop.create_server(protocol, sock=listener, backlog=BACKLOG)


async def relieve(neighbour: socket.socket, protocol: Callable[[], asyncio.Protocol]) -> None:
    """Takes in whom a neighbour at the same port lets wait: it hangs, is busy, or starts again. Until
    cancelled."""
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(RELIEF_S)
        with contextlib.suppress(OSError):  # nobody waits, or has given up, or we have no more handles
            for _ in range(RELIEVED_MOST):
                client, _ = neighbour.accept()
                client.setblocking(False)
                await loop.connect_accepted_socket(protocol, client)


def remove(listener_name: str) -> None:
    """A unix socket's file outlives its server; nothing to do for the others."""
    if listener_name.startswith(UNIX):
        with contextlib.suppress(OSError):
            os.unlink(listener_name.removeprefix(UNIX))


def _bind_tcp(address: str, options: tuple[int, ...]) -> socket.socket:
    host, _, port = address.rpartition(":")
    bare = host.removeprefix("[").removesuffix("]")
    family = socket.AF_INET6 if ":" in bare else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        for option in options:
            listener.setsockopt(socket.SOL_SOCKET, option, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind((bare, int(port)))
        listener.listen(BACKLOG)
    except (ValueError, OverflowError) as error:
        listener.close()
        raise OSError(f"there is no port {port}") from error
    except OSError:
        listener.close()
        raise
    listener.setblocking(False)
    return listener


def _bind_unix(path: str, mode: int) -> socket.socket:
    """The mode before the first connection: nobody can connect to a socket that does not listen yet."""
    remove_stale(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(path)
        os.chmod(path, mode)
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    listener.setblocking(False)
    return listener


def remove_stale(path: str, kind: int = socket.SOCK_STREAM) -> None:
    """The socket of a server that was killed. One that answers is left alone: binding then fails, as it
    should.
    """
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            return
        with socket.socket(socket.AF_UNIX, kind) as probe:
            probe.setblocking(False)
            try:
                probe.connect(path)
            except ConnectionRefusedError:
                os.unlink(path)
            except OSError:
                return
