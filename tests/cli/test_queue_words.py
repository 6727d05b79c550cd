"""`sekisho queue` where it could do more than was meant: empty selectors, no address, programs that ask."""

import json
from pathlib import Path

import pytest
from mailhome import MailHome


@pytest.fixture
def home(tmp_path: Path) -> MailHome:
    return MailHome(tmp_path)


@pytest.mark.parametrize("option", ["--sender", "--recipient", "--id", "--account", "--incident", "--reply"])
def test_an_empty_selector_widens_nothing(home: MailHome, option: str) -> None:
    """A script's variable is not set: that must not purge all of bob's mail."""
    for verb in ("list", "purge"):
        done = home("queue", verb, "--recipient", "bob@example.com", option, "")
        assert 64 == done.code and f"{option} is empty" in done.err and "<>" in done.err


@pytest.mark.parametrize("address", ["192.0.2", "192.0.2.0/33", "mx.example.com", "1.2.3.4 "])
def test_what_is_no_address_is_named(home: MailHome, address: str) -> None:
    """ "nothing matches" would let a postmaster believe that a client has no mail here."""
    done = home("queue", "list", "--address", address)
    assert 64 == done.code and "--address: not an address or network such as 192.0.2.0/24" in done.err
    for good in ("192.0.2.1", "192.0.2.1/24", "2001:db8::/32"):
        assert 0 == home("queue", "list", "--address", good).code


def test_json_is_one_object_and_never_asks(home: MailHome) -> None:
    """Only --yes lets a program change something; nothing but JSON is on standard output."""
    done = home("queue", "purge", "--sender", "*", "--json")
    assert (64, "") == (done.code, done.out) and "--yes" in done.err
    for way in ("--dry-run", "--yes"):
        done = home("queue", "purge", "--sender", "*", "--json", way)
        assert 0 == done.code and 0 == json.loads(done.out)["matched"]
