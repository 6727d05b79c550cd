"""The directory answers from memory, and knows within a moment what another process has changed."""

import multiprocessing
import os
import sqlite3
import time
from pathlib import Path

import pytest

from covers import covers
from sekisho.host import HostClock
from sekisho.model.account import Account, Alias, Domain
from sekisho.store.directory import Directory
from sekisho.store.house import Change, House
from sekisho.store.window import POLL_US
from sekisho.testing.world import FakeClock
from sekisho.world import Unavailable
from waiting import until

CHANGE = Change(1, "operator test", "tested", "x")


@pytest.fixture
def house(tmp_path: Path) -> House:
    house = House.create(str(tmp_path))
    house.save_domain(Domain("example.com", created_at=2), CHANGE)
    house.save_domain(Domain("first.example", created_at=1), CHANGE)
    house.save_account(
        Account("hello@example.com", "ja", send_as=("boss@example.com", "@net.example")), CHANGE
    )
    house.save_account(Account("boss@example.com"), CHANGE)
    return house


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def directory(house: House, tmp_path: Path, clock: FakeClock) -> Directory:
    return Directory.open(str(tmp_path), clock)


def test_domains_and_accounts(directory: Directory) -> None:
    """Case does not matter; an alias or an extension is no account."""
    assert directory.is_local_domain("Example.COM")
    assert not directory.is_local_domain("net.example")
    assert not directory.is_local_domain("")
    account = Account("hello@example.com", "ja", send_as=("@net.example", "boss@example.com"))
    assert account == directory.account("HELLO@example.com")
    assert directory.account("hello+x@example.com") is None
    assert "first.example" == directory.first_domain()


def test_addresses_lead_to_mailboxes(directory: Directory) -> None:
    """Also the bare postmaster, who is the one of the first domain."""
    assert ("hello@example.com",) == directory.resolve("Hello+news@Example.com")
    assert ("postmaster@first.example",) == directory.resolve("Postmaster")
    assert directory.resolve("nobody@example.com") is None
    assert directory.resolve("hello@net.example") is None


def test_answers_come_from_memory(directory: Directory, tmp_path: Path) -> None:
    """Within a fifth of a second nothing is read again: the file could be gone."""
    directory.resolve("hello@example.com")
    directory.resolve("nobody@example.com")
    directory.may_send_as("hello@example.com", "boss@example.com")
    (tmp_path / "house.db").rename(tmp_path / "away")
    directory.close()
    assert ("hello@example.com",) == directory.resolve("hello@example.com")
    assert directory.resolve("nobody@example.com") is None
    assert directory.may_send_as("hello@example.com", "boss@example.com")
    with pytest.raises(Unavailable):
        directory.resolve("boss@example.com")


def test_a_change_is_seen_at_the_next_poll(directory: Directory, house: House, clock: FakeClock) -> None:
    """New accounts, new aliases, removed ones: what was known as unknown included."""
    assert directory.resolve("new@example.com") is None
    house.save_account(Account("new@example.com"), CHANGE)
    assert directory.resolve("new@example.com") is None
    clock.advance(POLL_US / 1e6)
    assert ("new@example.com",) == directory.resolve("new@example.com")
    house.save_alias(Alias("new@example.com", ("boss@example.com",)), CHANGE)
    clock.advance(POLL_US / 1e6)
    assert ("boss@example.com",) == directory.resolve("new@example.com")
    house.remove_alias("new@example.com", CHANGE)
    house.remove_account("new@example.com", CHANGE)
    clock.advance(POLL_US / 1e6)
    assert directory.resolve("new@example.com") is None
    assert directory.account("new@example.com") is None


def test_a_file_put_in_place_of_the_old_one_is_seen(
    directory: Directory, house: House, tmp_path: Path, clock: FakeClock
) -> None:
    """After a restore from a backup the answers are the backup's."""
    assert directory.account("hello@example.com") is not None
    house.close()
    (tmp_path / "house.db").rename(tmp_path / "old.db")
    House.create(str(tmp_path)).close()
    clock.advance(1)
    assert directory.account("hello@example.com") is None


