"""`make docs`: writes the pages that are made from the code and the tests, so that they cannot lie."""

import ast
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
TESTS = ROOT / "tests"
INTERFACE = ("cli", "interop", "e2e", "service")
"""Test folders that go through the command line, a socket or HTTP: only those make a row done."""


Covering = tuple[str, str, str]
"""A test, what it leaves open, and its first sentence."""


def covering() -> dict[str, list[Covering]]:
    rows: dict[str, list[Covering]] = defaultdict(list)
    for path in sorted(TESTS.rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                for row, left in marks(node):
                    sentence = (ast.get_docstring(node) or "").split("\n")[0]
                    rows[row].append((f"{path.relative_to(ROOT)}::{node.name}", left, sentence))
    return rows


def marks(test: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[tuple[str, str]]:
    """The rows of a test's `@covers`, each with what is left open."""
    for mark in test.decorator_list:
        if isinstance(mark, ast.Call) and isinstance(mark.func, ast.Name) and mark.func.id == "covers":
            left = "".join(ast.literal_eval(word.value) for word in mark.keywords if word.arg == "partly")
            for row in mark.args:
                yield ast.literal_eval(row), left


def state(tests: list[Covering]) -> str:
    outside = [test for test, open_part, _ in tests if test.split("/")[1] in INTERFACE]
    if outside and not any(open_part for _, open_part, _ in tests):
        return "done"
    return "partly"


def coverage_page() -> str:
    """The catalogue's rows that have a test; a row that is not listed is not begun."""
    lines = [
        "# Coverage of the requirements catalogue",
        "",
        "Made by `make docs` from the `@covers` marks on tests. *done*: a test of the row goes through the",
        "command line, a socket or HTTP, and no test of it names an open part. A row without a line has no",
        "test yet.",
        "",
        "| row | state | tests | open |",
        "|---|---|---|---|",
    ]
    for row, tests in sorted(covering().items()):
        names = "<br>".join(f"`{test}`: {sentence}" for test, _, sentence in tests)
        left = "; ".join(dict.fromkeys(part for _, part, _ in tests if part))
        lines.append(f"| {row} | {state(tests)} | {names} | {left} |")
    return "\n".join(lines) + "\n"


def pages() -> dict[str, str]:
    """File name under docs/ -> content."""
    from docs import figures, guard_figures
    from sekisho.store.settings import describe_markdown

    return {
        "coverage.md": coverage_page(),
        "config.md": describe_markdown(),
        "guard.md": guard_figures.page(),
        "reliability.md": figures.page(),
    }


def main() -> None:
    for name, text in pages().items():
        (ROOT / "docs" / name).write_text(text)
        print(f"docs/{name}", file=sys.stderr)


if __name__ == "__main__":
    main()
