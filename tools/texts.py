"""Keeps the translation catalogue: collects what the program says, and compiles what translators wrote.

`python tools/texts.py` brings locale/ja/LC_MESSAGES/sekisho.po up to date (new sentences with an empty
translation, unused ones removed) and writes the .mo beside it. The tests hold the catalogue complete,
unused-free and compiled.
"""

import ast
import inspect
import io
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "sekisho"
LANGUAGES = ("ja",)
Message = str | tuple[str, str]


def collected() -> dict[Message, str]:
    """Everything the program can say: a sentence (or its singular and plural) -> where it stands."""
    found: dict[Message, str] = {}
    for path in sorted(SOURCE.rglob("*.py")):
        if path.parts[-2] != "testing":
            for message in spoken(ast.parse(path.read_text())):
                if message:  # phrase("") says nothing
                    found.setdefault(message, str(path.relative_to(ROOT)))
    for text, place in [*helps(), *descriptions()]:
        found.setdefault(text, place)
    return found


def spoken(tree: ast.Module) -> Iterator[Message]:
    """The literal patterns of `phrase(...)`, `Phrase(...)` and `phrases(...)`."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            continue
        literal = [a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
        if node.func.id in ("phrase", "Phrase") and literal:
            yield literal[0]
        elif node.func.id == "phrases" and len(literal) >= 2:
            yield literal[0], literal[1]


def helps() -> Iterator[tuple[str, str]]:
    """The help texts of every command and option."""
    from sekisho.cli.main import sekisho

    def walk(command: click.Command, place: str) -> Iterator[tuple[str, str]]:
        if command.help:
            yield inspect.cleandoc(command.help), place
        for parameter in command.params:
            if isinstance(parameter, click.Option) and parameter.help:
                yield parameter.help, place
        if isinstance(command, click.Group):
            for name in command.list_commands(click.Context(command)):
                inner = command.get_command(click.Context(command), name)
                assert inner is not None
                yield from walk(inner, f"{place} {name}")

    yield from walk(sekisho, "sekisho")


def descriptions() -> Iterator[tuple[str, str]]:
    """What `config describe` says of each setting."""
    from sekisho.model import config, config_routing

    for table in (*vars(config).values(), *vars(config_routing).values()):
        if isinstance(table, type) and issubclass(table, msgspec.Struct):
            for field in msgspec.inspect.type_info(table).fields:  # type: ignore[union-attr]
                extra = getattr(field.type, "extra_json_schema", None) or {}
                if extra.get("description"):
                    yield extra["description"], f"config {table.__name__}.{field.name}"


def po_path(language: str) -> Path:
    return SOURCE / "locale" / language / "LC_MESSAGES" / "sekisho.po"


def read(language: str) -> Catalog:
    path = po_path(language)
    if not path.exists():
        return Catalog(locale=language, project="sekisho", fuzzy=False)
    with path.open("rb") as file:
        return read_po(file, locale=language)


def updated(old: Catalog, language: str) -> Catalog:
    """A catalogue of exactly what is said now, with the translations that were there."""
    new = Catalog(locale=language, project="sekisho", charset="utf-8", fuzzy=False)
    new.creation_date = new.revision_date = old.creation_date  # else every run would change the file
    for message, place in collected().items():
        known = old.get(message[0] if isinstance(message, tuple) else message)
        string = known.string if known is not None and known.id == message else ""
        new.add(message, string or (("",) if isinstance(message, tuple) else ""), locations=[(place, None)])
    return new


def compiled(catalogue: Catalog) -> bytes:
    out = io.BytesIO()
    write_mo(out, catalogue)
    return out.getvalue()


def main() -> int:
    missing = 0
    for language in LANGUAGES:
        new = updated(read(language), language)
        path = po_path(language)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            write_po(file, new, width=110, sort_output=True, omit_header=False)
        path.with_suffix(".mo").write_bytes(compiled(read(language)))
        missing += sum(1 for message in new if message.id and not all(strings(message.string)))
    print(f"{missing} sentences wait for a translation")
    return 1 if missing else 0


def strings(value: str | tuple[str, ...] | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


if __name__ == "__main__":
    sys.exit(main())
