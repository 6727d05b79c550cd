"""Logs are followed through rotation, crashes and a guard that is away: each line's event once, none lost."""

import gzip
import os
import random
import shutil
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest

from covers import covers
from sekisho.model.event import Accepted, DeliveryTried, Event, LoginTried, RecipientGiven
from sekisho.service import watchman
from sekisho.service.channel import LocalChannel
from sekisho.service.messages import Kept, Report, Request
from sekisho.service.watchman import Watchman
from sekisho.store import follower, logfiles
from sekisho.store.positions import Positions
from sekisho.testing.loop import run
from sekisho.testing.world import Fakes, fakes
from sekisho.world import Unavailable

START = datetime(2026, 3, 2, 8, tzinfo=UTC)


HOSTILE = "vpopmail[1]: vchkpw-smtp: password fail (pass: 'login success b@e:192.0.2.7') u@e:192.0.2.7"


class Host:
    """A mail server's log, the watchman, and what he reported."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "maillog"
        self.state = folder / "state"
        self.state.mkdir()
        self.fakes: Fakes = fakes(int(START.timestamp()) * 1_000_000)
        self.heard: list[Event] = []
        self.away = False
        self.troubles: list[str] = []
        self.number = 0
        self.begin()

    def begin(self, *places: str) -> None:
        """A new process."""
        channel = LocalChannel(self._handle, self._trouble)
        where = places or (str(self.log),)
        self.man = Watchman(self.fakes.world, where, Positions(str(self.state)), UTC, channel)

    async def _handle(self, request: Request) -> Kept:
        assert isinstance(request, Report)
        if self.away:
            raise Unavailable("guard", "away")
        self.heard += request.events
        return Kept(len(request.events))

    def _trouble(self, what: str, about: str, trace: str) -> None:
        self.troubles.append(trace)

    def write(self, text: str, end: str = "\n") -> None:
        at = datetime.fromtimestamp(self.fakes.clock.now() / 1e6, UTC)
        with self.log.open("a") as file:
            file.write(f"{at:%b} {at.day:2d} {at:%H:%M:%S} mx {text}{end}")

    def login(self) -> str:
        self.number += 1
        who = f"user{self.number}@example.com"
        self.write(f"vpopmail[{300 + self.number}]: vchkpw-smtp: (PLAIN) login success {who}:192.0.2.1")
        return who

    async def turns(self, count: int = 30) -> None:
        for _ in range(count):
            await self.man.turn()
            await self.fakes.clock.sleep(1)

    def accounts(self) -> list[str]:
        return [event.account for event in self.heard if isinstance(event, LoginTried)]


@covers("O-08")
@pytest.mark.parametrize("seed", range(10))
def test_every_line_once_whatever_happens(tmp_path: Path, seed: int) -> None:
    """Rotated both ways, packed, crashed and started again at any moment: each line's event is told, and only
    a crash tells one again, with its id."""

    async def scene() -> None:
        chance, host, expected, crashed = random.Random(seed), Host(tmp_path), [], False
        for _ in range(60):
            match chance.randrange(12):
                case 0:
                    rotate(host.log, packed=False)
                case 1:
                    rotate(host.log, packed=chance.random() < 0.5)
                    await host.turns(8)
                case 2 if host.log.exists():
                    shift(host.log)
                    shutil.copy(host.log, host.log.with_name("maillog.1"))
                    os.truncate(host.log, 0)
                    await host.turns(1)
                case 3:
                    await host.turns(2)
                    host.begin()
                case 4:
                    crashed = True
                    host.begin()
                case _:
                    expected += [host.login() for _ in range(chance.randrange(1, 40))]
                    await host.turns(chance.randrange(3))
        await host.turns()
        assert expected == list(dict.fromkeys(host.accounts()))
        ids = [event.id for event in host.heard]
        assert len(set(ids)) == len(expected)
        assert crashed or len(ids) == len(expected)
        assert [] == host.troubles

    run(scene())


def shift(log: Path) -> None:
    """maillog.1 -> maillog.2 and so on."""
    for number in range(30, 0, -1):
        for ending in ("", ".gz"):
            old = log.with_name(f"maillog.{number}{ending}")
            if old.exists():
                old.rename(log.with_name(f"maillog.{number + 1}{ending}"))


def rotate(log: Path, *, packed: bool) -> None:
    if not log.exists():
        return
    shift(log)
    if packed:
        log.with_name("maillog.1.gz").write_bytes(gzip.compress(log.read_bytes()))
        log.unlink()
    else:
        log.rename(log.with_name("maillog.1"))


def test_a_guard_that_is_away_is_told_later(tmp_path: Path) -> None:
    """The place is not written down before it has heard."""

    async def scene() -> None:
        host = Host(tmp_path)
        await host.turns(1)
        host.away = True
        who = host.login()
        await host.turns(3)
        assert [] == host.heard
        host.begin()
        host.away = False
        await host.turns(3)
        assert [who] == host.accounts()

    run(scene())


def test_a_letter_is_told_as_it_goes(tmp_path: Path) -> None:
    """Sign-in, letter and results, joined; a recipient that comes later is named; after a restart in the
    middle the rest is told, and nothing again."""

    async def scene() -> None:
        host = Host(tmp_path)
        who = host.login()
        host.write(f"qmail: info msg 7: bytes 900 from <{who}> qp 4242 uid 89")
        host.write("qmail: starting delivery 1: msg 7 to remote a@example.net")
        host.write("qmail: starting delivery 2: msg 7 to remote b@example.net")
        await host.turns(2)
        host.write("qmail: delivery 1: failure: 192.0.2.9_does_not_like_recipient./Remote_host_said:_550_no/")
        await host.turns(2)
        host.begin()
        host.write("qmail: delivery 2: success: 192.0.2.9_accepted_message./")
        host.write("qmail: starting delivery 3: msg 7 to remote c@example.net")
        host.write("qmail: delivery 3: deferral: CNAME_lookup_failed_temporarily._(#4.4.3)/")
        host.write("qmail: end msg 7")
        await host.turns(2)
        login, letter, *rest = host.heard
        assert isinstance(login, LoginTried) and isinstance(letter, Accepted)
        assert (who, ("a@example.net", "b@example.net"), login.id) == (
            letter.account, letter.recipients, letter.login,
        )  # fmt: skip
        assert "192.0.2.1" == letter.address and 0 < letter.confidence < 1
        told = [(type(event), getattr(event, "result", ""), getattr(event, "cause", "")) for event in rest]
        assert [
            (DeliveryTried, "failed", "5yz"),
            (RecipientGiven, "", ""),
            (DeliveryTried, "delivered", ""),
            (DeliveryTried, "deferred", "dns"),
        ] == told
        assert {who} == {event.account for event in rest}

    run(scene())


def test_the_past_of_two_files_is_read_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sign-ins in one set of rotated files, letters in another: each letter finds its sign-in, and all comes
    in the order of time, within what is read at once."""
    monkeypatch.setattr(logfiles, "CHUNK", 8192)
    monkeypatch.setattr(follower, "CHUNK", 8192)
    monkeypatch.setattr(watchman, "PIECES", 4)

    async def scene() -> None:
        host = Host(tmp_path)
        auth, mail = tmp_path / "auth", tmp_path / "mail"
        for number in range(3000):
            host.log = auth
            who = host.login()
            host.log = mail
            host.write(f"qmail: info msg {number}: bytes 900 from <{who}> qp {302 + number} uid 89")
            host.write(f"qmail: starting delivery {number}: msg {number} to remote a@example.net")
            host.write(f"qmail: end msg {number}")
            host.fakes.clock._now += 60_000_000
            if number == 1500:
                auth.rename(tmp_path / "auth.1")
                mail.rename(tmp_path / "mail.1")
        host.begin(str(auth), str(mail))
        while await host.man.turn():
            pass
        letters = [event for event in host.heard if isinstance(event, Accepted)]
        assert 3000 == len(letters) and all(letter.login for letter in letters)
        times = [event.at for event in host.heard]
        far = max(before - after for before, after in pairwise(times))
        assert far < 6 * 3600 * 1_000_000  # the files tell of 50 hours

    run(scene())


