"""Port numbers that nobody else is given: those of clients and of port 0 come from the system's own
range, and sooner or later one would be chosen that a test has looked at and let go.
"""

import functools
import itertools
import os
import random
import re
import socket
from collections.abc import Iterator
from pathlib import Path

LOWEST, HIGHEST = 10_000, 32_000
"""Where the system's own range may not be read."""

WORKERS = 16
"""Pieces of the range: processes that run tests at the same time have one each."""


def free_port() -> int:
    """For TCP and UDP on loopback. No two calls in one process give the same."""
    for port in _ports():
        if _is_free(port):
            return port
    raise AssertionError("no port is free")


@functools.cache
def _ports() -> Iterator[int]:
    lowest, highest = _range()
    number = re.sub(r"\D", "", os.environ.get("PYTEST_XDIST_WORKER", "")) or "0"
    size = (highest - lowest) // WORKERS
    first = lowest + int(number) % WORKERS * size
    begin = random.SystemRandom().randrange(size)  # other runs on this machine begin elsewhere
    return (first + (begin + step) % size for step in itertools.count())


def _range() -> tuple[int, int]:
    try:
        lowest, highest = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    except OSError:
        return LOWEST, HIGHEST
    return (LOWEST, lowest) if lowest - LOWEST >= 1000 else (highest + 1, 65_536)


def _is_free(port: int) -> bool:
    with socket.socket() as stream, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            stream.bind(("", port))
            datagrams.bind(("", port))
        except OSError:
            return False
    return True
