"""`sekisho scan` on big logs of qmail and of Postfix, beside what people use instead,
in turn in the same rounds.

The pipeline of grep, awk, sort and uniq counts the addresses of one account whose name is known. pflogsumm
counts messages by sender, recipient and result, and looks at no sign-in; set PFLOGSUMM to its path if it is
not installed. scan finds the account, joins its messages and judges all others too: three different works.
"""

import gzip
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from argparse import Namespace
from pathlib import Path
from typing import Any

import zstandard
from msgspec import Struct

from bench import biglog, machine, postfixlog
from sekisho.store import networktable

ROUNDS = int(os.environ.get("BENCH_SCAN_ROUNDS", "3"))
MEGABYTES = int(os.environ.get("BENCH_SCAN_MB", "200"))
SHELL_ENVIRONMENT = {**os.environ, "LC_ALL": "C"}
SCAN = str(Path(sys.executable).with_name("sekisho"))


class Spent(Struct, frozen=True):
    """Wall and processor seconds, and the most memory that was held at once."""

    wall_s: float
    cpu_s: float
    peak_mb: float


def qmail_pipeline(log: Path) -> str:
    """The source's own way, without its detours."""
    return (
        f"cat {log} | grep {biglog.VICTIM} | grep vchkpw-submission | grep succ | awk '{{print $10}}'"
        " | awk -F: '{print $2}' | sort | uniq -c | sort | wc -l"
    )


def postfix_pipeline(log: Path, account: str) -> str:
    """The same for Postfix."""
    return (
        f"cat {log} | grep sasl_username={account} | grep client= | awk '{{print $7}}' | awk -F'[][]'"
        f" '{{print $2}}'"
        " | sort | uniq -c | sort | wc -l"
    )


def timed(command: list[str]) -> tuple[Spent, bytes]:
    """An incident makes scan end with 1."""
    start = time.perf_counter()
    with tempfile.TemporaryFile() as out:
        child = subprocess.Popen(command, stdout=out, env=SHELL_ENVIRONMENT)
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        wall = time.perf_counter() - start
        if child.returncode not in (0, 1):
            raise RuntimeError(f"{command} ended with {child.returncode}")
        out.seek(0)
        return Spent(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024), out.read()


def run() -> dict[str, object]:
    with tempfile.TemporaryDirectory(prefix="sekisho-bench-") as base:
        results = [_qmail(Path(base)), *_postfix(Path(base))]
        return {"machine": machine.description(Path(base)), "rounds": ROUNDS, "results": results}


def _qmail(folder: Path) -> dict[str, object]:
    log = folder / "maillog"
    with log.open("w") as out:
        truth = biglog.write(out, Namespace(mb=MEGABYTES, seed=1, accounts=5000, days=7))
    row, found, counted = _rounds(log, {"pipeline": ["sh", "-c", qmail_pipeline(log)]})
    told = [case["distinct_addresses"] for case in found["incidents"]]
    return {
        "log": "qmail-send, vpopmail, spamd", "bytes": truth["bytes"], "lines": truth["lines"], **row,
        "true_addresses": truth["distinct_addresses"], "scan_addresses": told,
        "pipeline_addresses": int(counted["pipeline"]),
    }  # fmt: skip


def _postfix(folder: Path) -> list[dict[str, object]]:
    log = folder / "mail.log"
    order = postfixlog.Order(accounts=300, learning=2, days=400)
    with log.open("w") as out:
        truth = postfixlog.write(out, order, networktable.built_in().find, MEGABYTES * 1_000_000)
    summary = os.environ.get("PFLOGSUMM") or shutil.which("pflogsumm")
    account = "user1@example.org"
    peers = {"pipeline": ["sh", "-c", postfix_pipeline(log, account)]}
    if summary:
        peers["pflogsumm"] = ["perl", summary, str(log)]
    row, found, _ = _rounds(log, peers)
    head = {"log": "Postfix, Dovecot", "bytes": truth["bytes"], "lines": truth["lines"]}
    rows: list[dict[str, object]] = [{**head, **row, "unparsed": found["unparsed"]}]
    for name, pack in (("gz", gzip.compress), ("zst", zstandard.ZstdCompressor().compress)):
        packed = folder / f"mail.log.{name}"
        packed.write_bytes(pack(log.read_bytes()))
        row, _, _ = _rounds(packed, {})
        rows.append({**head, "packed": name, **_rates(row, int(truth["bytes"]))})
        packed.unlink()
    return rows


def _rounds(
    log: Path, peers: dict[str, list[str]]
) -> tuple[dict[str, Any], dict[str, Any], dict[str, bytes]]:
    """Each in turn, as often as told; medians."""
    every = {"scan": [SCAN, "scan", "--json", str(log)], **peers}
    spent: dict[str, list[Spent]] = {name: [] for name in every}
    outputs: dict[str, bytes] = {}
    for _ in range(ROUNDS):
        for name, command in every.items():
            took, outputs[name] = timed(command)
            spent[name].append(took)
    row: dict[str, Any] = {}
    for name, several in spent.items():
        row[f"{name}_s"] = round(statistics.median(one.wall_s for one in several), 2)
        row[f"{name}_cpu_s"] = round(statistics.median(one.cpu_s for one in several), 2)
    row["scan_peak_mb"] = round(max(one.peak_mb for one in spent["scan"]))
    for name in peers:
        pairs = zip(spent["scan"], spent[name], strict=True)
        row[f"scan_to_{name}"] = round(
            statistics.median(ours.cpu_s / theirs.cpu_s for ours, theirs in pairs), 2
        )
    return _rates(row, log.stat().st_size), json.loads(outputs.pop("scan")), outputs


def _rates(row: dict[str, Any], size: int) -> dict[str, Any]:
    return {**row, "scan_mb_per_cpu_s": round(size / 1e6 / row["scan_cpu_s"], 1)}