def test_the_same_lines_in_two_files_are_the_same_events(tmp_path: Path) -> None:
    """syslog often writes a line to mail.log and to mail.info."""

    async def scene() -> None:
        host = Host(tmp_path)
        host.login()
        shutil.copy(host.log, tmp_path / "mail.info")
        host.begin(str(tmp_path / "mail*"))
        await host.turns(3)
        first, second = host.heard
        assert first.id == second.id

    run(scene())


@pytest.mark.parametrize(
    "line",
    [
        HOSTILE,
        "\x00\xff\x1b]0;x\x07 qmail: info msg 99999999999999999999999: bytes 1 from <> qp 1 uid 1",
        '{"event":"login_tried","id":1}',
        "{" * 20_000,
        "qmail: delivery 18446744073709551616: success: x",
        "x" * 100_000,
    ],
)  # fmt: skip
def test_hostile_lines_do_no_harm(tmp_path: Path, line: str) -> None:
    """Nothing is believed of them, and the next line is read."""

    async def scene() -> None:
        host = Host(tmp_path)
        host.write(line)
        with host.log.open("a") as file:
            file.write(line + "\n")
        who = host.login()
        await host.turns(3)
        assert [who] == [event.account for event in host.heard if isinstance(event, LoginTried) and event.ok]
        assert [] == host.troubles

    run(scene())


def test_a_stamp_of_the_far_future_is_no_time(tmp_path: Path) -> None:
    """It would make the guard forget what is of today."""

    async def scene() -> None:
        host = Host(tmp_path)
        with host.log.open("a") as file:
            file.write(
                "2999-01-01T00:00:00Z mx vpopmail[1]: vchkpw-smtp: login success a@e.example:192.0.2.1\n"
            )
        await host.turns(2)
        assert ([], 1) == (host.heard, host.man.dropped)

    run(scene())
