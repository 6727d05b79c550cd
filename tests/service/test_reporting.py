"""Who is told of what when deliveries of a letter have ended."""

from hosts import deliveries, letter, mx_route
from msgspec.structs import replace

from sekisho.model.delivery import Delivery
from sekisho.model.envelope import Wish
from sekisho.model.letter import DOUBLE, Letter
from sekisho.model.verdict import Reply
from sekisho.service.reporting import _kinds

NO, YES = Reply(550, "5.1.1", "no"), Reply(250, "2.0.0", "yes")
ROUTE = mx_route("example.net")
BAD, GOOD = (
    replace(deliveries(ROUTE, name)[0], last_reply=reply)
    for name, reply in (("bad@x.example", NO), ("good@x.example", YES))
)


def told(sent: Letter, *ended: Delivery, policy: str = "postmaster") -> list[tuple[str, list[str]]]:
    return [(kind, [each.recipient for each in group]) for kind, group in _kinds(sent, ended, policy)]


def test_failures_and_successes_are_told_apart() -> None:
    """In two reports; a failure that nobody wants to hear of in none."""
    sent = letter()
    assert [("failed", ["bad@x.example"]), ("delivered", ["good@x.example"])] == told(sent, BAD, GOOD)
    envelope = replace(sent.envelope, wishes={"bad@x.example": Wish("SUCCESS")})
    assert [("delivered", ["good@x.example"])] == told(replace(sent, envelope=envelope), BAD, GOOD)


def test_without_return_path_only_the_postmaster_hears_of_it() -> None:
    """If the settings say so, and never of what he was told himself."""
    sent = letter(sender=None)
    assert [("double", ["bad@x.example"])] == told(sent, BAD, GOOD)
    assert [] == told(sent, GOOD) == told(sent, BAD, policy="drop")
    ending = replace(sent, envelope=replace(sent.envelope, options={DOUBLE: "1"}))
    assert [] == told(ending, BAD, GOOD)
