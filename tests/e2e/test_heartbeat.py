"""A split server of which one process hangs instead of dying: it is noticed, named and replaced."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from e2e.running import PROGRAM, Installation

SILENCE_S = 3
"""For the test; 60 by default."""

PATIENCE_S = 60


def status(site: Installation) -> Any:
    """As an operator's script sees it, with the exit code."""
    words = [PROGRAM, "status", "-c", str(site.settings), "--json"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    found = json.loads(done.stdout)
    assert (done.returncode == 0) == found["ready"] == (not found["silent"])
    return found


def until_replaced(site: Installation, role: str, stopped: int) -> Any:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        found = status(site)
        if found["ready"] and found["counts"][f"{role}.pid"] != stopped:
            return found
        time.sleep(0.2)
    raise AssertionError(f"{role} hangs still\n{site.log()}")


@pytest.mark.parametrize("role", ["watch", "vault", "local", "front-1"])
def test_a_role_that_hangs_is_replaced(tmp_path: Path, role: str) -> None:
    """SIGSTOP: after its silence another one stands there, one sentence says why, mail and logins go on;
    roles that answer are left alone.
    """
    site = Installation(tmp_path, processes="split")
    patient = site.settings.read_text().replace("[limits]", f"[limits]\nrole_silence_s = {SILENCE_S}")
    site.settings.write_text(patient)
    site.add_account("bob@example.com")
    with site.serving():
        stopped = status(site)["counts"][f"{role}.pid"]
        os.kill(stopped, signal.SIGSTOP)
        counts = until_replaced(site, role, stopped)["counts"]
        restarts = {name: count for name, count in counts.items() if name.endswith(".restarts") and count}
        assert {f"{role}.restarts": 1} == restarts
        site.takes_mail_and_a_login("bob@example.com")
    (told,) = [line for line in site.log().splitlines() if "trouble" in line]
    assert f"{role}: did not answer for {SILENCE_S} s and was ended, started again" in told


def test_who_hangs_is_named(tmp_path: Path) -> None:
    """`sekisho status` says it within seconds, long before anybody is ended for it, and ends with 1."""
    site = Installation(tmp_path, processes="split")
    with site.serving():
        stopped = status(site)["counts"]["vault.pid"]
        os.kill(stopped, signal.SIGSTOP)
        try:
            assert ["vault"] == status(site)["silent"]
            assert "vault does not answer" in site.run("status", code=1)
        finally:
            os.kill(stopped, signal.SIGCONT)
        assert [] == status(site)["silent"]
