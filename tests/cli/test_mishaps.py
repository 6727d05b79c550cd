"""What a hostile tester found over the command line: each mishap is one sentence and the right exit code."""

import contextlib
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import click
import pytest

from command import sekisho
from sekisho.cli.clicks import SENTENCES

CLICKS = ("core", "decorators", "exceptions", "formatting", "parser", "termui", "types")
PROGRAM = str(Path(sys.executable).parent / "sekisho")
LOGIN = "vpopmail[1]: vchkpw-smtp: (PLAIN) login success a@b.example:1.2.3.4"


@pytest.mark.parametrize("stamp", ["9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00"])
def test_a_stamp_at_the_end_of_the_calendar_is_no_time(tmp_path: Path, stamp: str) -> None:
    """The line counts as not understood, and the rest of the log is read."""
    log = tmp_path / "maillog"
    log.write_text(f"{stamp} mx {LOGIN}\n2020-01-01T00:00:00+00:00 mx {LOGIN}\n{stamp} mx foo: bar\n")
    done = subprocess.run(
        [PROGRAM, "scan", "--json", log],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "TZ": "UTC"},
    )
    assert (0, "") == (done.returncode, done.stderr)
    assert '"first":"2020-01-01T00:00:00+00:00"' in done.stdout


def test_who_only_guesses_is_counted_without_the_owner(tmp_path: Path) -> None:
    """Thirty addresses tried, the owner signed in between: the sentence is about the thirty."""
    failed = "vchkpw-submission: password fail me@c.example"
    lines = [
        f"Jul 24 07:{number:02}:42 mx vpopmail[{number}]: {failed}:9{number % 10}.225.{number}.32"
        for number in range(10, 40)
    ]
    lines.insert(
        15, "Jul 24 07:24:50 mx vpopmail[9]: vchkpw-imaps: (PLAIN) login success me@c.example:203.0.113.5"
    )
    (tmp_path / "maillog").write_text("\n".join(lines) + "\n")
    said = subprocess.run(
        [PROGRAM, "scan", tmp_path / "maillog"],
        capture_output=True,
        text=True,
        check=False,
        env={"LC_ALL": "C"},
    )
    assert 1 == said.returncode
    assert "30 failed sign-ins from 30 addresses" in said.stdout
    assert "none succeeded" not in said.stdout


def test_a_report_that_cannot_be_written_is_69(tmp_path: Path) -> None:
    """1 would say that an incident was found."""
    (tmp_path / "maillog").write_text("")
    report = tmp_path / "no" / "such" / "folder.html"
    done = subprocess.run(
        [PROGRAM, "scan", tmp_path / "maillog", "--html", report], capture_output=True, text=True, check=False
    )
    assert 69 == done.returncode and 1 == done.stderr.count("\n")


def test_a_full_disk_under_the_output_is_one_sentence(tmp_path: Path) -> None:
    """No traceback, and 69."""
    (tmp_path / "maillog").write_text(f"2020-01-01T00:00:00+00:00 mx {LOGIN}\n")
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [PROGRAM, "scan", "--json", tmp_path / "maillog"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert 69 == done.returncode and "Traceback" not in done.stderr and 1 == done.stderr.count("\n")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("queue", "list", "--older", "99999999999999999999"), 64),
        (("queue", "list", "--older", "-1"), 64),
        (("queue", "list", "--limit", "-5"), 64),
        (("networks", "show", "garbage"), 64),
        (("networks", "show", ""), 64),
        (("networks", "show", "8.8.8.8/33"), 64),
        (("trace", ""), 64),
        (("explain", " "), 64),
        (("init", "/proc/foo", "--domain", "example.com"), 69),
        (("init", "x", "--domain", "x y"), 64),
        (("init", "x", "--domain", "example.com", "--address", "here"), 64),
        (("simulate", "--pace", "nan"), 64),
        (("simulate", "--refused", "nan"), 64),
    ],
)
def test_an_argument_that_cannot_be_meant(words: tuple[str, ...], code: int) -> None:
    """One clear refusal, never a traceback."""
    done = subprocess.run([PROGRAM, *words], capture_output=True, text=True, check=False)
    assert code == done.returncode, done.stderr
    assert done.stderr and "Traceback" not in done.stderr


