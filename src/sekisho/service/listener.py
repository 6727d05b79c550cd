"""One listener while it listens: what its sessions are given, who may speak PROXY to it, who is connected."""

import asyncio
import ipaddress
import ssl
from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec.structs import replace

from sekisho.model.config import Config, Listen
from sekisho.model.verdict import Reply
from sekisho.net.listen import user_of
from sekisho.service.admission import CROWDED, Admission
from sekisho.service.front import Front
from sekisho.service.housemates import housemate
from sekisho.service.session import Door, Peer
from sekisho.store.bounded import Bounded
from sekisho.wire import scram
from sekisho.wire.sasl import BY_TOKEN, MECHANISMS
from sekisho.wire.smtp_server import ServerSettings

if TYPE_CHECKING:
    from sekisho.service.connection import Connection

UNIX = "unix"
NOT_NAMED = Reply(554, "5.7.1", "This listener is for named peers")
REMEMBERED = 10_000
"""Most addresses of which is remembered whether they are in a list of networks."""


class Networks:
    """A list of networks of the settings; "unix" stands for a unix socket's peer."""

    def __init__(self, names: Sequence[str]) -> None:
        self._unix = UNIX in names
        self._networks = [ipaddress.ip_network(name, strict=False) for name in names if name != UNIX]
        self._known: Bounded[str, bool] = Bounded(REMEMBERED)

    def contains(self, address: str) -> bool:
        if not address:
            return self._unix
        if not self._networks:
            return False
        known = self._known.get(address)
        if known is None:
            known = any(ipaddress.ip_address(address) in network for network in self._networks)
            self._known.put(address, known)
        return known


class Listener:
    """`context` is None where no TLS can be had. Settings that are read again are for sessions from then
    on.
    """

    def __init__(self, name: str, front: Front, admission: Admission, context: ssl.SSLContext | None) -> None:
        self.name = name
        self.front = front
        self.admission = admission
        self.context = context
        self.connections: set[Connection] = set()
        self.configure(front.config)

    def configure(self, config: Config) -> None:
        listen = config.listen[self.name]
        self.requires_proxy = listen.requires_proxy
        self.greeting_wait_s = listen.greeting_wait_s
        self.door = door_of(self.name, config, listen, tls=self.context is not None)
        self._lenient = replace(self.door, settings=replace(self.door.settings, bare_lf=True))
        self._bare_lf_from = Networks(listen.bare_lf_from)
        self._proxy_from = Networks(listen.proxy_from)
        self._xclient_from = Networks(listen.xclient_from) if listen.requires_xclient else None
        self._trusted = Networks([name for name in config.trusted if name != UNIX])

    def caller(self, address: str, transport: asyncio.BaseTransport) -> Peer:
        """Who has connected, where no header says so."""
        if not self.door.local:
            return Peer(address)
        known = housemate(self.front, user_of(transport))
        return Peer("", housemate=known)

    def may_proxy(self, address: str) -> bool:
        return self._proxy_from.contains(address)

    def door_for(self, address: str) -> Door:
        return self._lenient if self._bare_lf_from.contains(address) else self.door

    def received(self, peer: Peer) -> Peer:
        """Counts a client that has come, with what is known of it by its address; `admission.leave` is
        owed.
        """
        turned_away = self.admission.enter(peer.place, self.front.config.limits)
        if peer.housemate is not None:
            return replace(peer, trusted=True, turned_away=turned_away or peer.housemate.turned_away)
        trusted = bool(peer.address) and self._trusted.contains(peer.address)
        if self._xclient_from is not None and not peer.via:
            trusted = False  # it speaks for others, and has not said for whom
            if not self._xclient_from.contains(peer.address):
                turned_away = NOT_NAMED
            elif turned_away is CROWDED:
                turned_away = None  # all its clients are at its own address for a moment
        return replace(peer, trusted=trusted, turned_away=turned_away)

    def renamed(self, old: Peer, address: str) -> Peer:
        """The peer has said (XCLIENT) for whom it speaks; "" if it does not know: then nobody is trusted."""
        self.admission.leave(old.place)
        real = old.via or old.address or UNIX
        peer = self.received(Peer(address or old.address, via=real))
        return peer if address else replace(peer, trusted=False)


def door_of(name: str, config: Config, listen: Listen, *, tls: bool) -> Door:
    """AUTH is for listeners of our own users: a password has no business on the mail exchanger's port."""
    submission = listen.protocol in ("submission", "submissions")
    limits = config.limits
    implicit = listen.protocol == "submissions"
    local = listen.protocol == "local"
    settings = ServerSettings(
        config.hostname,
        limits.message_bytes,
        tls and not implicit,
        submission,
        implicit,
        limits.command_s,
        limits.data_s,
        limits.recipients if submission or local else limits.recipients_stranger,
        listen.protocol == "lmtp",
        mechanisms_of(config),
        listen.speaks,
        listen.requires_xclient,
        listen.bare_lf == "observe",
    )
    return Door(name, listen.protocol, submission, settings, local)


def mechanisms_of(config: Config) -> tuple[str, ...]:
    """What AUTH offers."""
    names = tuple(name for name in MECHANISMS if name != scram.NAME or config.vault.scram_rounds)
    return names + BY_TOKEN if config.oauth.offered else names
