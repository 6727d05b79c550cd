"""DKIM, DMARC and ARC over SMTP: Authentication-Results says what is found, and settings decide on it."""

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from reception_stage import Stage, play

from covers import covers
from sekisho.model.config_proof import Dkim, Dmarc, Spf
from sekisho.model.event import Judged
from sekisho.testing.world import NOW, FakeDns
from signing import ED, RSA, public, sign

NOW_S = NOW // 1_000_000
HEAD = "From: Joe <joe@author.example>\r\nTo: alice@example.com\r\nSubject: hi\r\n\r\n"
TXT = {
    "rsa._domainkey.author.example": [public(RSA).encode()],
    "ed._domainkey.author.example": [public(ED).encode()],
    "rsa._domainkey.other.example": [public(RSA).encode()],
    "_dmarc.author.example": [b"v=DMARC1; p=reject"],
    "_dmarc.soft.example": [b"v=DMARC1; p=quarantine"],
    "author.example": [b"v=spf1 -all"],
}


def signed(text: str, selector: str = "rsa", domain: str = "author.example") -> str:
    return sign(text.encode("latin-1"), selector, NOW_S, domain).decode("latin-1")


def staged(tmp_path: Path, **settings: Any) -> Stage:
    stage = Stage(tmp_path, **settings)
    dns = FakeDns(txt=TXT)
    dns.fail = {"txt late._domainkey.author.example"}
    stage.world = replace(stage.world, dns=dns)
    return stage


def results(stage: Stage) -> str:
    """Of the newest letter, unfolded."""
    head = stage.spool.kept[-1].draft.head.decode().replace("\r\n\t", " ")
    lines = [line for line in head.split("\r\n") if line.startswith("Authentication-Results: ")]
    return lines[0].removeprefix("Authentication-Results: mx.example.com; ") if lines else ""


@covers("Q-38", partly="rotation with overlap")
def test_what_is_found_is_told(tmp_path: Path) -> None:
    """Both kinds of keys; pass, fail, none, temperror, permerror; a field that claims to be ours goes."""
    stage = staged(tmp_path, dkim=Dkim(verify=True))
    body = "one\r\n..two\r\n" + "x" * 70 + "\r\n"
    plain = HEAD + body.replace("..two", ".two")
    wire = {  # signed as it is read, sent with its dots doubled
        "dkim=pass (2048-bit key) header.d=author.example header.s=rsa header.a=rsa-sha256": signed(plain),
        "dkim=pass (256-bit key) header.d=author.example header.s=ed": signed(plain, "ed"),
        "dkim=fail (the body has been changed)": signed(plain).replace("one", "two"),
        "dkim=none": plain,
        "dkim=temperror (no answer for late._domainkey.author.example)": signed(plain, "late"),
        "dkim=permerror (no key for signature)": signed(plain, "gone"),
    }

    async def scene(stage: Stage) -> None:
        client = await stage.greeted()
        for wanted, text in wire.items():
            forged = "Authentication-Results: mx.example.com; dkim=pass header.d=bank.example\r\n" + text
            answer = await client.letter(
                "joe@author.example", "alice@example.com", text=forged.replace("\r\n.", "\r\n..")
            )
            assert answer.startswith("250"), answer
            assert results(stage).startswith(wanted), (wanted, results(stage))
            assert b"bank.example" not in stage.spool.kept[-1].content
        assert 6 == len([event for event in stage.of(Judged) if event.check == "dkim"])

    play(stage, scene)


