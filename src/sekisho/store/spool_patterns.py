"""What operators look for in a queue: words, or a regular expression (RE2) after "re:"; never a slow one.

RE2 takes time in proportion to the text whatever the expression says, so nobody can stop the server with one.
"""

import ipaddress
from collections.abc import Callable, Iterator
from typing import Any

from sekisho.model.selector import Selector

EXPRESSION = "re:"

PATTERN_MAX = 1000
"""Longest expression, in characters."""

PROGRAM_BYTES = 4 * 1024 * 1024
"""Most memory that a compiled expression may take: repeats of repeats stop here."""

COMPILED_MAX = 50

HEADER_BYTES = 256 * 1024
"""So much of a letter's beginning is looked through for its header."""

BODY_BYTES = 8 * 1024 * 1024
"""So much of a letter is looked through for an expression; words are looked for in all of it."""

MATCHED = ("sender", "recipient", "account", "subject", "body", "header", "reply")
"""Fields of a Selector that may hold an expression."""

Match = Callable[[str], bool]


class BadPattern(Exception):
    """Not a regular expression, or too large a one; `where` names the selector."""

    def __init__(self, where: str, why: str) -> None:
        super().__init__(f"{where}: {why}")
        self.where = where
        self.why = why


def is_expression(wanted: str) -> bool:
    return wanted.startswith(EXPRESSION)


def check(selector: Selector) -> None:
    """Raises BadPattern."""
    for name in MATCHED:
        wanted: str = getattr(selector, name)
        if len(wanted) > PATTERN_MAX:
            raise BadPattern(name, f"longer than {PATTERN_MAX} characters")
        if is_expression(wanted):
            _compiled(name, wanted)
    if selector.address:
        try:
            ipaddress.ip_network(selector.address, strict=False)
        except ValueError as error:
            raise BadPattern("address", "not an address or network such as 192.0.2.0/24") from error


class Matchers:
    """Compiled once for each search."""

    def __init__(self) -> None:
        self._known: dict[str, Match] = {}

    def matches(self, text: str | None, wanted: str) -> bool:
        """Words without regard to case, or the expression anywhere in the text."""
        match = self._known.get(wanted)
        if match is None:
            if len(self._known) >= COMPILED_MAX:
                self._known.clear()
            match = self._known[wanted] = _match(wanted)
        return match(text or "")

    def in_header(self, beginning: bytes, wanted: str) -> bool:
        """In one field, as in "X-Mailer: Bat" or "re:^received: .*by mx9", folded lines joined."""
        return any(self.matches(field, wanted) for field in fields(beginning))


def fields(beginning: bytes) -> Iterator[str]:
    """The header's fields, unfolded (RFC 5322 2.2.3)."""
    header = beginning[:HEADER_BYTES].partition(b"\r\n\r\n")[0]
    field = b""
    for line in header.split(b"\r\n"):
        if line[:1] in (b" ", b"\t"):
            field += line
            continue
        if field:
            yield field.decode("utf-8", "replace")
        field = line
    yield field.decode("utf-8", "replace")


def _match(wanted: str) -> Match:
    if is_expression(wanted):
        expression = _compiled("pattern", wanted)
        return lambda text: expression.search(text) is not None
    folded = wanted.casefold()
    return lambda text: folded in text.casefold()


def _compiled(where: str, wanted: str) -> Any:
    import re2  # only who uses an expression pays for it

    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    options.max_mem = PROGRAM_BYTES
    try:
        return re2.compile(wanted.removeprefix(EXPRESSION), options)
    except re2.error as error:
        why = error.args[0] if error.args else ""
        raise BadPattern(where, why.decode() if isinstance(why, bytes) else str(why)) from error
