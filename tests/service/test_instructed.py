"""Instructions of `.qmail` and `.forward` files are followed, by real files and real programs."""

import asyncio
import os
import stat
from pathlib import Path

import pytest

from sekisho.host import HostChance, HostClock, HostDisk, HostSpawn
from sekisho.model.config import Config, Local
from sekisho.model.delivery import Deferred, Delivered, Delivery, Failed, Kind, Outcome, Route, Tls
from sekisho.model.envelope import Envelope, Message, Origin
from sekisho.model.ident import make_id
from sekisho.model.letter import Letter
from sekisho.service.instructed import InstructedCarrier
from sekisho.service.local import LocalCarrier
from sekisho.service.piping import PipeCarrier
from sekisho.testing.net import FakeNet
from sekisho.testing.world import FakeDns
from sekisho.world import World

USER = "nobody" if os.geteuid() == 0 else ""
BODY = b"Subject: x\r\n\r\n..dot\r\n"
BOX = "mail/example.com/hana/Maildir"


class Bench:
    """An account, hana@example.com, its folder, and scripts that her files may name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "mail" / "example.com" / "hana"
        self.home.mkdir(parents=True)
        for each in (self.home, *self.home.parents):
            if each.owner() == folder.owner() and each != Path("/"):
                each.chmod(each.stat().st_mode | stat.S_IXOTH | stat.S_IROTH)
        folder.chmod(0o777)
        self.programs: list[str] = []
        self.tries = 0

    def script(self, text: str, name: str = "program") -> str:
        path = self.folder / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        self.programs.append(str(path))
        return str(path)

    def says(self, text: str, name: str = ".qmail") -> None:
        (self.home / name).write_text(text)
        (self.home / name).chmod(0o600)

    def deliver(
        self, recipient: str = "hana@example.com", head: bytes = b"", style: str = "qmail"
    ) -> Outcome:
        settings = Local(
            instructions=style,  # type: ignore[arg-type]
            programs=tuple(self.programs),
            program_user=USER,
            program_s=20,
        )
        config = Config(hostname="mx.example.com", state=str(self.folder), local=settings)
        envelope = Envelope("x@far.test", (), Origin("s", "mx", 0))
        letter = Letter(Message("m", len(BODY), ""), envelope, head + b"Received: y\r\n", (BODY,))
        route = Route(Kind.MAILDIR, BOX, "maildir:x", tls=Tls.NONE)
        delivery = Delivery(make_id(1_700_000_000_000_000, 7), "m", recipient, route, self.tries, 0, 1)

        async def main() -> Outcome:
            world = World(HostClock(), HostChance(), FakeDns(), FakeNet(), HostDisk(), HostSpawn())
            mailboxes, programs = LocalCarrier(world, str(self.folder), settings), PipeCarrier(world, config)
            carrier = InstructedCarrier(world, config, mailboxes, programs)
            try:
                return (await carrier.carry((delivery,), letter))[delivery.id]
            finally:
                await world.spawn.stop()

        return asyncio.run(main())

    def letters(self, folder: str = "Maildir") -> list[bytes]:
        place = self.home / folder / "new"
        return [path.read_bytes() for path in place.iterdir()] if place.exists() else []


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def reply(outcome: Outcome) -> str:
    return str(outcome.reply)


def test_without_a_file_it_is_the_mailbox(bench: Bench) -> None:
    """And without the setting a file says nothing."""
    assert isinstance(bench.deliver(), Delivered)
    assert 1 == len(bench.letters())
    bench.says("#\n")
    assert isinstance(bench.deliver(style="none"), Delivered)


def test_all_steps_are_done_and_forwards_gathered(bench: Bench) -> None:
    """Mailbox, another Maildir, a program, two forwards: in one delivery."""
    program = bench.script(f"cat > {bench.folder}/got; echo $EXT $USER >> {bench.folder}/got")
    bench.says(f"./Maildir/ \r\n./Maildir/.Copies/\n&a@b.example\n|{program} x\nbob\n&a@b.example\n")
    outcome = bench.deliver()
    assert isinstance(outcome, Delivered), outcome
    assert ("a@b.example", "bob@example.com") == outcome.onward
    assert 1 == len(bench.letters()) == len(bench.letters("Maildir/.Copies"))
    assert b".dot\nhana\n" in (bench.folder / "got").read_bytes()


def test_a_second_try_puts_nothing_twice_into_a_maildir(bench: Bench) -> None:
    """The first step is done, the second fails for now: all are tried again."""
    program = bench.script("exit 111")
    bench.says(f"./Maildir/\n|{program}\n&a@b.example\n")
    assert isinstance(bench.deliver(), Deferred)
    bench.tries = 1
    assert isinstance(bench.deliver(), Deferred)
    assert 1 == len(bench.letters())


@pytest.mark.parametrize(
    ("code", "kind", "stays", "onward"),
    [
        (0, Delivered, 1, ("a@b.example", "c@d.example")),
        (99, Delivered, 0, ("a@b.example",)),
        (100, Failed, 0, ()),
        (111, Deferred, 0, ()),
        (67, Failed, 0, ()),
        (3, Deferred, 0, ()),
    ],
)
def test_a_program_decides(
    bench: Bench, code: int, kind: type[Outcome], stays: int, onward: tuple[str, ...]
) -> None:
    """qmail-command(8): 99 stops here and is success; 100 fails, 111 defers, nothing is forwarded then."""
    bench.says(f"&a@b.example\n|{bench.script(f'exit {code}')}\n./Maildir/\n&c@d.example\n")
    outcome = bench.deliver()
    assert isinstance(outcome, kind)
    assert (stays, onward) == (len(bench.letters()), getattr(outcome, "onward", ()))


@pytest.mark.parametrize("line", ["|/bin/cat", "|program; id", "|$HOME/x", "|sh -c id", "|`id`"])
def test_what_is_not_allowed_does_not_run(bench: Bench, line: str) -> None:
    """Neither an unlisted program nor a shell, and the letter waits."""
    bench.script(f"touch {bench.folder}/ran")
    bench.says(f"{line}\n")
    outcome = bench.deliver()
    assert isinstance(outcome, Deferred) and "local.programs" in reply(outcome)
    assert not (bench.folder / "ran").exists()


def test_a_shell_runs_what_needs_one_if_it_is_listed(bench: Bench) -> None:
    """Strangers' words are values of its environment, and harmless there too."""
    bench.programs.append("/bin/sh")
    bench.says(f'|echo "$SENDER $EXT" | cat > {bench.folder}/got; exit 99\n./Maildir/\n', ".qmail-default")
    assert isinstance(bench.deliver("hana-a;b@example.com"), Delivered)
    assert "x@far.test a_b\n" == (bench.folder / "got").read_text()
    assert [] == bench.letters()


