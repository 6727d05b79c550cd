"""What a `.qmail` or `.forward` file wants done with a letter, as a list of steps; nothing is done here.

Both are read by their own rules and become the same steps. A line that cannot be understood is a flaw, with
its number: then the letter waits until somebody has mended the file, as with qmail.
"""

import re
from typing import Literal

from msgspec import Struct

from sekisho.model.address import BadAddress, domain_of, parse_path
from sekisho.model.text import printable

FILE_BYTES = 16 * 1024
"""Largest file of instructions."""

STEPS_MAX = 100
"""Most steps of one file."""

SHOWN = 200

Kind = Literal["mailbox", "maildir", "mbox", "forward", "program"]
Format = Literal["qmail", "forward"]
Why = Literal["blank", "address", "place", "syntax", "too_many", "forward_only"]

_NAME = r"\.?[A-Za-z0-9_+=-][A-Za-z0-9._+=-]*"
_PLACE = re.compile(rf"{_NAME}(?:/{_NAME})*/?")
_QUOTED_PAIR = re.compile(r"\\([\"\\])")
_STRANGE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]")


class Step(Struct, frozen=True):
    """`text`: an address, a command as it stands, a path below the account's folder, "" for its mailbox."""

    kind: Kind
    text: str = ""
    line: int = 0


class Flaw(Struct, frozen=True):
    line: int
    text: str
    why: Why


class Instructions(Struct, frozen=True):
    """In order. No step and no flaw: the letter is thrown away. `forward_only`: qmail's +list."""

    steps: tuple[Step, ...] = ()
    flaws: tuple[Flaw, ...] = ()
    forward_only: bool = False


MAILBOX = Instructions((Step("mailbox"),))
"""What an empty file says, or none."""


def names(extension: str, style: Format) -> tuple[str, ...]:
    """The files that may speak for a name with this extension, the first that exists decides.

    "a-b": `.qmail-a-b`, `.qmail-a-default`, `.qmail-default`, `.qmail`. A dot is written as a colon there,
    so that no extension names a file anywhere else.
    """
    if style == "forward":
        plain = re.fullmatch(r"[a-z0-9_=-][a-z0-9._=-]*", extension)
        return (f".forward+{extension}", ".forward") if plain else (".forward",)
    safe = extension.replace(".", ":")
    if not re.fullmatch(r"[a-z0-9_:=+-]+", safe):
        return (".qmail-default", ".qmail") if extension else (".qmail",)
    parts = safe.split("-")
    defaults = ["-".join((*parts[:count], "default")) for count in range(len(parts) - 1, -1, -1)]
    return (f".qmail-{safe}", *(f".qmail-{name}" for name in defaults), ".qmail")


def parse(data: bytes, style: Format, own: str) -> Instructions:
    """`own` is the address of the account: its domain completes names without one."""
    return _qmail(data, own) if style == "qmail" else _forward(data, own)


def _qmail(data: bytes, own: str) -> Instructions:
    lines = _lines(data)
    if not any(line.rstrip(" \t") for line in lines) and "" not in lines[:1]:
        return MAILBOX  # only a comment throws letters away
    found: list[Step | Flaw] = []
    forward_only = False
    for number, raw in enumerate(lines, 1):
        line = raw.rstrip(" \t")
        if not raw and number == 1:
            found.append(Flaw(1, "", "blank"))  # dot-qmail(5): mail waits
        elif line == "+list":
            forward_only = True
        elif line and not line.startswith("#"):
            found.append(_qmail_step(line, number, own))
    return _only_forwards(found) if forward_only else _limited(found)


def _qmail_step(line: str, number: int, own: str) -> Step | Flaw:
    if line.startswith("|"):
        return _program(line, number)
    if line[0] in "./":
        return _place(line, number)
    if line.startswith("&"):
        return _address(line[1:].strip(), number, own)
    if line[0].isascii() and line[0].isalnum():
        return _address(line, number, own)
    return _flaw(number, line, "syntax")


def _forward(data: bytes, own: str) -> Instructions:
    found: list[Step | Flaw] = []
    for number, line in enumerate(_lines(data), 1):
        if line.lstrip().startswith("#"):
            continue
        words = _words(line)
        if words is None:
            found.append(_flaw(number, line, "syntax"))
        else:
            found += [_forward_step(word, number, own) for word in words]
    return _limited(found) if found else MAILBOX


def _forward_step(word: str, number: int, own: str) -> Step | Flaw:
    if len(word) > 1 and word[0] == word[-1] == '"':  # a quoted local part ends before its domain
        word = _QUOTED_PAIR.sub(r"\1", word[1:-1])
    if word.startswith("|"):
        return _program(word, number)
    if word.startswith(("/", "./", "~")):
        return _place(word, number)
    step = _address(word.removeprefix("\\"), number, own)
    if step.text.lower() == own:
        return Step("mailbox", "", number)  # a name in its own file is its mailbox
    return step


def _lines(data: bytes) -> list[str]:
    """The last line may lack its end."""
    lines = [line.removesuffix("\r") for line in data.decode("utf-8", "surrogateescape").split("\n")]
    return lines if lines[-1] else lines[:-1]


def _words(line: str) -> list[str] | None:
    """Apart by commas that stand in no quotes; None where quotes do not end."""
    words, word, quoted, escaped = [], "", False, False
    for char in line:
        if char == "," and not quoted:
            words.append(word)
            word = ""
            continue
        quoted ^= char == '"' and not escaped
        escaped = char == "\\" and not escaped
        word += char
    stripped = [each.strip() for each in (*words, word)]
    return None if quoted else [each for each in stripped if each]


def _program(word: str, number: int) -> Step | Flaw:
    command = word[1:].strip()
    if not command or _STRANGE.search(command):
        return _flaw(number, word, "syntax")
    return Step("program", command, number)


def _place(word: str, number: int) -> Step | Flaw:
    """Below the account's folder only."""
    path = word.removeprefix("~/").removeprefix("./")
    if not _PLACE.fullmatch(path):
        return _flaw(number, word, "place")
    return Step("maildir" if path.endswith("/") else "mbox", path, number)


def _address(word: str, number: int, own: str) -> Step | Flaw:
    bare = word[1:-1] if word.startswith("<") and word.endswith(">") else word
    whole = bare if "@" in bare else f"{bare}@{domain_of(own)}"
    mailbox = parse_path(whole.encode("utf-8", "surrogateescape"))
    if mailbox is None or isinstance(mailbox, BadAddress) or not mailbox.domain:
        return _flaw(number, word, "address")
    return Step("forward", str(mailbox), number)


def _only_forwards(found: list[Step | Flaw]) -> Instructions:
    """dot-qmail(5): a list that programs may edit runs none and writes no file."""
    others = [each for each in found if isinstance(each, Step) and each.kind != "forward"]
    rest = [each for each in found if each not in others]
    limited = _limited([*rest, *(_flaw(each.line, each.text, "forward_only") for each in others)])
    return Instructions(limited.steps, limited.flaws, forward_only=True)


def _limited(found: list[Step | Flaw]) -> Instructions:
    steps = [each for each in found if isinstance(each, Step)]
    flaws = [each for each in found if isinstance(each, Flaw)]
    if len(steps) > STEPS_MAX:
        flaws.append(_flaw(steps[STEPS_MAX].line, steps[STEPS_MAX].text, "too_many"))
    return Instructions(tuple(steps[:STEPS_MAX]), tuple(flaws[:STEPS_MAX]))


def _flaw(number: int, text: str, why: Why) -> Flaw:
    return Flaw(number, printable(text, SHOWN), why)
