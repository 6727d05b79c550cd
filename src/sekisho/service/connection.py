"""The bytes of one session: socket to machine and back, through PROXY and TLS, with deadlines and bounded
buffers.

It decides nothing about mail. One write per read; no task for what can be answered at once; one timer per
session, which looks at a few numbers every now and then and costs nothing in between.
"""

import asyncio
from typing import cast

from sekisho.model.verdict import Reply
from sekisho.net.listen import peer_of
from sekisho.net.tls import TlsFailed, TlsPipe
from sekisho.service.conversation import Conversation
from sekisho.service.listener import Listener
from sekisho.service.pace import Pace
from sekisho.service.session import Peer, Session
from sekisho.wire.proxy import BadProxy, parse_proxy

AHEAD_BYTES = 64 * 1024
"""What a client may send ahead while a reply is owed; then we stop reading."""

BEGIN_S = 10.0
"""Longest wait for a PROXY header or a TLS handshake, and for our last words to be taken."""

LINGER_S = 2.0
"""How long a client that was sent away may still talk, unheard: a reset would take our last words from it."""


class Connection(asyncio.Protocol):
    """Its life: PROXY header if the listener requires one, TLS if it begins so, then the conversation."""

    __slots__ = (
        "_address",
        "_choked",
        "_closed",
        "_eof",
        "_listener",
        "_loop",
        "_pace",
        "_paused",
        "_peer",
        "_queued",
        "_timer",
        "_tls",
        "_transport",
        "_unread",
        "talk",
    )

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._peer: Peer | None = None
        self._unread: bytes | None = b"" if listener.requires_proxy else None
        self._tls: TlsPipe | None = None
        self._choked = self._paused = self._eof = self._closed = self._queued = False
        self.talk: Conversation | None = None

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by its class
        self._pace = Pace(self._loop.time())
        self._timer = self._loop.call_later(BEGIN_S, self._look)
        self._listener.connections.add(self)
        self._address = peer_of(transport)
        if self._unread is None:
            self._come_in(self._listener.caller(self._address, transport))
        elif not self._listener.may_proxy(self._address):
            self._abort()

    def data_received(self, data: bytes) -> None:
        self._pace.heard(self._loop.time(), len(data))
        if self._closed:
            return
        if self._unread is not None:
            data = self._read_proxy(self._unread + data)
        if self._tls is not None and data:
            data = self._decrypt(self._tls, data)
        if data and self.talk is not None:
            self.talk.hear(data)
            self._flush()

    def eof_received(self) -> bool:
        """A client that only has nothing more to say still gets the reply that is owed."""
        self._eof = True
        return self.talk is not None and self.talk.behind

    def connection_lost(self, exc: Exception | None) -> None:
        self._closed = True
        self._timer.cancel()
        self._listener.connections.discard(self)
        if self._peer is not None:
            self._listener.admission.leave(self._peer.place)
        if self.talk is not None:
            self.talk.gone = True
            self.talk.end()

    def pause_writing(self) -> None:
        self._choked = True
        self._regulate()

    def resume_writing(self) -> None:
        self._choked = False
        self._regulate()
        self._go_on_soon()

    # What reception calls.

    @property
    def busy(self) -> bool:
        """A letter is arriving or being kept."""
        return self.talk is not None and (self.talk.waiting or self.talk.body is not None)

    def send_away(self, reply: Reply) -> None:
        if self._closed:
            return
        if self.talk is None:
            self._abort()
            return
        self.talk.shut(reply)
        self._flush()

    # From the first byte to the conversation.

    def _read_proxy(self, data: bytes) -> bytes:
        """What follows the header; b"" while it is not complete."""
        try:
            found = parse_proxy(data)
        except BadProxy:
            self._abort()
            return b""
        if found is None:
            self._unread = data
            return b""
        header, length = found
        self._unread = None
        peer = Peer(self._address) if header.local else Peer(header.source, via=self._address or "unix")
        self._come_in(peer)
        return data[length:]

    def _come_in(self, peer: Peer) -> None:
        listener = self._listener
        self._peer = peer = listener.received(peer)
        if not listener.door.settings.implicit_tls:
            self._begin(peer)
        elif peer.turned_away is None and listener.context is not None:
            self._tls = TlsPipe(listener.context)
        else:
            self._abort()

    def _begin(self, peer: Peer) -> None:
        """The greeting waits until the loop has looked at the socket, or as long as the settings say: who has
        spoken by then has spoken too early.
        """
        listener = self._listener
        session = Session(listener.front, listener.door_for(peer.address), peer)
        session.renamed = self._renamed
        self.talk = Conversation(session, self._answered)
        if listener.greeting_wait_s and peer.turned_away is None:
            self._loop.call_later(listener.greeting_wait_s, self._greet)
        else:
            self._loop.call_soon(self._loop.call_soon, self._greet)

    def _renamed(self, address: str) -> Peer:
        assert self._peer is not None
        self._peer = self._listener.renamed(self._peer, address)
        return self._peer

    def _greet(self) -> None:
        if not self._closed:
            self._hear(b"")

    def _decrypt(self, tls: TlsPipe, data: bytes) -> bytes:
        fresh = not tls.established
        try:
            data = tls.receive(data)
        except TlsFailed:
            self._send(tls.take())
            self._abort_softly()
            return b""
        if fresh and tls.established:
            if self.talk is None and self._peer is not None:
                self._begin(self._peer)
            if self.talk is not None:
                self.talk.machine.tls_started(tls.description)
        self._send(b"" if data else tls.take())
        if tls.ended and not data:
            self._abort_softly()
        return data

    # The conversation.

    def _hear(self, data: bytes) -> None:
        assert self.talk is not None
        self.talk.hear(data)
        self._flush()

    def _answered(self) -> None:
        """A reply that had to be waited for is there."""
        self._pace.heard(self._loop.time(), 0)
        if not self._closed:
            self._flush()

    def _flush(self) -> None:
        talk = self.talk
        assert talk is not None
        machine = talk.machine
        out = machine.take()
        if self._tls is not None:
            self._tls.send(out)
            out = self._tls.take()
        if out:
            self._send(out)
        if machine.closed:
            self._close()
            return
        if machine.tls_wanted and self._tls is None and self._listener.context is not None:
            self._tls = TlsPipe(self._listener.context)
            self._pace.began(self._loop.time())
        if self._eof and not talk.behind:
            self._abort_softly()
            return
        self._regulate()
        if talk.more:
            self._go_on_soon()

    def _go_on_soon(self) -> None:
        """There are more commands than one turn takes. None is taken while replies are not."""
        if self.talk is not None and self.talk.more and not self._choked and not self._queued:
            self._queued = True
            self._loop.call_soon(self._go_on)

    def _go_on(self) -> None:
        self._queued = False
        if self.talk is not None and self.talk.more and not self._closed:
            self._hear(b"")

    def _send(self, out: bytes) -> None:
        if out and self._transport is not None and not self._transport.is_closing():
            self._transport.write(out)

    def _regulate(self) -> None:
        """Reads only while there is room for what is read."""
        talk, wanted = self.talk, self._choked
        if talk is not None:
            if (body := talk.body) is not None and body.full:
                body.on_room = self._regulate
                wanted = True
            elif (talk.waiting or talk.more) and talk.machine.unread > AHEAD_BYTES:
                wanted = True
        if wanted == self._paused or self._transport is None or self._transport.is_closing():
            return
        self._paused = wanted
        if wanted:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    # The end.

    def _close(self) -> None:
        """After our last words. Who said QUIT, or nothing at all, may go; others are listened to for a
        moment."""
        if self._closed or self._transport is None:
            return
        self._closed = True
        if self._tls is not None:
            self._tls.end()
            self._send(self._tls.take())
        if self.talk is not None:
            self.talk.end()
        self._timer.cancel()
        self._timer = self._loop.call_later(BEGIN_S, self._abort)
        if self.talk is None or self.talk.left or not self._transport.can_write_eof():
            self._transport.close()
            return
        if self._paused:
            self._paused = False
            self._transport.resume_reading()
        try:
            self._transport.write_eof()
        except OSError:  # the client has gone first
            self._transport.abort()
            return
        self._timer.cancel()
        self._timer = self._loop.call_later(LINGER_S, self._part)

    def _part(self) -> None:
        """It has had its moment. What it does not take within another is lost."""
        if self._transport is not None:
            self._timer = self._loop.call_later(BEGIN_S, self._abort)
            self._transport.close()

    def _abort_softly(self) -> None:
        """What was written goes out, nothing is said."""
        self._closed = True
        if self._transport is not None:
            self._transport.close()

    def _abort(self) -> None:
        self._closed = True
        if self._transport is not None:
            self._transport.abort()

    def _look(self) -> None:
        """The timer: is the client still worth waiting for?"""
        now, talk, settings = self._loop.time(), self.talk, self._listener.door.settings
        if talk is None or (self._tls is not None and not self._tls.established):
            if self._pace.beginning_s(now) >= BEGIN_S:
                self._abort()
                return
        elif not talk.waiting:
            rate = self._listener.front.config.limits.data_min_rate
            reply = self._pace.too_slow(
                now, talk.machine.silence_s, talk.body or talk.machine.receiving, rate
            )
            if reply is not None:
                self.send_away(reply)
                return
        self._timer = self._loop.call_later(
            min(BEGIN_S, settings.command_s / 4, settings.data_s / 4), self._look
        )
