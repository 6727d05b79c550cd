"""`sekisho incident` without a server: what is shown and exported, and what waits for the next start."""

import csv
import io
import json
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest

from cli.mailhome import MailHome
from covers import covers
from guard.streams import DAY, MINUTE, OWNER, START, Town, bot, strangers
from sekisho.model.account import Account
from sekisho.model.action import Action, Performed
from sekisho.model.incident import Evidence, Grade, Incident
from sekisho.model.phrase import phrase
from sekisho.service.messages import IncidentAnswer
from sekisho.store.house import Change

CASE, HOLD = "01jx2v5k9qd4m8s3t", "01jx2v5k9qd4m8s3t"
HOSTILE = "=cmd|' /C calc'!A1 <script>alert(1)</script> | [x](javascript:1) \u202e\x1b]0;owned\x07"


@pytest.fixture
def home(tmp_path: Path) -> MailHome:
    return MailHome(tmp_path)


def contained() -> Incident:
    """A case as the guard makes it."""
    town = Town().lives(20)
    for number in range(5):
        town.wait(MINUTE).sends(bot(number), strangers(8, f"{number}."))
    found = town.findings[-1]
    return Incident(CASE, OWNER, "takeover", Grade.CONTAIN, found.at, found.sentence, found.evidence)


def keep(home: MailHome, incident: Incident, *actions: Action) -> None:
    with home.house() as house:
        if house.account(OWNER) is None:
            house.save_account(Account(OWNER), Change(1, "test", "added", OWNER))
        house.save_incident(incident)
        for action in actions:
            house.save_action(action)
            if action.status == "done":
                house.save_performed(
                    Performed(action.id, "front-1", incident.opened, ("d1", "d2", "d3"), count=3)
                )


def hold(status: str = "done") -> Action:
    return Action(HOLD, "hold_queue", OWNER, CASE, START + 21 * DAY, "guard", ("AS2516/JP",), status=status)  # type: ignore[arg-type]


def test_an_empty_house_has_no_incidents(home: MailHome) -> None:
    """Nothing is printed, nothing is wrong."""
    assert (0, "", "") == home("incident", "list")


def test_list_and_show(home: MailHome) -> None:
    """One line each, then sentence, counters, evidence and actions in the order of time."""
    keep(home, contained(), hold())
    (line,) = home("incident", "list").out.splitlines()
    assert line.startswith(CASE) and "contained" in line and "sign-ins in" in line
    shown = home("incident", "show", CASE).out
    assert "a country new to the account" in shown
    assert "hold the waiting mail of hello@example.com from unfamiliar networks (done, changed 3" in shown
    assert shown.index("a country new") < shown.index("hold the waiting mail")
    assert home("incident", "show", OWNER).out == shown


def test_show_needs_a_case(home: MailHome) -> None:
    """Exit code 1 and one sentence."""
    result = home("incident", "show", "nothing")
    assert (1, "") == (result.code, result.out)
    assert "there is no incident nothing" in result.err


@covers("O-09", partly="masking of recipients in scan's report is the scan's")
def test_export_json_reads_back_equal(home: MailHome) -> None:
    """Every field of case, actions and what was performed."""
    keep(home, contained(), hold())
    out = home("incident", "export", CASE, "--format", "json").out
    answer = msgspec.json.decode(out, type=IncidentAnswer)
    expected = msgspec.structs.replace(contained(), counters={"seen": 1})
    assert answer.incidents == (expected,)
    assert answer.actions == (hold(),)
    assert answer.performed[0].changed == ("d1", "d2", "d3")
    assert json.loads(out)["incidents"][0]["subject"] == OWNER


@covers("O-09")
def test_export_csv_is_safe_in_a_spreadsheet(home: MailHome) -> None:
    """RFC 4180; no cell begins a formula, whatever a stranger called himself."""
    keep(home, hostile(), hold())
    rows = list(csv.reader(io.StringIO(home("incident", "export", CASE, "--format", "csv").out)))
    assert rows[0] == ["incident", "account", "at", "kind", "weight", "by", "text"]
    assert len(rows) == 3
    assert all(len(row) == 7 for row in rows)
    assert all(not cell.startswith(("=", "+", "-", "@", "\t")) for row in rows for cell in row)


