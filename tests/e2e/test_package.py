"""The Debian package: what is in it, and that it serves mail from a root of its own, without the sources.

The whole way, with dpkg on a fresh Debian 12, is `make debcheck`.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import program
from covers import covers
from e2e.running import Installation

ROOT = Path(__file__).parent.parent.parent
BUILD = ROOT / "packaging" / "deb" / "build.py"
PYTHON = "usr/lib/sekisho/bin/python3"
TOP = {"usr/lib/sekisho", "usr/bin", "usr/share/doc/sekisho", "usr/lib/sysusers.d", "usr/lib/tmpfiles.d"}
UNITS = "lib/systemd/system"
BUILD_S = 280


def debian_python() -> None:
    """The package is for Debian 12's Python, and runs on nothing else."""
    done = subprocess.run(["/usr/bin/python3", "-V"], capture_output=True, text=True, check=False)
    if not done.stdout.startswith("Python 3.11") or sys.version_info[:2] != (3, 11):
        pytest.skip("the package is for Debian 12's Python 3.11")


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    debian_python()
    program("dpkg-deb")
    out = tmp_path_factory.mktemp("deb")
    done = subprocess.run(
        [sys.executable, str(BUILD), str(out)], capture_output=True, text=True, timeout=BUILD_S, check=False
    )
    assert 0 == done.returncode, done.stderr[-2000:]
    (made,) = out.glob("*.deb")
    return made


@pytest.fixture(scope="module")
def root(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As dpkg would unpack it, elsewhere."""
    root = tmp_path_factory.mktemp("root")
    subprocess.run(["dpkg-deb", "-x", str(package), str(root)], check=True)
    return root


def test_what_the_package_holds(package: Path) -> None:
    """Files of root's that only root can change, in our own folders, and no program beside ours."""
    listing = subprocess.run(["dpkg-deb", "-c", str(package)], capture_output=True, text=True, check=True)
    programs = []
    for line in listing.stdout.splitlines():
        mode, owner, *_, name = line.partition(" -> ")[0].split()
        assert "root/root" == owner and mode in ("drwxr-xr-x", "-rw-r--r--", "-rwxr-xr-x", "lrwxrwxrwx"), line
        path = name.removeprefix("./").rstrip("/")
        if mode[0] != "d":
            assert any(path.startswith(top + "/") for top in (*TOP, UNITS)), path
        if mode == "-rwxr-xr-x":
            programs.append(path)
    assert "usr/bin/sekisho" in programs and "usr/lib/sekisho/bin/sekisho" in programs
    assert all(re.fullmatch(r"usr/(bin|lib/sekisho/bin)/sekisho[\w-]*", path) for path in programs), programs
    assert f"{UNITS}/sekisho-front.service" in listing.stdout


def test_nothing_tells_of_the_machine_that_built_it(root: Path) -> None:
    """No path of the build in any file, compiled ones too, and every compiled file belongs to a source."""
    for path in root.rglob("*"):
        if path.is_file() and not path.is_symlink():
            content = path.read_bytes()
            assert b"sekisho-deb-" not in content and str(ROOT).encode() not in content, path
            if path.suffix == ".pyc":
                source = path.parent.parent / (path.name.partition(".")[0] + ".py")
                assert source.exists(), path
                assert b"/usr/lib/sekisho/lib/python3.11/" in content, path
    assert "Apache" in (root / "usr/share/doc/sekisho/copyright").read_text()


def test_its_scripts_are_small_and_right(package: Path, tmp_path: Path) -> None:
    """They parse; what they call is there without us; the package names what it needs."""
    subprocess.run(["dpkg-deb", "-e", str(package), str(tmp_path)], check=True)
    for name in ("postinst", "prerm", "postrm"):
        text = (tmp_path / name).read_text()
        assert text.startswith("#!/bin/sh\n") and "set -e" in text and text.count("\n") < 30
        subprocess.run(["sh", "-n", str(tmp_path / name)], check=True)
        assert "/var/lib/sekisho" not in text or "rm " not in text
    control = (tmp_path / "control").read_text()
    assert re.search(r"^Depends: python3 \(>= 3\.11\), python3 \(<< 3\.12\)", control, re.MULTILINE)


@covers("Q-10", partly="the package on an image of another distribution")
@pytest.mark.parametrize("processes", ["one", "split"])
def test_it_serves_without_the_sources(
    root: Path, tmp_path: Path, processes: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Debian's Python, the package's libraries, nothing of ours: a server is made, takes mail and a login."""
    for name in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"):
        monkeypatch.delenv(name, raising=False)
    ours = [str(root / PYTHON), "-m", "sekisho"]
    where = "import sekisho, apsw, uvloop, sys; print(sekisho.__file__, apsw.__file__, *sys.path)"
    said = subprocess.run([ours[0], "-P", "-c", where], capture_output=True, text=True, check=True, cwd="/")
    paths = said.stdout.split()
    assert all(path.startswith(str(root)) for path in paths[:2])
    assert not [path for path in paths if path.startswith(str(ROOT))]
    monkeypatch.setattr("e2e.running.PROGRAM", str(wrapped(ours, tmp_path)))
    site = Installation(tmp_path / "site", processes=processes)
    site.program = ours
    site.add_account("bob@example.com")
    with site.serving():
        site.takes_mail_and_a_login("bob@example.com")
        for pid in site.processes():
            assert str(root) in Path(f"/proc/{pid}/maps").read_text()


def wrapped(command: list[str], folder: Path) -> Path:
    """What /usr/bin/sekisho is, for another root."""
    script = folder / "sekisho"
    script.write_text(f'#!/bin/sh\nexec {" ".join(command)} "$@"\n')
    os.chmod(script, 0o755)
    return script
