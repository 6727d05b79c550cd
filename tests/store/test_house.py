"""house.db: what was written is there after opening it again, whole or not at all."""

import os
import sqlite3
import threading
from pathlib import Path

import pytest

from sekisho.model.account import Account, Alias, Domain
from sekisho.store.database import Database
from sekisho.store.house import Change, House
from sekisho.store.tables import SCHEMA, metadata
from sekisho.world import Unavailable

CHANGE = Change(7, "operator test", "tested", "hello@example.com", "detail")


@pytest.fixture
def house(tmp_path: Path) -> House:
    house = House.create(str(tmp_path))
    house.save_domain(Domain("example.com", "+", "boss@example.com", 1), CHANGE)
    return house


def reopened(tmp_path: Path) -> House:
    return House.open(str(tmp_path))


def number(path: Path, query: str) -> int:
    connection = sqlite3.connect(path)
    try:
        return int(connection.execute(query).fetchone()[0])
    finally:
        connection.close()


def test_people_are_kept(house: House, tmp_path: Path) -> None:
    """Domain, account with its delegations, alias with its targets in order."""
    account = Account(
        "hello@example.com", "ja", True, False, True, 5, "stolen", ("@net.example", "x@y.example"), 3
    )
    alias = Alias("sales@example.com", ("z@net.example", "hello@example.com"), 4)
    house.save_account(account, CHANGE)
    house.save_alias(alias, CHANGE)
    again = reopened(tmp_path)
    assert [Domain("example.com", "+", "boss@example.com", 1)] == again.domains()
    assert account == again.account("hello@example.com")
    assert [account] == again.accounts("example.com") == again.accounts()
    assert alias == again.alias("sales@example.com")
    assert [alias] == again.aliases("example.com")
    assert (1, 1) == again.count("example.com")
    assert (None, None, None) == (again.account("x"), again.alias("x"), again.domain("x"))


def test_saving_again_changes_and_keeps_the_birthday(house: House) -> None:
    """The same key is one row; when it was made stays."""
    house.save_account(Account("hello@example.com", created_at=3, send_as=("a@b",)), CHANGE)
    house.save_account(Account("hello@example.com", "ja", created_at=9), CHANGE)
    assert Account("hello@example.com", "ja", created_at=3) == house.account("hello@example.com")
    house.save_alias(Alias("x@example.com", ("a@b", "c@d"), 3), CHANGE)
    house.save_alias(Alias("x@example.com", (), 9), CHANGE)
    assert Alias("x@example.com", (), 3) == house.alias("x@example.com")


def test_a_domain_takes_everything_with_it(house: House) -> None:
    """No account, alias or delegation is left behind."""
    house.save_account(Account("hello@example.com", send_as=("a@b",)), CHANGE)
    house.save_alias(Alias("x@example.com", ("a@b",)), CHANGE)
    house.remove_domain("example.com", CHANGE)
    assert ([], [], []) == (house.domains(), house.accounts(), house.aliases())
    house.save_domain(Domain("example.com"), CHANGE)
    house.save_account(Account("hello@example.com"), CHANGE)
    account = house.account("hello@example.com")
    assert account is not None and () == account.send_as


def test_every_change_is_in_the_audit(house: House) -> None:
    """Who, what, whom, the newest first."""
    house.save_account(
        Account("hello@example.com"), Change(9, "guard", "account locked", "hello@example.com")
    )
    house.note(Change(10, "operator test", "password set", "x@example.com"))
    assert ["password set", "account locked", "tested"] == [change.what for change in house.audit()]
    assert ["account locked", "tested"] == [change.what for change in house.audit("hello@example.com")]


def test_a_change_moves_the_counter_and_a_snapshot_does_not(house: House, tmp_path: Path) -> None:
    """The guard's memory is written often; caches of names need not be dropped for it."""
    count = "select value from notes where name = 'changes'"
    before = number(tmp_path / "house.db", count)
    house.save_state("guard/x", b"1", 1)
    assert before == number(tmp_path / "house.db", count)
    house.save_account(Account("hello@example.com"), CHANGE)
    assert before + 1 == number(tmp_path / "house.db", count)


