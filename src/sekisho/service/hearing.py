"""Syslog that other machines and programs send to `sekisho watch`, as sources beside the files.

Anybody can forge a datagram: what comes in one may alert, and holds nobody (rule 9). Streams of the machines
in `peers`, and a unix socket that only our group can write to, are believed as files are.
"""

import contextlib
from collections.abc import Callable, Mapping

from sekisho.model.config_listen import Listen
from sekisho.model.event import Trust
from sekisho.net.ear import Ear, Heard
from sekisho.net.listen import UNIX
from sekisho.service.listener import Networks
from sekisho.service.watchman import Watchman
from sekisho.store.follower import Piece

TAKEN_AT_ONCE = 2000


class HeardLines:
    """One kind of messages of one listener, to be read as a file is."""

    position = None
    settled = True

    def __init__(self, path: str, heard: Heard) -> None:
        self.path = path
        self._heard = heard

    def read(self, now_s: float) -> Piece:
        return Piece(self._heard.take(TAKEN_AT_ONCE))

    def close(self) -> None:
        """The ear is closed."""


class Hearing:
    def __init__(self, listeners: Mapping[str, Listen], folder: str) -> None:
        self._ears = {name: _ear(listener, folder) for name, listener in listeners.items()}

    async def open(self, man: Watchman) -> dict[str, str]:
        """Name -> where it listens. Raises Unavailable, and then nothing is open."""
        where = {}
        with contextlib.ExitStack() as opened:
            opened.callback(self.close)
            for name, ear in self._ears.items():
                where[name] = await ear.open()
                trust: Trust = "sealed" if ear.address.startswith(UNIX) else "open"
                man.hear(HeardLines(f"log:{name}", ear.datagrams), trust)
                man.hear(HeardLines(f"log:{name} stream", ear.streams), "sealed")
            opened.pop_all()
        return where

    @property
    def dropped(self) -> int:
        """Messages that came faster than they were read."""
        return sum(ear.datagrams.dropped + ear.streams.dropped for ear in self._ears.values())

    def close(self) -> None:
        for ear in self._ears.values():
            ear.close()


def _ear(listener: Listen, folder: str) -> Ear:
    hears: Callable[[str], bool] = Networks(listener.peers).contains
    return Ear(listener.address, folder, hears)
