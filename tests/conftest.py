"""What all tests share: the folder itself on the path, and the marks."""

import os
import shutil
import sys
from pathlib import Path

import pytest
from hypothesis import settings

sys.path.insert(0, str(Path(__file__).parent))


settings.register_profile("same", derandomize=True, deadline=None)
settings.load_profile("same")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "covers(*rows, partly): part of a catalogue row's acceptance check")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--seeds", type=int, default=200, help="how many seeds tests/sim plays")


def program(name: str) -> str:
    """The path of a program that a test needs: absent, it is a skip here and a failure in CI."""
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin:/sbin")
    if path is None and os.environ.get("CI") == "true":
        pytest.fail(f"{name} is not installed; CI must have it")
    if path is None:
        pytest.skip(f"{name} is not installed")
    return path
