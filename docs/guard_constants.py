"""The guard's constants in docs/guard.md: name, value and reason, read from the code where they stand."""

import ast
from collections.abc import Iterator
from pathlib import Path

GUARD = Path(__file__).parent.parent / "src" / "sekisho" / "guard"
MODULES = ("logins", "crowd", "letters", "volume", "bounces", "grading", "evidence", "memory", "tally", "failures")
UNITS = ("SECOND", "MINUTE", "HOUR", "DAY")

Constant = tuple[str, str, str]
"""Names, values, and the reason that stands under them."""


def constants(module: str) -> Iterator[Constant]:
    """Assignments to upper-case names, each group with the sentence that follows it."""
    waiting: list[ast.Assign] = []
    for node in ast.parse((GUARD / f"{module}.py").read_text()).body:
        if isinstance(node, ast.Assign) and _is_number(node):
            waiting.append(node)
            continue
        if waiting:
            yield (
                ", ".join(f"`{_target(one)}`" for one in waiting),
                ", ".join(f"`{ast.unparse(one.value).strip('()')}`" for one in waiting),
                _sentence(node),
            )
        waiting = []


def _is_number(node: ast.Assign) -> bool:
    """A limit, a weight, a length of time: no type and no table of words."""
    names = _target(node)
    return names.isupper() and names not in UNITS and not isinstance(node.value, ast.Call | ast.Dict)


def _target(node: ast.Assign) -> str:
    return ast.unparse(node.targets[0]).strip("()")


def _sentence(node: ast.stmt) -> str:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return " ".join(str(node.value.value).split())
    return ""


def table() -> str:
    lines = ["| where | constant | value | why |", "| --- | --- | --- | --- |"]
    for module in MODULES:
        lines += [f"| `{module}` | {names} | {values} | {why} |" for names, values, why in constants(module)]
    return "\n".join(lines)
