"""SPF over SMTP: levels as in qmail's spfbehavior, what a refused sender reads, and the field we write."""

from pathlib import Path

import pytest
from msgspec.structs import replace
from reception_stage import Stage, play

from covers import covers
from sekisho.model.config_proof import Spf
from sekisho.model.event import Judged
from sekisho.testing.world import FakeDns

RESULTS = (
    "pass", "fail", "softfail", "neutral", "none", "temperror", "permerror", "lookups", "voids",
)  # fmt: skip
VOIDS = b"v=spf1 a:no1.example a:no2.example a:no3.example +all"
RECORDS = {
    "pass.example": [b"v=spf1 ip4:127.0.0.0/8 -all"],
    "fail.example": [b"v=spf1 -all exp=why.fail.example"],
    "why.fail.example": [b"%{i} is none of our hosts"],
    "softfail.example": [b"v=spf1 ~all"],
    "neutral.example": [b"v=spf1 ?all"],
    "permerror.example": [b"v=spf1 ipv4:127.0.0.1 -all"],
    "lookups.example": [b"v=spf1 " + b"a:pass.example " * 11 + b"+all"],
    "voids.example": [VOIDS],
}
REFUSED_FROM = {"fail": 3, "softfail": 4, "neutral": 5, "none": 6, "permerror": 6, "lookups": 6, "voids": 6}


def world(stage: Stage) -> None:
    dns = FakeDns(txt=RECORDS, addresses={"pass.example": ["192.0.2.99"]})
    dns.fail = {"txt temperror.example"}
    stage.world = replace(stage.world, dns=dns)


@covers("Q-09")
@pytest.mark.parametrize("level", range(7))
def test_the_table_of_levels(tmp_path: Path, level: int) -> None:
    """Each result at each level: taken, put off or refused; whoever is taken from level 1 on bears the
    field."""
    stage = Stage(tmp_path, spf=Spf(level=level))
    world(stage)

    async def scene(stage: Stage) -> None:
        client = await stage.greeted()
        for result in RESULTS:
            answer = await client.letter(f"me@{result}.example", "alice@example.com")
            if result == "temperror":
                assert answer[:9] == ("451 4.3.0" if level >= 2 else "250 2.6.0"), (result, answer)
            elif level >= REFUSED_FROM.get(result, 7):
                assert answer.startswith("550 5.7.1 "), (result, answer)
            else:
                assert answer.startswith("250 "), (result, answer)
            if result == "fail" and level >= 3:
                assert answer.endswith("fail.example explains: 127.0.0.1 is none of our hosts")
            await client.say("RSET")
        for kept in stage.spool.kept:
            sender = (kept.draft.envelope.sender or "").partition("@")[2].partition(".")[0]
            said = {"lookups": "permerror", "voids": "permerror"}.get(sender, sender)
            head = kept.draft.head
            assert (level > 0) == head.startswith(f"Received-SPF: {said} (".encode())
            assert b"\r\nReceived: from " in b"\r\n" + head
        asked = [event for event in stage.of(Judged) if event.check == "spf"]
        assert len(asked) == (len(RESULTS) if level else 0)

    play(stage, scene)


def test_levels_by_network_rules_and_explanation(tmp_path: Path) -> None:
    """The smallest network decides; rules of the settings let a forwarder in; our own words where the domain
    has none, with nothing of the client's that could break a reply."""
    spf = Spf(level=6, networks={"127.0.0.0/8": 0, "127.0.0.1": 3}, explanation="see https://x.example/?s=%{S}")
    stage = Stage(tmp_path, spf=spf)
    world(stage)

    async def scene(stage: Stage) -> None:
        client = await stage.greeted()
        assert (await client.letter("me@none.example", "alice@example.com")).startswith("250")
        records = dict(RECORDS)
        records["bare.example"] = [b"v=spf1 -all"]
        stage.world.dns.records["txt"] = records  # type: ignore[attr-defined]
        answer = await client.letter("m%20e@bare.example", "alice@example.com")
        assert answer == (
            "550 5.7.1 bare.example does not let 127.0.0.1 send its mail (SPF fail). "
            "see https://x.example/?s=m%2520e%40bare.example"
        )

    play(stage, scene)
    forwarder = Stage(tmp_path, spf=Spf(level=3, rules="ip4:127.0.0.1"))
    world(forwarder)

    async def taken(stage: Stage) -> None:
        client = await stage.greeted()
        assert (await client.letter("me@fail.example", "alice@example.com")).startswith("250")
        assert b"by rules of the receiver" in stage.spool.kept[0].draft.head.replace(b"\r\n\t", b" ")

    play(forwarder, taken)


def test_whom_we_know_is_not_asked_about(tmp_path: Path) -> None:
    """Neither who has logged in nor a trusted network: not one question to the DNS."""
    stage = Stage(tmp_path, spf=Spf(level=6), trusted=("127.0.0.0/8",))
    world(stage)

    async def scene(stage: Stage) -> None:
        client = await stage.greeted()
        assert (await client.letter("me@fail.example", "alice@example.com")).startswith("250")
        sender = await stage.logged_in()
        assert (await sender.letter("alice@example.com", "bob@example.com")).startswith("250")
        assert stage.world.dns.asked == []  # type: ignore[attr-defined]

    play(stage, scene)
