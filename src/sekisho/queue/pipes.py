"""Delivery to a program, purely: what it is called with, what it is told, and what its exit code means.

No shell sees any of it. A command is a list of words, and the words of strangers (sender, recipient) come to
a program only as values in its environment, or in the place of `{sender}` and its like in its arguments:
harmless letters only, and never a hyphen in front, which would make an option of an address
(CVE-2020-7247).
"""

import re
import shlex
from collections.abc import Mapping, Sequence

import msgspec

from sekisho.model.address import domain_of
from sekisho.model.delivery import Deferred, Delivered, Delivery, Failed, Kind, Outcome, Route, Tls
from sekisho.model.text import printable
from sekisho.model.verdict import Reply

WORDS_MAX = 64
WORD_MAX = 1000
LANE_MAX = 300
SHELL = "/bin/sh"
PATH = "/usr/local/bin:/usr/bin:/bin"

_SHELL = re.compile(r"[$`;&|<>(){}*?~#!\\\x00-\x08\x0a-\x1f]")
_STRANGE = re.compile(r"[^A-Za-z0-9@._=+/:,%!~-]")
_FIELD = re.compile(r"\{(sender|recipient|local|domain|extension|user)\}")
_STATUS = re.compile(r"([245]\.\d{1,3}\.\d{1,3})[ \t:]+")
_words = msgspec.json.Decoder(tuple[str, ...])

LAST = 99
"""qmail's: done, and no further instruction is followed."""

DONE = frozenset({0, LAST})

LATER: Mapping[int, str] = {71: "4.3.0", 74: "4.3.0", 75: "4.3.0", 111: "4.3.0"}
NEVER: Mapping[int, str] = {
    64: "5.3.0", 65: "5.6.0", 66: "5.3.0", 67: "5.1.1", 68: "5.1.2", 69: "5.3.0", 70: "5.3.0", 72: "5.3.0",
    73: "5.2.0", 76: "5.5.0", 77: "5.7.0", 78: "5.3.5", 100: "5.3.0", 112: "5.3.0",
}  # fmt: skip
"""sysexits(3) and qmail-command(8) as status codes (RFC 3463). Whatever is in neither table, a signal among
them, is a mishap of the program's: it is tried again."""


def pipe_route(words: Sequence[str]) -> Route:
    """To a program by its absolute path, and its arguments; they may hold `{sender}` and so on."""
    host = msgspec.json.encode(list(words[:WORDS_MAX])).decode()
    return Route(Kind.PIPE, host, f"pipe:{words[0] if words else ''}"[:LANE_MAX], tls=Tls.NONE)


def words_of(route: Route) -> tuple[str, ...]:
    """The command of a route; () when it holds none."""
    try:
        return _words.decode(route.host)
    except msgspec.DecodeError:
        return ()


def plain_words(text: str) -> tuple[str, ...]:
    """The words of a command of a `.qmail` or `.forward` file; () if only a shell understands it."""
    if _SHELL.search(text):
        return ()
    try:
        return tuple(shlex.split(text)[:WORDS_MAX])
    except ValueError:  # quotes that do not end
        return ()


def allowed(text: str, programs: Sequence[str]) -> tuple[str, ...]:
    """The command as words that begin with one of these programs; () if none of them may run it.

    A name without a folder is the listed program of that name. What needs a shell gets it if that is listed.
    """
    words = plain_words(text)
    if not words:
        return (SHELL, "-c", text) if SHELL in programs else ()
    for program in programs:
        if words[0] in (program, program.rpartition("/")[2]):
            return (program, *words[1:])
    return ()


def facts_of(delivery: Delivery, sender: str, extension: str | None = None) -> dict[str, str]:
    """What a program may know, by the names of its arguments' fields; every value is harmless.

    `extension`: what follows the user's name, if that is known better than by its first `+`.
    """
    local, _, _ = delivery.recipient.rpartition("@")
    user, found = _divided(local)
    if extension is not None:
        user, found = (local[: -len(extension) - 1], extension) if extension else (local, "")
    told = {
        "sender": sender,
        "recipient": delivery.recipient,
        "local": local,
        "domain": domain_of(delivery.recipient),
        "extension": found,
        "user": user,
    }
    return {name: harmless(value) for name, value in told.items()}


def harmless(text: str) -> str:
    """Strange letters become `_`, as does a hyphen in front: it can be no option, no word of a shell."""
    plain = _STRANGE.sub("_", text[:WORD_MAX])
    return "_" + plain[1:] if plain.startswith("-") else plain


def command(words: Sequence[str], facts: Mapping[str, str]) -> list[str]:
    """The words with their fields filled in. One word stays one word."""
    return [_FIELD.sub(lambda field: facts[field[1]], word) for word in words]


def environment(facts: Mapping[str, str], home: str) -> dict[str, str]:
    """All of it: nothing of our own environment reaches a program. qmail's names stand beside Postfix's."""
    return {
        "PATH": PATH,
        "HOME": home,
        "SENDER": facts["sender"],
        "RECIPIENT": facts["recipient"],
        "LOCAL": facts["local"],
        "DOMAIN": facts["domain"],
        "HOST": facts["domain"],
        "EXTENSION": facts["extension"],
        "EXT": facts["extension"],
        "USER": facts["user"],
        "LOGNAME": facts["user"],
    }


def outcome(name: str, code: int, output: bytes) -> Outcome:
    """What an exit code means; a negative one is a signal. The first words of output are the reason.

    Output that begins with a status code ("5.2.2 mailbox is full") chooses that of the reply, if it is of
    the same class.
    """
    said = " ".join(printable(output).split())
    if code in DONE:
        return Delivered(Reply(250, "2.0.0", f"delivered to {name}"))
    permanent = code in NEVER
    status = NEVER.get(code) or LATER.get(code, "4.3.0")
    if (match := _STATUS.match(said)) and match[1][0] == status[0]:
        status, said = match[1], said[match.end() :]
    ended = f"signal {-code}" if code < 0 else f"exit code {code}"
    reply = Reply(550 if permanent else 451, status, said or f"{name} ended with {ended}")
    return Failed(reply) if permanent else Deferred(reply)


def _divided(local: str) -> tuple[str, str]:
    user, _, extension = local.partition("+")
    return (user, extension) if extension else (local, "")
