"""`make deb`: a Debian package with the program and every library it needs: installing it wants neither
compiler nor network.

Libraries come as wheels, by the tested versions of constraints.txt, into /usr/lib/sekisho: a virtual
environment whose Python is Debian's own. Nothing is run at install but sysusers, tmpfiles and systemctl.
"""

import compileall
import email
import gzip
import os
import py_compile
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
HERE = Path(__file__).parent
UNITS = ROOT / "packaging" / "systemd"
HOME = "usr/lib/sekisho"
PYTHON = "python3.11"
"""Debian 12's. Compiled libraries are for one version; another Debian wants a package of its own."""

EXTRAS = "fast,acme"
DATE = "Tue, 01 Sep 2026 00:00:00 +0000"
EPOCH_S = 1788220800
"""Every file's time: two builds of one commit give one package."""

CONTROL = """\
Package: sekisho
Version: {version}
Architecture: {architecture}
Maintainer: the sekisho authors <sekisho@example.org>
Installed-Size: {kilobytes}
Depends: python3 (>= 3.11), python3 (<< 3.12), libc6 (>= 2.28), libstdc++6,
 systemd | systemd-standalone-sysusers
Recommends: systemd, tzdata
Section: mail
Priority: optional
Description: mail server that notices a stolen password
 SMTP in and out, a durable queue, delivery to Maildir or LMTP, and a guard that
 weighs every login: mail from strangers with a right password is delayed, then
 held, while the owner goes on working. Its libraries are in the package.
"""

WRAPPER = """\
#!/bin/sh
: "${{SEKISHO_CONFIG:=/etc/sekisho/sekisho.toml}}"
export SEKISHO_CONFIG
exec /{home}/bin/{name} "$@"
"""

SCRIPT = """\
#!/{home}/bin/python3 -sP
import sys

from {module} import {function}

sys.exit({function}())
"""


def main() -> int:
    if sys.version_info[:2] != (3, 11):
        print(f"the package is for {PYTHON}; build it with that one, not {sys.version}", file=sys.stderr)
        return 1
    os.umask(0o022)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    out = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "dist")
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="sekisho-deb-") as work:
        stage = Path(work) / "stage"
        install(stage, Path(work))
        programs(stage, project["scripts"])
        documents(stage, project["version"])
        system(stage)
        print(packed(stage, project["version"], out))
    return 0


def install(stage: Path, work: Path) -> None:
    """The libraries and ourselves, from wheels only, compiled to where they will stand."""
    libraries = stage / HOME / "lib" / PYTHON / "site-packages"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    source = work / "source"
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    for name in tracked.decode().split("\0"):
        if name.startswith("src/") or name in ("pyproject.toml", "README.md", "LICENSE", "NOTICE"):
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, source / name)
    subprocess.run([*pip, "wheel", "--no-deps", "-w", str(work), str(source)], check=True)
    (wheel,) = work.glob("sekisho-*.whl")
    wanted = [*pip, "install", "--only-binary=:all:", "--no-compile", "-c", str(ROOT / "constraints.txt")]
    subprocess.run([*wanted, "--target", str(libraries), f"{wheel}[{EXTRAS}]"], check=True)
    shutil.rmtree(libraries / "bin", ignore_errors=True)
    for path in libraries.glob("*.dist-info"):
        for name in ("direct_url.json", "REQUESTED", "RECORD"):  # they tell of this machine, or of bin/
            (path / name).unlink(missing_ok=True)
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH  # dpkg is who changes them
    places = {"stripdir": str(stage), "prependdir": "/", "quiet": 1, "workers": 2, "invalidation_mode": mode}
    if not compileall.compile_dir(libraries, **places):
        sys.exit("a library does not compile")


def programs(stage: Path, scripts: dict[str, str]) -> None:
    home = stage / HOME
    (home / "bin").mkdir(parents=True)
    (home / "bin" / "python3").symlink_to("/usr/bin/python3")
    (home / "pyvenv.cfg").write_text("home = /usr/bin\ninclude-system-site-packages = false\n")
    (stage / "usr" / "bin").mkdir(parents=True)
    for name, place in scripts.items():
        module, _, function = place.partition(":")
        _executable(home / "bin" / name, SCRIPT.format(home=HOME, module=module, function=function))
        _executable(stage / "usr" / "bin" / name, WRAPPER.format(home=HOME, name=name))


def documents(stage: Path, version: str) -> None:
    folder = stage / "usr" / "share" / "doc" / "sekisho"
    folder.mkdir(parents=True)
    pages = [ROOT / name for name in ("README.md", "relnotes.md", "NOTICE")]
    for path in (*sorted((ROOT / "docs").glob("*.md")), *pages):
        shutil.copy(path, folder / path.name)
    changes = f"sekisho ({version}) unstable; urgency=medium\n\n  * See relnotes.md.\n\n"
    changes += f" -- the sekisho authors <sekisho@example.org>  {DATE}\n"
    with open(folder / "changelog.gz", "wb") as file:
        file.write(gzip.compress(changes.encode(), 9, mtime=0))
    ours = (ROOT / "LICENSE").read_text()
    (folder / "copyright").write_text(f"{ours}\n\nIn the package too:\n\n{_licences(stage)}")


def _licences(stage: Path) -> str:
    """Of the libraries, as their metadata says; the texts are in their dist-info folders."""
    lines = []
    for path in sorted((stage / HOME).rglob("*.dist-info/METADATA")):
        said = email.message_from_string(path.read_text(errors="replace"))
        classes = said.get_all("Classifier", [])
        kinds = [kind.rpartition(" :: ")[2] for kind in classes if kind.startswith("License ::")]
        licence = said["License-Expression"] or "; ".join(kinds) or (said["License"] or "").split("\n")[0]
        lines.append(f"{said['Name']} {said['Version']}: {licence or 'see its dist-info'}\n")
    return "".join(lines)


def system(stage: Path) -> None:
    units = stage / "lib" / "systemd" / "system"
    units.mkdir(parents=True)
    for path in (*UNITS.glob("*.service"), *UNITS.glob("*.timer")):
        shutil.copy(path, units / path.name)
    for kind in ("sysusers", "tmpfiles"):
        folder = stage / "usr" / "lib" / f"{kind}.d"
        folder.mkdir(parents=True)
        shutil.copy(UNITS / f"sekisho.{kind}", folder / "sekisho.conf")


def packed(stage: Path, version: str, out: Path) -> Path:
    """The finished file. Owners are root's, whoever builds."""
    paths = [path for path in sorted(stage.rglob("*")) if not path.is_symlink()]
    for path in paths:
        path.chmod(0o755 if path.is_dir() or path.parent.name == "bin" else 0o644)
    kilobytes = sum(path.stat().st_size for path in paths if path.is_file()) // 1024
    architecture = subprocess.run(
        ["dpkg", "--print-architecture"], capture_output=True, text=True, check=True
    ).stdout.strip()
    control = stage / "DEBIAN"
    control.mkdir()
    filled = CONTROL.format(version=version, architecture=architecture, kilobytes=kilobytes)
    (control / "control").write_text(filled)
    for name in ("postinst", "prerm", "postrm"):
        shutil.copy(HERE / name, control / name)
        (control / name).chmod(0o755)
    for path in (stage, *stage.rglob("*")):
        os.utime(path, (EPOCH_S, EPOCH_S), follow_symlinks=False)
    package = out / f"sekisho_{version}_{architecture}.deb"
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(EPOCH_S)}
    command = ["dpkg-deb", "--build", "--root-owner-group", "-Zzstd", str(stage), str(package)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
    return package


def _executable(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


if __name__ == "__main__":
    sys.exit(main())
