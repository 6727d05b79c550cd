"""New settings for a server that runs: all that can go wrong is tried first, then everything changes at once.

What can be changed only by a restart is named, not forgotten.
"""

from collections.abc import Callable, Iterable
from typing import Protocol

from sekisho.model.config import BOOTHS, Config

Change = Callable[[], None]
"""Puts settings in force that have been tried. Cannot fail."""

LASTING = ("state", "processes", "fronts", "users")
"""What is taken once, at the start."""


class Changes(Protocol):
    def prepared(self, config: Config) -> Change:
        """Raises Unavailable, and then nothing has changed."""


def change(roles: Iterable[Changes], config: Config) -> None:
    """Raises Unavailable, and then every role goes by the settings it has."""
    for apply in [role.prepared(config) for role in roles]:
        apply()


def after_restart(running: Config, config: Config) -> tuple[str, ...]:
    """The keys that differ from what a running server began with and cannot be changed while it runs."""
    names = [name for name in LASTING if getattr(running, name) != getattr(config, name)]
    for name in sorted(running.listen.keys() | config.listen.keys()):
        before, now = running.listen.get(name), config.listen.get(name)
        if before is None or now is None:
            names.append(f"listen.{name}")
        elif before.address != now.address:
            names.append(f"listen.{name}.address")
        elif before.protocol != now.protocol and {before.protocol, now.protocol} & set(BOOTHS):
            names.append(f"listen.{name}.protocol")
    return tuple(names)
