"""End to end: accepted, kept, delivered to smtp-sink, beside Postfix with its next hop tuned; the clock stops
when the sink has counted the last message.
"""

import contextlib
import re
import subprocess
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from bench import machine, peers
from bench.ingest import Cell, Pushed, compared

ROUNDS = 2
CELLS = tuple(
    Cell(size, sessions, True, count)
    for size, counts in ((4_000, (600, 3000, 3000)), (40_000, (400, 1500, 1500)))
    for sessions, count in zip((1, 20, 100), counts, strict=True)
)
LONGEST_S = 120


class Sink:
    """smtp-sink, which counts aloud (`-c`): `taken` is how many messages it has had."""

    def __init__(self, port: int) -> None:
        words = ["smtp-sink", "-u", "nobody", "-c", f"127.0.0.1:{port}", "1024"]
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.taken = 0
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        while chunk := self.process.stdout.read1(65536):  # type: ignore[attr-defined]
            if counts := re.findall(rb"mesg=(\d+)", chunk):
                self.taken = int(counts[-1])

    def wait_for(self, count: int) -> None:
        deadline = time.monotonic() + LONGEST_S
        while self.taken < count:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{self.taken} of {count} messages have arrived in {LONGEST_S} s")
            time.sleep(0.002)


@contextlib.contextmanager
def sinks(count: int) -> Iterator[list[tuple[Sink, int]]]:
    ports = [peers.free_port() for _ in range(count)]
    running = [(Sink(port), port) for port in ports]
    try:
        yield running
    finally:
        for sink, _ in running:
            sink.process.terminate()


def push(server: peers.Running, sink: Sink, cell: Cell) -> Pushed:
    source = [
        "smtp-source",
        "-d",
        "-s",
        str(cell.sessions),
        "-m",
        str(cell.count),
        "-l",
        str(cell.size_bytes),
    ]
    addresses = ["-f", "a@bench.test", "-t", "b@elsewhere.test", f"127.0.0.1:{server.port}"]
    wanted = sink.taken + cell.count
    cpu, start = machine.cpu_seconds(server.pid), time.perf_counter()
    subprocess.run([*source, *addresses], check=True, capture_output=True)
    sink.wait_for(wanted)
    spent = time.perf_counter() - start
    return cell.count / spent, (machine.cpu_seconds(server.pid) - cpu) / cell.count * 1e6


def run() -> dict[str, object]:
    found: dict[tuple[str, Cell], list[Pushed]] = defaultdict(list)
    with machine.journaled_disk() as disk, contextlib.ExitStack() as stack:
        (ours, our_port), (theirs, their_port) = stack.enter_context(sinks(2))
        where = machine.description(disk)
        pairs = _pairs(stack, disk, (ours, our_port), (theirs, their_port))
        for server, sink in pairs:
            push(server, sink, Cell(4_000, 1, True, 100))
        for _ in range(ROUNDS):
            for cell in CELLS:
                for server, sink in pairs:
                    found[server.name, cell].append(push(server, sink, cell))
    rows = [compared(cell, found["sekisho", cell], found["postfix", cell]) for cell in CELLS]
    return {"machine": where, "rounds": ROUNDS, "results": rows}


def _pairs(
    stack: contextlib.ExitStack, disk: Path, ours: tuple[Sink, int], theirs: tuple[Sink, int]
) -> list[tuple[peers.Running, Sink]]:
    postfix = stack.enter_context(peers.postfix(disk, theirs[1], hold=False))
    sekisho = stack.enter_context(peers.sekisho(disk, ours[1]))
    return [(postfix, theirs[0]), (sekisho, ours[0])]
