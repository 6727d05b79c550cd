"""Reads sekisho.toml into the one tree of settings, and says of every mistake where it stands.

An unknown key is an error that names the file, the table, the key and the nearest known key. Folders and
files in the result are absolute: `state` is relative to the file, everything else to the state folder.
"""

import difflib
import os
import tomllib
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Struct, inspect
from msgspec.structs import replace

from sekisho.model.config import Config
from sekisho.model.phrase import Phrase, phrase
from sekisho.model.text import printable
from sekisho.store.plausible import implausible
from sekisho.store.schema import Field, Place, dotted, entry_of, fields_of, literal
from sekisho.store.tomllines import lines_of

FILE = "sekisho.toml"

FILE_BYTES = 1024 * 1024
"""Largest settings file."""


class Mistake(Struct, frozen=True):
    """One thing wrong with the settings. `place` is the dotted key; `line` 0: nowhere in particular."""

    place: str
    why: Phrase
    line: int = 0


class ConfigError(Exception):
    """The settings cannot be used; `mistakes` has everything that is wrong, `place` and `why` the first."""

    def __init__(self, path: str, mistakes: list[Mistake]) -> None:
        super().__init__(path, *(f"{mistake.place}: {mistake.why}" for mistake in mistakes))
        self.path = path
        self.mistakes = tuple(mistakes)
        self.place = mistakes[0].place
        self.why = mistakes[0].why


class Loaded(Struct, frozen=True):
    """The settings, what the file itself says, and on which line each key stands."""

    config: Config
    path: str
    given: dict[str, Any]
    lines: dict[Place, int]


def load(path: str) -> Config:
    """Raises ConfigError."""
    return read(path).config


def read(path: str) -> Loaded:
    """Raises ConfigError."""
    text = _text(path)
    try:
        given = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(path, [Mistake("", phrase("this is not TOML: {why}", why=str(error)))]) from error
    lines = lines_of(text)
    mistakes = [
        Mistake(dotted(place), why, lines.get(place, 0))
        for place, why in _mistakes(given, inspect.type_info(Config), ())
    ]
    if mistakes:
        raise ConfigError(path, mistakes)
    return Loaded(_resolved(msgspec.convert(given, Config), path), path, given, lines)


def _text(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return file.read(FILE_BYTES).decode()
    except UnicodeDecodeError as error:
        raise ConfigError(path, [Mistake("", phrase("this is not text in UTF-8"))]) from error
    except OSError as error:
        why = phrase("cannot be read: {why}", why=error.strerror or str(error))
        raise ConfigError(path, [Mistake("", why)]) from error


def _mistakes(given: dict[str, Any], table: inspect.Type, place: Place) -> Iterator[tuple[Place, Phrase]]:
    """In the order of the file; what is missing last."""
    known = fields_of(table, place)
    for name, value in given.items():
        if name in known:
            yield from _value_mistakes(known[name], value)
        else:
            yield (*place, name), _unknown(name, known, place)
    for name, field in known.items():
        if field.required and name not in given:
            yield (*place, name), phrase("this is missing, and has no default")


def _unknown(name: str, known: dict[str, Field], place: Place) -> Phrase:
    nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    table = dotted(place) or FILE
    if nearest:
        return phrase(
            "there is no key {key} in {table}; the nearest is {nearest}",
            key=printable(name, 100), table=table, nearest=nearest[0],
        )  # fmt: skip
    return phrase("there is no key {key} in {table}", key=printable(name, 100), table=table)


def _value_mistakes(field: Field, value: Any) -> Iterator[tuple[Place, Phrase]]:
    if field.table is None:
        yield from _plain_mistakes(field, value)
    elif not isinstance(value, dict):
        yield field.place, _unfit(field.kind, value)
    elif isinstance(field.table, inspect.StructType):
        yield from _mistakes(value, field.table, field.place)
    else:
        for name, inner in value.items():
            yield from _value_mistakes(entry_of(field, name), inner)


def _plain_mistakes(field: Field, value: Any) -> Iterator[tuple[Place, Phrase]]:
    try:
        msgspec.convert(value, field.hint)
    except msgspec.ValidationError:
        yield field.place, _unfit(field.kind, value)
        return
    why = implausible(field.place, value)
    if why is not None:
        yield field.place, why


def _unfit(kind: Phrase, value: Any) -> Phrase:
    return phrase("this must be {kind}, not {value}", kind=kind, value=printable(literal(value), 100))


def _resolved(config: Config, path: str) -> Config:
    state = os.path.abspath(os.path.join(os.path.dirname(path), config.state))

    def under(name: str) -> str:
        return os.path.join(state, name) if name else ""

    smarthost = config.outbound.smarthost
    if smarthost is not None:
        smarthost = replace(smarthost, password_file=under(smarthost.password_file))
    return replace(
        config,
        state=state,
        certificate=under(config.certificate),
        key=under(config.key),
        outbound=replace(config.outbound, smarthost=smarthost),
        guard=replace(config.guard, networks=under(config.guard.networks)),
    )
