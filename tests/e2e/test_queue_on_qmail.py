"""`sekisho queue --on qmail` on a queue of qmail's documented layout, while qmail-send runs and not."""

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from command import Result, sekisho
from covers import covers
from e2e.qmail_queue import Qmail
from sekisho.service import qmail_hands

HELLO = "hello@example.com"
TEXT = "Subject: cheap\nReceived: from x (bob@example.com@10.0.0.1)\n\nthe words\n"


@pytest.fixture
def theirs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Qmail:
    monkeypatch.setenv("SEKISHO_STATE", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    return Qmail(tmp_path / "queue")


def queue(theirs: Qmail, verb: str, *words: str) -> Result:
    return sekisho("queue", verb, "--on", "qmail", "--queue", str(theirs.folder), *words)


def done(theirs: Qmail, verb: str, *words: str) -> dict[str, Any]:
    result = queue(theirs, verb, *words, "--yes", "--json")
    assert 0 == result.code, result.err
    performed: dict[str, Any] = json.loads(result.out)["performed"]
    return performed


def listed(theirs: Qmail, *words: str) -> dict[str, list[dict[str, Any]]]:
    """By message."""
    result = queue(theirs, "list", "--json", *words)
    assert 0 == result.code, result.err
    found: dict[str, list[dict[str, Any]]] = {}
    for row in result.rows():
        found.setdefault(row["message"], []).append(row)
    return found


@covers("T-05")
def test_their_queue_is_listed_as_ours(theirs: Qmail) -> None:
    """By the login that qmail-smtpd wrote down; only who is still to be reached; looking changes nothing."""
    spam = theirs.put(
        "x@far.example", TEXT, login=HELLO, remote="T a@far.example D b@far.example", local="T c@d"
    )
    bounce = theirs.put("", f"Subject: failure\n\nid {spam}\n", remote="T hello@example.com")
    new = theirs.arriving("bob@example.com", "e@far.example", "bob@example.com")
    before = theirs.files()
    (rows,) = listed(theirs, "--account", HELLO).values()
    assert {"a@far.example", "c@d"} == {row["recipient"] for row in rows}
    assert ("x@far.example", "192.0.2.7", "cheap", "2026-11-24T20:44:21.000+00:00") == (
        rows[0]["sender"], rows[0]["address"], rows[0]["subject"],
        rows[0]["accepted_at"].replace(rows[0]["accepted_at"][-6:], "+00:00"),
    )  # fmt: skip
    assert [new] == list(listed(theirs, "--account", "bob@example.com"))
    assert (
        [bounce] == list(listed(theirs, "--bounces-of", HELLO)) == list(listed(theirs, "--bounces-of", spam))
    )
    assert [spam] == list(listed(theirs, "--body", "the words"))
    assert "the words" in queue(theirs, "show", spam).out
    assert queue(theirs, "hold", "--account", HELLO, "--dry-run").out.startswith(
        "hold 2 deliveries of 1 message"
    )
    assert before == theirs.files()


@covers("T-02")
def test_with_qmail_send_stopped_a_letter_comes_back_as_it_was(theirs: Qmail) -> None:
    """Birth, sender, local and remote recipients, without those who had it; then purged, and restored."""
    spam = theirs.put(
        "x@far.example", TEXT, login=HELLO, remote="D b@far.example T a@far.example", local="T c@d"
    )
    other = theirs.put("y@far.example", TEXT, remote="T e@far.example")
    held = done(theirs, "hold", "--account", HELLO)
    assert 2 == held["count"]
    theirs.clean()
    assert {other} == {path.name for path in (theirs.folder / "info").glob("*/*")}
    (name,) = held["changed"]
    assert [held["action"]] == listed(theirs)[name][0]["held_by"]
    done(theirs, "release", "--held-by", held["action"])
    assert b"Fx@far.example\0" == theirs.path("info", name).read_bytes()
    assert 1795553061 == theirs.path("info", name).stat().st_mtime
    assert (b"Tc@d\0", b"Ta@far.example\0") == tuple(
        theirs.path(c, name).read_bytes() for c in ("local", "remote")
    )
    assert str(theirs.path("mess", name).stat().st_ino) == name
    assert theirs.path("mess", name).read_text().endswith(TEXT)
    purge = done(theirs, "purge", "--account", HELLO)
    theirs.clean()
    assert [other] == list(listed(theirs)) and not list((theirs.folder / "sekisho").iterdir())
    assert purge["changed"] == list(listed(theirs, "--state", "purged"))
    back = done(theirs, "restore", "--held-by", purge["action"])
    (row, _) = listed(theirs)[back["changed"][0]]
    assert ([back["action"]], HELLO, spam != "") == (row["held_by"], row["account"], True)


@covers("O-05")
def test_while_qmail_send_runs(theirs: Qmail) -> None:
    """One byte is changed for each recipient; let go, it is new in todo/; mailboxes here have to wait."""
    theirs.put("x@far.example", TEXT, login=HELLO, remote="D b@far.example T a@far.example")
    theirs.put("x@far.example", TEXT, login=HELLO, local="T example.com-bob@example.com")
    before = theirs.files()
    with theirs.running():
        held = done(theirs, "hold", "--account", HELLO)
        after = theirs.files()
        changed = {name for name in before if before[name] != after[name]}
        assert before.keys() == after.keys() and {"remote", "local"} == {
            name.split("/")[0] for name in changed
        }
        assert all(after[name] == before[name].replace(b"T", b"D") for name in changed)
        theirs.clean()
        refused = queue(theirs, "release", "--account", HELLO, "--yes")
        assert 1 == refused.code and "svc -d" in refused.err
        (todo,) = (theirs.folder / "todo").iterdir()
        assert b"Fx@far.example\0Ta@far.example\0" == todo.read_bytes().split(b"\0", 2)[2]
        assert todo.samefile(theirs.folder / "intd" / todo.name)
        assert str(theirs.path("mess", todo.name).stat().st_ino) == todo.name
        (left,) = (rows for rows in listed(theirs).values() if rows[0].get("held_by"))
        assert "example.com-bob@example.com" == left[0]["recipient"] and len(held["changed"]) == 2
    done(theirs, "release", "--account", HELLO)
    assert not any(rows[0].get("held_by") for rows in listed(theirs).values())


def test_a_crash_between_copy_and_mark_leaves_the_letter_theirs(theirs: Qmail) -> None:
    """It is theirs as long as they have recipients of it: the copy counts for nothing."""
    spam = theirs.put("x@far.example", TEXT, login=HELLO, remote="T a@far.example")
    done(theirs, "hold", "--account", HELLO)
    remote = theirs.path("remote", spam)
    remote.write_bytes(remote.read_bytes().replace(b"D", b"T"))  # as if the mark had never been made
    (rows,) = listed(theirs).values()
    assert spam == rows[0]["message"] and "held_by" not in rows[0]
    done(theirs, "hold", "--account", HELLO)
    assert 1 == len(listed(theirs))


def crashing(after: int, folder: Path) -> bool:
    """Holds all in another process, which is killed before its step number `after`; False: it had fewer."""
    child = os.fork()
    if not child:
        steps = count()
        for name in ("pwrite", "fsync", "rename", "utime", "mkdir", "open"):
            setattr(os, name, _killed(getattr(os, name), steps, after))
        desk = qmail_hands.QmailQueue(qmail_hands.Where(str(folder)))
        with contextlib.suppress(BaseException):
            for letter in [each for each in desk.letters() if not each.held]:
                desk.hold([letter])
            os._exit(0)
        os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or 0 == os.WEXITSTATUS(status)
    return os.WIFSIGNALED(status)


def _killed(function: Any, steps: Iterator[int], after: int) -> Any:
    def called(*words: Any, **named: Any) -> Any:
        if next(steps) == after:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*words, **named)

    return called


