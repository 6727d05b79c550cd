"""Visits are played against a gate as the server would ask it."""

from collections import Counter

from sekisho.lab.places import MadeUp
from sekisho.lab.play import PASS, Answer, Fate, Play
from sekisho.lab.visits import SECOND, Letter, Visit
from sekisho.model.event import Accepted, DeliveryTried, Event, LoginTried, RecipientGiven

PLAN = MadeUp(1)


def letter(*recipients: str, refused: tuple[str, ...] = (), deferred: tuple[str, ...] = ()) -> Letter:
    return Letter(
        "a@example.com", recipients, 1000, 10.0, frozenset(refused), frozenset(deferred), retry_s=60.0
    )


def visit(*letters: Letter, at: int = 1000 * SECOND) -> Visit:
    return Visit(at, "a@example.com", "198.51.100.7", "submission", letters=letters, pause_s=2.0)


class Script:
    """A gate that gives these answers one after another, then lets pass; it catches what waits if told to."""

    def __init__(self, *answers: Answer, catches: bool = False) -> None:
        self.answers = list(answers)
        self.catches = catches
        self.seen: list[Event] = []
        self.asked: list[str] = []

    def observe(self, event: Event) -> None:
        self.seen.append(event)

    def judge(self, event: Event) -> Answer:
        self.seen.append(event)
        self.asked.append(type(event).__name__)
        return self.answers.pop(0) if self.answers else PASS

    def caught(self, account: str, address: str, at: int) -> bool:
        return self.catches


def played(gate: Script, *visits: Visit) -> tuple[list[Event], list[Fate]]:
    play = Play(PLAN.find, gate)
    told = list(play.run(visits))
    assert told == gate.seen
    return told, play.fates


def test_the_gate_is_asked_at_login_at_each_recipient_and_before_the_final_reply() -> None:
    """Deliveries are told to it and not asked about."""
    gate = Script()
    told, _ = played(gate, visit(letter("x@host1.example", "y@host1.example")))
    assert [type(event) for event in told] == [
        LoginTried, RecipientGiven, RecipientGiven, Accepted, DeliveryTried, DeliveryTried,
    ]  # fmt: skip
    assert gate.asked == ["LoginTried", "RecipientGiven", "RecipientGiven", "Accepted"]


def test_a_refused_login_sends_nothing() -> None:
    """Its recipients are counted as denied."""
    told, fates = played(Script(Answer("refuse")), visit(letter("x@host1.example")))
    assert [type(event) for event in told] == [LoginTried]
    assert [(fate.what, fate.recipients) for fate in fates] == [("denied", 1)]


def test_held_mail_makes_no_deliveries() -> None:
    """It is accepted, and nothing comes back from it."""
    told, fates = played(Script(PASS, PASS, Answer("hold")), visit(letter("x@host1.example")))
    assert not [event for event in told if isinstance(event, DeliveryTried)]
    assert [fate.what for fate in fates] == ["entered", "accepted", "held"]


def test_delayed_mail_leaves_later_unless_it_is_contained_meanwhile() -> None:
    """The gate is asked again when the delay is over."""
    wait = Answer("delay", 300)
    told, fates = played(Script(PASS, wait, wait), visit(letter("x@host1.example")))
    assert [fate.what for fate in fates] == ["entered", "accepted", "delayed", "left"]
    assert told[-1].at - told[-2].at == 310 * SECOND
    _, fates = played(Script(PASS, wait, wait, catches=True), visit(letter("x@host1.example")))
    assert [fate.what for fate in fates] == ["entered", "accepted", "delayed", "held"]


def test_results_come_back_as_the_letter_says() -> None:
    """A refusal is 5yz; a deferral is 4yz and then delivered."""
    one = letter(
        "x@host1.example",
        "y@host1.example",
        "z@host1.example",
        refused=("y@host1.example",),
        deferred=("z@host1.example",),
    )
    told, _ = played(Script(), visit(one))
    tries = [event for event in told if isinstance(event, DeliveryTried)]
    assert [(event.recipient[0], event.result) for event in tries] == [
        ("x", "delivered"), ("y", "failed"), ("z", "deferred"), ("z", "delivered"),
    ]  # fmt: skip


def test_a_refusal_in_the_middle_ends_the_session() -> None:
    """The letters behind it are never offered."""
    gate = Script(PASS, Answer("refuse"))
    _, fates = played(gate, visit(letter("x@host1.example"), letter("y@host1.example")))
    assert [fate.what for fate in fates] == ["entered", "refused"]


def test_sessions_and_deliveries_interleave_in_time() -> None:
    """A second session's login comes before the first one's delivery results."""
    told, _ = played(
        Script(), visit(letter("x@host1.example")), visit(letter("y@host1.example"), at=1005 * SECOND)
    )
    assert [event.at for event in told] == sorted(event.at for event in told)
    assert Counter(type(event).__name__ for event in told[:4]) == {
        "LoginTried": 2,
        "RecipientGiven": 1,
        "Accepted": 1,
    }


def test_wrong_passwords_come_first() -> None:
    """And without the right one the visit ends there."""
    stale = Visit(0, "a@example.com", "198.51.100.7", "imap", wrong=3, right=False)
    told, _ = played(Script(), stale)
    assert [event.ok for event in told if isinstance(event, LoginTried)] == [False] * 3
