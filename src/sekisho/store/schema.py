"""What settings exist: every field of the tree with its place, kind, default and description.

Read from the types themselves, so that `config describe`, `docs/config.md` and the errors of `settings.py`
never say anything else than what is accepted.
"""

import typing
from typing import Any

import msgspec
from msgspec import NODEFAULT, Struct, inspect

from sekisho.model.config import Config
from sekisho.model.phrase import Phrase, phrase

ANY = "NAME"
"""Stands in a place for a name that the user chooses: listen.NAME.address."""

Place = tuple[str, ...]


class Field(Struct, frozen=True):
    """One setting. `hint` is the Python type to convert to; `table` says its own keys, if it is a table."""

    place: Place
    kind: Phrase
    about: str
    required: bool
    default: Any
    hint: Any
    table: inspect.Type | None = None

    @property
    def head(self) -> Place:
        """The place that a table's own keys stand under: itself, or NAME below it."""
        named = isinstance(self.table, inspect.DictType) and table_below(self.table.value_type) is not None
        return (*self.place, ANY) if named else self.place


def all_fields() -> list[Field]:
    """Every setting, a table's own keys after the table and before the tables in it, as TOML wants them."""
    return list(_walk(inspect.type_info(Config), ()))


def fields_of(table: inspect.Type, place: Place) -> dict[str, Field]:
    """The keys of one table, of a struct's kind."""
    assert isinstance(table, inspect.StructType)
    hints = typing.get_type_hints(table.cls, include_extras=True)
    return {field.encode_name: _field(field, place, hints[field.name]) for field in table.fields}


def entry_of(field: Field, name: str) -> Field:
    """One entry of a table whose names the user chooses."""
    assert isinstance(field.table, inspect.DictType)
    kind = field.table.value_type
    hint = typing.get_args(typing.get_args(field.hint)[0])[1]  # Annotated[dict[str, HINT], ...]
    return Field((*field.place, name), kind_of(kind), field.about, True, None, hint, table_below(kind))


def table_below(kind: inspect.Type) -> inspect.Type | None:
    """The struct that a value of this kind is, or that each of its values is; None for plain values."""
    kind = bare(kind)
    if isinstance(kind, inspect.UnionType):
        return next((part for part in kind.types if isinstance(part, inspect.StructType)), None)
    return kind if isinstance(kind, inspect.StructType | inspect.DictType) else None


def bare(kind: inspect.Type) -> inspect.Type:
    return kind.type if isinstance(kind, inspect.Metadata) else kind


def dotted(place: Place) -> str:
    """As one writes it in TOML: a name with other characters in quotes."""
    return ".".join(
        name if name.replace("-", "").replace("_", "").isalnum() else f'"{name}"' for name in place
    )


def literal(value: Any) -> str:
    """A value as one writes it in TOML."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return msgspec.json.encode(value).decode()  # JSON's escapes are TOML's
    if isinstance(value, tuple | list):
        return "[" + ", ".join(literal(part) for part in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{dotted((name,))} = {literal(part)}" for name, part in value.items()) + "}"
    return "" if value is None else str(value)


def _walk(table: inspect.Type, place: Place) -> typing.Iterator[Field]:
    fields = sorted(fields_of(table, place).values(), key=lambda field: field.table is not None)
    for field in fields:
        yield field
        below = field.table
        if isinstance(below, inspect.DictType):
            below = table_below(below.value_type)
        if isinstance(below, inspect.StructType):
            yield from _walk(below, field.head)


def _field(field: inspect.Field, place: Place, hint: Any) -> Field:
    described = field.type.extra_json_schema if isinstance(field.type, inspect.Metadata) else None
    default = field.default_factory() if callable(field.default_factory) else field.default
    return Field(
        place=(*place, field.encode_name),
        kind=kind_of(field.type),
        about=(described or {}).get("description", ""),
        required=field.required,
        default=None if default is NODEFAULT else default,
        hint=hint,
        table=table_below(field.type),
    )


def kind_of(kind: inspect.Type) -> Phrase:
    """In words, what a value must be."""
    match bare(kind):
        case inspect.BoolType():
            return phrase("true or false")
        case inspect.IntType(ge=low, le=high) if high is not None:
            return phrase("a whole number from {low} to {high}", low=low or 0, high=high)
        case inspect.IntType(ge=low):
            return phrase("a whole number, {low} or more", low=low or 0)
        case inspect.FloatType(gt=low):
            return phrase("a number above {low}", low=low or 0)
        case inspect.LiteralType(values=values):
            return phrase("one of {choices}", choices=", ".join(f'"{value}"' for value in values))
        case inspect.VarTupleType():
            return phrase("a list of texts")
        case inspect.DictType(value_type=value) if isinstance(bare(value), inspect.StructType):
            return phrase("tables, each by its name")
        case inspect.DictType(value_type=value):
            return phrase("a table whose values are each {kind}", kind=kind_of(value))
        case inspect.StructType() | inspect.UnionType():
            return phrase("a table")
    return phrase("a text")
