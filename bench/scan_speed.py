"""`sekisho scan` on a big log, beside the pipeline of grep, awk, sort and uniq that people use instead.

Both run in turn in the same rounds. They do not do the same work: the pipeline counts the addresses of one
account whose name is known; scan finds the account, joins its messages and judges all others too.
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from argparse import Namespace
from pathlib import Path

from bench import biglog, machine

ROUNDS = 5
MEGABYTES = int(os.environ.get("BENCH_SCAN_MB", "200"))
Times = list[tuple[float, float]]
SHELL_ENVIRONMENT = {**os.environ, "LC_ALL": "C"}


def pipeline(log: Path) -> str:
    """The source's own way, without its detours."""
    return (
        f"cat {log} | grep {biglog.VICTIM} | grep vchkpw-submission | grep succ | awk '{{print $10}}'"
        " | awk -F: '{print $2}' | sort | uniq -c | sort | wc -l"
    )


def timed(command: list[str]) -> tuple[float, float, bytes]:
    """Wall seconds, CPU seconds and output; an incident makes scan end with 1."""
    start, cpu = time.perf_counter(), cpu_of_children()
    done = subprocess.run(command, capture_output=True, check=False, env=SHELL_ENVIRONMENT)
    spent = time.perf_counter() - start
    if done.returncode not in (0, 1):
        raise RuntimeError(done.stderr.decode(errors="replace"))
    return spent, cpu_of_children() - cpu, done.stdout


def cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def run() -> dict[str, object]:
    with tempfile.TemporaryDirectory(prefix="sekisho-bench-") as base:
        log = Path(base, "maillog")
        with log.open("w") as out:
            truth = biglog.write(out, Namespace(mb=MEGABYTES, seed=1, accounts=5000, days=7))
        scan = [str(Path(sys.executable).with_name("sekisho")), "scan", "--json", str(log)]
        ours: list[tuple[float, float]] = []
        theirs: list[tuple[float, float]] = []
        for _ in range(ROUNDS):
            *spent, found = timed(scan)
            ours.append((spent[0], spent[1]))
            *spent, counted = timed(["sh", "-c", pipeline(log)])
            theirs.append((spent[0], spent[1]))
        results = [_row(truth, json.loads(found), int(counted), (ours, theirs))]
        return {"machine": machine.description(Path(base)), "rounds": ROUNDS, "results": results}


def _row(
    truth: dict[str, object], found: dict[str, object], counted: int, times: tuple[Times, Times]
) -> dict[str, object]:
    ours, theirs = times
    cases = found["incidents"]
    assert isinstance(cases, list)
    size = int(str(truth["bytes"]))
    return {
        "bytes": size,
        "lines": truth["lines"],
        "accounts": 5001,
        "true_addresses": truth["distinct_addresses"],
        "scan_addresses": [case["distinct_addresses"] for case in cases],
        "pipeline_addresses": counted,
        "scan_s": round(statistics.median(wall for wall, _ in ours), 2),
        "scan_cpu_s": round(statistics.median(cpu for _, cpu in ours), 2),
        "scan_mb_per_s": round(size / 1e6 / statistics.median(wall for wall, _ in ours), 1),
        "scan_mb_per_cpu_s": round(size / 1e6 / statistics.median(cpu for _, cpu in ours), 1),
        "pipeline_s": round(statistics.median(wall for wall, _ in theirs), 2),
        "pipeline_cpu_s": round(statistics.median(cpu for _, cpu in theirs), 2),
        "ratio_median": round(statistics.median(a[0] / b[0] for a, b in zip(ours, theirs, strict=True)), 1),
    }