def test_a_network_table_without_a_range_is_refused(tmp_path: Path) -> None:
    """A download that was cut must not blind the guard; the table in force stays."""
    state = tmp_path / "site"
    assert 0 == sekisho("init", str(state), "--domain", "example.com").code
    (tmp_path / "empty.csv").write_text("")
    settings = str(state / "sekisho.toml")
    assert 64 == sekisho("networks", "update", str(tmp_path / "empty.csv"), "-c", settings).code
    assert "US" in sekisho("networks", "show", "8.8.8.8", "-c", settings).out


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('[notify]\noperator = "nope"\n', "notify.operator"),
        (
            '[listen.a]\naddress = "127.0.0.1:2525"\nprotocol = "smtp"\nrequires_proxy = true\n',
            "requires_proxy",
        ),
        (
            "".join(f'[listen.{name}]\naddress = "127.0.0.1:2525"\nprotocol = "smtp"\n' for name in "ab"),
            "listen.b.address",
        ),
        ('[guard]\nhelp_url = "x\\r\\n250 injected"\n', "guard.help_url"),
    ],
)
def test_settings_that_cannot_be_meant_are_mistakes(tmp_path: Path, text: str, place: str) -> None:
    """`config check` names the place, and `serve` would not start."""
    path = tmp_path / "sekisho.toml"
    path.write_text('hostname = "mx.example.com"\n' + text)
    done = sekisho("config", "check", "-c", str(path))
    assert 78 == done.code and place in done.err + done.out


@pytest.mark.parametrize(
    ("damage", "remedy"),
    [("absent", "sekisho init"), ("garbage", "backup"), ("folder", "sekisho init"), ("locked", "try again")],
)
def test_a_database_that_does_not_work_names_a_remedy(tmp_path: Path, damage: str, remedy: str) -> None:
    """69, one sentence: which file, what is wrong, what helps."""
    state = tmp_path / "site"
    assert 0 == sekisho("init", str(state), "--domain", "example.com").code
    house = state / "house.db"
    match damage:
        case "absent":
            house.unlink()
        case "garbage":
            house.write_bytes(b"not a database, but long enough to look at" * 100)
        case "folder":
            house.unlink()
            house.mkdir()
    with contextlib.closing(sqlite3.connect(state / "vault.db" if damage != "locked" else house)) as other:
        if damage == "locked":
            other.execute("begin exclusive")
        done = sekisho("domain", "list", "-c", str(state / "sekisho.toml"))
    assert 69 == done.code and 1 == done.err.count("\n")
    assert f"{house} is not available: " in done.err and remedy in done.err


@pytest.mark.parametrize(
    "words",
    [
        ("nosuch",), ("queue", "lisst"), ("account", "add"), ("init", "x"), ("queue", "list", "--nosuch"),
        ("queue", "list", "--limit"), ("queue", "list", "--older", "x"), ("queue", "list", "--by", "x"),
        ("queue", "list", "--limit", "0"), ("alias", "list", "a", "b"), ("status", "--json=x"),
    ],
)  # fmt: skip
def test_mistakes_on_the_command_line_are_told_in_the_users_language(words: tuple[str, ...]) -> None:
    """Usage, hint and mistake: of English only what is typed, and the names of types."""
    done = sekisho(*words, language="ja")
    assert 64 == done.code
    for line in filter(None, done.err.splitlines()):
        assert not line.isascii(), line
    english = sekisho(*words)
    assert 64 == english.code and english.err.startswith(("Usage: ", "Error: ")) and english.err.isascii()


def test_every_sentence_of_clicks_is_one_that_it_says() -> None:
    """What click words otherwise by now would be said in English."""
    said = "".join(Path(click.__file__).with_name(f"{name}.py").read_text() for name in CLICKS)
    patterns = [repr(each.pattern)[1:-1] for each in SENTENCES]
    assert [] == [pattern for pattern in patterns if pattern not in said]
