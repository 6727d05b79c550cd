"""Accepted-and-durable messages per second and CPU per message, beside Postfix, cells interleaved in one
run: two sizes, three numbers of sessions, with a connection for many messages and one for each.
"""

import contextlib
import statistics
import subprocess
import time
from collections import defaultdict

from msgspec import Struct

from bench import machine, peers

ROUNDS = 3


class Cell(Struct, frozen=True):
    """`reuse`: a connection carries many messages."""

    size_bytes: int
    sessions: int
    reuse: bool
    count: int


CELLS = tuple(
    Cell(size, sessions, reuse, count // (1 if reuse else 2))
    for size, reuse in ((4_000, True), (4_000, False), (40_000, True))
    for sessions, count in ((1, 1000), (20, 6000), (100, 6000))
)

Pushed = tuple[float, float]
"""Messages per second, and CPU microseconds of the server per message."""


def push(server: peers.Running, cell: Cell) -> Pushed:
    source = ["smtp-source", *(["-d"] if cell.reuse else []), "-s", str(cell.sessions)]
    load = ["-m", str(cell.count), "-l", str(cell.size_bytes)]
    addresses = ["-f", "a@bench.test", "-t", "b@elsewhere.test", f"127.0.0.1:{server.port}"]
    cpu, start = machine.cpu_seconds(server.pid), time.perf_counter()
    done = subprocess.run([*source, *load, *addresses], check=False, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{server.name}, {cell}: {done.stderr}")
    spent = time.perf_counter() - start
    return cell.count / spent, (machine.cpu_seconds(server.pid) - cpu) / cell.count * 1e6


def run() -> dict[str, object]:
    found: dict[tuple[str, Cell], list[Pushed]] = defaultdict(list)
    with machine.journaled_disk() as disk, contextlib.ExitStack() as stack:
        servers = [stack.enter_context(peers.postfix(disk)), stack.enter_context(peers.sekisho(disk))]
        for server in servers:
            push(server, Cell(4_000, 1, True, 100))
        for _ in range(ROUNDS):
            for cell in CELLS:
                for server in servers:
                    found[server.name, cell].append(push(server, cell))
        where = machine.description(disk)
    rows = [compared(cell, found["sekisho", cell], found["postfix", cell]) for cell in CELLS]
    return {"machine": where, "rounds": ROUNDS, "results": rows}


def compared(cell: Cell, ours: list[Pushed], theirs: list[Pushed]) -> dict[str, object]:
    """Medians of both, and of their ratios round by round: what a round suffered, both have suffered."""
    ratios = [a / b for (a, _), (b, _) in zip(ours, theirs, strict=True)]
    cpu_ours, cpu_theirs = (statistics.median(cpu for _, cpu in pushed) for pushed in (ours, theirs))
    return {
        "size_bytes": cell.size_bytes,
        "sessions": cell.sessions,
        "reuse": cell.reuse,
        "sekisho_per_s": round(statistics.median(rate for rate, _ in ours)),
        "postfix_per_s": round(statistics.median(rate for rate, _ in theirs)),
        "ratio_median": round(statistics.median(ratios), 2),
        "ratio_min": round(min(ratios), 2),
        "ratio_max": round(max(ratios), 2),
        "sekisho_cpu_us": round(cpu_ours),
        "postfix_cpu_us": round(cpu_theirs),
        "cpu_ratio": round(cpu_ours / cpu_theirs, 3),
    }
