"""A house.db of an older sekisho is brought up to date when it is opened, by whoever comes first."""

import sqlite3
import threading
from pathlib import Path

import pytest

from sekisho.host import HostClock
from sekisho.model.account import Account, Domain
from sekisho.model.quota import Quota
from sekisho.store.directory import Directory
from sekisho.store.house import Change, House
from sekisho.world import Unavailable

CHANGE = Change(7, "operator test", "tested", "hello@example.com", "detail")
HELLO = "hello@example.com"


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """As schema 1 had it: no quotas."""
    house = House.create(str(tmp_path))
    house.save_domain(Domain("example.com", "+", "", 1), CHANGE)
    house.save_account(Account(HELLO, "ja", created_at=3, send_as=("x@y.example",)), CHANGE)
    house.close()
    connection = sqlite3.connect(tmp_path / "house.db")
    for step in ("alter table domains drop column quota", "alter table accounts drop column quota"):
        connection.execute(step)
    connection.execute("update notes set value = 1 where name = 'schema'")
    connection.commit()
    connection.close()
    return tmp_path


def test_what_was_there_is_there(old: Path) -> None:
    """And what is new can be used, also by readers that had waited for it."""
    directory = Directory.open(str(old), HostClock())
    with pytest.raises(Unavailable, match="another version"):
        directory.account(HELLO)
    house = House.open(str(old))
    assert Account(HELLO, "ja", created_at=3, send_as=("x@y.example",)) == house.account(HELLO)
    house.save_domain(Domain("example.com", "+", "", 1, "1000S"), CHANGE)
    house.close()
    assert Quota(1000) == directory.quota(HELLO)
    assert "ja" == (directory.account(HELLO) or Account("")).language


def test_many_openers_at_once(old: Path) -> None:
    """Each finds it as it should be; the steps are taken once."""
    trouble: list[Exception] = []

    def open_it() -> None:
        try:
            House.open(str(old)).close()
        except Unavailable as error:
            trouble.append(error)

    openers = [threading.Thread(target=open_it) for _ in range(6)]
    for opener in openers:
        opener.start()
    for opener in openers:
        opener.join()
    assert [] == trouble
    assert [Domain("example.com", "+", "", 1)] == House.open(str(old)).domains()
