"""`sekisho domain`, `account` and `alias` as an operator types them."""

import json
import time
from pathlib import Path

import pytest

from command import Result, sekisho
from covers import covers
from sekisho.model.event import LoginTried
from sekisho.service.accounts import Hands
from sekisho.service.founding import HIGH_PORTS, Plan, settings_text
from sekisho.store.events import EventLog
from sekisho.store.hashes import Hashes
from sekisho.store.hashing import matches
from sekisho.store.house import House
from sekisho.store.vault import Vault
from sekisho.testing.world import FakeChance, FakeClock


class Home:
    """A state folder without keys, which cost a second to make."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = str(folder / "sekisho.toml")
        House.create(str(folder)).close()
        Vault.create(str(folder), b"k" * 32).close()
        (folder / "keys" / "dkim" / "example.com").mkdir(parents=True)
        plan = Plan(str(folder), "example.com", "mx.example.com", "127.0.0.1", HIGH_PORTS)
        Path(self.path).write_text(settings_text(plan))
        assert 0 == self("domain", "add", "example.com").code

    def __call__(self, *words: str, typed: bytes = b"", language: str = "en") -> Result:
        return sekisho(*words, "-c", self.path, typed=typed, language=language)

    def opens(self, address: str, password: bytes) -> bool:
        return matches(Hashes.open(str(self.folder), FakeClock()).stored(address), password)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


@pytest.mark.parametrize(
    "line", [b"correct horse\n", b"correct horse", b"correct horse\r\n", b"correct horse\nsecond\n"]
)
def test_a_password_comes_from_standard_input(home: Home, line: bytes) -> None:
    """The first line, whatever its end; it is shown nowhere."""
    result = home("account", "add", "Hello@example.com", typed=line)
    assert 0 == result.code
    assert (
        "hello@example.com is here from now on; mail goes to mail/example.com/hello/Maildir."
        == result.out.strip()
    )
    assert home.opens("hello@example.com", b"correct horse")
    assert "horse" not in result.out + result.err
    assert 0 == home("account", "password", "hello@example.com", typed=b"another horse\n").code
    assert home.opens("hello@example.com", b"another horse")


@covers("F-08", partly="POP and IMAP, the account's lock in the console")
def test_a_link_and_the_password_behind_it(home: Home) -> None:
    """The token is the first line, the password the second; it works once; a name beside it is refused."""
    home("account", "add", "hello@example.com", typed=b"correct horse\n")
    token = home("account", "reset-link", "hello@example.com").out.strip()
    typed = token.encode() + b"\nanother horse\n"
    assert 1 == home("account", "password", "hello@example.com", "--token", typed=typed).code
    assert 1 == home("account", "password", typed=typed).code
    result = home("account", "password", "--token", typed=typed)
    assert 0 == result.code and "hello@example.com has a new password." in result.out
    assert token not in result.out and home.opens("hello@example.com", b"another horse")
    again = home("account", "password", "--token", typed=token.encode() + b"\nthird horse\n")
    assert 1 == again.code and "this link is not good" in again.err


def test_no_command_takes_a_password_as_an_argument(home: Home) -> None:
    """What stands on a command line, everybody on the machine can read."""
    assert 64 == home("account", "add", "hello@example.com", "correct horse").code
    assert 64 == home("account", "add", "hello@example.com", "--password", "x").code
    assert 64 == home("account", "password", "hello@example.com", "correct horse").code
    assert [] == home("account", "list", "--json").rows()


def test_refusals_say_one_sentence(home: Home) -> None:
    """Exit code 1, standard error, no traceback, nothing written."""
    home("account", "add", "hello@example.com", "--no-password")
    for words, why in (
        (("account", "add", "x@example.com"), "a password needs 8 characters or more"),
        (("account", "add", "hello@example.com"), "the account hello@example.com is already here"),
        (
            ("account", "add", "x@net.example"),
            "there is no domain net.example here; add it: sekisho domain add net.example",
        ),
        (("account", "show", "x@example.com"), "there is no account x@example.com here"),
        (("account", "lock", "a b"), "a b is not a mail address"),
        (("domain", "add", "example.com"), "the domain example.com is already here"),
        (("domain", "remove", "net.example"), "there is no domain net.example here"),
        (("alias", "add", "x@example.com"), "give either targets or --reject"),
        (("alias", "add", "x@example.com", "y@example.com"), "nobody is here of the name y@example.com"),
        (("alias", "remove", "x@example.com"), "there is no alias x@example.com here"),
        (("account", "list", "net.example"), "there is no domain net.example here"),
    ):
        result = home(*words, typed=b"short\n")
        code = 64 if why in ("a b is not a mail address", "give either targets or --reject") else 1
        assert (code, "", f"sekisho: {why}\n") == tuple(result), words
    assert 1 == len(home("account", "list", "--json").rows())


def test_an_account_is_shown_changed_locked_and_removed(home: Home) -> None:
    """Every switch there and back, as JSON; removal shows its plan first."""
    home("account", "add", "hello@example.com", typed=b"correct horse\n")
    home("alias", "add", "sales@example.com", "hello@example.com")
    home("account", "set", "hello@example.com", "--language", "ja", "--no-sends", "--send-as", "@net.example")
    home("account", "lock", "hello@example.com", "--why", "stolen")
    (row,) = home("account", "show", "hello@example.com", "--json").rows()
    assert ("ja", False, True, ["@net.example"]) == (
        row["language"],
        row["sends"],
        row["receives"],
        row["send_as"],
    )
    assert "stolen" == row["locked_why"] and row["locked_at"].startswith("20")
    assert ("mail/example.com/hello/Maildir", ["sales@example.com"]) == (row["mailbox"], row["aliases"])
    assert "(locked)" in home("account", "list").out
    home("account", "unlock", "hello@example.com")
    home("account", "set", "hello@example.com", "--sends", "--no-send-as", "@net.example", "--no-receives")
    (row,) = home("account", "list", "example.com", "--json").rows()
    assert (True, False, [], None) == (row["sends"], row["receives"], row["send_as"], row["locked_at"])
    plan = home("account", "remove", "hello@example.com", "--dry-run")
    assert "Aliases that name it: sales@example.com" in plan.out
    assert 1 == len(home("account", "list", "--json").rows())
    assert 0 == home("account", "remove", "hello@example.com", "--yes").code
    assert [] == home("account", "list", "--json").rows()
    assert not home.opens("hello@example.com", b"correct horse")


def test_every_change_names_its_operator(home: Home) -> None:
    """The audit says who did what."""
    home("account", "add", "hello@example.com", "--no-password")
    home("account", "lock", "hello@example.com", "--why", "stolen")
    house = House.open(str(home.folder))
    assert [("account locked", "stolen"), ("account added", "")] == [
        (change.what, change.detail) for change in house.audit("hello@example.com")
    ]
    assert all(change.by.startswith("operator ") for change in house.audit())
    house.close()


@covers("Q-03")
def test_aliases_are_shown_with_where_they_lead(home: Home) -> None:
    """Extensions, nested aliases, the catch-all, refusals: `alias show` answers for any address."""
    home("account", "add", "hello@example.com", "--no-password")
    home("alias", "add", "sales@example.com", "hello@example.com", "Bob@Net.example")
    home("alias", "add", "@example.com", "sales@example.com")
    home("alias", "add", "gone@example.com", "--reject")
    assert ["@example.com", "gone@example.com", "sales@example.com"] == [
        row["address"] for row in home("alias", "list", "--json").rows()
    ]
    for address in ("sales@example.com", "sales+x@example.com", "anybody@example.com"):
        (row,) = home("alias", "show", address, "--json").rows()
        assert ["hello@example.com", "Bob@net.example"] == row["leads_to"]
    refused = home("alias", "show", "gone@example.com")
    assert 1 == refused.code and "refused" in refused.err
    assert 0 == home("alias", "set", "gone@example.com", "hello@example.com").code
    assert "gone@example.com leads to hello@example.com" in home("alias", "list").out
    plan = home("alias", "remove", "@example.com", "--dry-run")
    assert 0 == plan.code and "Removes an alias: @example.com leads to " in plan.out
    assert 0 == home("alias", "show", "anybody@example.com").code
    assert 130 == home("alias", "remove", "@example.com").code  # nobody says yes
    assert 0 == home("alias", "remove", "@example.com", "--yes").code
    assert 1 == home("alias", "show", "anybody@example.com").code


def test_domains_are_listed_shown_changed_and_removed(home: Home) -> None:
    """With what hangs on them; a domain added later gets DKIM keys of its own."""
    home("account", "add", "hello@example.com", "--no-password")
    result = home("domain", "add", "second.example", "--postmaster", "hello@example.com")
    assert 2 == result.out.count("_domainkey.second.example. IN TXT")
    assert 2 == len(list((home.folder / "keys" / "dkim" / "second.example").iterdir()))
    rows = home("domain", "list", "--json").rows()
    assert [("example.com", 1, 0), ("second.example", 0, 0)] == [
        (row["name"], row["accounts"], row["aliases"]) for row in rows
    ]
    assert "example.com: 1 account, 0 aliases" in home("domain", "list").out
    assert 0 == home("domain", "set", "second.example", "--delimiters", "+").code
    (row,) = home("domain", "show", "second.example", "--json").rows()
    assert ("+", "hello@example.com") == (row["delimiters"], row["postmaster"])
    assert "IN MX 10 mx.example.com." in home("domain", "show", "second.example").out
    plan = home("domain", "remove", "example.com", "--dry-run")
    assert "1 account and 0 aliases" in plan.out
    assert 0 == home("domain", "remove", "example.com", "--yes").code
    assert ["second.example"] == [row["name"] for row in home("domain", "list", "--json").rows()]


def test_logins_are_read_from_the_event_archive(home: Home) -> None:
    """Of this account only, as sentences or as the events themselves."""
    now = time.time_ns() // 1000
    log = EventLog(str(home.folder / "events"), "front-1")
    for number, account in enumerate(["hello@example.com", "boss@example.com", "hello@example.com"]):
        log.append(
            LoginTried(
                id=f"e{number}",
                at=now - 10 + number,
                source="front",
                account=account,
                address="192.0.2.7",
                service="submission",
                ok=number != 2,
                why="password" if number == 2 else "",
            )
        )
    log.flush(now)
    log.close()
    rows = home("account", "logins", "hello@example.com", "--json").rows()
    assert [("e0", True), ("e2", False)] == [(row["id"], row["ok"]) for row in rows]
    lines = home("account", "logins", "Hello@example.com").out.splitlines()
    assert 2 == len(lines) and "192.0.2.7" in lines[0]
    assert "No attempt is known of x@example.com" in home("account", "logins", "x@example.com").out


def test_hostile_names_change_nothing_else(home: Home) -> None:
    """SQL, paths and options as names: an odd account at most, and always in its own folder."""
    home("account", "add", "hello@example.com", "--no-password")
    for name in (
        "x'or'1'='1@example.com",
        "a/b@example.com",
        "{x}@example.com",
        "`id`@example.com",
        "$HOME@example.com",
    ):
        assert 0 == home("account", "add", name, "--no-password").code
        (row,) = home("account", "show", name, "--json").rows()
        assert name.lower() == row["address"]
        assert 4 == len(row["mailbox"].split("/"))
    assert 64 == home("account", "remove", "' or 1=1--", "--yes").code
    assert 6 == len(home("account", "list", "--json").rows())
    assert 64 == home("account", "list", "' or 1=1--").code


def test_without_a_house_the_commands_say_what_is_missing(tmp_path: Path) -> None:
    """Settings absent: 78. Settings there and databases not: 69."""
    path = tmp_path / "sekisho.toml"
    missing = sekisho("account", "list", "-c", str(path))
    assert 78 == missing.code and str(path) in missing.err
    path.write_text('hostname = "mx.example.com"\n')
    result = sekisho("account", "list", "-c", str(path))
    assert 69 == result.code and "sekisho init" in result.err


def test_rows_are_json_that_others_read(home: Home) -> None:
    """One object a line, in UTF-8, times with their offset."""
    home("account", "add", "hello@example.com", "--no-password")
    line = home("account", "list", "--json").out
    assert 1 == line.count("\n")
    assert json.loads(line)["created_at"][-6] in "+-"


def test_a_hand_is_named_once() -> None:
    """A change carries the clock's time."""
    clock = FakeClock()
    change = Hands("operator x", clock, FakeChance()).change("tested", "y")
    assert (clock.now(), "operator x", "tested", "y") == (change.at, change.by, change.what, change.subject)
