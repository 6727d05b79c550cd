"""The Sender Rewriting Scheme: there and back, in chains, and for nobody who has not been forwarded."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.mail.srs import DAY, forwarded, looks_forwarded, reversed_path
from sekisho.model.address import Mailbox, parse_path

KEY, OLD, FOREIGN = b"k" * 32, b"o" * 32, b"f" * 32
NOW = 20_000 * DAY + 5


def back(address: str, now: int = NOW, days: int = 14) -> str:
    return reversed_path(address, (KEY, OLD), now, days)


def test_there_and_back() -> None:
    """An address of ours that is valid to others, by whatever case they bring it back."""
    path = forwarded("Bob.Smith@Far.example", "example.com", KEY, NOW)
    assert path.startswith("SRS0=") and path.endswith("=far.example=Bob.Smith@example.com")
    assert isinstance(parse_path(path.encode()), Mailbox)
    assert looks_forwarded(path) and looks_forwarded(path.lower())
    assert "Bob.Smith@far.example" == back(path)
    assert "bob.smith@far.example" == back(path.lower())
    assert "Bob.Smith@far.example" == back(forwarded("Bob.Smith@far.example", "example.com", OLD, NOW))


@pytest.mark.parametrize("letter", range(len("SRS0=xxxxxxxx=xx=far.example=bob")))
def test_a_changed_letter_leads_nowhere(letter: int) -> None:
    """Hash, day, domain, local part: all of it is signed. The separator behind SRS0 may be another."""
    path = forwarded("bob@far.example", "example.com", KEY, NOW)
    changed = path[:letter] + ("z" if path[letter] != "z" else "y") + path[letter + 1 :]
    assert "" == back(changed)


def test_its_time_is_over() -> None:
    """Days count round every three years; a front whose clock is a day ahead is believed."""
    path = forwarded("bob@far.example", "example.com", KEY, NOW)
    assert "" != back(path, NOW + 14 * DAY)
    assert "" == back(path, NOW + 15 * DAY)
    assert "" != back(path, NOW - DAY)
    assert "" == back(path, NOW - 2 * DAY)


def test_chains_do_not_grow() -> None:
    """Another forwarder's SRS0 becomes SRS1, an SRS1 stays one; each bounce goes one step back."""
    first = forwarded("bob@far.example", "one.example", FOREIGN, NOW)
    second = forwarded(first, "example.com", KEY, NOW)
    assert second.startswith("SRS1=") and "=one.example==" in second
    assert first == back(second)
    third = forwarded(second, "three.example", FOREIGN, NOW)
    assert len(third) <= len(second) + len("three.example")
    assert first == reversed_path(third, (FOREIGN,), NOW, 14)
    assert "" == back(second.replace("one.example", "two.example"))
    plus = first.replace("SRS0=", "SRS0+")
    assert plus == back(forwarded(plus, "example.com", KEY, NOW))


@pytest.mark.parametrize(
    "sender",
    ["", "postmaster", '"odd name"@far.example', "x@[192.0.2.1]", f"{'x' * 50}@far.example", "x@" + "d" * 60],
)
def test_what_has_no_room_stays(sender: str) -> None:
    """64 octets stand before the @ (RFC 5321 4.5.3.1.1): some host would refuse more."""
    assert sender == forwarded(sender, "example.com", KEY, NOW)


@given(st.emails(), st.integers(0, 10**16))
def test_whatever_is_rewritten_comes_back(sender: str, now: int) -> None:
    """To the very same address, but for the case of its domain."""
    path = forwarded(sender, "example.com", KEY, now)
    local, _, domain = sender.rpartition("@")
    if path != sender and not looks_forwarded(sender):
        assert f"{local}@{domain.lower()}" == reversed_path(path, (KEY,), now, 14)


@given(st.text(max_size=80))
def test_nobody_else_makes_one(text: str) -> None:
    """Whatever text comes, it leads nowhere and raises nothing."""
    for begin in ("SRS0=", "SRS1=", "SRS0+", ""):
        assert "" == back(f"{begin}{text}@example.com")
