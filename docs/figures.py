"""docs/reliability.md: every table in it is made from a file of bench/results, none is typed."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "bench" / "results"
PAGE = ROOT / "docs" / "reliability.md"

Row = Mapping[str, Any]

INGEST_FLOORS = {
    (4000, 1, True): "x2", (4000, 20, True): "x4", (4000, 100, True): "x5", (40000, 20, True): "x2",
}  # fmt: skip
RELAY_FLOORS = {
    (4000, 1, True): "x2.5", (4000, 20, True): "x4", (4000, 100, True): "x5", (40000, 20, True): "x3",
}  # fmt: skip


def page() -> str:
    """The page with its tables as the results say now."""
    text = PAGE.read_text()
    for name, table in TABLES.items():
        begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
        part = f"{begin}\n{_made(name, table)}\n{end}"
        text, count = re.subn(f"{begin}.*{end}", lambda _, part=part: part, text, flags=re.DOTALL)
        assert count == 1, f"docs/reliability.md has no place for {name}"
    return text


def _made(name: str, table: Callable[[Any], list[str]]) -> str:
    path = RESULTS / f"{name}.json"
    if not path.exists():
        return f"Not measured yet: `make bench ARGS={name}`."
    found = json.loads(path.read_text())
    return "\n".join([*table(found), "", _where(found["machine"])])


def _where(machine: Row) -> str:
    return (
        f"{machine['date'][:10]}, {machine['cores']} cores {machine['cpu']}, Linux {machine['kernel']}, "
        f"Python {machine['python']}, sekisho {machine['sekisho']}, Postfix {machine['postfix']}, "
        f"{machine['file_system'].split()[0]}."
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    lines = [list(head), ["---"] * len(head), *rows]
    return ["| " + " | ".join(map(str, line)) + " |" for line in lines]


def _beside_postfix(floors: Mapping[tuple[int, int, bool], str], found: Row) -> list[str]:
    """With the floor that the project has set itself: a ratio below it is said, not hidden."""
    head = (
        "KB",
        "sessions",
        "connection",
        "per s",
        "Postfix",
        "ratio",
        "from",
        "to",
        "floor",
        "CPU of Postfix's",
    )
    return _table(
        head,
        [
            (
                row["size_bytes"] // 1000,
                row["sessions"],
                "kept" if row.get("reuse", True) else "one each",
                row["sekisho_per_s"],
                row["postfix_per_s"],
                f"x{row['ratio_median']}",
                f"x{row['ratio_min']}",
                f"x{row['ratio_max']}",
                floors.get((row["size_bytes"], row["sessions"], row.get("reuse", True)), ""),
                f"{row['cpu_ratio']:.0%}",
            )
            for row in found["results"]
        ],
    )


def _powercut(found: Row) -> list[str]:
    names = ("server", "file_system", "trials", "acknowledged", "lost", "empty", "unreadable")
    return _table(
        [name.replace("_", " ") for name in names], [[row[n] for n in names] for row in found["results"]]
    )


def _kill(found: Row) -> list[str]:
    row = found["results"]
    return _table(list(row), [list(row.values())])


def _idle(found: Row) -> list[str]:
    head = ("kind", "KB a connection", "MB of the server", "a session alone, ms p50 / p99", "beside them")
    return _table(
        head,
        [
            (row["kind"], row["kb_each"], row["rss_mb"], _pair(row, "alone"), _pair(row, "beside"))
            for row in found["results"]
        ],
    )


def _slow(found: Row) -> list[str]:
    row = found["results"]
    head = ("slow clients", "a session alone, ms p50 / p99", "beside them")
    return _table(head, [(found["clients"], _pair(row, "alone"), _pair(row, "beside"))])


def _pair(row: Row, name: str) -> str:
    return f"{row[f'{name}_ms_p50']} / {row[f'{name}_ms_p99']}"


def _million(found: Row) -> list[str]:
    fill, start, work = (found["results"][name] for name in ("fill", "start", "work"))
    return _table(
        ("what", "how long"),
        [
            ("keep a million letters, one process", f"{fill['fill_s']} s"),
            ("start", f"{start['open_s']} s, {start['rss_mb']} MB"),
            ("next 100 due of a lane", f"{work['next_due_100_ms']} ms"),
            ("count by sender", f"{work['count_by_sender_ms']} ms"),
            ("list 20 by sender", f"{work['list_20_ms']} ms"),
            (f"purge {work['purged']:,} bounces", f"{work['purge_bounces_ms'] / 1000:.1f} s"),
        ],
    )


def _seal(found: Row) -> list[str]:
    rows = [[row["what"], row["us"], row["peer_us"] or "", f"x{row['times']}" if row["times"] else ""]
            for row in found["results"]]  # fmt: skip
    rows += [[f"a signed MB: {row['what']}", round(1000 * row["ms"]), f"{row['memory_times_size']} x its size", ""]
             for row in found["hostile"]]  # fmt: skip
    return _table(("work", "us of the processor", "peer, or memory", "ratio"), rows)


TABLES: Mapping[str, Callable[[Any], list[str]]] = {
    "ingest": partial(_beside_postfix, INGEST_FLOORS),
    "relay": partial(_beside_postfix, RELAY_FLOORS),
    "powercut": _powercut,
    "kill9": _kill,
    "idle": _idle,
    "slow": _slow,
    "million": _million,
    "seal": _seal,
}