def test_news_are_asked_again_soon_after_a_commit_was_in_the_way(
    directory: Directory, house: House, tmp_path: Path, clock: FakeClock
) -> None:
    """A poll does not wait for a lock, and is repeated before the next one is due."""
    assert directory.resolve("new@example.com") is None
    house.save_account(Account("new@example.com"), CHANGE)
    locker = sqlite3.connect(tmp_path / "house.db", isolation_level=None)
    locker.execute("begin exclusive")
    clock.advance(POLL_US / 1e6)
    assert directory.resolve("new@example.com") is None
    locker.execute("rollback")
    locker.close()
    clock.advance(0.02)
    assert ("new@example.com",) == directory.resolve("new@example.com")


def test_a_locked_file_does_not_stop_what_is_known(
    directory: Directory, tmp_path: Path, clock: FakeClock
) -> None:
    """While somebody commits, known answers stand and others are unavailable: deferred, not refused."""
    directory.resolve("hello@example.com")
    locker = sqlite3.connect(tmp_path / "house.db", isolation_level=None)
    locker.execute("begin exclusive")
    clock.advance(1)
    assert ("hello@example.com",) == directory.resolve("hello@example.com")
    with pytest.raises(Unavailable):
        directory.resolve("nobody@example.com")
    locker.execute("rollback")
    assert directory.resolve("nobody@example.com") is None
    locker.close()


def crash_in_the_middle(path: str) -> None:
    """Leaves a journal behind, with pages already overwritten."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("pragma cache_size = 1")
    connection.execute("begin immediate")
    connection.execute("update accounts set language = 'xx'")
    for n in range(200):
        connection.execute("insert into states values (?, 0, zeroblob(4000))", (f"x{n}",))
    os._exit(0)


def test_a_writer_that_was_killed_leaves_no_ruin(directory: Directory, tmp_path: Path) -> None:
    """The reader rolls the half-written change back by itself, and answers as before it."""
    writer = multiprocessing.get_context("spawn").Process(
        target=crash_in_the_middle, args=(str(tmp_path / "house.db"),)
    )
    writer.start()
    writer.join(30)
    assert (tmp_path / "house.db-journal").stat().st_size > 0
    account = directory.account("hello@example.com")
    assert account is not None and "ja" == account.language
    assert not (tmp_path / "house.db-journal").exists()


def test_a_schema_it_does_not_know_is_unavailable(directory: Directory, house: House, tmp_path: Path) -> None:
    """Reading a newer file could answer wrongly."""
    connection = sqlite3.connect(tmp_path / "house.db")
    connection.execute("update notes set value = 3 where name = 'schema'")
    connection.commit()
    connection.close()
    with pytest.raises(Unavailable, match="another version"):
        directory.resolve("hello@example.com")


@pytest.mark.parametrize(
    ("sender", "allowed"),
    [
        ("hello@example.com", True),
        ("HELLO@Example.com", True),
        ("hello+list@example.com", True),
        ("boss@example.com", True),
        ("anybody@net.example", True),
        ("mine@example.com", True),
        ("mine-x@example.com", True),
        ("ours@example.com", False),
        ("made-up@first.example", False),
        ("postmaster@example.com", False),
        ("root@first.example", False),
        ("x@gmail.example", False),
        ("hell\u00f6@example.com", False),
        ("", True),
    ],
)
@covers("O-07")
def test_one_writes_under_ones_own_names(
    directory: Directory, house: House, sender: str, allowed: bool
) -> None:
    """Own address, its extensions, an alias to oneself alone, what was delegated; no group, no catch-all."""
    house.save_alias(Alias("mine@example.com", ("hello@example.com",)), CHANGE)
    house.save_alias(Alias("ours@example.com", ("hello@example.com", "boss@example.com")), CHANGE)
    house.save_alias(Alias("@first.example", ("hello@example.com",)), CHANGE)
    assert allowed == directory.may_send_as("hello@example.com", sender)
    assert not directory.may_send_as("nobody@example.com", sender)


def test_a_tangle_of_aliases_is_unavailable_not_unknown(directory: Directory, house: House) -> None:
    """A mistake of the operator's defers mail; it does not lose it."""
    for n in range(13):
        house.save_alias(Alias(f"a{n}@example.com", (f"a{n + 1}@example.com",)), CHANGE)
    with pytest.raises(Unavailable, match="aliases"):
        directory.resolve("a0@example.com")


