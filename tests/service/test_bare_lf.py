"""`bare_lf`: who is refused, who is borne and counted, and what the operator reads of it."""

from pathlib import Path

from msgspec.structs import replace
from reception_stage import LISTEN, Stage, play

from covers import covers
from sekisho.model.config import Listen
from sekisho.model.event import BareNewlines
from sekisho.service.newlines import clients

OBSERVE = Listen(address="127.0.0.1:0", protocol="smtp", bare_lf="observe")
LETTER = "Subject: one\n\nfirst\nsecond\n\r\n"


def observing(folder: Path, listen: Listen = OBSERVE) -> Stage:
    return Stage(folder, listen={**LISTEN, "door": listen})


@covers("Q-32")
def test_a_client_is_counted_before_it_is_refused(tmp_path: Path) -> None:
    """Observe: taken with CR LF, the session goes on, and the report names address, name and sender."""

    async def scene(stage: Stage) -> None:
        client = await stage.greeted("door")
        for _ in range(2):
            assert (await client.letter("a@far.example", "bob@example.com", text=LETTER)).startswith("250")
        mended = LETTER.replace("\r", "").replace("\n", "\r\n").encode()
        assert [mended, mended] == [kept.content for kept in stage.spool.kept]
        events = [event for event in stage.of(BareNewlines) if isinstance(event, BareNewlines)]
        assert [4, 4] == [event.count for event in events]
        strict = await stage.greeted("mx")
        said = await strict.letter("b@far.example", "bob@example.com", text=LETTER)
        assert said.startswith("550 5.6.11") and await strict.closed()
        command = await stage.greeted("mx")
        assert (await command.raw(b"NOOP\n")).startswith("500")
        (told,) = clients(stage.events)
        assert ("127.0.0.1", "client.example", 2, 2) == (told.address, told.hello, told.taken, told.refused)
        assert "b@far.example" == told.sender

    play(observing(tmp_path), scene)


def test_what_smuggles_is_refused_where_others_are_observed(tmp_path: Path) -> None:
    """A dot beside the LF: 550, closed, one refusal in the report."""

    async def scene(stage: Stage) -> None:
        client = await stage.greeted("door")
        text = "x\n.\r\nMAIL FROM:<e@far.example>\r\n"
        said = await client.letter("a@far.example", "bob@example.com", text=text)
        assert said.startswith("550 5.6.11") and await client.closed()
        assert [] == stage.spool.kept
        assert [(0, 1)] == [(told.taken, told.refused) for told in clients(stage.events)]

    play(observing(tmp_path), scene)


def test_networks_may_be_excepted(tmp_path: Path) -> None:
    """bare_lf_from: this machine's letters are taken where others' are refused, and the reverse."""
    for networks, code in ((("127.0.0.0/8",), "250"), (("192.0.2.0/24", "unix"), "550")):
        listen = replace(OBSERVE, bare_lf="refuse", bare_lf_from=networks)

        async def scene(stage: Stage, code: str = code) -> None:
            client = await stage.greeted("door")
            said = await client.letter("a@far.example", "bob@example.com", text=LETTER)
            assert said.startswith(code)

        folder = tmp_path / code
        folder.mkdir()
        play(observing(folder, listen), scene)


def test_the_report_has_an_end() -> None:
    """More clients than are told apart are added up under no address."""
    events = [
        BareNewlines(
            id=str(n), at=n, source="front", address=f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}",
            message="m", sender="", hello="h", count=1,
        )
        for n in range(10_050)
    ]  # fmt: skip
    told = clients(events)
    assert 10_001 == len(told)
    assert ("", 50) == (told[0].address, told[0].taken)