def test_a_hold_killed_at_any_step_loses_nobody_and_doubles_nobody(theirs: Qmail) -> None:
    """Three recipients in two channels: read, cleared by qmail-send and read, held again and let go."""
    everybody = ["a@far.example", "b@far.example", "c@d"]
    after = 0
    killed = True
    while killed:
        theirs.put("x@far.example", TEXT, login=HELLO, remote=" ".join(f"T {to}" for to in everybody[:2]),
                   local="T c@d")  # fmt: skip
        killed = crashing(after, theirs.folder)
        desk = qmail_hands.QmailQueue(qmail_hands.Where(str(theirs.folder)))
        for change in (lambda: None, theirs.clean, partial(desk.hold, ()), theirs.clean):
            before = theirs.files()
            assert everybody == reached(desk), after
            assert before == theirs.files()
            change()
        desk.hold(list(desk.letters()))
        theirs.clean()
        assert everybody == reached(desk) and all(each.held for each in desk.letters())
        desk.release(list(desk.letters()))
        assert everybody == reached(desk) and not any(each.held for each in desk.letters())
        desk.hold(list(desk.letters()))
        desk.remove(list(desk.letters()))
        theirs.clean()
        assert [] == reached(desk) == list((theirs.folder / "sekisho").iterdir())
        after += 1
    assert after > 15


