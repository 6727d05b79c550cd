"""docs/guard.md: its measured part is made from bench/results/guard.json, its constants from the code.

No figure in it is typed by hand except the specification's own, which stand beside ours under that name.
"""

import json
import re
from pathlib import Path
from typing import Any

from docs import guard_constants
from sekisho.lab.attacks import KINDS

ROOT = Path(__file__).parent.parent
RESULT = ROOT / "bench" / "results" / "guard.json"
PAGE = ROOT / "docs" / "guard.md"
MEASURED = "<!-- measured: begin -->", "<!-- measured: end -->"
CONSTANTS = "<!-- constants: begin -->", "<!-- constants: end -->"

TARGETS = {
    "botnet": "2",
    "ten-per-twelve-hours": "1",
    "one-ip-blast": "57",
    "imap-replay": "0",
    "residential": "2",
    "slow-residential": "1",
    "owner-pc": "30",
    "owner-isp": "2",
}
"""Median messages before containment of the specification's model (its section 5, limits 9 and 13), on its
own generator, which drew other traffic: a direction, no comparison. It has no figure for the last two."""

BOTHER = ("contained", "held", "denied", "delayed", "watched")
Row = dict[str, Any]


def page() -> str:
    """docs/guard.md with its measured part as the result says now, and its constants as the code does."""
    text = _between(MEASURED, measured(json.loads(RESULT.read_text())), PAGE.read_text())
    return _between(CONSTANTS, guard_constants.table(), text)


def _between(marks: tuple[str, str], part: str, text: str) -> str:
    begin, end = marks
    return re.sub(f"{begin}.*{end}", lambda _: f"{begin}\n{part}\n{end}", text, flags=re.DOTALL)


def measured(result: Row) -> str:
    rows: list[Row] = result["results"]["settings"]
    parts = [
        _circumstances(result),
        "### What a thief gets out",
        _attacks(rows[0]),
        "### Who is bothered for nothing",
        _honest(rows),
        "### The same under other circumstances, and what others ship",
        _settings(rows),
        "### What it costs",
        _cost(result["results"]),
    ]
    return "\n\n".join(parts)


def _circumstances(result: Row) -> str:
    about, scale = result["machine"], result["scale"]
    return (
        f"Measured {about['date'][:10]} with sekisho {about['sekisho']}, Python {about['python']}, on "
        f"{about['cpu']}: seeds {_and(result['reported_on'])} counted together (the constants were tuned on "
        f"seeds {_and(result['tuned_on'])}), each with {scale['accounts']} accounts, {scale['learning']} "
        f"days of learning and {scale['days']} counted; 30 % of a thief's recipients are refused by their "
        "hosts, unless the row says otherwise. Figures are medians, in brackets the 90th percentile."
        f"{_commits(result['results']['settings'])}"
    )


def _commits(rows: list[Row]) -> str:
    """Which code was measured: where not all rows are of one commit, each commit with its rows."""
    by_commit: dict[str, list[str]] = {}
    for row in rows:
        by_commit.setdefault(row["commit"], []).append(f"*{row['name']}*")
    if len(by_commit) == 1:
        return f" Commit {rows[0]['commit']}."
    told = (f"commit {commit}: {', '.join(names)}" for commit, names in by_commit.items())
    return f" Measured at {'; '.join(told)}."


def _and(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers[:-1])) + f" and {numbers[-1]}"


def _attacks(row: Row) -> str:
    head = (
        "attack",
        "contained",
        "messages accepted before",
        "recipients",
        "messages that left the house",
        "minutes until then",
        "owner's own held or refused within a day",
        "until the end",
        "target: messages",
    )
    lines = []
    for kind in KINDS:
        one = row["attacks"][kind]
        lines.append(
            (
                f"`{kind}`",
                f"{one['detected']}/{one['attacks']}",
                one["messages"],
                one["recipients"],
                one["left_messages"],
                one["minutes"],
                f"{one['soon_bothered']} of {one['soon_messages']}",
                f"{one['owner_bothered']} of {one['owner_messages']}",
                TARGETS.get(kind, ""),
            )
        )
    return _table(head, lines)


def _honest(rows: list[Row]) -> str:
    head = (
        "setting",
        "account-days",
        "contained",
        "held",
        "denied",
        "only waited",
        "only watched",
        "newsletters held",
        "newsletters that waited",
    )
    lines = []
    for row in rows:
        honest, letters = row["honest"], row["newsletters"]
        shares = [f"{honest[f'{what}_per_1000']:.2f}" for what in BOTHER]
        lines.append(
            (
                row["name"],
                f"{honest['account_days']:,}",
                *shares,
                f"{letters['hit']}/{letters['accounts']}",
                f"{letters['delayed']}/{letters['accounts']}",
            )
        )
    return _table(head, lines)


def _settings(rows: list[Row]) -> str:
    lines = []
    for row in rows:
        cells = []
        for kind in KINDS:
            one = row["attacks"][kind]
            cells.append(f"{one['messages'].split()[0]} ({one['detected']}/{one['attacks']})")
        lines.append((row["name"], *cells))
    return _table(("setting", *(f"`{kind}`" for kind in KINDS)), lines)


def _cost(results: Row) -> str:
    cost = results["cost"]
    return (
        f"- An event: {cost['us_per_event']} microseconds of one core, the guard alone (median of "
        f"{cost['rounds']} replays of {cost['events']:,} events); {cost['events_per_s']:,} events/s. With "
        f"the generator around it: {results['events_per_s_with_generator']:,} events/s.\n"
        f"- An account, as it is written down: {cost['bytes_per_account_median']:,} bytes (90 %: "
        f"{cost['bytes_per_account_p90']:,}); with everything remembered that can be: "
        f"{cost['bytes_per_account_full']:,}."
    )


def _table(head: tuple[str, ...], lines: list[tuple[str, ...]]) -> str:
    rows = [head, tuple("---" for _ in head), *lines]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in rows)