@covers("O-09")
def test_export_html_escapes_everything(home: MailHome) -> None:
    """One file without scripts, links or anything that a stranger wrote as markup."""
    keep(home, hostile(), hold())
    page = home("incident", "export", CASE, "--format", "html").out
    seen: list[str] = []

    class Tags(HTMLParser):
        def handle_starttag(self, tag: str, attrs: object) -> None:
            seen.append(tag)

    Tags().feed(page)
    allowed = {
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "h1",
        "p",
        "dl",
        "dt",
        "dd",
        "table",
        "tr",
        "td",
    }
    assert set(seen) <= allowed
    assert "&lt;script&gt;" in page
    assert "default-src &#x27;none&#x27;" in page or "default-src 'none'" in page


@covers("O-09")
def test_export_markdown_has_no_strange_markup(home: MailHome) -> None:
    """No link, no HTML, no broken table; control characters are visible."""
    keep(home, hostile(), hold())
    text = home("incident", "export", CASE, "--format", "md").out
    assert "<script>" not in text and "](javascript" not in text
    assert all(ord(char) >= 32 or char == "\n" for char in text)
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert {4} == {line.replace("\\|", "").count("|") - 1 for line in rows}


@covers("O-09")
@pytest.mark.parametrize("form", ["json", "csv", "md", "html"])
def test_a_masked_export_hides_local_parts(home: MailHome, form: str) -> None:
    """Domains stay, names go."""
    keep(home, contained(), hold())
    out = home("incident", "export", CASE, "--format", form, "--mask").out
    assert "hello@" not in out and "hello\\@" not in out
    assert "example.com" in out.replace("\\", "")


def hostile() -> Incident:
    text = phrase("sign-in from {address}", address=HOSTILE)
    evidence = (Evidence(START, "country", 4.0, text),)
    return Incident(
        CASE, OWNER, "takeover", Grade.CONTAIN, START, phrase("{account}: x", account=HOSTILE), evidence
    )


def test_contain_without_a_server_is_planned(home: MailHome) -> None:
    """The plan is shown, then written down; the next start does it; a second call changes nothing."""
    with home.house() as house:
        house.save_account(Account(OWNER), Change(1, "test", "added", OWNER))
    plan = home("incident", "contain", OWNER, "--dry-run")
    assert "hold the waiting mail of hello@example.com" in plan.out
    assert home("incident", "list").out == ""
    result = home("incident", "contain", OWNER, "--yes")
    assert result.code == 0 and "planned" in result.out
    with home.house() as house:
        kinds = [action.kind for action in house.planned()]
    assert sorted(kinds) == ["drop_sessions", "hold_queue", "notify", "refuse_logins", "revoke_access"]
    assert "nothing to do" in home("incident", "contain", OWNER, "--yes").out


def test_release_without_a_server_is_planned(home: MailHome) -> None:
    """Marks of the case and of each hold; the case is closed in the operator's name."""
    keep(home, contained(), hold())
    result = home("incident", "release", CASE, "--keep-password", "--yes")
    assert result.code == 0
    with home.house() as house:
        assert sorted(action.kind for action in house.planned()) == ["allow_logins", "release_queue"]
        case = house.incident(CASE)
    assert case is not None and case.closed and case.closed_why.startswith("released by operator")
    assert "nothing to do" in home("incident", "release", CASE, "--keep-password", "--yes").out


def test_nothing_happens_without_a_yes(home: MailHome) -> None:
    """Asked in a pipe, the question is not answered."""
    keep(home, contained(), hold())
    home("incident", "release", CASE, "--keep-password", typed=b"n\n")
    with home.house() as house:
        assert house.planned() == []


def test_undo_of_what_cannot_be_undone(home: MailHome) -> None:
    """Said, with exit code 1."""
    action = Action("01jx2v5k9qd4m8s3v", "drop_sessions", OWNER, CASE, START, "guard", status="done")
    keep(home, contained(), action)
    result = home("incident", "undo", action.id, "--yes")
    assert 1 == result.code and "cannot be undone" in result.err
