"""Quotas in the local role: when its owner is told, and what many deliveries at once leave behind."""

import asyncio
import threading
import time
from pathlib import Path

from msgspec.structs import replace

from mailbag import HEAD, Mailbag
from sekisho.host import HostChance, HostClock, HostDisk, HostSpawn
from sekisho.model.account import Account
from sekisho.model.config import Config, Local
from sekisho.model.delivery import Deferred, Delivered, Failed
from sekisho.model.letter import Letter
from sekisho.model.quota import Quota
from sekisho.service.local import LocalCarrier
from sekisho.service.quotas import Quotas
from sekisho.store.maildir import Maildir
from sekisho.testing.loop import run
from sekisho.testing.world import Fakes, fakes
from sekisho.world import Unavailable, World

BOB = "bob@example.com"
MAILDIR = "mail/example.com/bob/Maildir"
DAY = 24 * 3600 * 1_000_000


class People:
    def __init__(self, quota: Quota | None) -> None:
        self.limit = quota

    def quota(self, account: str) -> Quota | None:
        return self.limit

    def account(self, address: str) -> Account | None:
        return Account(address, "en")


def carrier(world: World, state: str, quota: Quota | None, over_quota: str = "later") -> LocalCarrier:
    local = Local(over_quota=over_quota)  # type: ignore[arg-type]
    config = Config(hostname="mx.example.com", state=state, local=local)
    return LocalCarrier(world, state, local, Quotas(world, config, People(quota)))


def letters(mailbag: Mailbag, count: int, size: int) -> list[tuple[object, Letter]]:
    made = []
    for _ in range(count):
        body = b"\r\n" + b"y" * (size - 4) + b"\r\n"
        draft = mailbag.draft(BOB, body=body)
        made.append((draft.deliveries[0], Letter(draft.message, draft.envelope, HEAD, (body,))))
    return made


def notices(doors: Fakes) -> int:
    disk = doors.disk
    names = disk.list(f"/state/{MAILDIR}/new")
    return sum(b"nearly full" in disk.read(f"/state/{MAILDIR}/new/{name}") for name in names)


def test_the_owner_is_told_once_a_day() -> None:
    """At 90 percent, again the next day if it is still so; below it never."""
    doors = fakes()

    async def main() -> None:
        to = carrier(doors.world, "/state", Quota(0, 10))
        mailbag = Mailbag(doors)
        told = []
        for day, (delivery, letter) in enumerate(letters(mailbag, 7, 100)):
            assert isinstance((await to.carry((delivery,), letter))[delivery.id], Delivered), day
        told.append(notices(doors))
        for delivery, letter in letters(mailbag, 2, 100):
            await to.carry((delivery,), letter)
        told.append(notices(doors))
        doors.disk.changed[f"/state/{MAILDIR}/quotawarn"] = doors.clock.now() - DAY - 1
        (delivery, letter), *_ = letters(mailbag, 1, 100)
        assert isinstance((await to.carry((delivery,), letter))[delivery.id], Deferred)
        assert [0, 1] == told

    run(main())


def test_a_letter_that_waits_is_returned_where_the_settings_say_so() -> None:
    """552 5.2.2 in place of 452 4.2.2."""
    doors = fakes()

    async def main() -> None:
        (first, one), (delivery, letter) = letters(Mailbag(doors), 2, 2000)
        box = carrier(doors.world, "/state", Quota(3000))
        await box.carry((first,), one)
        later = (await box.carry((delivery,), letter))[delivery.id]
        now = (await carrier(doors.world, "/state", Quota(3000), "refuse").carry((delivery,), letter))[
            delivery.id
        ]
        assert isinstance(later, Deferred) and "452 4.2.2 Mailbox is full" == str(later.reply)
        assert isinstance(now, Failed) and "552 5.2.2 Mailbox is full" == str(now.reply)
        assert 1 == len(doors.disk.list(f"/state/{MAILDIR}/new"))

    run(main())


