"""Listening sockets that a supervisor binds and hands to its fronts: one for each that takes turns at a port.

Every front is handed those of its neighbours too, and takes in whom they let wait: a front that hangs or
starts again keeps nobody waiting. A unix socket is one for all.
"""

import os
import socket
from collections.abc import Iterator

from msgspec import Struct

from sekisho.model.config import Config
from sekisho.model.config_listen import served
from sekisho.net import listen

SOCKETS, NEIGHBOURS = "SEKISHO_SOCKETS", "SEKISHO_NEIGHBOURS"
"""Environment of a front: the listeners that it inherits, and those of the others, as in "mx=5 submission=6".
"""

Named = tuple[str, socket.socket]


class Handed(Struct, frozen=True):
    """What a front listens at, and what its neighbours do."""

    own: tuple[Named, ...] = ()
    others: tuple[Named, ...] = ()

    @property
    def numbers(self) -> list[int]:
        return [opened.fileno() for _, opened in (*self.own, *self.others)]

    @property
    def environment(self) -> dict[str, str]:
        return {SOCKETS: _words(self.own), NEIGHBOURS: _words(self.others)}


NOTHING = Handed()


class Sockets:
    """In the supervisor: all that are bound."""

    def __init__(self) -> None:
        self._bound: dict[str, list[socket.socket]] = {}

    def bind(self, config: Config, fronts: int) -> None:
        """Raises Unavailable."""
        for name, settings in served(config.listen).items():
            mode = listen.mode_of(settings.protocol)
            self._bound[name] = listen.bind_each(settings.address, config.state, mode, fronts)

    def of(self, place: int) -> Handed:
        """For the front in this place, counted from 0."""
        own = tuple((name, bound[place % len(bound)]) for name, bound in self._bound.items())
        mine = [opened for _, opened in own]
        others = [(name, each) for name, bound in self._bound.items() for each in bound if each not in mine]
        return Handed(own, tuple(others))

    @property
    def listening(self) -> dict[str, str]:
        return {name: listen.bound_name(bound[0]) for name, bound in self._bound.items()}

    def close(self) -> None:
        """Who comes now goes to another host at once."""
        listening = self.listening
        for bound in self._bound.values():
            for opened in bound:
                opened.close()
        for name in listening.values():
            listen.remove(name)


def inherited() -> dict[str, socket.socket]:
    """In a front: the sockets that the supervisor has bound for it."""
    return dict(_handed(SOCKETS))


def neighbours() -> list[Named]:
    """In a front: the name and socket of each listener of each other front."""
    return list(_handed(NEIGHBOURS))


def _words(sockets: tuple[Named, ...]) -> str:
    return " ".join(f"{name}={opened.fileno()}" for name, opened in sockets)


def _handed(variable: str) -> Iterator[Named]:
    for word in os.environ.get(variable, "").split():
        name, _, number = word.partition("=")
        yield name, socket.socket(fileno=int(number))
