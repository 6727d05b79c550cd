"""The 86 lines that were written for this project, each with what it must mean."""

import json

from logs.heard import heard
from shared import shared

JUDGED = {"login": True, "submit": True, "fail": False, "authfail": False}


def test_every_fixture_means_what_was_expected() -> None:
    """Result, account and address; a line of qmail-send's is a message, for it knows of no sign-in."""
    rows = [json.loads(line) for line in shared("corpora/logs/fixtures.jsonl").read_text().splitlines()]
    assert 86 == len(rows)
    for row in rows:
        told, expected = heard(row["line"]), row["expect"]
        assert 0 == told.unknown, row["line"]
        if row["format"] == "qmail-send" and expected["kind"] == "submit":
            assert [expected["account"]] == [letter.sender for letter in told.letters]
            continue
        ok = JUDGED.get(expected["kind"])
        meant = [] if ok is None else [(ok, expected["account"] or "", expected["ip"] or "")]
        assert meant == [(one.ok, one.account, one.address) for one in told.logins], row["line"]
