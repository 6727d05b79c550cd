"""`sekisho config`: what is set, where it was said, and what else could be."""

import os
import ssl
from collections.abc import Iterator
from typing import Any

import click

from sekisho.cli import speech
from sekisho.cli.where import config_option, json_option
from sekisho.model.phrase import Phrase, phrase
from sekisho.store.schema import Field, all_fields, dotted, literal
from sekisho.store.settings import ConfigError, Loaded, read


@click.group("config")
def command() -> None:
    """The settings: their mistakes, their values, their meaning.

    Example: sekisho config check
    """


@command.command("check")
@config_option
@json_option
def check(path: str, as_json: bool) -> int:
    """Say everything that is wrong with the settings and the files they name.

    Example: sekisho config check -c /etc/sekisho/sekisho.toml
    """
    try:
        loaded = read(path)
        found = [(path, why) for why in _file_mistakes(loaded)]
    except ConfigError as error:
        found = [(error.place_of(mistake), mistake.why) for mistake in error.mistakes]
    say = speech.texts().say
    if as_json:
        speech.emit({"file": path, "mistakes": [{"place": place, "why": say(why)} for place, why in found]})
    else:
        for place, why in found:
            speech.complain(phrase("{place}: {why}", place=place, why=why))
        if not found:
            speech.tell(phrase("{path} has no mistakes.", path=path))
    return speech.CONFIG if found else 0


@command.command("show")
@click.option("--effective", is_flag=True, help="Every setting, the defaults too.")
@config_option
@json_option
def show(effective: bool, path: str, as_json: bool) -> None:
    """The settings in force, each with its origin: a line of the file, or the default.

    Example: sekisho config show --effective
    """
    loaded = _read(path)
    for place, value, origin in _values(loaded):
        if effective or origin != "default":
            if as_json:
                speech.emit({"setting": place, "value": value, "origin": origin})
            else:
                speech.tell(f"{place} = {literal(value)}  # {origin}")


@command.command("describe")
@click.argument("table", default="")
@json_option
def describe(table: str, as_json: bool) -> None:
    """Every setting with its meaning, its kind and its default; TABLE limits it to one.

    Example: sekisho config describe limits
    """
    fields = [field for field in all_fields() if not table or table in (field.place[0], dotted(field.place))]
    if not fields:
        speech.fail(phrase("there is no setting {name}", name=table), speech.USAGE)
    for field in fields:
        if as_json:
            speech.emit(_described(field))
        else:
            _tell(field)


def _read(path: str) -> Loaded:
    try:
        return read(path)
    except ConfigError as error:
        speech.fail(phrase("{place}: {why}", place=error.place, why=error.why), speech.CONFIG)


def _file_mistakes(loaded: Loaded) -> Iterator[Phrase]:
    """What would stop the server although every setting is right by itself."""
    config = loaded.config
    if not os.path.exists(os.path.join(config.state, "house.db")):
        yield phrase("there is no house.db in {folder}; `sekisho init` makes one", folder=config.state)
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(config.certificate, config.key)
    except OSError as error:  # ssl.SSLError is one
        yield phrase("the certificate cannot be used: {why}", why=f"{config.certificate}: {error}")
    for smarthost in (config.outbound.smarthost, *config.outbound.smarthosts.values()):
        if smarthost is not None and smarthost.password_file and not os.path.exists(smarthost.password_file):
            yield phrase("there is no file {path}", path=smarthost.password_file)


def _values(loaded: Loaded) -> Iterator[tuple[str, Any, str]]:
    """Every plain setting in force: its place, its value, and where it was said."""
    yield from _below(loaded, loaded.config, ())


def _below(loaded: Loaded, value: Any, place: tuple[str, ...]) -> Iterator[tuple[str, Any, str]]:
    if isinstance(value, dict) and value:
        entries = list(value.items())
    elif hasattr(value, "__struct_fields__"):
        entries = [(name, getattr(value, name)) for name in value.__struct_fields__]
    else:
        yield dotted(place), value, _origin(loaded, place)
        return
    for name, inner in entries:
        yield from _below(loaded, inner, (*place, name))


def _origin(loaded: Loaded, place: tuple[str, ...]) -> str:
    given: Any = loaded.given
    for name in place:
        if not isinstance(given, dict) or name not in given:
            return "default"
        given = given[name]
    return f"{loaded.path}:{loaded.lines.get(place, '?')}"


def _described(field: Field) -> dict[str, Any]:
    row = {"setting": dotted(field.head), "about": field.about, "kind": str(field.kind)}
    if field.table is not None:
        return row
    return row | {"required": True} if field.required else row | {"default": field.default}


def _tell(field: Field) -> None:
    say = speech.texts().say
    if field.table is not None:
        speech.tell(f"\n[{dotted(field.head)}]  {say(Phrase(field.about))}")
        return
    default = say(phrase("required")) if field.required else literal(field.default)
    speech.tell(f"{dotted(field.place)} = {default}")
    speech.tell(f"    {say(Phrase(field.about))} ({say(field.kind)})")
