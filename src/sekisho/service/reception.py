"""Receives mail: binds the listeners, keeps the sessions, and ends them when it has to.

One for each front process. What one session does is in `connection.py` (bytes), `conversation.py` (steps)
and the handlers behind it.
"""

import asyncio
import contextlib
import os
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence

from sekisho.checks.registry import policy
from sekisho.model.config import BOOTHS, Config, Listen
from sekisho.model.config_listen import served
from sekisho.model.event import Event
from sekisho.model.verdict import Reply
from sekisho.net import listen, tls
from sekisho.service.admission import LEAVING, Admission
from sekisho.service.booth import Booth
from sekisho.service.booths import booth_of
from sekisho.service.boundary import Record, boundary
from sekisho.service.connection import Connection
from sekisho.service.front import Directory, Front, Roles, Spool, Stores
from sekisho.service.listener import Listener
from sekisho.service.rereading import Change
from sekisho.service.zone import zone_of
from sekisho.world import Unavailable, World

__all__ = ["Reception", "Roles"]

PLAIN = ("smtp", "lmtp")
"""Protocols of listeners that work without a certificate."""

PATIENCE_S = 30.0
"""How long letters that are arriving or being kept may take when we stop."""

CERTIFICATE_S = 5.0
"""How often the files of certificate and key are looked at."""

LAST_WORDS_S = 1.0
"""How long sessions that were told to go may take to go."""

DROPPED = Reply(421, "4.7.0", "This session has been ended by the server")