def test_a_failed_change_leaves_nothing(house: House, tmp_path: Path) -> None:
    """An account of a domain that is not there is refused whole, audit line and counter included."""
    before = house.audit()
    with pytest.raises(Unavailable, match="FOREIGN KEY"):
        house.save_account(Account("hello@net.example"), CHANGE)
    assert before == house.audit()


def test_the_file_is_ours_alone_and_never_overwritten(house: House, tmp_path: Path) -> None:
    """0600 whatever the umask; a second founding is an error."""
    assert 0o600 == os.stat(tmp_path / "house.db").st_mode & 0o777
    with pytest.raises(FileExistsError):
        House.create(str(tmp_path))


def test_a_commit_is_as_safe_as_it_can_be(tmp_path: Path) -> None:
    """No WAL (the standard library's SQLite may have its bug), synchronous=EXTRA, foreign keys."""
    database = Database.create(str(tmp_path / "x.db"), metadata, SCHEMA)
    with database.reading() as connection:
        found = [
            connection.exec_driver_sql(f"pragma {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        ]
    assert ["delete", 3, 1] == found


def test_a_file_of_a_newer_sekisho_is_refused(house: House, tmp_path: Path) -> None:
    """What this version does not know it does not touch; the error says what to do."""
    house.close()
    connection = sqlite3.connect(tmp_path / "house.db")
    connection.execute("update notes set value = 99 where name = 'schema'")
    connection.commit()
    connection.close()
    with pytest.raises(Unavailable, match=r"newer sekisho \(schema 99, this one knows 2\)"):
        House.open(str(tmp_path))


@pytest.mark.parametrize("content", [b"", b"not a database at all, but long enough to look at" * 30])
def test_a_file_that_is_not_ours_is_refused(tmp_path: Path, content: bytes) -> None:
    """An empty file, another format: a clear error, and the file is left as it is."""
    (tmp_path / "house.db").write_bytes(content)
    with pytest.raises(Unavailable):
        House.open(str(tmp_path))
    assert content == (tmp_path / "house.db").read_bytes()


def test_no_file_is_no_house(tmp_path: Path) -> None:
    """Opening never creates."""
    with pytest.raises(Unavailable, match="sekisho init"):
        House.open(str(tmp_path))
    assert [] == list(tmp_path.iterdir())


def test_hostile_names_are_only_names(house: House) -> None:
    """SQL in a name is a value like any other (security.md R)."""
    for evil in ("' or 1=1--@example.com", "x'); drop table accounts;--@example.com", "%@example.com"):
        assert house.account(evil) is None
        house.save_account(Account(evil), CHANGE)
        assert house.account(evil) == Account(evil)
    assert 3 == len(house.accounts("example.com"))
    assert [] == house.accounts("' or 1=1--")


def test_threads_and_processes_take_turns(house: House, tmp_path: Path) -> None:
    """Several threads on one house and a second house on the same file: every write arrives."""
    second = reopened(tmp_path)

    def write(home: House, name: str) -> None:
        for n in range(10):
            home.save_state(f"{name}/{n}", b"x", n)

    threads = [
        threading.Thread(target=write, args=(home, f"{place}"))
        for place, home in enumerate([house, house, second])
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 30 == sum(len(second.states(f"{place}/")) for place in range(3))


def test_odd_folder_names_are_only_names(tmp_path: Path) -> None:
    """A folder with SQLite's URI characters in its name is that folder."""
    folder = tmp_path / "a?mode=memory#%41"
    folder.mkdir()
    House.create(str(folder)).close()
    House.open(str(folder)).close()
    assert ["house.db"] == [path.name for path in folder.iterdir()]
