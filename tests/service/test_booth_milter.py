"""What the milter booth holds has the limits of our own queue; its protocol is in tests/wire and in e2e."""

from pathlib import Path

from reception_stage import LISTEN, Stage, play

from sekisho.model.config import Guard, Listen
from sekisho.model.event import Accepted, Event, LoginTried
from sekisho.model.incident import Grade, Standing
from sekisho.service.booth_milter import MilterClerk
from sekisho.wire.milter import EndAsked, Mail, Peer

MILTER = Listen(address="127.0.0.1:0", protocol="milter")


class Told:
    """What a machine is told, in words."""

    can_hold = True

    def __init__(self) -> None:
        self.words: list[str] = []

    def go_on(self) -> None:
        self.words.append("go on")

    def hold(self, text: str) -> None:
        self.words.append("hold")

    def add_header(self, name: str, value: str) -> None:
        """Beside the hold."""

    def refuse(self, code: int, status: str, text: str) -> None:
        self.words.append(f"{code} {status}")


def test_rule_10_no_more_is_held_than_we_would_hold(tmp_path: Path) -> None:
    """Two letters, then 452; what was refused is not written down as held. A port counts for ten minutes."""

    async def scene(stage: Stage) -> None:
        clerk = MilterClerk("milter", stage.reception._front)
        clerk.configure(stage.config)
        told = Told()
        for number in range(3):
            mail = Mail("alice@example.com", "PLAIN", "alice@example.com", size=400, queue_id=f"q{number}")
            await clerk.answer(told, EndAsked(Peer("93.84.1.1", 40000), mail))  # type: ignore[arg-type]
            await stage.clock.sleep(301)
        assert ["hold", "hold", "452 4.7.0"] == told.words
        assert ["case7", "case7", ""] == [letter.held_by for letter in stage.of(Accepted)]
        assert 2 == len(stage.of(LoginTried))

    def judge(event: Event) -> Standing:
        return Standing(event.account, event.address, Grade.CONTAIN, "unfamiliar", "hold", incident="case7")

    stage = Stage(tmp_path, listen={**LISTEN, "milter": MILTER}, guard=Guard(held_messages=2))
    stage.judge = judge
    play(stage, scene)
