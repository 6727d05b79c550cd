"""A mail is found by anything that an operator may hold in his hand, and its whole story comes in order."""

from collections.abc import Iterable

import pytest

from sekisho.model.envelope import Network
from sekisho.model.event import Accepted, Bounced, DeliveryTried, Event, Judged, LoginTried, Refused
from sekisho.model.verdict import Reply
from sekisho.service.telling import sentence
from sekisho.service.tracing import explain, trace

BY = Network("AS6697/BY", 6697, "BY", "Beltelecom")
STORY: list[Event] = [
    LoginTried(
        id="login1",
        at=1,
        source="front",
        session="s1",
        account="hello@example.com",
        address="93.85.128.230",
        network=BY,
        service="submission",
        ok=True,
    ),
    LoginTried(
        id="login2", at=2, source="front", session="s2", account="boss@example.com", service="smtp", ok=False
    ),
    Judged(id="j1", at=3, source="front", session="s1", stage="rcpt", check="relay", act="pass", won=True),
    Accepted(
        id="a1",
        at=4,
        source="front",
        session="s1",
        account="hello@example.com",
        message="m1",
        login="login1",
        sender="hello@example.com",
        recipients=("Bob@Example.net",),
        recipient_count=1,
        size=1364,
        message_id="<abc@example.com>",
    ),
    Accepted(
        id="a2", at=5, source="front", session="s3", message="m2", sender="x@y", recipients=("z@example.com",)
    ),
    DeliveryTried(
        id="d1",
        at=6,
        source="front",
        account="hello@example.com",
        message="m1",
        delivery="m1.0",
        recipient="bob@example.net",
        result="failed",
        reply=Reply(550, "5.1.1", "no such user"),
        host="mx.example.net",
    ),
    Bounced(
        id="b1",
        at=7,
        source="front",
        message="m1",
        recipient="bob@example.net",
        bounce="m3",
        reply=Reply(550, "", "x"),
    ),
]


def archive() -> Iterable[Event]:
    return iter(STORY)


@pytest.mark.parametrize(
    "key",
    [
        "m1",
        "abc@example.com",
        "<ABC@example.com>",
        "m1.0",
        "s1",
        "bob@example.net",
        "hello@example.com",
        "login1",
    ],
)
def test_every_key_finds_the_whole_story(key: str) -> None:
    """Login, checks, acceptance, tries and bounce, in order, and nothing of other messages."""
    assert ["login1", "j1", "a1", "d1", "b1"] == [event.id for event in trace(archive, key)]


def test_what_is_not_known_is_nothing() -> None:
    """No message, no events."""
    assert [] == trace(archive, "nobody@example.org")


def test_explain_keeps_to_one_session() -> None:
    """Only what was said in that session."""
    assert ["login1", "j1", "a1"] == [event.id for event in explain(archive, "s1")]


def test_every_event_has_a_sentence() -> None:
    """The sentence names who, from where, and what the other side said."""
    said = [str(sentence(event)) for event in STORY]
    assert "hello@example.com signed in from 93.85.128.230 (AS6697 Beltelecom, BY) (submission)" == said[0]
    assert "given up for bob@example.net (mx.example.net): 550 5.1.1 no such user" == said[5]
    refusal = Refused(id="r", at=1, source="front", stage="rcpt", by="relay", reply=Reply(550, "5.7.1", "no"))
    assert "refused at rcpt by relay: 550 5.7.1 no" == str(sentence(refusal))
