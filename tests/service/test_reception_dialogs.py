"""Every dialogue of tests/dialogs, played on the live server: sockets, TLS, checks and all."""

import asyncio
from pathlib import Path

import pytest
from msgspec.structs import replace
from reception_stage import Stage, play

from covers import covers
from sekisho.model.config import Limits
from sekisho.testing.dialogue import Dialogue, read_dialogue
from sekisho.testing.stage import play_on_server

FILES = sorted((Path(__file__).parent.parent / "dialogs").glob("*.smtp"))
DIALOGUES = [read_dialogue(file.read_text(), file.name) for file in FILES]
STRICTER = ("auth_in_transaction.smtp", "starttls_forgets.smtp")
"""They say MAIL to a submission listener without a login, which the server's checks refuse with 530."""

LISTENERS = {"smtp": "mx", **{name: name for name in ("submission", "submissions", "lmtp", "qmail")}}


@covers("Q-04", "Q-21", "Q-32")
@pytest.mark.parametrize(
    "dialogue",
    [each for each in DIALOGUES if not each.machine_only and each.name not in STRICTER],
    ids=lambda each: str(each.name),
)
def test_the_live_server_speaks_as_the_machine_does(dialogue: Dialogue, tmp_path: Path) -> None:
    """The same text, the same words."""

    async def scene(stage: Stage) -> None:
        host, _, port = stage.bound[LISTENERS[dialogue.listener]].rpartition(":")
        await asyncio.to_thread(play_on_server, dialogue, host, int(port))

    limits = replace(Limits(), message_bytes=dialogue.size_limit)
    play(Stage(tmp_path, limits=limits), scene)