def test_a_program_is_found_by_its_name(bench: Bench) -> None:
    """As old files write it: `|filter x`, if a program of that name is listed."""
    bench.script(f"echo $1 > {bench.folder}/got", "filter")
    bench.says('"|filter \\"a b\\"", \\hana\n', ".forward")
    assert isinstance(bench.deliver(style="forward"), Delivered)
    assert ("a b\n", 1) == ((bench.folder / "got").read_text(), len(bench.letters()))


def test_the_file_of_the_extension_decides(bench: Bench) -> None:
    """Then its default, then the account's own; bounces of a list go to its owner."""
    bench.says("a@b.example\n", ".qmail-list")
    bench.says("", ".qmail-list-owner")
    bench.says("c@d.example\n", ".qmail-default")
    bench.says("./Maildir/\n")
    outcome = bench.deliver("hana-list@example.com")
    assert isinstance(outcome, Delivered)
    assert (("a@b.example",), "hana-list-owner@example.com") == (outcome.onward, outcome.owner)
    other = bench.deliver("hana+x@example.com")
    assert isinstance(other, Delivered) and (("c@d.example",), "") == (other.onward, other.owner)
    assert [] == bench.letters()
    bench.deliver()
    assert 1 == len(bench.letters())


def test_a_loop_ends(bench: Bench) -> None:
    """Our own Delivered-To, in any case; or more forwards than anybody needs."""
    bench.says("&a@b.example\n")
    assert "5.4.6" in reply(bench.deliver(head=b"Delivered-To: Hana@Example.com\r\n"))
    assert isinstance(bench.deliver(head=b"Delivered-To: other@example.com\r\n"), Delivered)
    many = b"".join(b"Delivered-To: u%d@x.example\r\n" % number for number in range(10))
    assert isinstance(bench.deliver(head=many), Failed)


@pytest.mark.parametrize("text", ["\n./Maildir/\n", "./mbox\n", "/etc/passwd\n", "./../x/\n", "*\n"])
def test_a_file_that_is_not_understood_lets_mail_wait(bench: Bench, text: str) -> None:
    """Not lost, not misdelivered, and the reply names the line."""
    bench.says(text)
    outcome = bench.deliver()
    assert isinstance(outcome, Deferred) and "line 1 of mail/example.com/hana/.qmail" in reply(outcome)


def test_an_mbox_further_down_lets_nothing_be_done_before(bench: Bench) -> None:
    """A letter that waits for a mended file is tried again: what stands above must not be repeated."""
    bench.says("./Maildir/\n&b@far.example\n./mbox\n")
    outcome = bench.deliver()
    assert isinstance(outcome, Deferred) and "line 3" in reply(outcome) and "writes no mbox" in reply(outcome)
    assert [] == bench.letters()


def test_a_file_that_others_may_write_lets_mail_wait(bench: Bench) -> None:
    """Or one behind a link."""
    bench.says("|/bin/id\n")
    (bench.home / ".qmail").chmod(0o666)
    assert "chmod go-w" in reply(bench.deliver())
    (bench.home / ".qmail").unlink()
    (bench.home / ".qmail").symlink_to("/etc/hostname")
    assert isinstance(bench.deliver(), Deferred)


def test_only_comments_throw_it_away(bench: Bench) -> None:
    """As qmail does: success, and nothing is kept."""
    bench.says("# not interested\n")
    assert "thrown away" in reply(bench.deliver())
    assert [] == bench.letters()
