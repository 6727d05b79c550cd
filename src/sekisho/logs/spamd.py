"""SpamAssassin's spamd, old and new: who connected, for whom it looked, what it found.

    spamd: connection from localhost [127.0.0.1]:43120 to port 783, fd 5
    spamd: result: Y 22 - BAYES_99,HTML_MESSAGE scantime=0.9,size=2050,user=a@example.com,uid=109,...

It sees mail for our users, so it says nothing about logins: its lines are understood in order to be told
apart.
"""

import re

from sekisho.logs.facts import (
    SpamConnected,
    SpamFact,
    SpamProcessing,
    SpamResult,
    SpamScored,
    SpamUserUnknown,
    ip_address,
)
from sekisho.logs.tags import TAG
from sekisho.model.address import normal
from sekisho.model.text import printable

NAME = "spamd"
PATTERN = rb"spamd" + TAG + rb"(spamd: [^\n]*)"
BARE = rb"(?:\[\d+\] )?(?:info|warn|error|dbg): (spamd: [^\n]*)"
"""Behind the line's header; and as spamd itself writes under multilog."""

TESTS_KEPT = 100
LINE_MAX = 8192

_CONNECTION = re.compile(
    r"connection from (\S*) \[([0-9A-Fa-f:.]+)\](?: at port |:)(\d+)(?: to port \d+, fd \d+)?"
)
_UNKNOWN = re.compile(
    r"handle_user (?:\((?:getpwnam|userdir|sql|ldap)\) )?unable to find user: '(.*)'", re.DOTALL
)
_PROCESSING = re.compile(r"(?:processing|checking) message (.*) for (.*):(\d+)", re.DOTALL)
_SCORED = re.compile(
    r"(clean message|identified spam) \((-?[\d.]+)/(-?[\d.]+)\) for (.*):(\d+)"
    r" in ([\d.]+) seconds, (\d+) bytes\.",
    re.DOTALL,
)
_RESULT = re.compile(r"result: ([Y.]) +(-?[\d.]+) - (\S*) (scantime=.*)", re.DOTALL)
_FIELD = re.compile(r"(?:^|,)(size|user|required_score|raddr|mid)=")


def parse(raw: bytes) -> SpamFact | None:
    """The text from `spamd: ` on; None for spamd's other talk: children, prefork, start and stop."""
    if len(raw) > LINE_MAX:
        return None
    text = raw.decode("utf-8", "surrogateescape").rstrip("\r\n ").removeprefix("spamd: ")
    if match := _CONNECTION.fullmatch(text):
        return SpamConnected(printable(match[1]), ip_address(match[2]), int(match[3]))
    if match := _UNKNOWN.fullmatch(text):
        return SpamUserUnknown(printable(normal(match[1])))
    if match := _PROCESSING.fullmatch(text):
        return SpamProcessing(printable(match[1]), printable(normal(match[2])), int(match[3]))
    if match := _SCORED.fullmatch(text):
        return _scored(match)
    if match := _RESULT.fullmatch(text):
        return _result(match)
    return None


def _scored(match: re.Match[str]) -> SpamScored | None:
    numbers = [_number(match[group]) for group in (2, 3, 6)]
    score, threshold, seconds = numbers
    if score is None or threshold is None or seconds is None:
        return None
    user = printable(normal(match[4]))
    return SpamScored(
        match[1] == "identified spam", score, threshold, user, int(match[5]), seconds, int(match[7])
    )


def _result(match: re.Match[str]) -> SpamResult | None:
    score = _number(match[2])
    fields = _fields(match[4])
    threshold = _number(fields.get("required_score", "0"))
    if score is None or threshold is None:
        return None
    tests = tuple(printable(test) for test in match[3].split(",")[:TESTS_KEPT] if test)
    size = fields.get("size", "")
    return SpamResult(
        match[1] == "Y", score, tests, printable(normal(fields.get("user", ""))),
        int(size) if size.isdigit() else 0, threshold,
        ip_address(fields.get("raddr", "")), printable(fields.get("mid", "")),
    )  # fmt: skip


def _fields(text: str) -> dict[str, str]:
    """`name=value,name=value`: a value may hold commas, so it ends where the next name of ours, or any,
    begins."""
    fields: dict[str, str] = {}
    for match in _FIELD.finditer(text):
        rest = text[match.end() :]
        following = re.search(r",[a-z_]+=", rest)
        fields.setdefault(match[1], rest[: following.start()] if following else rest)
    return fields


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
