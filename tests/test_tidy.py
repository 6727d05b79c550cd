"""Style as a test: what nobody has to argue about, and what may not be forgotten."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "sekisho"
FILES = sorted(SOURCE.rglob("*.py"))
CORE = ("model", "mail", "wire", "logs", "checks", "guard", "queue", "campaign", "integrations")
CORE_BANNED = {
    "asyncio", "socket", "ssl", "select", "time", "random", "os", "sqlite3", "threading", "multiprocessing",
    "subprocess", "signal", "pathlib", "logging",
}  # fmt: skip
ASYNCIO_HOMES = ("service", "net", "web", "cli", "host.py", "lab", "testing")
FUNCTION_LINES_MAX = 50
FILE_LINES_MAX = 400
PARAMETERS_MAX = 6
NESTING_MAX = 4

tidy_exceptions: dict[str, str] = {
    # "folder/file.py": "the reason why it is longer than FILE_LINES_MAX"; this list may only shrink
}


def part(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0]


def name(path: Path) -> str:
    return str(path.relative_to(SOURCE))


@pytest.fixture(scope="module", params=FILES, ids=name)
def file(request: pytest.FixtureRequest) -> tuple[Path, ast.Module, str]:
    text = request.param.read_text()
    return request.param, ast.parse(text), text


Tree = tuple[Path, ast.Module, str]


def functions(tree: ast.Module) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def imported(tree: ast.Module) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


def test_a_file_says_what_it_is_for(file: Tree) -> None:
    """Every file that holds anything opens with a sentence."""
    _, tree, text = file
    assert not text.strip() or ast.get_docstring(tree)


def test_a_file_is_read_in_one_sitting(file: Tree) -> None:
    """No file over the limit without a reason that is written down."""
    path, _, text = file
    long = text.count("\n") > FILE_LINES_MAX
    assert long == (name(path) in tidy_exceptions)


def test_functions_are_short_and_flat(file: Tree) -> None:
    """Docstrings do not count; parameters and nesting are limited too."""
    path, tree, _ = file
    for function in functions(tree):
        docstring = function.body[0] if ast.get_docstring(function) else None
        lines = (function.end_lineno or 0) - function.lineno + 1
        if docstring is not None:
            lines -= (docstring.end_lineno or 0) - docstring.lineno + 1
        assert lines <= FUNCTION_LINES_MAX, f"{name(path)}:{function.lineno} {function.name}: {lines} lines"
        arguments = [argument.arg for argument in function.args.args if argument.arg not in ("self", "cls")]
        assert len(arguments) <= PARAMETERS_MAX, (
            f"{name(path)}:{function.lineno} {function.name}: {arguments}"
        )
        deep = nesting(function.body)
        assert deep <= NESTING_MAX, f"{name(path)}:{function.lineno} {function.name}: {deep} deep"


def nesting(body: list[ast.stmt]) -> int:
    depth = 0
    for node in body:
        inner = [getattr(node, field, []) for field in ("body", "orelse", "finalbody")]
        inner += [handler.body for handler in getattr(node, "handlers", [])]
        inner += [case.body for case in getattr(node, "cases", [])]
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        chained = len(inner) > 1 and len(inner[1]) == 1 and isinstance(inner[1][0], ast.If)
        for place, block in enumerate(inner):
            if block:
                depth = max(depth, nesting(block) + (0 if chained and place == 1 else 1))
    return depth


def test_the_core_does_not_touch_the_world(file: Tree) -> None:
    """Core modules import nothing that reaches a clock, a disk, a process or a network."""
    path, tree, text = file
    if part(path) in CORE:
        touched = {module.split(".")[0] for module in imported(tree)} & CORE_BANNED
        assert not touched, f"{name(path)} imports {touched}"
        assert not re.search(r"\.(now|today|utcnow)\(\)", text)


def test_asyncio_stays_at_home(file: Tree) -> None:
    """Only the shell knows of the loop."""
    path, tree, _ = file
    assert part(path) in ASYNCIO_HOMES or "asyncio" not in imported(tree), name(path)


def test_libraries_stay_in_their_layer(file: Tree) -> None:
    """SQL libraries in the store, nothing imports testing."""
    path, tree, _ = file
    modules = imported(tree)
    for module in modules:
        top = module.split(".")[0]
        if top in ("sqlalchemy", "apsw", "sqlite3"):
            assert part(path) in ("store", "testing"), f"{name(path)} imports {module}"
        if module.startswith("sekisho.testing"):
            assert part(path) == "testing", f"{name(path)} imports {module}"


def test_every_exception_is_caught_in_one_place(file: Tree) -> None:
    """`except Exception` and bare `except` stand nowhere: `service/boundary.py` judges what reaches it."""
    path, tree, _ = file
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler):
            caught = ast.unparse(node.type) if node.type else "everything"
            broad = caught in ("everything", "Exception", "BaseException")
            assert not broad or name(path) == "service/boundary.py", f"{name(path)}:{node.lineno} {caught}"


def test_no_module_holds_changing_state(file: Tree) -> None:
    """A lower-case module variable that is a list, dict or set is a global in disguise."""
    path, tree, _ = file
    for node in tree.body:
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        value = getattr(node, "value", None)
        if isinstance(target, ast.Name) and isinstance(
            value, ast.List | ast.Dict | ast.Set | ast.ListComp | ast.DictComp
        ):
            constant = target.id.lstrip("_").isupper()
            assert constant or target.id == "__all__", f"{name(path)}:{node.lineno} {target.id}"


def test_nothing_is_left_for_later(file: Tree) -> None:
    """No marker of unfinished work."""
    path, _, text = file
    assert not re.search(r"\b(TODO|FIXME|XXX|NotImplementedError)\b", text), name(path)


def test_the_layers_hold() -> None:
    """Higher may import lower; import-linter knows the order (pyproject.toml)."""
    linter = Path(sys.executable).parent / "lint-imports"
    result = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert 0 == result.returncode, result.stdout


def test_no_path_of_a_machine_is_in_the_project() -> None:
    """What was true on one developer's disk is not written down."""
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    for line in tracked.stdout.splitlines():
        path = ROOT / line
        if path.suffix in (".py", ".md", ".toml", ".sh", "") and path.is_file() and path != Path(__file__):
            text = path.read_text(errors="replace")
            assert not re.search(r"/(work|farm)/|/root/\.|/tmp/team", text), line


def test_no_two_test_files_have_one_name() -> None:
    """In folders that are no packages pytest cannot collect both."""
    loose = [path for path in (ROOT / "tests").rglob("*.py") if not (path.parent / "__init__.py").exists()]
    names = [path.name for path in loose]
    assert not {name for name in names if names.count(name) > 1}
