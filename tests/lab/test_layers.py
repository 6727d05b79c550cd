"""The generator must not know what it is measuring."""

import ast
from pathlib import Path

import pytest

import sekisho.lab

BLIND = (
    "attacks", "book", "character", "habits", "people", "places", "play", "spots", "stress", "telling",
    "traffic", "visits",
)  # fmt: skip


@pytest.mark.parametrize("name", BLIND)
def test_the_generator_imports_nothing_of_the_guard(name: str) -> None:
    """Traffic and attacks are drawn without a look at the guard, its settings or its model."""
    tree = ast.parse((Path(sekisho.lab.__path__[0]) / f"{name}.py").read_text())
    imported = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    plain = [node for node in ast.walk(tree) if isinstance(node, ast.Import)]
    imported += [alias.name for node in plain for alias in node.names]
    allowed = ("sekisho.lab.", "sekisho.model.")
    ours = [one for one in imported if one.startswith("sekisho") and one != "sekisho.lab"]
    assert [one for one in ours if not one.startswith(allowed)] == []
    assert not {"sekisho.model.incident", "sekisho.model.config"} & set(imported)


def test_nothing_of_the_laboratory_imports_the_guard() -> None:
    """What is measured comes to it from outside, by way of `cli/gate.py`."""
    for path in sorted(Path(sekisho.lab.__path__[0]).glob("*.py")):
        imported = [
            name
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Import | ast.ImportFrom)
            for name in (
                [node.module or ""] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names]
            )
        ]
        assert not [name for name in imported if name.startswith("sekisho.guard")], path.name
