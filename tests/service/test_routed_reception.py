"""Rules of routing as a front obeys them: by whose mail it is, refusals, own names, a silent directory."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reception_stage import FewPeople, Stage, play

from sekisho.model.address import domain_of
from sekisho.model.config import Config, Outbound, Smarthost
from sekisho.model.config_routing import Routing, Rule, SendmailTerms
from sekisho.service.addressing import Addressing
from sekisho.testing.world import fakes
from sekisho.world import Unavailable

OUT = Outbound(
    smarthosts={"corp": Smarthost("out.corp.example:587", user="corp", password_file="/keys/corp")}
)


def rules(**named: Rule) -> Routing:
    return Routing(rules=named)


def kept(stage: Stage) -> list[tuple[str, str, str]]:
    """Recipient, next hop and whose login, of all deliveries."""
    drafts = [kept.draft for kept in stage.spool.kept]
    return [
        (each.recipient, each.route.host, each.route.credentials)
        for draft in drafts
        for each in draft.deliveries
    ]


def test_a_senders_smarthost_is_for_whom_we_know(tmp_path: Path) -> None:
    """alice's mail goes by it; not the letter of a stranger who names her and whom an alias sends on."""
    rule = Rule(recipients=("*",), senders=("alice@example.com",), to="smarthost:corp")

    async def scene(stage: Stage) -> None:
        alice, stranger = await stage.logged_in(), await stage.greeted()
        assert (await alice.letter("alice@example.com", "b@far.example")).startswith("250")
        assert (await stranger.letter("alice@example.com", "far@example.com")).startswith("250")
        assert [
            ("b@far.example", "out.corp.example:587", "smarthost:corp"),
            ("alice@far.example", "far.example", ""),
        ] == kept(stage)

    play(Stage(tmp_path, routing=rules(corp=rule), outbound=OUT), scene)


def test_what_a_rule_refuses_is_refused_to_everybody(tmp_path: Path) -> None:
    """Our own users too, in the session: nothing that has no road gets a 250."""
    rule = Rule(recipients=("@bad.example",), to="refuse")

    async def scene(stage: Stage) -> None:
        alice = await stage.logged_in()
        assert (await alice.say("MAIL FROM:<alice@example.com>")).startswith("250")
        assert (await alice.say("RCPT TO:<x@bad.example>")).startswith("550 5.7.1")
        assert (await alice.say("RCPT TO:<x@good.example>")).startswith("250")

    play(Stage(tmp_path, routing=rules(no=rule)), scene)


@pytest.mark.parametrize(
    ("address", "reply"),
    [
        ("bob@localhost", "250"),
        ("bob@[127.0.0.1]", "250"),
        ("nobody@localhost", "550 5.1.1"),
        ("bob%example.com@example.com", "250"),
        ("x%far.example@example.com", "550 5.7.1"),
        ("x%far.example@localhost", "550 5.7.1"),
        ("x%far.example%example.com@example.com", "550 5.7.1"),
        ("bob@192.0.2.1", "5"),
    ],
)
def test_relaying_is_decided_by_the_address_that_is_meant(tmp_path: Path, address: str, reply: str) -> None:
    """However it is spelled: own names, user%host, both, more than once."""
    routing = Routing(own_names=("localhost", "[127.0.0.1]"), sendmail=SendmailTerms(spellings=True))

    async def scene(stage: Stage) -> None:
        client = await stage.greeted()
        assert (await client.say("MAIL FROM:<carol@remote.example>")).startswith("250")
        assert (await client.say(f"RCPT TO:<{address}>")).startswith(reply)

    play(Stage(tmp_path, routing=routing), scene)


NAMES = st.sampled_from(("localhost", "[127.0.0.1]", "example.com", "far.example", "MX.example.com"))
SIGNS = st.sampled_from(("%", "a", "!", "\\", "example.com", "far.example", "localhost"))


@given(st.lists(SIGNS, min_size=1, max_size=8), NAMES, st.booleans())
def test_what_is_meant_means_itself(parts: list[str], name: str, hub: bool) -> None:
    """However it is spelled, what relaying is decided by is what roads are found for: whoever may write to
    domains of ours only gets no road to a domain of others.
    """
    rule = {"rest": Rule(recipients=("ours",), users="unknown", to="mx:hub.example.net")} if hub else {}
    terms = SendmailTerms(spellings=True)
    routing = Routing(rules=rule, own_names=("localhost", "[127.0.0.1]", "mx.example.com"), sendmail=terms)
    config = Config(hostname="mx.example.com", routing=routing)
    addressing = Addressing(fakes().world, FewPeople(), config)
    meant = addressing.spelled("".join(parts) + f"@{name}")
    assert meant == addressing.spelled(meant) == addressing.course(meant).address
    if domain_of(meant) == "example.com":
        for road in addressing.roads(meant):
            assert domain_of(road.recipient) == "example.com" or road.recipient == "alice@far.example"


def test_a_directory_that_is_silent_puts_off(tmp_path: Path) -> None:
    """451 whatever the rules need to know; nothing is refused for ever, nothing taken for nobody."""
    rule = Rule(recipients=("ours",), users="unknown", to="mx:hub.example.net")

    async def scene(stage: Stage) -> None:
        client = await stage.greeted()
        assert (await client.say("MAIL FROM:<carol@remote.example>")).startswith("250")
        stage.directory.trouble = Unavailable("house.db", "gone")
        assert (await client.say("RCPT TO:<taro@example.com>")).startswith("451 4.3.0")
        stage.directory.trouble = None
        assert (await client.say("RCPT TO:<taro@example.com>")).startswith("250")

    play(Stage(tmp_path, routing=rules(rest=rule)), scene)
