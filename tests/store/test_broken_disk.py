"""Real files, and system calls that fail: 451 for what is not safe, nothing lost of what is, and on it goes
by itself."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import program
from sekisho.host import HostClock, HostDisk
from sekisho.model.config import Queue
from sekisho.model.selector import Selector
from sekisho.store.spool import Doors, Spool
from sekisho.testing.loop import run
from sekisho.testing.world import FakeSpawn

SCRIPT = Path(__file__).parent / "spool_under_fire.py"
JOURNAL, TABLE = "journal", "spool.db-wal"


def live(folder: Path, file: str, *faults: str, patience_s: float = 60) -> tuple[list[str], list[str], bool]:
    """The ids that were kept and refused, and whether the process ended well; calls on `file` fail."""
    left(folder)  # makes table and journal, so that what fails is the keeping and not the making
    strace = [program("strace"), "-f", "-q", "-o", os.devnull, "-P", f"{folder}/{file}"]
    rules = [word for fault in faults for word in ("-e", f"inject={fault}")]
    result = subprocess.run(
        [*strace, *rules, sys.executable, SCRIPT, folder, str(patience_s)],
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
        env={**os.environ, "PYTHONPATH": str(SCRIPT.parent.parent)},
    )
    said = [line.split() for line in result.stdout.splitlines()]
    kept = [words[1] for words in said if words[0] == "kept"]
    refused = [words[1] for words in said if words[0] == "refused"]
    assert ["open"] in said, result.stderr
    return kept, refused, ["closed"] in said


def left(folder: Path) -> set[str]:
    """What the next start finds."""

    async def look() -> set[str]:
        spool = Spool.open(str(folder), Doors(HostClock(), HostDisk(), FakeSpawn()), Queue())
        rows = await spool.select(Selector(), 1000)
        spool.close()
        return {row.message for row in rows}

    return run(look())


@pytest.mark.parametrize("call", ["fdatasync:error=EIO", "pwrite64:error=ENOSPC"])
@pytest.mark.parametrize(
    ("file", "when"), [(JOURNAL, 1), (JOURNAL, 2), (JOURNAL, 9), (TABLE, 6), (TABLE, 9), (TABLE, 14)]
)
def test_one_call_that_fails_refuses_one_letter(tmp_path: Path, file: str, call: str, when: int) -> None:
    """What was kept is there after a restart, what was refused is not, and the next letter is kept again."""
    kept, refused, well = live(tmp_path, file, f"{call}:when={when}")
    assert well
    assert set(kept) == left(tmp_path)
    assert (1 if file == JOURNAL else 0) == len(refused)


@pytest.mark.parametrize("call", ["fdatasync:error=EIO", "pwrite64:error=ENOSPC"])
@pytest.mark.parametrize("file", [JOURNAL, TABLE])
def test_a_disk_that_fails_for_a_while_stops_and_starts_by_itself(
    tmp_path: Path, file: str, call: str
) -> None:
    """Four calls in a row fail: letters are refused, none is lost, and accepting begins again without a
    restart."""
    kept, refused, well = live(tmp_path, file, f"{call}:when=6..9")
    assert well
    assert kept and (refused or file == TABLE)
    assert set(kept) == left(tmp_path)


@pytest.mark.parametrize("file", [JOURNAL, TABLE])
def test_a_disk_that_never_works_again_refuses_everything(tmp_path: Path, file: str) -> None:
    """No letter is called kept that is not."""
    kept, refused, well = live(
        tmp_path, file, "fdatasync:error=EIO:when=5+", "pwrite64:error=EIO:when=12+", patience_s=6
    )
    assert not well
    assert refused
    assert set(kept) <= left(tmp_path)
