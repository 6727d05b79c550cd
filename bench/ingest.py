"""Accepted-and-durable messages per second and CPU per message, beside Postfix, cells interleaved in one
run."""

import contextlib
import statistics
import subprocess
import time
from collections import defaultdict

from bench import machine, peers

ROUNDS = 5
MESSAGES = {1: 1000, 20: 6000, 100: 6000}
SIZE_BYTES = 4000


def push(server: peers.Running, sessions: int, count: int) -> tuple[float, float]:
    """Messages per second and CPU microseconds of the server per message."""
    source = ["smtp-source", "-d", "-s", str(sessions), "-m", str(count), "-l", str(SIZE_BYTES)]
    addresses = ["-f", "a@bench.test", "-t", "b@elsewhere.test", f"127.0.0.1:{server.port}"]
    cpu, start = machine.cpu_seconds(server.pid), time.perf_counter()
    subprocess.run([*source, *addresses], check=True, capture_output=True)
    spent = time.perf_counter() - start
    return count / spent, (machine.cpu_seconds(server.pid) - cpu) / count * 1e6


def run() -> dict[str, object]:
    with machine.journaled_disk() as disk, contextlib.ExitStack() as stack:
        servers = [stack.enter_context(peers.postfix(disk)), stack.enter_context(peers.sekisho(disk))]
        cells: dict[tuple[str, int], list[tuple[float, float]]] = defaultdict(list)
        for server in servers:
            push(server, 1, 100)
        for _ in range(ROUNDS):
            for sessions, count in MESSAGES.items():
                for server in servers:
                    cells[server.name, sessions].append(push(server, sessions, count))
        return {"machine": machine.description(disk), "rounds": ROUNDS, "results": _table(cells)}


def _table(cells: dict[tuple[str, int], list[tuple[float, float]]]) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for sessions in MESSAGES:
        ours, theirs = cells["sekisho", sessions], cells["postfix", sessions]
        rate_ours, rate_theirs = (statistics.median(r for r, _ in cell) for cell in (ours, theirs))
        cpu_ours, cpu_theirs = (statistics.median(c for _, c in cell) for cell in (ours, theirs))
        ratios = [a / b for (a, _), (b, _) in zip(ours, theirs, strict=True)]
        rows.append(
            {
                "sessions": sessions,
                "size_bytes": SIZE_BYTES,
                "sekisho_per_s": round(rate_ours),
                "postfix_per_s": round(rate_theirs),
                "ratio_median": round(statistics.median(ratios), 2),
                "ratio_min": round(min(ratios), 2),
                "ratio_max": round(max(ratios), 2),
                "sekisho_cpu_us": round(cpu_ours),
                "postfix_cpu_us": round(cpu_theirs),
                "cpu_ratio": round(cpu_ours / cpu_theirs, 3),
            }
        )
    return rows