def reached(desk: qmail_hands.QmailQueue) -> list[str]:
    return sorted(to.address for each in desk.letters() for to in each.recipients)


def test_who_reads_while_a_hold_runs_takes_nothing_away(
    theirs: Qmail, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the copy and each of the marks somebody lists the queue."""
    theirs.put("x@far.example", TEXT, login=HELLO, remote="T a@far.example T b@far.example", local="T c@d")
    desk = qmail_hands.QmailQueue(qmail_hands.Where(str(theirs.folder)))
    seen: list[list[str]] = []
    plain = os.pwrite

    def watched(handle: int, data: bytes, offset: int) -> int:
        seen.append(reached(desk))
        return plain(handle, data, offset)

    monkeypatch.setattr(os, "pwrite", watched)
    desk.hold(list(desk.letters()))
    theirs.clean()
    assert [["a@far.example", "b@far.example", "c@d"]] * 4 == [*seen, reached(desk)]


def test_bounce_makes_a_letter_too_old(theirs: Qmail) -> None:
    """qmail-send returns it at its next try; retry is all or none at qmail's, and that is said."""
    spam = theirs.put("x@far.example", TEXT, login=HELLO, remote="T a@far.example")
    done(theirs, "bounce", "--id", spam)
    assert theirs.path("info", spam).stat().st_mtime < 10
    refused = queue(theirs, "retry", "--id", spam, "--yes")
    assert 1 == refused.code and "svc -a" in refused.err


def test_what_is_no_queue_is_said(theirs: Qmail, tmp_path: Path) -> None:
    """An empty folder, a damaged letter."""
    (tmp_path / "empty" / "mess").mkdir(parents=True)
    nothing = sekisho("queue", "list", "--on", "qmail", "--queue", str(tmp_path / "empty"))
    assert 69 == nothing.code and "no queue of qmail" in nothing.err
    spam = theirs.put("x@far.example", TEXT, remote="T a@far.example")
    theirs.path("remote", spam).write_bytes(b"Xnonsense\0")
    (rows,) = listed(theirs).values()
    assert "failed" == rows[0]["state"] and os.path.exists(theirs.path("mess", spam))


def test_the_printed_set_up_is_all_that_it_needs(theirs: Qmail, tmp_path: Path) -> None:
    """Applied twice as it is: the settings name the queue, and a service follows the log."""
    site = tmp_path / "site"
    assert 0 == sekisho("init", str(site), "--domain", "example.com", "--hostname", "mx.example.com").code
    settings = site / "sekisho.toml"
    printed = sekisho("configure", "qmail", "-c", str(settings)).out
    places = {"QMAIL_QUEUE": theirs.folder, "QMAIL_SERVICE": tmp_path / "service", "QMAIL_LOGS": tmp_path}
    where = {"SEKISHO_CONFIG": str(settings), **{name: str(path) for name, path in places.items()}}
    for _ in range(2):
        subprocess.run(["sh", "-eu"], input=printed, env=os.environ | where, text=True, check=True)
    spam = theirs.put("x@far.example", TEXT, login=HELLO, remote="T a@far.example")
    result = sekisho("queue", "list", "--on", "qmail", "-c", str(settings), "--json")
    assert [spam] == [row["message"] for row in result.rows()], result.err
    run = (tmp_path / "service" / "sekisho-watch" / "run").read_text()
    assert f"exec sekisho watch -c {settings} {tmp_path}\n" in run


def test_no_link_is_followed(theirs: Qmail, tmp_path: Path) -> None:
    """qmail's own users could plant one, and we are root."""
    secret = tmp_path / "secret"
    secret.write_bytes(b"Troot@example.com\0")
    spam = theirs.put("x@far.example", TEXT, login=HELLO, remote="T a@far.example")
    theirs.path("remote", spam).unlink()
    theirs.path("remote", spam).symlink_to(secret)
    other = theirs.put("x@far.example", TEXT, login=HELLO, remote="T a@far.example")
    done(theirs, "hold", "--sender", "*")
    assert "failed" == listed(theirs)[spam][0]["state"] and other not in listed(theirs)
    assert b"Troot@example.com\0" == secret.read_bytes()


def test_our_folder_is_emptied_nowhere_else(theirs: Qmail, tmp_path: Path) -> None:
    """A link in its place, a folder of another user, and what is not ours in it."""
    theirs.put("x@far.example", TEXT, login=HELLO, remote="T a@far.example")
    other, ours = tmp_path / "other", theirs.folder / "sekisho"
    for name in ("4711", "gone.4711", "etc"):
        (other / name).mkdir(parents=True)
    ours.symlink_to(other)
    refused = queue(theirs, "hold", "--account", HELLO, "--yes")
    assert 69 == refused.code and str(ours) in refused.err
    ours.unlink()
    other.rename(ours)
    if os.geteuid() == 0:
        os.chown(ours, 65534, 65534)
        refused = queue(theirs, "hold", "--account", HELLO, "--yes")
        assert 69 == refused.code and "not ours" in refused.err
        assert {"4711", "gone.4711", "etc"} == set(os.listdir(ours))
        os.chown(ours, 0, 0)
    done(theirs, "hold", "--account", HELLO)
    assert "etc" in os.listdir(ours) and not {"4711", "gone.4711"} & set(os.listdir(ours))


def test_a_link_where_a_letter_was_stops_nobody_else(theirs: Qmail, tmp_path: Path) -> None:
    """In place of a message, and of the recipients of one that is held: shown as failed, not read."""
    secret = tmp_path / "secret"
    secret.write_bytes(b"Subject: secret\n\nnobody else's\n")
    spam, half = (theirs.put("x@far.example", TEXT, login=HELLO, remote=f"T {to}@far.example") for to in "ab")
    theirs.put("y@far.example", TEXT, login=HELLO, remote="T c@far.example")
    done(theirs, "hold", "--id", half)
    for planted in (theirs.path("mess", spam), theirs.path("remote", half)):
        kept = planted.rename(tmp_path / f"kept{planted.name}")  # its number is not to be given again
        planted.symlink_to(secret)
        assert kept.exists()
    states = sorted(rows[0]["state"] for rows in listed(theirs).values())
    assert ["failed", "failed", "failed", "waiting"] == states
    for name in listed(theirs):
        shown = queue(theirs, "show", name)
        assert "nobody else's" not in shown.out + shown.err and "Traceback" not in shown.err
    assert not listed(theirs, "--body", "nobody else's")
    assert 1 == done(theirs, "hold", "--account", HELLO)["count"]
    assert b"Subject: secret\n\nnobody else's\n" == secret.read_bytes()
