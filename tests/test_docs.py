"""Documents that are made from the code are what the code makes now."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from docs.build import pages  # noqa: E402


@pytest.mark.parametrize("name", ["coverage.md", "config.md", "reliability.md"])
def test_a_generated_page_is_current(name: str) -> None:
    """`make docs` would change nothing."""
    assert pages()[name] == (ROOT / "docs" / name).read_text(), "run make docs"


PAGES = ["README.md", *sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("docs/*.md"))]


@pytest.mark.parametrize("page", PAGES)
def test_files_that_a_page_names_exist(page: str) -> None:
    """A path in backticks that looks like one of ours is there."""
    import re

    for path in re.findall(r"`((?:src|tests|docs|bench|tools)/[\w./-]+\.\w+)`", (ROOT / page).read_text()):
        assert (ROOT / path).exists(), f"{page} names {path}"
