"""Documents that are made from the code are what the code makes now."""

import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from docs import guard_constants  # noqa: E402
from docs.build import pages  # noqa: E402


@pytest.mark.parametrize("name", ["coverage.md", "config.md", "guard.md", "reliability.md"])
def test_a_generated_page_is_current(name: str) -> None:
    """`make docs` would change nothing."""
    assert pages()[name] == (ROOT / "docs" / name).read_text(), "run make docs"


PAGES = ["README.md", *sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("docs/*.md"))]


@pytest.mark.parametrize("page", PAGES)
def test_files_that_a_page_names_exist(page: str) -> None:
    """A path in backticks that looks like one of ours is there."""
    for path in re.findall(r"`((?:src|tests|docs|bench|tools)/[\w./-]+\.\w+)`", (ROOT / page).read_text()):
        assert (ROOT / path).exists(), f"{page} names {path}"


@pytest.mark.parametrize("page", PAGES)
def test_tests_that_a_page_names_exist(page: str) -> None:
    """`tests/folder/test_x.py::test_y` is a function of that file."""
    for path, name in re.findall(r"(tests/[\w/]+\.py)::(\w+)", (ROOT / page).read_text()):
        assert f"def {name}(" in (ROOT / path).read_text(), f"{page} names {path}::{name}"


def test_every_constant_of_the_guard_has_a_reason() -> None:
    """It stands in docs/guard.md, so it must be there."""
    for module in guard_constants.MODULES:
        found = list(guard_constants.constants(module))
        assert found
        for names, values, reason in found:
            assert reason and "`, `" not in names, f"{module}: {names} = {values} needs a sentence of its own"
