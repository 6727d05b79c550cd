"""Who wrote a letter, as every reader of it would say: the domains in its From field (RFC 9989 4.2, 5.3.1).

Readers disagree about letters with two From fields, with addresses in the place of names, with groups and
broken quotes. Who forges lives on that, so nothing is guessed: a domain that some reader could take for the
author's is one of the authors, and where it cannot be told there is no author at all.
"""

import re
from collections.abc import Iterator

from msgspec import Struct

from sekisho.mail.headers import Head, unfolded
from sekisho.mail.names import host_name

FIELD_BYTES = 4 * 1024
"""Longest From field that is read; an honest one is a line of it."""

DOMAINS_MAX = 4
"""Most different domains of one From field; honest letters have one."""

_TOKEN = re.compile(
    r'(?P<space>[ \t]++)|(?P<quoted>"(?:[^"\\]|\\.)*+")|(?P<angle><[^<>]*+>)|(?P<open>\()'
    r"|(?P<special>[,:;)<>\\\"])|(?P<word>[^ \t\",:;()<>\\]++)"
)
_IN_COMMENT = re.compile(r"[()]|\\.?")
_ADDRESS = re.compile(r'(?:[^ \t"(),:;<>@\[\]\\]++|"(?:[^"\\@]|\\[^@])*+")@([^ \t"(),:;<>@\\]++)')
_LETTERS = re.compile(r"[\t -~\x80-\U0010ffff]*+")


class NoAuthor(Struct, frozen=True):
    """Readers could disagree, or there is nobody."""

    why: str


class _Unclear(Exception):
    pass


def authors(head: Head, raw: bytes) -> tuple[str, ...] | NoAuthor:
    """The domains, in A-labels; `raw` are the bytes of the head."""
    values = [field.value for field in head.fields if field.name == b"from"]
    if len(values) != 1:
        return NoAuthor(f"{len(values)} From fields" if values else "no From field")
    end = head.fields[-1].end
    if raw[end : head.size].strip(b"\r\n"):
        return NoAuthor("the head is broken")  # some readers go on behind that line, others do not
    try:
        text = unfolded(values[0]).decode()
    except UnicodeDecodeError:
        return NoAuthor("From is not UTF-8")
    try:
        found = tuple(dict.fromkeys(domain for domain in _domains(text)))
    except _Unclear as why:
        return NoAuthor(str(why))
    if not found:
        return NoAuthor("no address in From")
    return found if len(found) <= DOMAINS_MAX else NoAuthor("too many authors")


def _domains(text: str) -> Iterator[str]:
    if len(text) > FIELD_BYTES:
        raise _Unclear("From is too long")
    if not _LETTERS.fullmatch(text):
        raise _Unclear("From has control characters")
    mailbox: list[tuple[str, str]] = []
    at = 0
    while at < len(text):
        token = _TOKEN.match(text, at)
        if token is None:
            raise _Unclear("From cannot be read")
        at = token.end()
        kind, word = token.lastgroup or "", token[0]
        if kind == "open":
            at = _behind_comment(text, at)
            mailbox.append(("space", " "))
        elif word == ",":
            yield from _mailbox(mailbox)
            mailbox = []
        elif kind == "special":
            raise _Unclear("From is a group" if word in ":;" else "From cannot be read")
        else:
            mailbox.append((kind, word))
    yield from _mailbox(mailbox)


def _behind_comment(text: str, at: int) -> int:
    depth = 1
    for found in _IN_COMMENT.finditer(text, at):
        depth += (found[0] == "(") - (found[0] == ")")
        if not depth:
            return found.end()
    raise _Unclear("From has a comment without end")


def _mailbox(tokens: list[tuple[str, str]]) -> Iterator[str]:
    """Nothing between two commas is nobody (RFC 5322 4.4)."""
    words = [(kind, word) for kind, word in tokens if kind != "space"]
    if not words:
        return
    angles = [word for kind, word in words if kind == "angle"]
    if not angles:
        yield _domain("".join(word for _, word in tokens).strip())
        return
    if len(angles) > 1 or words[-1][0] != "angle":
        raise _Unclear("From has more than one address for one name")
    for kind, word in words:
        if kind == "word" and "@" in word:
            yield _domain(word)  # an address in the place of the name: some readers show it as the author
    yield _domain(angles[0][1:-1].strip())


def _domain(address: str) -> str:
    found = _ADDRESS.fullmatch(address)
    domain = host_name(found[1]) if found is not None else ""
    if not domain or "=?" in address:
        raise _Unclear("no address that everybody reads in the same way")
    return domain
