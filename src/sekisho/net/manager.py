"""Tells the service manager how we are: one datagram to the socket that it names (sd_notify(3)), no library.

Without such a socket nothing is told to nobody.
"""

import asyncio
import os
import socket
import time
from collections.abc import Callable, MutableMapping

from sekisho.world import Unavailable

SEND_S = 1.0
"""Longest wait for room in the manager's queue. What is not told by then is lost, and mail goes on."""

LONGEST_STATUS = 500
"""Characters; `systemctl status` shows one line."""


class Manager:
    """`missed` is called when the manager could not be told."""

    def __init__(self, address: str, watchdog_s: float, missed: Callable[[Unavailable], None]) -> None:
        self._address = address
        self._watchdog_s = watchdog_s
        self._missed = missed

    def ready(self, status: str) -> None:
        """All is served; also the end of `reloading`."""
        self._tell("READY=1", _status(status))

    def reloading(self, status: str) -> None:
        self._tell("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}", _status(status))

    def stopping(self, status: str) -> None:
        self._tell("STOPPING=1", _status(status))

    async def keep_alive(self, well: Callable[[], bool]) -> None:
        """Says that our loop turns and all is well, twice as often as the manager wants to hear it. Until
        cancelled."""
        while self._watchdog_s:
            if well():
                self._tell("WATCHDOG=1")
                await asyncio.sleep(self._watchdog_s / 2)
            else:
                await asyncio.sleep(min(self._watchdog_s / 10, SEND_S))

    def _tell(self, *lines: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
                line.settimeout(SEND_S)
                line.connect(_path(self._address))
                line.send("\n".join(lines).encode())
        except OSError as error:
            self._missed(Unavailable("NOTIFY_SOCKET", error.strerror or str(error)))


def manager_of(environment: MutableMapping[str, str], missed: Callable[[Unavailable], None]) -> Manager:
    """Its variables are taken out of the environment: what we start has nothing to say to it."""
    address = environment.pop("NOTIFY_SOCKET", "")
    watchdog = environment.pop("WATCHDOG_USEC", "")
    meant = environment.pop("WATCHDOG_PID", "") or str(os.getpid())
    if address and address[0] not in "/@":  # neither a path nor a name (vsock is not ours)
        missed(Unavailable("NOTIFY_SOCKET", "it is neither a path nor an abstract name"))
        address = ""
    watched = watchdog.isascii() and watchdog.isdecimal() and meant == str(os.getpid())
    return Manager(address, int(watchdog) / 1e6 if watched else 0.0, missed)


def _path(address: str) -> str:
    return "\0" + address[1:] if address.startswith("@") else address


def _status(sentence: str) -> str:
    """One line, whatever stands in it: a second line would be a second message to the manager."""
    return "STATUS=" + " ".join(sentence.split())[:LONGEST_STATUS]
