"""The real spool behind a real front: what got 250 is on the disk, and what is held is counted there."""

import asyncio
from pathlib import Path

import pytest
from reception_stage import Stage, play

from sekisho.host import HostClock, HostDisk
from sekisho.model.config import Guard
from sekisho.model.event import Accepted, Event
from sekisho.model.incident import Grade, Standing
from sekisho.model.selector import Selector
from sekisho.store.bodies import parts_of
from sekisho.store.spool import Spool
from sekisho.world import World


class Spooled(Stage):
    """A stage whose letters go into a spool.db."""

    def __init__(self, folder: Path, **settings: object) -> None:
        super().__init__(folder, **settings)
        self.clock = HostClock()  # type: ignore[assignment]
        self.world = World(
            self.clock, self.world.chance, self.world.dns, self.world.net, HostDisk(), self.spawn
        )

    async def start(self) -> None:
        self.real = Spool.open(str(self.folder / "spool"), self.world, self.config.queue)
        self.spool = self.real  # type: ignore[assignment]
        await super().start()

    async def content(self, message: str) -> bytes:
        letter = await self.real.letter(message)
        return b"".join(parts_of(letter, self.world.disk))


@pytest.mark.parametrize("lines", [3, 4000])
def test_a_letter_is_on_the_disk_when_it_gets_its_250(tmp_path: Path, lines: int) -> None:
    """Small ones in the database, large ones in a file, both byte for byte, with envelope and fields."""

    async def scene(stage: Stage) -> None:
        assert isinstance(stage, Spooled)
        client = await stage.greeted()
        text = "Subject: real\r\n\r\n" + ("..dots\r\n" + "y" * 90 + "\r\n") * lines
        answer = await client.letter("carol@remote.example", "team@example.com", text=text)
        message = answer.rpartition(" ")[2]
        assert (await client.say("RSET")).startswith("250")
        await asyncio.sleep(0.05)  # time enough for a hand that would take the file away again
        assert text.encode() == await stage.content(message)
        letter = await stage.real.letter(message)
        assert letter.head.startswith(b"Received: from client.example ([127.0.0.1])\r\n")
        assert ("carol@remote.example", ("team@example.com",)) == (
            letter.envelope.sender,
            letter.envelope.recipients,
        )
        rows = await stage.real.select(Selector(), 10)
        assert ["alice@example.com", "bob@example.com"] == sorted(row.recipient for row in rows)
        assert {("waiting", "real", message)} == {(row.state, row.subject, row.message) for row in rows}
        assert (lines > 1000) == bool(letter.path)
        stage.real.close()
        again = Spool.open(str(stage.folder / "spool"), stage.world, stage.config.queue)
        assert 2 == (await again.count(Selector())).deliveries
        stage.real = again

    stage = Spooled(tmp_path)
    play(stage, scene)
    stage.real.close()


def test_held_letters_are_counted_where_they_are(tmp_path: Path) -> None:
    """Two may be held for this account; the third is put off; another account's do not count."""

    def hold(event: Event) -> Standing:
        treatment = "hold" if isinstance(event, Accepted) else "pass"
        return Standing(
            event.account,
            event.address,
            Grade.CONTAIN,
            "unfamiliar",
            treatment,
            incident="case",
            action="act",
        )

    async def scene(stage: Stage) -> None:
        assert isinstance(stage, Spooled)
        stage.judge = hold
        client = await stage.logged_in()
        answers = [
            await client.letter("alice@example.com", "x@far.example", "y@far.example") for _ in range(3)
        ]
        assert ["250", "250", "452"] == [answer[:3] for answer in answers]
        rows = await stage.real.select(Selector(account="alice@example.com", held_by="act"), 10)
        assert [("act",)] * 4 == [row.held_by for row in rows]

    stage = Spooled(tmp_path, guard=Guard(held_messages=2))
    play(stage, scene)
    stage.real.close()
