"""`sekisho demo` as a visitor types it: the whole story on a real server, with seeds that differ."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from covers import covers

PROGRAM = str(Path(sys.executable).parent / "sekisho")
ENVIRONMENT = {**os.environ, "LANGUAGE": "en", "LC_ALL": "C.UTF-8"}
SEEDS = range(1, 21)
LONGEST_S = 120
OWNER = "hello@example.com"


def play(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PROGRAM, "demo", "--fast", *words],
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
        timeout=LONGEST_S,
        check=False,
    )


def outcome(*words: str) -> dict[str, Any]:
    """What came of it, as JSON; it must have gone as it should."""
    done = play("--exit", "--json", *words)
    assert done.stderr == ""
    report: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == 0, report
    return report["outcome"]


@covers("O-01", partly="30 to 60 addresses instead of 880")
@covers("F-01", partly="the hour of benign traffic is played in seconds")
@pytest.mark.parametrize("seed", SEEDS)
def test_the_attack_is_contained_and_everybodys_mail_arrives(seed: int) -> None:
    """At most three of the botnet's letters arrive, all the honest ones do, the owner's before it ends."""
    came = outcome("--seed", str(seed))
    tally = came["tally"]
    assert came["contained"] and not came["wronged"]
    assert tally["bot_logins"] >= 30 and tally["bot_denied"] > tally["bot_logins"] / 2
    assert tally["bot_arrived"] <= 3 and tally["bot_moving"] == 0
    assert tally["honest_letters"] > 10
    assert tally["honest_missing"] == [] and tally["honest_held"] == 0
    assert tally["owner_in_time"]
    assert [case["subject"] for case in came["incidents"] if case["grade"] >= 2] == [OWNER]
    assert [OWNER, "jun@example.com"] == sorted({account for account, _ in came["notices"]})


@pytest.mark.parametrize("seed", [3, 11])
def test_without_a_botnet_nothing_is_held(seed: int) -> None:
    """Home, phone, office, traveller and newsletter are let alone."""
    came = outcome("--seed", str(seed), "--no-botnet")
    assert not came["contained"] and not came["wronged"]
    assert came["tally"]["bot_logins"] == 0
    assert came["tally"]["honest_held"] == 0 and came["tally"]["honest_missing"] == []


def test_it_tells_the_story_and_how_to_look(tmp_path: Path) -> None:
    """Each step, the incident's sentence, what was held and leaked; the house can be looked at afterwards."""
    house = tmp_path / "house"
    done = play("--exit", "--seed", "5", "--keep", str(house))
    assert done.returncode == 0, done.stdout
    for words in ("30 days of its past", "as `sekisho scan` reads", "THE BOTNET as", "INCIDENT", "are held"):
        assert words in done.stdout
    assert re.search(r"hello@example\.com: .* evidence [\d.]+ >= 9", done.stdout)
    assert house.stat().st_mode & 0o077 == 0
    settings = str(house / "sekisho.toml")
    listed = subprocess.run(
        [PROGRAM, "incident", "list", "-c", settings], capture_output=True, text=True, check=False
    )
    assert OWNER in listed.stdout
    queue = subprocess.run(
        [PROGRAM, "queue", "list", "-c", settings], capture_output=True, text=True, check=False
    )
    assert queue.returncode == 0 and OWNER in queue.stdout


def test_a_folder_that_is_taken_is_left_alone(tmp_path: Path) -> None:
    """One sentence, and nothing is changed."""
    (tmp_path / "sekisho.toml").write_text("mine")
    done = play("--exit", "--keep", str(tmp_path))
    assert done.returncode == 1
    assert "already there" in done.stderr and "Traceback" not in done.stderr
    assert (tmp_path / "sekisho.toml").read_text() == "mine"


@contextlib.contextmanager
def performing(*words: str) -> Iterator[subprocess.Popen[str]]:
    show = subprocess.Popen(
        [PROGRAM, "demo", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT
    )
    try:
        yield show
    finally:
        show.kill()
        show.communicate()


def said(show: subprocess.Popen[str], words: str) -> str:
    """The line with these words; lines before it are read."""
    assert show.stdout is not None
    for line in show.stdout:
        if words in line:
            return line
    raise AssertionError(f"{words!r} was not said")


def test_it_can_be_interrupted_and_leaves_nothing_behind() -> None:
    """Ctrl-C in the middle of the story ends it at once, with the server stopped and the folder gone."""
    with performing("--exit", "--seed", "2") as show:
        folder = said(show, "is built in").split("is built in ")[1].split(". ")[0]
        said(show, "A day begins")
        show.send_signal(signal.SIGINT)
        _, errors = show.communicate(timeout=LONGEST_S)
        assert show.returncode == 130 and errors == ""
        assert not Path(folder).exists()


def test_it_stays_open_for_a_second_terminal() -> None:
    """The commands that it prints work while it runs; after Ctrl-C it ends as it should."""
    with performing("--fast", "--seed", "4") as show:
        command = said(show, "sekisho incident show").strip()
        looked = subprocess.run([PROGRAM, *command.split()[1:]], capture_output=True, text=True, check=False)
        assert looked.returncode == 0 and OWNER in looked.stdout
        show.send_signal(signal.SIGINT)
        _, errors = show.communicate(timeout=LONGEST_S)
        assert show.returncode == 0 and errors == ""
