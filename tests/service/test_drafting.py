"""What a draft keeps of what the client said: wishes by final address."""

from sekisho.model.delivery import Kind, Route
from sekisho.model.envelope import NO_WISH, Envelope, Origin, Wish
from sekisho.service.addressing import Road
from sekisho.service.drafting import _wishes
from sekisho.service.transaction import Given

NEVER = Wish("NEVER")
SUCCESS = Wish("SUCCESS", "rfc822;b@example.com")


def roads(*names: str) -> tuple[Road, ...]:
    return tuple(Road(name, Route(Kind.MAILDIR, name, name)) for name in names)


def test_wishes_stand_by_final_address() -> None:
    """None are kept when nothing was said; two names of one mailbox lose nobody's wish."""
    assert {} == _wishes([Given("a@example.com", roads("a@example.com"))])
    found = _wishes(
        [
            Given("a@example.com", roads("one@example.com"), NEVER),
            Given("b@example.com", roads("one@example.com", "two@example.com"), SUCCESS),
            Given("c@example.com", roads("two@example.com")),
        ]
    )
    assert Wish("SUCCESS", "rfc822;b@example.com") == found["one@example.com"]
    assert "DELAY,FAILURE,SUCCESS" == found["two@example.com"].notify


def test_nothing_said_is_failure_and_delay() -> None:
    """RFC 3461 4.1: the default; NEVER is nothing at all."""
    envelope = Envelope("s@example.com", (), Origin("", "", 0), wishes={"a@example.com": NEVER})
    assert not any(envelope.wish("a@example.com").wants(each) for each in ("SUCCESS", "FAILURE", "DELAY"))
    assert (
        NO_WISH == envelope.wish("b@example.com") and NO_WISH.wants("DELAY") and not NO_WISH.wants("SUCCESS")
    )