def test_what_can_never_fit_is_returned_at_once() -> None:
    """Also where the settings say that a full mailbox is tried again; the quota may be one of Courier's."""
    doors = fakes()

    async def main() -> None:
        (delivery, letter), *_ = letters(Mailbag(doors), 1, 2000)
        for quota in (Quota(1000), None):
            end = (await carrier(doors.world, "/state", quota).carry((delivery,), letter))[delivery.id]
            assert isinstance(end, Failed) and str(end.reply).startswith("552 5.2.2 Message is larger than")
            if quota is not None:
                doors.disk.unlink(f"/state/{MAILDIR}/maildirsize")
                doors.disk.write_new(f"/state/{MAILDIR}/maildirsize", [b"1500S\n0 0\n"])
        assert [] == doors.disk.list(f"/state/{MAILDIR}/new")

    run(main())


def test_an_account_that_cannot_be_kept_does_not_undo_a_delivery() -> None:
    """The letter is in the mailbox: to say anything else would bring it twice."""
    doors = fakes()

    def broken(operation: str, path: str) -> None:
        if path.endswith("/maildirsize") and operation == "write":
            raise Unavailable(path, "input/output error")

    async def main() -> None:
        to = carrier(doors.world, "/state", None)
        first, second = letters(Mailbag(doors), 2, 100)
        await to.carry((first[0],), first[1])
        doors.disk.write_new(f"/state/{MAILDIR}/maildirsize", [b"100000S\n100 1\n"])
        doors.disk.before = broken
        assert isinstance((await to.carry((second[0],), second[1]))[second[0].id], Delivered)
        assert 2 == len(doors.disk.list(f"/state/{MAILDIR}/new"))

    run(main())


def test_many_at_once_are_all_written_down(tmp_path: Path) -> None:
    """On a real disk, in threads, across the length at which the file is made anew: it says what is there."""

    async def main() -> None:
        world = World(**{
            **{name: getattr(fakes().world, name) for name in ("dns", "net")},
            "clock": HostClock(), "chance": HostChance(), "disk": HostDisk(), "spawn": HostSpawn(16),
        })  # fmt: skip
        to = carrier(world, str(tmp_path), Quota(10**9))
        mailbag = Mailbag()
        some = letters(mailbag, 1200, 200)
        ends = await asyncio.gather(
            *(
                to.carry((replace(delivery, id=f"{n:017d}"),), letter)
                for n, (delivery, letter) in enumerate(some)
            )
        )
        assert all(isinstance(end, Delivered) for one in ends for end in one.values())
        await world.spawn.stop()

    asyncio.run(main())
    found = list((tmp_path / MAILDIR / "new").iterdir())
    lines = [line.split() for line in (tmp_path / MAILDIR / "maildirsize").read_text().splitlines()[1:]]
    assert 1200 == len(found) == sum(int(line[1]) for line in lines)
    assert sum(path.stat().st_size for path in found) == sum(int(line[0]) for line in lines)
    assert [] == list((tmp_path / MAILDIR / "tmp").iterdir())


class OneAtATime(People):
    """As the directory: what it remembers is for one thread at a time."""

    def __init__(self) -> None:
        super().__init__(Quota(10**9))
        self.inside = self.most = 0

    def quota(self, account: str) -> Quota | None:
        self.inside += 1
        self.most = max(self.most, self.inside)
        time.sleep(0.005)
        self.inside -= 1
        return self.limit


def test_the_directory_is_asked_by_one_thread_at_a_time() -> None:
    """Many deliveries run beside each other."""
    people = OneAtATime()
    doors = fakes()
    quotas = Quotas(doors.world, Config(hostname="mx.example.com"), people)
    maildir = Maildir(doors.disk, f"/state/{MAILDIR}")
    askers = [threading.Thread(target=quotas.purse, args=(BOB, maildir)) for _ in range(8)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    assert 1 == people.most
