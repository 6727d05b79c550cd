"""What the reader makes of single lines, for tests of dialects, and the lines of the shared corpora."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple

from sekisho.logs.facts import Login
from sekisho.logs.ledger import Ledger
from sekisho.logs.mailroom import Letter
from sekisho.logs.reading import Place, Reader
from sekisho.logs.stamp import SECOND, Calendar
from shared import shared

NEAR = int(datetime(2023, 7, 1, tzinfo=UTC).timestamp()) * SECOND


class Heard(NamedTuple):
    logins: list[Login]
    letters: list[Letter]
    unknown: int
    dialects: dict[str, int]


def heard(*lines: str) -> Heard:
    """Each line is read as a follower of a growing log reads it."""
    reader = read(*lines)
    ledger = reader.ledger
    visits = [visit for story in ledger.visits([*ledger.accounts()]).values() for visit in story]
    nameless = [login for login in ledger.logins if not login.account and login.address]
    told = [visit.login for visit in sorted(visits, key=lambda visit: visit.row)]
    letters = [letter for group in ledger.letters.values() for letter in group]
    return Heard(told + nameless, letters, reader.shapes.count, dict(reader.dialects))


def verdicts(*lines: str) -> dict[str, int]:
    """What qmail-smtpd and its patches decided, by kind."""
    return dict(read(*lines).verdicts)


def read(*lines: str) -> Reader:
    reader = Reader(Ledger())
    reader.begin(Place(0, b"mail.log", Calendar(UTC, NEAR)))
    for line in lines:
        reader.read_line(line.encode("utf-8", "surrogateescape"))
    reader.settle()
    return reader


class Expected(NamedTuple):
    """A line of fail2ban's test logs; `host` is "" where it says that nobody should be banned for it."""

    line: str
    host: str
    user: str


def fail2ban(name: str) -> Iterator[Expected]:
    told = None
    for line in shared(f"corpora/fail2ban_logs/{name}").read_text(errors="surrogateescape").splitlines():
        if match := re.match(r"# ?failJSON: (.*)", line):
            told = json.loads(match[1])
        elif line and not line.startswith("#") and told is not None:
            match_ = told.get("match", False)
            yield Expected(line, told.get("host", "") if match_ else "", told.get("user", ""))
            told = None


def crowdsec(name: str) -> list[str]:
    folder = shared(f"corpora/crowdsec_tests/{name}")
    return [line for file in sorted(folder.glob("*.log")) for line in file.read_text().splitlines() if line]
