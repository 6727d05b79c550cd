"""Containment and release over SMTP: strangers are stopped at once, the owner's own places go on."""

import asyncio
import contextlib
import json
import smtplib
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from covers import covers
from e2e.running import PASSWORD, Installation
from sekisho.model.event import Accepted, Event, LoginTried, RecipientGiven
from sekisho.service.messages import Observe
from sekisho.service.roles import WatchTower, real_world, recorder_of
from sekisho.store.settings import load

OWNER = "hello@example.com"
HOME, STRANGER = "60.1.1.10", "93.84.1.1"
DAY = 86_400 * 1_000_000

LISTENER = """
[listen.customers]
address = "unix:{path}"
protocol = "submission"
requires_proxy = true
proxy_from = ["unix"]
[queue]
first_retry_s = 1
"""


def ordinary_days(days: int) -> list[Event]:
    """The owner logs in at home every morning and evening and writes to a friend."""
    began = time.time_ns() // 1000 - days * DAY
    events: list[Event] = []
    for hour in (hour for day in range(days) for hour in (day * 24, day * 24 + 11)):
        traits = {"source": "history", "account": OWNER, "address": HOME, "session": f"s{hour}"}
        at = began + hour * 3600 * 1_000_000
        events += [
            LoginTried(id=f"l{hour}", at=at, **traits, service="submission", ok=True),
            RecipientGiven(id=f"r{hour}", at=at + 1, **traits, sender=OWNER, recipient="friend@example.com"),
            Accepted(
                id=f"a{hour}",
                at=at + 2,
                **traits,
                message=f"m{hour}",
                sender=OWNER,
                recipients=("friend@example.com",),
                recipient_count=1,
            ),
        ]
    return events


def tell(site: Installation, events: list[Event]) -> None:
    """To the watch role, before the server: as the demo tells its past."""

    async def telling() -> None:
        config = load(str(site.settings))
        world = real_world(config)
        watch = WatchTower(world, config, recorder_of(world, config, "history"))
        await watch.open([])
        await watch.handle(Observe(tuple(events)))
        await watch.stop()
        await world.spawn.stop()

    asyncio.run(telling())


class Claimed(smtplib.SMTP):
    """Over the private socket, with an address claimed by PROXY."""

    def __init__(self, path: str, address: str) -> None:
        self._path, self._address = path, address
        super().__init__("localhost", 25, "laptop", timeout=30)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(timeout)
        sock.connect(self._path)
        sock.sendall(f"PROXY TCP4 {self._address} 192.0.2.25 40000 587\r\n".encode())
        return sock


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Installation]:
    path = tmp_path / "customers"
    site = Installation(tmp_path / "site", extra=LISTENER.format(path=path))
    for account in (OWNER, "friend@example.com"):
        site.add_account(account)
    tell(site, ordinary_days(40))
    with site.serving():
        yield site


@contextlib.contextmanager
def calling(site: Installation, address: str) -> Iterator[Claimed]:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    client = Claimed(str(site.folder.parent / "customers"), address)
    try:
        client.starttls(context=context)
        yield client
    finally:
        client.close()


def login(site: Installation, address: str, password: str = PASSWORD) -> int:
    return told(site, address, password)[0]


def told(site: Installation, address: str, password: str) -> tuple[int, str]:
    with calling(site, address) as client:
        try:
            code, text = client.login(OWNER, password)
        except smtplib.SMTPAuthenticationError as error:
            code, text = error.smtp_code, error.smtp_error
        return code, text.decode() if isinstance(text, bytes) else text


def held(site: Installation) -> int:
    return site.run("queue", "list", "--json", "--account", OWNER).count('"held_by"')


@covers("F-08", partly="POP and IMAP, the account's lock in the console")
@covers("O-04")
def test_contain_and_release(site: Installation) -> None:
    """535 to a stranger, 235 at home, a live session ended, its mail held; twice is once; release
    restores.
    """
    with calling(site, STRANGER) as stranger:
        assert 235 == stranger.login(OWNER, PASSWORD)[0]
        letter = "Subject: theirs\r\n\r\nbuy\r\n"
        assert not stranger.sendmail(OWNER, ["friend@example.com", "x@far.example"], letter)
        began = time.monotonic()
        site.run("incident", "contain", OWNER, "--yes")
        with pytest.raises((smtplib.SMTPException, OSError)):
            stranger.mail(OWNER)
            assert stranger.rcpt("friend@example.com")[0] >= 400
            raise smtplib.SMTPServerDisconnected("refused, as it should be")
    assert 535 == login(site, STRANGER)
    assert time.monotonic() - began < 60  # the promise is a second, for the act alone
    assert 235 == login(site, HOME)
    assert 2 == held(site)  # under watch they waited; now they are held
    before = site.run("incident", "show", OWNER)
    again = site.run("incident", "contain", OWNER, "--yes")
    assert "nothing to do" in again and "then contained by " in again
    assert before == site.run("incident", "show", OWNER) and 2 == held(site)
    with calling(site, HOME) as owner:
        owner.login(OWNER, PASSWORD)
        assert not owner.sendmail(OWNER, ["friend@example.com"], "Subject: mine\r\n\r\nhello\r\n")
    assert any(b"Subject: mine" in letter for letter in site.wait_for_letters("friend@example.com", 1))
    site.run("incident", "release", OWNER, "--teach", "--yes")
    assert 235 == login(site, STRANGER)
    assert 0 == held(site)


def test_a_lock_of_the_whole_account_is_for_everywhere(site: Installation) -> None:
    """Also at home; unlock restores; mail for the account arrives all the same."""
    assert 235 == login(site, HOME)
    site.run("account", "lock", OWNER, "--why", "password stolen")
    assert [535, 535] == [login(site, HOME), login(site, STRANGER)]
    with site.client() as client:
        client.sendmail("a@far.example", [OWNER], "Subject: in\r\n\r\nhello\r\n")
    site.wait_for_letters(OWNER, 1)
    site.run("account", "unlock", OWNER)
    assert 235 == login(site, HOME)


@covers("F-08", partly="POP and IMAP, the account's lock in the console")
def test_app_passwords_are_revoked_and_come_back(site: Installation) -> None:
    """At home too, and it is said why; the undo of that action alone brings them back, as it lists."""
    shown = site.run("account", "app-password", "add", OWNER, "--name", "printer").strip()
    assert 235 == login(site, HOME, shown)
    site.run("incident", "contain", OWNER, "--yes")
    code, text = told(site, HOME, shown)
    assert 535 == code and "app password was revoked" in text
    assert 235 == login(site, HOME)
    assert "revoked at" in site.run("account", "app-password", "list", OWNER)
    answer = json.loads(site.run("incident", "show", OWNER, "--json"))
    (action,) = [each["id"] for each in answer["actions"] if each["kind"] == "revoke_access"]
    assert "open again" in site.run("incident", "undo", action, "--yes")
    assert 235 == login(site, HOME, shown)
    assert shown not in site.run("incident", "show", OWNER, "--json")
