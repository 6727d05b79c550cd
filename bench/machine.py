"""What a result was measured on: without it a figure means nothing."""

import contextlib
import os
import platform
import re
import subprocess
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

IMAGE_MB = 8192


def description(folder: Path) -> dict[str, object]:
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "sekisho": version("sekisho"),
        "apsw": version("apsw"),
        "postfix": _first_line(["postconf", "-d", "-h", "mail_version"]),
        "file_system": _file_system(folder),
    }


def commit() -> str:
    """Of the code that is measured; "+" where the folder has changes that are not committed."""
    changed = _first_line(["git", "status", "--porcelain", "--untracked-files=no", "src"])
    return (_first_line(["git", "rev-parse", "--short", "HEAD"]) or "unknown") + ("+" if changed else "")


def _cpu() -> str:
    match = re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text())
    return match[1] if match else platform.machine()


def _first_line(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return "absent"
    return done.stdout.strip().split("\n")[0]


def _file_system(folder: Path) -> str:
    return _first_line(["findmnt", "-n", "-o", "FSTYPE,OPTIONS", "-T", str(folder)])


@contextlib.contextmanager
def journaled_disk() -> Iterator[Path]:
    """A folder on a fresh journaled ext4, where a sync costs what it costs; else a plain one, which the
    result names.

    The image is written full first (no allocation during the run). Needs root, mkfs.ext4 and a loop device.
    """
    with tempfile.TemporaryDirectory(prefix="sekisho-bench-") as base:
        Path(base).chmod(0o755)  # Postfix works under its own user
        image, mount = Path(base, "disk.img"), Path(base, "disk")
        mount.mkdir()
        device = _loop(image)
        if device is None:
            yield mount
            return
        try:
            subprocess.run(["mount", "-o", "nodiscard", device, mount], check=True)
            yield mount
        finally:
            subprocess.run(["umount", "-l", mount], check=False)
            subprocess.run(["losetup", "-d", device], check=False)


def _loop(image: Path) -> str | None:
    size = [f"of={image}", "bs=4M", f"count={IMAGE_MB // 4}"]
    fill = ["dd", "if=/dev/zero", *size, "conv=fsync", "status=none"]
    try:
        subprocess.run(fill, check=True)
        subprocess.run(["mkfs.ext4", "-q", "-F", "-E", "nodiscard", image], check=True)
        found = ["losetup", "-f", "--show", "--direct-io=on", image]
        return subprocess.run(found, check=True, capture_output=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def cpu_seconds(pid: int) -> float:
    """CPU time of a process, its living descendants and those it has reaped, in seconds."""
    ticks = os.sysconf("SC_CLK_TCK")
    return sum(_ticks(process) for process in [pid, *descendants(pid)]) / ticks


def _ticks(pid: int) -> int:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return sum(int(field) for field in fields[11:15])  # utime, stime, cutime, cstime


def descendants(pid: int) -> list[int]:
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                parents.setdefault(parent, []).append(int(entry.name))
    found, left = [], [pid]
    while left:
        children = parents.get(left.pop(), [])
        found += children
        left += children
    return found
