"""The container file: nothing here can build it, but its steps name what exists, and its start serves.

That the image builds and runs is not tested: it wants an engine. The package's installation, its one real
step, is `make debcheck`.
"""

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import program
from e2e.running import Installation
from e2e.test_users import FRONT, LIBRARIES, LOCAL, USERS, VAULT, WATCH, owner_of, python_for_others

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
    """Below a folder that the roles' users may pass through."""
    if os.geteuid() != 0:
        pytest.skip("only root can give capabilities away")
    folder = Path(tempfile.mkdtemp(prefix="sekisho-container-"))
    folder.chmod(0o755)
    try:
        site = Installation(folder / "site", processes="split", extra=USERS)
        site.add_account("bob@example.com")
        monkeypatch.setenv("PYTHONPATH", LIBRARIES)
        yield site
    finally:
        shutil.rmtree(folder)


def test_the_capabilities_are_enough(site: Installation) -> None:
    """The supervisor with those of the file's opening lines and no others: mail and a login."""
    (named,) = re.findall(r"--cap-add (\S+)", FILE.read_text())
    bounding = ",".join(["-all", *(f"+{name}" for name in named.split(","))])
    limits = [f"--bounding-set={bounding}", "--inh-caps=-all", "--no-new-privs"]
    site.program = [program("setpriv"), *limits, python_for_others(), "-m", "sekisho"]
    with site.serving():
        with site.client() as client:
            client.sendmail("a@far.example", ["bob@example.com"], "Subject: in\r\n\r\nx\r\n")
        with site.signed_in("bob@example.com") as client:
            client.sendmail("bob@example.com", ["bob@example.com"], "Subject: own\r\n\r\nx\r\n")
        site.wait_for_letters("bob@example.com", 2)
        assert {0, FRONT, VAULT, WATCH, LOCAL} == {owner_of(pid) for pid in site.processes()}
