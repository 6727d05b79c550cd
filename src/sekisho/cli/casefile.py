"""One incident on paper: text for a terminal, JSON that reads back equal, CSV, Markdown, HTML in one
file.

Whatever stands in it has passed `printable` or is escaped for the format: a cell never begins a formula,
a name never becomes a tag.
"""

import csv
import html
import io
import re
from collections.abc import Callable

import msgspec
from msgspec import Struct

from sekisho.guard.contain import describe
from sekisho.model.action import Action
from sekisho.model.phrase import phrase
from sekisho.model.text import printable
from sekisho.service.messages import IncidentAnswer
from sekisho.service.notices import state_name
from sekisho.store.texts import Texts

FORMATS = ("json", "csv", "md", "html")
_ADDRESS = re.compile(r"[^\s@<>,;:()\"]+@(?=[\w.\[-])")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""Beginnings that spreadsheets take for a formula (OWASP, CSV injection)."""

PAGE = """<!doctype html>
<html lang="{language}"><head><meta charset="utf-8"><title>{title}</title>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<style>
body {{font-family: sans-serif; max-width: 60em; margin: 2em auto}}
td {{padding: .2em .8em; vertical-align: top}} dt {{font-weight: bold}}
</style></head><body>
<h1>{title}</h1>
<p>{sentence}</p>
<dl>{facts}</dl>
{notes}<table>
{rows}</table>
</body></html>
"""
"""One file without scripts or links; every value put in has been escaped."""

When = Callable[[int], str]


class Entry(Struct, frozen=True):
    """One line of the timeline."""

    at: int
    kind: str
    text: str
    weight: str = ""
    by: str = ""


def masked(answer: IncidentAnswer) -> IncidentAnswer:
    """The same with every local part hidden, for sharing."""
    text = msgspec.json.encode(answer).decode()
    return msgspec.json.decode(_ADDRESS.sub("***@", text), type=IncidentAnswer)


def render(answer: IncidentAnswer, form: str, texts: Texts, when: When) -> str:
    match form:
        case "json":
            return msgspec.json.format(msgspec.json.encode(answer), indent=2).decode() + "\n"
        case "csv":
            return _csv(answer, texts, when)
        case "md":
            return _markdown(answer, texts, when)
        case "html":
            return _html(answer, texts, when)
        case _:
            return _text(answer, texts, when)


def timeline(answer: IncidentAnswer, texts: Texts) -> list[Entry]:
    """Evidence and actions in the order of time."""
    incident = answer.incidents[0]
    entries = [
        Entry(item.at, item.term, printable(texts.say(item.text)), f"{item.weight:+.1f}")
        for item in incident.evidence
    ]
    entries += [
        Entry(action.at, action.kind, _deed(action, answer, texts), by=action.by) for action in answer.actions
    ]
    if incident.closed:
        entries.append(Entry(incident.closed, "closed", incident.closed_why))
    return sorted(entries, key=lambda entry: entry.at)


def _deed(action: Action, answer: IncidentAnswer, texts: Texts) -> str:
    done = [item for item in answer.performed if item.action == action.id]
    changed = sum(item.count or len(item.changed) for item in done)
    state = phrase("done, changed {changed}", changed=changed) if done else phrase("planned")
    undo = (
        phrase("undo with {id}", id=action.id) if action.reversible and done else phrase("cannot be undone")
    )
    if action.status == "undone":
        undo = phrase("undone")
    return printable(f"{texts.say(describe(action))} ({texts.say(state)}; {texts.say(undo)})")


def _facts(answer: IncidentAnswer, texts: Texts, when: When) -> list[tuple[str, str]]:
    incident = answer.incidents[0]
    state = state_name(incident)
    facts = [
        (texts.say(phrase("incident")), incident.id),
        (texts.say(phrase("account")), incident.subject),
        (texts.say(phrase("state")), texts.say(state)),
        (texts.say(phrase("opened")), when(incident.opened)),
    ]
    return facts + [(name.replace("_", " "), str(count)) for name, count in incident.counters.items()]


def _text(answer: IncidentAnswer, texts: Texts, when: When) -> str:
    lines = [printable(texts.say(answer.incidents[0].sentence)), ""]
    lines += [f"  {name}: {printable(value)}" for name, value in _facts(answer, texts, when)]
    lines += ["", *(printable(texts.say(note)) for note in answer.notes)]
    lines += [""] if answer.notes else []
    for entry in timeline(answer, texts):
        mark = entry.weight or entry.by
        lines.append(f"  {when(entry.at)}  {mark:>5}  {entry.text}")
    if not answer.complete:
        lines += ["", texts.say(phrase("Not every owner has answered yet."))]
    return "\n".join(lines) + "\n"


def _csv(answer: IncidentAnswer, texts: Texts, when: When) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")  # RFC 4180 2
    writer.writerow(("incident", "account", "at", "kind", "weight", "by", "text"))
    incident = answer.incidents[0]
    for entry in timeline(answer, texts):
        row = (
            incident.id,
            incident.subject,
            when(entry.at),
            entry.kind,
            entry.weight.lstrip("+"),
            entry.by,
            entry.text,
        )
        writer.writerow([f"'{cell}" if cell.startswith(_FORMULA) else cell for cell in row])
    return out.getvalue()


def _markdown(answer: IncidentAnswer, texts: Texts, when: When) -> str:
    incident = answer.incidents[0]
    lines = [f"# {_md(incident.subject)}", "", _md(texts.say(incident.sentence)), ""]
    lines += [f"- {_md(name)}: {_md(value)}" for name, value in _facts(answer, texts, when)]
    lines += ["", *(_md(texts.say(note)) for note in answer.notes)] if answer.notes else []
    lines += ["", "| at | what | weight or by | text |", "|---|---|---|---|"]
    for entry in timeline(answer, texts):
        cells = (when(entry.at), entry.kind, entry.weight or entry.by, entry.text)
        lines.append("| " + " | ".join(_md(cell) for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def _md(text: str) -> str:
    """No markup, no link, no cell border, no HTML."""
    return re.sub(r"([\\`*_{}\[\]()#+!|<>~])", r"\\\1", printable(text).replace("&", "&amp;"))


def _html(answer: IncidentAnswer, texts: Texts, when: When) -> str:
    incident = answer.incidents[0]
    facts = "".join(f"<dt>{_h(name)}</dt><dd>{_h(value)}</dd>" for name, value in _facts(answer, texts, when))
    rows = "".join(
        f"<tr><td>{_h(when(entry.at))}</td><td>{_h(entry.kind)}</td><td>{_h(entry.weight or entry.by)}</td>"
        f"<td>{_h(entry.text)}</td></tr>\n"
        for entry in timeline(answer, texts)
    )
    title, sentence = _h(incident.subject), _h(texts.say(incident.sentence))
    notes = "".join(f"<p>{_h(texts.say(note))}</p>\n" for note in answer.notes)
    return PAGE.format(
        language=texts.language, title=title, sentence=sentence, facts=facts, notes=notes, rows=rows
    )


def _h(text: str) -> str:
    return html.escape(printable(text))
