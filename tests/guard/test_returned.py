"""Rule 6 with signed return paths: what comes back counts once for each delivery that there was, and never
more.
"""

from itertools import count

import pytest

from guard.streams import DAY, HOME, HOTEL, MINUTE, OWNER, Town, strangers
from sekisho.guard.memory import FAILED_KEPT, pack_memory, unpack_memory
from sekisho.mail.return_path import mark_of
from sekisho.model.event import Returned
from sekisho.model.ident import make_id
from sekisho.model.incident import Grade
from sekisho.model.verdict import Reply

UNKNOWN = Reply(550, "5.1.1", "no such user")
NUMBERS = count(1)


@pytest.fixture
def town() -> Town:
    town = Town().lives(30)
    town.login(HOTEL)
    return town


def network(town: Town, address: str) -> str:
    return town.guard.standing(OWNER, address, town.at).network


def comes_back(
    town: Town, recipient: str, message: str, at: str = HOTEL, reply: Reply = UNKNOWN, *, stale: bool = False
) -> None:
    town.wait(1)
    event = Returned(
        id=f"back {next(NUMBERS)}", at=town.at, source="front", account=OWNER, address="203.0.113.9",
        message=message, recipient=recipient, bounce="b", reply=reply, mark=mark_of(network(town, at)),
        stale=stale,
    )  # fmt: skip
    town.findings += town.guard.observe(event)


def sent(town: Town, *recipients: str, at: str = HOTEL) -> str:
    town.letter(at, recipients)
    for recipient in recipients:
        town.result(at, recipient)
    return make_id(town.at, next(NUMBERS))


def test_it_counts_once_for_each_delivery(town: Town) -> None:
    """Two reports on one delivery are one refusal; another recipient is another delivery."""
    message = sent(town, "a@x.example", "b@x.example")
    for _ in range(5):
        comes_back(town, "a@x.example", message)
    flow = town.guard.memory(OWNER).strange
    assert (1, 2) == (flow.refused, flow.tried) and flow.bounce > 0
    comes_back(town, "b@x.example", message)
    assert 2 == flow.refused


def test_what_was_refused_to_our_face_does_not_count_again(town: Town) -> None:
    """5yz in the session, and a bounce from a host behind it."""
    town.letter(HOTEL, ["a@x.example"])
    town.result(HOTEL, "a@x.example", "550 5.1.1 unknown")
    comes_back(town, "a@x.example", "m")
    assert 1 == town.guard.memory(OWNER).strange.refused


def test_only_recipients_there_were(town: Town) -> None:
    """Whoever got a letter has a signed path in hand, and can report on no recipient that it had not."""
    message = sent(town, "mine@evil.example")
    for number in range(100):
        comes_back(town, f"invented{number}@x.example", message)
    comes_back(town, "friend1@example.net", message)  # known for long: an old address that went away
    assert 0 == town.guard.memory(OWNER).strange.refused


@pytest.mark.parametrize(
    "reply", [Reply(450, "4.2.2", "full"), Reply(550, "5.2.2", "full"), Reply(550, "5.7.1", "spam"),
              Reply(250, "2.1.5", "delivered"), Reply(250, "", "")],
)  # fmt: skip
def test_only_what_speaks_of_the_mailbox(town: Town, reply: Reply) -> None:
    """A delay, a full disk, a block list or a success say nothing of whom the account writes to."""
    comes_back(town, "a@x.example", sent(town, "a@x.example"), reply=reply)
    assert 0 == town.guard.memory(OWNER).strange.refused


def test_what_comes_too_late_proves_nothing(town: Town) -> None:
    """After the lifetime of return paths, or of the memory of first-time recipients."""
    message = sent(town, "a@x.example", "b@x.example")
    comes_back(town, "a@x.example", message, stale=True)
    assert 0 == town.guard.memory(OWNER).strange.refused


def test_mail_from_home_counts_as_the_owners(town: Town) -> None:
    """The mark says from which network the message was sent, whoever brings the report."""
    comes_back(town, "a@x.example", sent(town, "a@x.example", at=HOME), at=HOME)
    memory = town.guard.memory(OWNER)
    assert (0, 1) == (memory.strange.refused, memory.own.refused)


def test_a_replay_after_many_others_is_still_known(town: Town) -> None:
    """What is forgotten is forgotten by the age of its message, so that a replay never begins anew."""
    first = sent(town, "first@x.example")
    comes_back(town, "first@x.example", first)
    for number in range(FAILED_KEPT + 5):
        town.wait(MINUTE)
        comes_back(town, f"s{number}@x.example", sent(town, f"s{number}@x.example"))
    memory = town.guard.memory(OWNER)
    assert FAILED_KEPT == len(memory.failed)
    told = memory.strange.refused
    comes_back(town, "first@x.example", first)
    assert told == memory.strange.refused
    again = unpack_memory(pack_memory(memory))
    assert (memory.failed, memory.failed_from) == (again.failed, again.failed_from)


def test_a_botnet_with_an_accepting_outside_is_contained(town: Town) -> None:
    """Every host takes the letters and sends them back later: that is evidence now, and was none before."""
    quiet = Town().lives(30)
    for each, back in ((town, True), (quiet, False)):
        if each is quiet:
            each.login(HOTEL)
        for number in range(12):
            each.wait(MINUTE)
            recipients = strangers(1, f"{number}.")
            message = sent(each, *recipients)
            if back:
                comes_back(each, recipients[0], message)
    assert town.guard.memory(OWNER).strange.bounce > quiet.guard.memory(OWNER).strange.bounce == 0
    assert town.grade() >= Grade.CONTAIN and town.at < quiet.at + DAY