class Reception:
    def __init__(
        self,
        world: World,
        config: Config,
        directory: Directory,
        roles: Roles,
        spool: Spool,
        record: Callable[[Event], None],
    ) -> None:
        self._front = Front(world, Stores(directory, spool), roles, record)
        self._admission = Admission()
        self._listeners: dict[str, Listener] = {}
        self._booths: dict[str, Booth] = {}
        self._servers: list[asyncio.AbstractServer] = []
        self._relief: list[tuple[socket.socket, asyncio.Task[None]]] = []
        self._bound: dict[str, str] = {}
        self._configure(config)

    async def listen(
        self,
        inherited: Mapping[str, socket.socket] | None = None,
        neighbours: Sequence[tuple[str, socket.socket]] = (),
    ) -> dict[str, str]:
        """Binds what the settings name, or takes sockets bound by a supervisor; returns where each listens
        now. Clients that `neighbours` let wait are taken in too.

        Raises Unavailable, and then nothing listens.
        """
        config, given = self._front.config, inherited or {}
        with contextlib.ExitStack() as bound:
            sockets = {}
            for name, settings in served(config.listen).items():
                opened = given[name] if name in given else _bound(settings, config.state)
                bound.callback(opened.close)
                sockets[name] = opened
                if settings.protocol in BOOTHS:
                    self._booths[name] = booth_of(name, settings.protocol, self._front)
                else:
                    context = _context(name, config)
                    self._listeners[name] = Listener(name, self._front, self._admission, context)
            bound.pop_all()
        for name, opened in sockets.items():
            self._bound[name] = listen.bound_name(opened)
            self._servers.append(await listen.serve(opened, self._protocol(name)))
        for name, opened in neighbours:
            relief = listen.relieve(opened, self._protocol(name))
            self._relief.append((opened, asyncio.create_task(relief, name=f"relief {name}")))
        return dict(self._bound)

    async def stop(self) -> None:
        """Takes nobody in, lets letters that are under way end, and tells everybody to come again."""
        self._admission.closing = True
        for opened, relief in self._relief:
            relief.cancel()
            opened.close()
        for server in self._servers:
            server.close()
        for name in self._bound.values():
            listen.remove(name)
        for booth in self._booths.values():
            booth.stop()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + PATIENCE_S
        while (busy := self._send_away(LEAVING)) and loop.time() < deadline:
            await asyncio.sleep(0.05)
        if busy:
            for connection in self._connections():
                connection.send_away(LEAVING)
        deadline = loop.time() + LAST_WORDS_S
        while self._admission.open and loop.time() < deadline:
            await asyncio.sleep(0.02)

    def reload(self, config: Config) -> None:
        """New settings and certificates, for what begins from now on. Addresses of listeners stay as they
        are.
        """
        self.prepared(config)()

    def prepared(self, config: Config) -> Change:
        """The new certificates are tried in contexts of their own: one that does not fit its key would
        leave a context in use without either. Raises Unavailable, and then nothing has changed.
        """
        kept = [listener for listener in self._listeners.values() if listener.name in config.listen]
        contexts = [_context(listener.name, config) for listener in kept]
        zone = zone_of(config.zone)

        def apply() -> None:
            self._front.configure(config, policy(config.checks, config.soften), zone)
            for booth in self._booths.values():
                if booth.name in config.listen:
                    booth.configure(config)
            for listener, context in zip(kept, contexts, strict=True):
                listener.context = context
                listener.configure(config)

        return apply

    async def watch_certificate(self, tell: Record) -> None:
        """Takes a certificate that has been renewed, for sessions from then on, unasked. Until cancelled."""
        seen = self._stamps()
        while True:
            await asyncio.sleep(CERTIFICATE_S)
            if (stamps := self._stamps()) == seen:
                continue
            seen = stamps
            try:
                with boundary(tell, "certificate"):
                    self.prepared(self._front.config)()
            except Unavailable as trouble:
                tell("the new certificate is not used", trouble.door, trouble.why)

    def _stamps(self) -> list[tuple[int, int, int]]:
        """By which one sees that a file is another one, or was written to."""
        stamps = []
        for path in (self._front.config.certificate, self._front.config.key):
            with contextlib.suppress(OSError):
                found = os.stat(os.path.join(self._front.config.state, path))
                stamps.append((found.st_ino, found.st_size, found.st_mtime_ns))
        return stamps

    def drop_sessions(self, account: str, spare: tuple[str, ...]) -> int:
        """Ends the account's sessions, except those from these networks (the guard's keys); returns how
        many.
        """
        dropped = 0
        for connection in list(self._connections()):
            session = connection.talk.session if connection.talk is not None else None
            if session is not None and session.account == account and session.network not in spare:
                connection.send_away(DROPPED)
                dropped += 1
        return dropped

    async def quiet(self, account: str) -> None:
        """Waits for letters of this account that have been judged and are not in the spool yet.

        To be awaited before the account's queue is held: what was judged before comes to be there, and is
        held too.
        """
        await self._front.underway.quiet(account)

    def read_keys(self) -> None:
        """New keys of return paths are known from now on."""
        self._front.read_keys()

    @property
    def sessions(self) -> int:
        return self._admission.open

    def _configure(self, config: Config) -> None:
        self._front.configure(config, policy(config.checks, config.soften), zone_of(config.zone))

    def _protocol(self, name: str) -> Callable[[], asyncio.Protocol]:
        if (booth := self._booths.get(name)) is not None:
            return booth.protocol
        listener = self._listeners[name]
        return lambda: Connection(listener)

    def _connections(self) -> Iterator[Connection]:
        for listener in self._listeners.values():
            yield from listener.connections

    def _send_away(self, reply: Reply) -> int:
        """Those who are between letters; returns how many are not."""
        busy = 0
        for connection in list(self._connections()):
            if connection.busy:
                busy += 1
            else:
                connection.send_away(reply)
        return busy


def _context(name: str, config: Config) -> ssl.SSLContext | None:
    """One for each listener. Without a certificate there is no TLS, and so no password is ever taken."""
    if config.listen[name].protocol == "local":  # nobody listens between two programs of one machine
        return None
    certificate = os.path.join(config.state, config.certificate)
    if not os.path.exists(certificate) and config.listen[name].protocol in PLAIN:
        return None
    return tls.server_context(certificate, os.path.join(config.state, config.key))


def _bound(settings: Listen, folder: str) -> socket.socket:
    return listen.bind(settings.address, folder, listen.mode_of(settings.protocol))
