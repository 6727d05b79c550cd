"""The container file: nothing here can build it, but its steps name what exists, and its start serves.

That the image builds and runs is not tested: it wants an engine. The package's installation, its one real
step, is `make debcheck`.
"""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import program
from e2e.running import Installation
from e2e.test_users import FRONT, LOCAL, VAULT, WATCH, owner_of, split_house

ROOT = Path(__file__).parent.parent.parent
FILE = ROOT / "packaging" / "Containerfile"
INSTRUCTIONS = {"FROM", "COPY", "RUN", "ENV", "VOLUME", "EXPOSE", "STOPSIGNAL", "ENTRYPOINT", "CMD"}


def steps() -> list[tuple[str, str]]:
    """Instruction and rest, continued lines joined."""
    text = re.sub(r"^#.*\n", "", FILE.read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    return [(line.split()[0], line.partition(" ")[2].strip()) for line in text.splitlines() if line.strip()]


def test_the_steps_are_ones_that_an_engine_knows() -> None:
    """What is copied is what `make deb` makes; lists are JSON, so that no shell stands between."""
    found = steps()
    assert {name for name, _ in found} == INSTRUCTIONS and "FROM" == found[0][0]
    words = dict(found)
    assert words["COPY"].split()[0] == "dist/sekisho_*.deb"
    assert "dist" in (ROOT / "packaging" / "deb" / "build.py").read_text()
    assert ["/usr/bin/sekisho"] == json.loads(words["ENTRYPOINT"]) and ["serve"] == json.loads(words["CMD"])
    assert "bookworm" in words["FROM"], "the package is for Debian 12"
    subprocess.run(["sh", "-n", "-c", words["RUN"]], check=True)


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Installation]:
    with split_house(monkeypatch) as site:
        yield site


def test_the_capabilities_are_enough(site: Installation) -> None:
    """The supervisor with those of the file's opening lines and no others: mail and a login."""
    (named,) = re.findall(r"--cap-add (\S+)", FILE.read_text())
    bounding = ",".join(["-all", *(f"+{name}" for name in named.split(","))])
    limits = [f"--bounding-set={bounding}", "--inh-caps=-all", "--no-new-privs"]
    site.program = [program("setpriv"), *limits, *site.program]
    with site.serving():
        site.takes_mail_and_a_login("bob@example.com")
        assert {0, FRONT, VAULT, WATCH, LOCAL} == {owner_of(pid) for pid in site.processes()}
