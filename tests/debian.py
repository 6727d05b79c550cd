"""Debian packages that cannot be installed beside Postfix, unpacked into a folder of the test's own."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest


def unpacked(folder: Path, *packages: str) -> Path:
    """The root of what they contain. Skips where the archive does not answer, or nobody may mount."""
    if os.getuid() or not shutil.which("apt-get") or not shutil.which("unshare"):
        _absent(f"{packages[0]}: needs root, apt-get and unshare")
    if subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode:
        pytest.skip("no mount namespaces here")
    words = ("apt-get", "-o", "Acquire::Retries=3", "download", "-q", *packages)
    if subprocess.run(words, cwd=folder, capture_output=True, check=False, timeout=300).returncode:
        pytest.skip(f"the archive has no {packages[0]} for us")
    try:
        for package in packages:
            (file,) = folder.glob(f"{package}_*.deb")
            _run(folder, "dpkg", "-x", file, folder / "root")
    except (subprocess.CalledProcessError, ValueError) as error:
        _absent(f"{packages[0]} cannot be had: {getattr(error, 'stderr', error)!r}")
    return folder / "root"


def complete(program: Path, libraries: Path | None = None) -> Path:
    """The program, if the system has its libraries."""
    environment = os.environ | ({"LD_LIBRARY_PATH": str(libraries)} if libraries else {})
    done = subprocess.run(["ldd", program], capture_output=True, text=True, env=environment, check=False)
    missing = [line.split()[0] for line in done.stdout.splitlines() if "not found" in line]
    if missing:
        _absent(f"{program.name} needs {missing}")
    return program


def with_users(folder: Path, program: Path, *names: str, over: dict[Path, str] | None = None) -> Path:
    """A script that runs the program where these users exist: in a mount namespace of its own. `over`: what
    lies over other paths there.
    """
    for name, line in (("passwd", "{}:x:65534:65534::/:/bin/false\n"), ("group", "{}:x:65534:\n")):
        extra = "".join(line.format(user) for user in names)
        (folder / name).write_text(Path("/etc", name).read_text() + extra)
    places = {folder / name: f"/etc/{name}" for name in ("passwd", "group")} | (over or {})
    mounts = " && ".join(f"mount --bind {ours} {theirs}" for ours, theirs in places.items())
    words = f'{mounts} && exec "$0" "$@"'
    script = folder / "bin" / program.name
    script.parent.mkdir(exist_ok=True)
    script.write_text(f"#!/bin/sh\nexec unshare -m sh -c '{words}' {program} \"$@\"\n")
    script.chmod(0o755)
    return script


def _absent(why: str) -> None:
    if os.environ.get("CI"):
        pytest.fail(f"{why}; CI must have it")
    pytest.skip(why)


def _run(folder: Path, *words: str | Path) -> None:
    subprocess.run(words, cwd=folder, check=True, capture_output=True, timeout=300)
