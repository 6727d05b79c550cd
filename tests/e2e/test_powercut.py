"""The power goes right after the last 250: three times, with `make powercut`'s own trial."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
TRIALS = 3


def test_what_got_its_250_survives_the_power() -> None:
    """In the spool or in the mailbox, whole; a file that was not synced is gone, so the power did go."""
    words = [sys.executable, "-m", "bench.powercut", "--ext4", str(TRIALS), "--xfs", "0", "--alone", "--dry"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=200, check=False)
    if "skipped" in done.stdout:
        pytest.skip(done.stdout.strip())
    assert 0 == done.returncode, done.stderr
    row = json.loads(done.stdout.splitlines()[-1])
    assert TRIALS * 64 == row["acknowledged"]
    assert [0, 0, 0] == [row[flaw] for flaw in ("lost", "empty", "unreadable")]
    assert TRIALS > row["control survived"]
