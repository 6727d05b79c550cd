"""docs/security.md: every class of attack on the wire has its tests, and every test that is named exists."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "security.md").read_text()
ROWS = re.findall(r"(?m)^\| ([A-Z]) \|(.*)\|$", PAGE)
CLASSES = "ABCDEFGHIJOPQRSTUV"
"""K to N are of code that is not here yet."""

TESTS = sorted(set(re.findall(r"`(tests/[^`]+)`", PAGE)))


@cache
def functions(path: str) -> frozenset[str]:
    tree = ast.parse((ROOT / path).read_text())
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


@pytest.mark.parametrize("letter", CLASSES)
def test_every_class_has_a_test_with_a_name(letter: str) -> None:
    """`file::test` in at least one of its rows, and a file or a dialogue in each."""
    rows = [row for found, row in ROWS if found == letter]
    assert rows, letter
    assert any("::test_" in row for row in rows), letter
    assert all("`tests/" in row for row in rows), letter


@pytest.mark.parametrize("named", TESTS)
def test_what_is_named_exists(named: str) -> None:
    """The file, and the test in it."""
    path, _, function = named.partition("::")
    assert (ROOT / path).is_file(), path
    if function:
        assert function in functions(path), named


def test_what_calls_itself_a_class_is_on_the_page() -> None:
    """A test named `test_class_x_...` stands in a row of that class."""
    for path in (ROOT / "tests").rglob("test_*.py"):
        for name in functions(str(path.relative_to(ROOT))):
            if found := re.match(r"test_class_([a-v])_", name):
                letter = found[1].upper()
                assert any(name in row for each, row in ROWS if each == letter), name
