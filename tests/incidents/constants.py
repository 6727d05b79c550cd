"""The guard's constants: which there are, and how one of them is changed for the length of a test."""

import ast
import importlib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest

import sekisho
from sekisho.model import config

SOURCE = Path(sekisho.__file__).parent
SETTINGS = "settings."
HALF, DOUBLE = "half", "double"


@cache
def constants() -> dict[str, Any]:
    """ "module.NAME" -> value, of every constant named in guard/, and of the guard's own settings."""
    found: dict[str, Any] = {}
    for path in sorted((SOURCE / "guard").glob("*.py")):
        module = importlib.import_module(f"sekisho.guard.{path.stem}")
        for name in _named(ast.parse(path.read_text("utf-8"))):
            found[f"{path.stem}.{name}"] = getattr(module, name)
    for setting in msgspec.structs.fields(config.Guard):
        found[SETTINGS + setting.name] = setting.default
    return found


def _named(tree: ast.Module) -> Iterator[str]:
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else ()
        for target in (node.target,) if isinstance(node, ast.AnnAssign) else targets:
            for item in target.elts if isinstance(target, ast.Tuple) else [target]:
                if isinstance(item, ast.Name) and item.id.isupper():
                    yield item.id


@cache
def _takers() -> Mapping[str, tuple[str, ...]]:
    """Which modules have taken a constant over by its name: "logins.RHO" -> ("sekisho.guard.letters",)."""
    takers: dict[str, list[str]] = defaultdict(list)
    for path in SOURCE.rglob("*.py"):
        module = ".".join(("sekisho", *path.relative_to(SOURCE).with_suffix("").parts))
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sekisho.guard."):
                for alias in node.names:
                    takers[f"{str(node.module).rpartition('.')[2]}.{alias.name}"].append(module)
    return {name: tuple(modules) for name, modules in takers.items()}


def changed(name: str, change: object) -> Any:
    """The value after the change: halved, doubled, or as the incident says."""
    value = constants()[name]
    if isinstance(change, dict):
        return {int(key): part for key, part in change.items()}
    if change not in (HALF, DOUBLE):
        return type(value)(change) if isinstance(value, frozenset | tuple) else change
    if isinstance(value, tuple):
        return tuple(_scaled(part, change) for part in value)
    return _scaled(value, change)


def _scaled(value: float, change: object) -> float:
    if change == DOUBLE:
        return value * 2
    return value // 2 if isinstance(value, int) else value / 2


@contextmanager
def changing(name: str, value: object) -> Iterator[None]:
    """The constant has this value wherever it is used."""
    module, _, constant = name.partition(".")
    with pytest.MonkeyPatch.context() as patch:
        if name.startswith(SETTINGS):
            patch.setattr(config, "Guard", lambda: msgspec.structs.replace(_GUARD(), **{constant: value}))
        else:
            for place in (f"sekisho.guard.{module}", *_takers().get(name, ())):
                patch.setattr(importlib.import_module(place), constant, value)
        yield


_GUARD = config.Guard
