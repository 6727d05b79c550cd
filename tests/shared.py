"""Finds the shared fixtures and corpora, which are read in place and never copied into the project."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent / "shared"


def shared(name: str) -> Path:
    """The file or folder `name`, or a skip that says what is absent."""
    path = ROOT / name
    if not path.exists():
        pytest.skip(f"../shared/{name} is not here")
    return path