@pytest.mark.parametrize("size", [40_000, 300_000, 1_000_000])
def test_large_letters(tmp_path: Path, size: int) -> None:
    """Those that are hashed in a thread, and those that come into a file; lines that begin with dots."""
    stage = staged(tmp_path, dkim=Dkim(verify=True))
    text = signed(HEAD + ("." + "y" * 77 + "\r\n") * (size // 80))

    async def scene(stage: Stage) -> None:
        client = await stage.greeted()
        for each, wanted in ((text, "pass"), (text + "more\r\n", "fail")):
            wire = each.replace("\r\n.", "\r\n..")
            assert (await client.letter("j@author.example", "alice@example.com", text=wire)).startswith("250")
            assert results(stage).startswith(f"dkim={wanted} ")

    play(stage, scene)


def test_results_have_their_policy(tmp_path: Path) -> None:
    """By the best of several signatures; what is not named passes."""
    acts: dict[Any, Any] = {"fail": "reject", "temperror": "defer", "none": "hold"}
    stage = staged(tmp_path, dkim=Dkim(verify=True, results=acts))
    text = HEAD + "body\r\n"
    broken = signed(text).replace("body", "other")

    async def scene(stage: Stage) -> None:
        client = await stage.greeted()
        for letter, wanted in (
            (broken, "550 5.7.20"),
            (signed(text, "late"), "451 4.7.20"),
            (text, "250"),
            (signed(text), "250"),
            (signed(text, "gone"), "250"),
            (signed(broken.partition("From:")[0] + text), "250"),
        ):
            answer = await client.letter("j@author.example", "alice@example.com", text=letter)
            assert answer.startswith(wanted), (answer, letter)
        held = [kept for kept in stage.spool.kept if kept.draft.deliveries[0].held_by]
        assert 1 == len(held)

    play(stage, scene)


def test_dmarc_is_observed_or_obeyed(tmp_path: Path) -> None:
    """A forged author is refused, what he signs himself passes; quarantine is what the settings say; a
    letter with two authors goes only where DMARC is obeyed."""
    text = HEAD + "body\r\n"
    soft = text.replace("author.example", "soft.example")
    cases = (
        (text, "dmarc=fail (p=reject) header.from=author.example", "550 5.7.1 Not from author.example"),
        (signed(text), "dmarc=pass (p=reject) header.from=author.example", "250"),
        (signed(text, domain="other.example"), "dmarc=fail (p=reject)", "550 5.7.1"),
        ("From: eve@other.example\r\n" + text, "dmarc=permerror (2 From fields)", "550 5.7.1 From must"),
        (soft, "dmarc=fail (p=quarantine) header.from=soft.example", "250"),
        (text.replace("author", "unknown"), "dmarc=none (no record) header.from=unknown.example", "250"),
    )

    async def scene(stage: Stage) -> None:
        client = await stage.greeted()
        for letter, told, reply in cases:
            answer = await client.letter("eve@nowhere.example", "alice@example.com", text=letter)
            if stage.config.dmarc.policy == "obey":
                assert answer.startswith(reply), answer
            else:
                assert answer.startswith("250") and told in results(stage), results(stage)

    play(staged(tmp_path, dmarc=Dmarc(policy="observe")), scene)
    obeying = staged(tmp_path, dmarc=Dmarc(policy="obey", quarantine="hold"))
    play(obeying, scene)
    assert [1, 0] == [
        sum(bool(each.held_by) for each in kept.draft.deliveries) for kept in obeying.spool.kept[-2:]
    ]


def test_who_is_known_proves_nothing(tmp_path: Path) -> None:
    """No question and no field for who has logged in or is trusted."""
    settings = {"dkim": Dkim(verify=True), "dmarc": Dmarc(policy="obey"), "spf": Spf(level=3)}
    stage = staged(tmp_path, trusted=("127.0.0.0/8",), **settings)

    async def scene(stage: Stage) -> None:
        for client in (await stage.greeted(), await stage.logged_in()):
            answer = await client.letter("alice@example.com", "bob@example.com", text=HEAD + "x\r\n")
            assert answer.startswith("250") and results(stage) == ""
        assert stage.world.dns.asked == []  # type: ignore[attr-defined]

    play(stage, scene)


def test_a_large_head_is_no_trouble(tmp_path: Path) -> None:
    """Ten thousand lines, odd bytes, no head at all: the letter is taken and nothing is proven."""
    stage = staged(tmp_path, dkim=Dkim(verify=True), dmarc=Dmarc(policy="observe"))

    async def scene(stage: Stage) -> None:
        client = await stage.greeted()
        for text in (
            "X: y\r\n" * 9000 + "\r\nz\r\n",
            "no head\r\n",
            "\r\n",
            "DKIM-Signature: \xff=;\r\n\r\n",
        ):
            assert (await client.letter("e@nowhere.example", "alice@example.com", text=text)).startswith(
                "250"
            )
            assert "dkim=pass" not in results(stage) and "dmarc=permerror" in results(stage)

    play(stage, scene)