@pytest.mark.parametrize(
    "evil",
    [
        "' or 1=1--@example.com",
        '" or ""="@example.com',
        "hello@example.com\0",
        "hello@example.com' --",
        "\uff48ello@example.com",
        "hello@\uff45xample.com",
        "hello@ex\u00adample.com",
        "hello@example.com.",
        "hel\u212ao@example.com",
        "\udc80hello@example.com",
        "hello@example.com\r\n",
        "x" * 400 + "@example.com",
        "%@example.com",
        "_____@example.com",
        "../../etc/passwd@example.com",
    ],
)
def test_no_disguise_is_somebody(directory: Directory, house: House, evil: str) -> None:
    """Injection, unicode twins, invisible letters, broken surrogates, wildcards: nobody has that name."""
    house.save_account(Account("helko@example.com"), CHANGE)
    assert directory.account(evil) is None
    assert directory.resolve(evil) is None
    assert not directory.may_send_as(evil, "hello@example.com")
    assert not directory.is_local_domain(evil)


def add_account(state: str, address: str) -> None:
    house = House.open(state)
    house.save_account(Account(address), CHANGE)
    house.close()


@covers("Q-03")
def test_a_user_added_elsewhere_is_there_within_a_second(house: House, tmp_path: Path) -> None:
    """A second process writes while this one answers, by the real clock: the promise is in real time."""
    directory = Directory.open(str(tmp_path), HostClock())
    took = []
    for name in ("late@example.com", "later@example.com", "latest@example.com"):
        assert directory.resolve(name) is None
        context = multiprocessing.get_context("spawn")
        writer = context.Process(target=add_account, args=(str(tmp_path), name))
        writer.start()
        writer.join(60)
        assert 0 == writer.exitcode
        written = time.monotonic()
        assert (name,) == until(lambda name=name: directory.resolve(name))  # type: ignore[misc]
        took.append(time.monotonic() - written)
        if took[-1] <= 1:
            return
    raise AssertionError(f"{took} s; one that took longer may be a busy machine's")


def test_a_list_in_a_file_is_read_as_it_is_now(house: House, directory: Directory, tmp_path: Path) -> None:
    """No change counter tells of files: what went through one is not remembered; a broken one defers."""
    staff = tmp_path / "staff"
    staff.write_text("hello@example.com\n")
    staff.chmod(0o644)
    house.save_alias(Alias("staff@example.com", (f":include:{staff}",)), CHANGE)
    assert ("hello@example.com",) == directory.resolve("staff@example.com")
    staff.write_text("boss@example.com\nbob@net.example\n")
    assert ("boss@example.com", "bob@net.example") == directory.resolve("staff@example.com")
    staff.unlink()
    with pytest.raises(Unavailable, match="no such file"):
        directory.resolve("staff@example.com")


def test_a_list_has_an_owner(house: House, directory: Directory, clock: FakeClock) -> None:
    """If `owner-NAME` is somebody: not for accounts, not the owner itself, not for a mailbox beside it."""
    house.save_alias(Alias("staff@example.com", ("hello@example.com", "x@net.example")), CHANGE)
    house.save_alias(Alias("boss@example.com", ("boss@example.com", "x@net.example")), CHANGE)
    assert "" == directory.list_owner("staff@example.com")
    for name in ("staff", "boss", "hello", "owner-staff"):
        house.save_alias(Alias(f"owner-{name}@example.com", ("hello@example.com",)), CHANGE)
    clock.advance(1)
    assert "owner-staff@example.com" == directory.list_owner("Staff@Example.com")
    for name in ("hello", "boss", "owner-staff", "nobody", "hello+x"):
        assert "" == directory.list_owner(f"{name}@example.com")
    house.remove_alias("owner-staff@example.com", CHANGE)
    clock.advance(1)
    assert "" == directory.list_owner("staff@example.com")


def test_what_only_the_catch_all_takes_has_no_name(
    house: House, directory: Directory, clock: FakeClock
) -> None:
    """It leads somewhere all the same."""
    house.save_alias(Alias("@example.com", ("hello@example.com",)), CHANGE)
    clock.advance(1)
    assert ("hello@example.com",) == directory.resolve("invented@example.com")
    assert not directory.named("invented@example.com")
    assert directory.named("Hello+x@Example.com")
    assert directory.named("postmaster")
