"""Delivery to real programs: what they are given, what they may use, and how they end."""

import asyncio
import os
import stat
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace

from sekisho.host import HostChance, HostClock, HostDisk, HostSpawn
from sekisho.model.config import Config, Local
from sekisho.model.delivery import Deferred, Delivered, Delivery, Failed, Outcome
from sekisho.model.envelope import Envelope, Message, Origin
from sekisho.model.letter import Letter
from sekisho.queue.pipes import pipe_route
from sekisho.service.piping import PipeCarrier
from sekisho.testing.net import FakeNet
from sekisho.testing.world import FakeDns
from sekisho.world import World
from waiting import until

USER = "nobody" if os.geteuid() == 0 else ""
BODY = b"Subject: x\r\n\r\n..dot\r\n"


class Bench:
    """Scripts in an open folder, which root's `nobody` can enter too."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for each in (folder, *folder.parents):
            if each.owner() == folder.owner() and each != Path("/"):
                each.chmod(each.stat().st_mode | stat.S_IXOTH | stat.S_IROTH)
        folder.chmod(0o777)
        self.programs: list[str] = []

    def script(self, text: str, name: str = "program") -> str:
        path = self.folder / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        self.programs.append(str(path))
        return str(path)

    def deliver(
        self, words: Sequence[str], sender: str = "x@far.test", letter: Letter | None = None, **local: object
    ) -> Outcome:
        settings = Local(**{"programs": tuple(self.programs), "program_user": USER, "program_s": 20, **local})  # type: ignore[arg-type]
        config = Config(hostname="mx.example.com", state=str(self.folder), local=settings)
        envelope = Envelope(sender, (), Origin("s", "mx", 0))
        sent = letter or Letter(Message("m", len(BODY), ""), envelope, b"Received: y\r\n", (BODY,))
        delivery = Delivery("d", "m", "hana+list@example.com", pipe_route(words), 0, 0, 1)

        async def main() -> Outcome:
            world = World(HostClock(), HostChance(), FakeDns(), FakeNet(), HostDisk(), HostSpawn())
            try:
                return (await PipeCarrier(world, config).carry((delivery,), sent))["d"]
            finally:
                await world.spawn.stop()

        return asyncio.run(main())


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_a_program_gets_the_letter_and_a_small_environment(bench: Bench) -> None:
    """With Return-Path and Delivered-To, LF, dots as they were; nothing of our own environment."""
    program = bench.script(
        f'cat > {bench.folder}/letter; env > {bench.folder}/env; printf "%s\\n" "$@" > {bench.folder}/args'
    )
    end = bench.deliver([program, "-s", "{sender}", "a  b", "$HOME"])
    assert isinstance(end, Delivered), end
    letter = (bench.folder / "letter").read_bytes()
    assert (
        b"Return-Path: <x@far.test>\nDelivered-To: hana+list@example.com\nReceived: y\nSubject: x\n\n.dot\n"
        == letter
    )
    told = dict(line.split("=", 1) for line in (bench.folder / "env").read_text().splitlines())
    assert ("x@far.test", "hana+list", "list") == (told["SENDER"], told["LOCAL"], told["EXTENSION"])
    assert not set(told) & set(os.environ) - {
        "PATH",
        "HOME",
        "USER",
        "LOGNAME",
        "PWD",
        "OLDPWD",
        "SHLVL",
        "_",
        "LC_CTYPE",  # which Python adds of its own, there as here, where no language is set
    }
    assert ["-s", "x@far.test", "a  b", "$HOME"] == (bench.folder / "args").read_text().splitlines()


def test_hostile_senders_run_nothing(bench: Bench) -> None:
    """CVE-2020-7247: not as an option, not through a shell, not even where the program itself uses eval."""
    trap = bench.folder / "trap"
    program = bench.script(f'cat > /dev/null; eval "echo $1 $SENDER" > {bench.folder}/said')
    for sender in (
        f";touch {trap};",
        f"`touch {trap}`@x",
        f"$(touch {trap})",
        f"-x\ntouch {trap}\n",
        f"a|touch {trap}",
    ):
        assert isinstance(bench.deliver([program, "{sender}"], sender), Delivered)
        assert not trap.exists(), sender
    bench.deliver([program, "{sender}"], "-oProxyCommand=x")
    assert "_oProxyCommand=x _oProxyCommand=x\n" == (bench.folder / "said").read_text()


def test_only_what_is_listed_runs(bench: Bench) -> None:
    """By its whole path; the mail waits, for the settings may be wrong."""
    program = bench.script("exit 0")
    for words in (["/bin/sh", "-c", "exit 0"], [program + "x"], ["program"], []):
        end = bench.deliver(words)
        assert isinstance(end, Deferred) and "local.programs" in end.reply.text
    missing = str(bench.folder / "missing")
    bench.programs.append(missing)
    end = bench.deliver([missing])
    assert isinstance(end, Deferred) and "No such file" in end.reply.text


def test_the_whole_group_is_killed_when_time_is_over(bench: Bench) -> None:
    """The program and its children; the mail waits."""
    pids = bench.folder / "pids"
    program = bench.script(f"sleep 300 &\necho $! $$ > {pids}\nsleep 300")
    for seconds in (1, 30):  # a busy machine may not have come to the second line in one
        end = bench.deliver([program], program_s=seconds)
        assert isinstance(end, Deferred) and f"stopped after {seconds} s" in end.reply.text
        if pids.exists() and pids.read_text():
            break
    until(lambda: not any(_runs(pid) for pid in pids.read_text().split()))


def _runs(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_output_is_kept_within_its_cap(bench: Bench) -> None:
    """A program that talks without end is heard to its end; the first words are the reason."""
    program = bench.script("cat > /dev/null; echo 5.2.2 full; yes | head -c 3000000; exit 73")
    end = bench.deliver([program])
    assert isinstance(end, Failed) and "5.2.2" == end.reply.status and len(end.reply.text) < 4100 * 4


def test_memory_and_processor_are_limited(bench: Bench) -> None:
    """A program that wants too much ends by itself, and no mail is returned for it."""
    hungry = bench.script("exec /usr/bin/env python3 -c 'x = bytearray(1 << 30)'", "hungry")
    assert isinstance(bench.deliver([hungry], program_bytes=256 * 1024 * 1024), Deferred)
    limits = bench.script(
        f"cat > /dev/null; ulimit -a > {bench.folder}/said; id -u > {bench.folder}/uid", "limits"
    )
    assert isinstance(bench.deliver([limits], program_s=7), Delivered)
    said = (bench.folder / "said").read_text()
    assert " 7\n" in said and "1048576\n" in said
    assert ("65534" if USER else str(os.geteuid())) == (bench.folder / "uid").read_text().strip()


def test_a_program_may_leave_the_letter_unread(bench: Bench) -> None:
    """More than fits into a pipe, and the program ends at once: its own exit code counts."""
    big = (b"x" * 76 + b"\r\n") * 20_000
    letter = Letter(Message("m", len(big), ""), Envelope("a@b.test", (), Origin("", "", 0)), b"", (big,))
    assert isinstance(bench.deliver([bench.script("exit 0")], letter=letter), Delivered)
    assert isinstance(bench.deliver([bench.script("exit 100")], letter=letter), Failed)


def test_a_child_that_holds_the_letter_holds_up_nothing(bench: Bench) -> None:
    """The program has ended with 0 and left something behind that reads nothing: delivered in seconds."""
    big = (b"x" * 76 + b"\r\n") * 20_000
    letter = Letter(Message("m", len(big), ""), Envelope("a@b.test", (), Origin("", "", 0)), b"", (big,))
    holding = bench.script("exec 3<&0; sleep 40 0<&3 >/dev/null 2>&1 & exit 0")
    began = time.monotonic()
    assert isinstance(bench.deliver([holding], letter=letter, program_s=30), Delivered)
    assert time.monotonic() - began < 15


def test_half_a_letter_is_no_letter(bench: Bench) -> None:
    """The body's file is gone: the program is killed before it could take what it has for the whole."""
    program = bench.script(f"cat > /dev/null; touch {bench.folder}/done")
    gone = Letter(Message("m", 1, ""), Envelope("a@b.test", (), Origin("", "", 0)), b"Received: y\r\n")
    end = bench.deliver([program], letter=replace(gone, path=str(bench.folder / "nofile")))
    assert isinstance(end, Deferred) and not (bench.folder / "done").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has somebody else to be")
def test_root_runs_nothing_as_root(bench: Bench) -> None:
    """Without a user in the settings, or with root, the mail waits."""
    program = bench.script("exit 0")
    for user in ("", "root", "no-such-user"):
        end = bench.deliver([program], program_user=user)
        assert isinstance(end, Deferred) and "program_user" in end.reply.text
