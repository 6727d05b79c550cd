"""The scan's report as one HTML page that needs nothing else: no script, no picture, no network."""

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import Any

from sekisho.cli import scan_text, speech
from sekisho.cli.scan_text import kind_name, say
from sekisho.model.phrase import phrase

ROWS_SHOWN = 500

STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:68rem;
margin:2rem auto;padding:0 1rem;color:#1c2430;background:#fff}
h1{font-size:1.4rem}h2{font-size:1.15rem;border-top:1px solid #ccd;padding-top:1rem;overflow-wrap:anywhere}
table{border-collapse:collapse;margin:.5rem 0 1rem;font-variant-numeric:tabular-nums}
th,td{text-align:left;padding:.15rem .8rem .15rem 0;vertical-align:top;overflow-wrap:anywhere}
th{color:#567;font-weight:600}.said{font-size:1.05rem}pre{white-space:pre-wrap;overflow-wrap:anywhere}
"""
POLICY = "default-src 'none'; style-src 'unsafe-inline'"

Told = dict[str, Any]


def page(report: Told) -> str:
    """`report` as `scan_report.plain` gives it. Every text in it is escaped."""
    title = say(phrase("Mail log report"))
    basis = "\n".join(escape(line) for line in scan_text.lines({**report, "incidents": []}))
    return (
        f'<!doctype html>\n<html lang="{speech.texts().language}"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body><h1>{escape(title)}</h1>\n"
        + "\n".join(_case(case) for case in report["incidents"])
        + f"<h2>{escape(say(phrase('What this rests on')))}</h2><pre>{_without_verdict(report, basis)}</pre>"
        "</body></html>\n"
    )


def _without_verdict(report: Told, basis: str) -> str:
    """The first line says that nothing was found, which is true only of a report without incidents."""
    return basis if not report["incidents"] else basis.partition("\n")[2].strip("\n")


def _case(case: Told) -> str:
    return "\n".join(
        (
            f"<h2>{escape(kind_name(case['kind']))}: {escape(case['account'])}</h2>",
            f'<p class="said">{escape(case["sentence"])}</p>',
            f"<p>{escape(case['after']['sentence'])}</p>",
            *_tables(case),
        )
    )


def _tables(case: Told) -> Iterator[str]:
    counted = (
        "logins", "failures", "distinct_addresses", "distinct_networks", "distinct_countries",
        "messages", "recipients", "delivered", "bounced", "deferred",
    )  # fmt: skip
    what, times = say(phrase("what")), ("first", "last", "opened", "closed")
    yield _table((what, ""), ((name.replace("_", " "), case[name]) for name in (*times, *counted)))
    yield _table(
        (say(phrase("sign-ins of an address")), say(phrase("addresses"))), case["logins_per_address"].items()
    )
    yield _rows(case["top_addresses"], ("address", "logins", "failures", "network", "country"))
    yield _rows(case["evidence"], ("at", "weight", "text", "file", "line"))
    joins = ("login_at", "address", "message", "message_at", "gap_s", "recipients", "confidence")
    yield _rows(case["joins"], joins)
    yield _rows(case["after"]["bursts"], ("first", "last", "attempts"))


def _rows(rows: Sequence[Told], names: Sequence[str]) -> str:
    table = _table(
        [name.replace("_", " ") for name in names],
        ([row[name] for name in names] for row in rows[:ROWS_SHOWN]),
    )
    if len(rows) <= ROWS_SHOWN:
        return table
    return table + f"<p>{escape(say(phrase('... and {count} more', count=len(rows) - ROWS_SHOWN)))}</p>"


def _table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Empty for no rows."""
    body = "".join(f"<tr>{''.join(f'<td>{_cell(value)}</td>' for value in row)}</tr>\n" for row in rows)
    if not body:
        return ""
    return f"<table><tr>{''.join(f'<th>{escape(name)}</th>' for name in head)}</tr>\n{body}</table>"


def _cell(value: Any) -> str:
    return "–" if value is None else escape(str(value))
