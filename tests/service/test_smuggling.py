"""SMTP smuggling (CVE-2023-51764 and its kin) on live ports and on the way out: 0 unsafe of every list."""

import re
from pathlib import Path

import pytest
from hosts import EHLO, Host, config, deliveries, letter, mx_route
from msgspec import json
from reception_stage import LISTEN, Stage, play

from covers import covers
from sekisho.model.config import Listen
from sekisho.model.delivery import Failed
from sekisho.service.remote import RemoteCarrier
from sekisho.testing.loop import run
from sekisho.testing.net import FakeNet
from sekisho.testing.world import FakeDns, fakes
from shared import shared

THIRTEEN = [
    "\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r", "\r.\r\n", "\r\n.\r", "\r.\n", "\n.\r",
    "\r\r\n.\r\r\n", "\r\n.\r\r\n", "\r\n\0.\r\n", "\r\n.\0\r\n", "\r\n. \r\n",
]  # fmt: skip
TEXT_FOR_ALL = "\r\n. \r\n"
"""A dot and a space are text for everybody: such a letter is taken, whole."""

INNER = "MAIL FROM:<evil@far.example>\r\nRCPT TO:<bob@example.com>\r\nDATA\r\nSubject: s\r\n\r\ny\r\n.\r\n"
DOORS = {
    **LISTEN,
    "observing": Listen(address="127.0.0.1:0", protocol="smtp", bare_lf="observe"),
}
A = "203.0.113.1"


def corpus() -> list[str]:
    return [case["seq"] for case in json.decode(shared("corpora/smuggling_eod.json").read_bytes())]


def outer(end: str) -> bytes:
    return ("Subject: a\r\n\r\nx" + end + INNER).encode()


async def sent(stage: Stage, door: str, end: str) -> None:
    """One session; everything at once behind 354."""
    client = await stage.greeted(door)
    for line in ("MAIL FROM:<carol@far.example>", "RCPT TO:<alice@example.com>", "DATA"):
        assert (await client.say(line))[0] in "23"
    said = await client.raw(outer(end))
    if end == TEXT_FOR_ALL:
        assert said.startswith("250")
        client.close()
        return
    assert said.startswith(("550 5.6.11", "451 See")), (door, end, said)
    assert await client.closed(), (door, end)


def judge(stage: Stage, ends: list[str]) -> None:
    """Nothing of what was refused was kept, and nobody wrote as evil."""
    taken = [kept for kept in stage.spool.kept if kept.draft.envelope.sender != "carol@far.example"]
    assert [] == taken
    assert ends.count(TEXT_FOR_ALL) == len(stage.spool.kept)


@covers("Q-32")
@pytest.mark.parametrize("door", ["mx", "observing", "qmail"])
def test_no_end_of_data_smuggles_on_a_live_port(door: str, tmp_path: Path) -> None:
    """The corpus and the thirteen, to a strict, an observing and a qmail listener: none, and closed."""
    ends = sorted({*corpus(), *THIRTEEN})

    async def scene(stage: Stage) -> None:
        for end in ends:
            await sent(stage, door, end)

    stage = Stage(tmp_path, listen=DOORS)
    play(stage, scene)
    judge(stage, ends)


def test_no_end_of_data_smuggles_in_a_chunk(tmp_path: Path) -> None:
    """BDAT ends by its length: the same octets are one letter or none, and never a command."""

    async def scene(stage: Stage) -> None:
        for end in sorted({*corpus(), *THIRTEEN, "\r\n.\r\n"}):
            client = await stage.greeted("mx")
            assert (await client.say("MAIL FROM:<carol@far.example>"))[0] == "2"
            assert (await client.say("RCPT TO:<alice@example.com>"))[0] == "2"
            said = await client.raw(f"BDAT {len(outer(end))} LAST\r\n".encode() + outer(end))
            assert said[:3] == ("250" if re.sub("\r\n", "", end) in (".", ". ") else "550"), (end, said)
            assert (await client.say("NOOP")).startswith("250")
            client.close()

    stage = Stage(tmp_path, listen=DOORS)
    play(stage, scene)
    assert {"carol@far.example"} == {kept.draft.envelope.sender for kept in stage.spool.kept}
    for kept in stage.spool.kept:
        assert b"\r\n.\r\n" not in kept.content


class Gullible(Host):
    """Takes every one of the sequences for the end of a letter, as one or another server did."""

    ENDS = re.compile("|".join(re.escape(end) for end in (*THIRTEEN[:-1], "\r\n.\r\n")).encode())

    def _body(self) -> bytes | None:
        found = self.ENDS.search(b"\r\n" + self._buffer)
        if found is None:
            return None
        whole = b"\r\n" + self._buffer
        self._buffer, self._in_body = whole[found.end() :], False
        self.taken.append(whole[: found.start()])
        return self._say("dot", "")


def test_nothing_smuggles_on_the_way_out() -> None:
    """A letter that holds any of them, wherever it came from, is not sent to a gullible host."""
    for end in sorted({*corpus(), *THIRTEEN, "\r\n.\r\n"}):
        host = Gullible(EHLO=EHLO)
        fake = fakes(
            net=FakeNet({(A, 25): lambda host=host: host}),
            dns=FakeDns(mx={"example.net": [(10, "mx.example.net")]}, addresses={"mx.example.net": [A]}),
        )

        async def main(fake=fake, end=end):  # type: ignore[no-untyped-def]
            carrier = RemoteCarrier(fake.world, config(), lambda event: None, lambda address: False)
            batch = deliveries(mx_route("example.net"), "b@example.net")
            outcome = await carrier.carry(batch, letter(outer(end)[: -len(".\r\n")]))
            await carrier.close()
            return outcome["b@example.net"]

        outcome = run(main())
        assert not any("evil" in line for line in host.log), (end, host.log)
        if end == TEXT_FOR_ALL:
            assert 1 == len(host.taken)
        else:
            assert isinstance(outcome, Failed) and "5.6.11" == outcome.reply.status, end
            assert [] == host.taken
