"""One purge after a takeover: the held spam and the bounces that it caused, wherever they are; no other."""

import contextlib
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from covers import covers
from e2e.farhost import FarHost, refuse, report
from e2e.running import PASSWORD, Installation
from e2e.test_containment import HOME, OWNER, STRANGER, calling, ordinary_days, tell

OTHER = "other@example.com"
NOTICE = 1
"""The letter that tells the owner of the containment."""

SETTINGS = """
[listen.customers]
address = "unix:{path}"
protocol = "submission"
requires_proxy = true
proxy_from = ["unix"]
[queue]
first_retry_s = 3600
longest_retry_s = 3600
delay_warning_s = 0
[returns]
sign = "always"
[guard]
watch = 900.0
contain = 901.0
whole_account = 902.0
first_time_recipients = 10000
watch_delay_s = 0
"""


@pytest.fixture
def far() -> Iterator[FarHost]:
    host = FarHost(refuse)
    yield host
    host.stop()


@pytest.fixture
def site(tmp_path: Path, far: FarHost, request: pytest.FixtureRequest) -> Iterator[Installation]:
    """A guard that looks away: here it is the operator who notices, late."""
    processes = getattr(request, "param", "one")
    extra = far.smarthost + SETTINGS.format(path=tmp_path / "customers")
    site = Installation(tmp_path / "site", processes=processes, extra=extra)
    for account in (OWNER, OTHER):
        site.add_account(account)
    tell(site, ordinary_days(40))
    with site.serving():
        yield site


def send(site: Installation, address: str, letters: list[list[str]], account: str = OWNER) -> None:
    with calling(site, address) as client:
        client.login(account, PASSWORD)
        for recipients in letters:
            client.sendmail(account, recipients, "Subject: buy\r\n\r\nbuy\r\n")


def bring(site: Installation, path: str, letter: str) -> None:
    with site.client() as client:
        client.sendmail("", [path], letter)


def deliveries(site: Installation, *words: str) -> int:
    return site.run("queue", "list", "--json", *words).count('"message":')


def wait_for(site: Installation, count: int, *words: str) -> None:
    deadline = time.monotonic() + 60
    while (found := deliveries(site, *words)) != count and time.monotonic() < deadline:
        time.sleep(0.2)
    assert count == found, site.run("queue", "list")


@contextlib.contextmanager
def mailbox_out_of_order(site: Installation) -> Iterator[None]:
    """A link in its place: nothing is delivered into it, and what comes waits."""
    box = site.folder / "mail/example.com/hello/Maildir"
    box.rename(box.with_name("aside"))
    box.symlink_to("aside")
    yield
    box.unlink()
    box.with_name("aside").rename(box)


def unrelated(site: Installation, far: FarHost) -> None:
    """Ten: forged ones, of the owner's mail from home, of another account's; five of them in his mailbox
    before.
    """
    before = len(far.sink.messages)
    send(site, HOME, [["later.own@far.example"], ["nobody.own@far.example"]])
    send(site, STRANGER, [["later.other@far.example"], ["nobody.other@far.example"]], OTHER)
    for message in far.wait_for(before + 2)[before:]:
        bring(site, message.sender, report(message.sender, message.recipients[0]))
    for _ in range(3):
        bring(site, OWNER, report(OWNER, "busy0@far.example"))


def spam(site: Installation, far: FarHost, numbers: range) -> None:
    """To one who waits, and to one who fails: every second at once, the others later."""
    before = len(far.sink.messages)
    letters = [[f"busy{n}@far.example", f"{'nobody' if n % 2 else 'later'}{n}@far.example"] for n in numbers]
    send(site, STRANGER, letters)
    for message in far.wait_for(before + len(numbers) // 2)[before:]:
        bring(site, message.sender, report(message.sender, message.recipients[0]))


@covers("T-03")
@covers("O-13")
def test_the_spam_and_its_bounces_and_nothing_else(site: Installation, far: FarHost) -> None:
    """100 held letters, 60 bounces of them, half in the queue and half in the mailbox, and 10 unrelated ones:
    the plan says 160, 160 go, 10 are left; undone, all are back, the letters held.
    """
    spam(site, far, range(30))
    unrelated(site, far)
    spam_id = re.search(r'"message":"(\w{17})"', site.run("queue", "list", "--json", "--account", OWNER))
    assert spam_id
    for _ in range(3):  # somebody writes our line himself, with the id of a letter that he got
        forged = f"X-Bounce-Of: {spam_id[1]} 0 {OWNER}\r\n"
        bring(site, OWNER, f"{forged}Return-Path: <>\r\nDelivered-To: {OWNER}\r\n{forged}Subject: x\r\n\r\n")
    site.wait_for_letters(OWNER, 30 + 8)
    site.wait_for_letters(OTHER, 2)
    with mailbox_out_of_order(site):
        spam(site, far, range(30, 60))
        wait_for(site, 30, "--sender", "<>", "--reply", "not available")
    send(site, STRANGER, [[f"busy{n}@far.example"] for n in range(60, 100)])
    wait_for(site, 100, "--reply", "come again")
    shown = site.run("incident", "contain", OWNER, "--yes")
    incident = re.search(r"\b(\w{17})\b", shown)
    assert incident, shown
    plan = site.run("queue", "purge", "--incident", incident[1], "--dry-run")
    assert "160 deliveries" in plan and "30 of them in mailboxes" in plan, plan
    assert 130 == deliveries(site, "--incident", incident[1])
    done = site.run("queue", "purge", "--incident", incident[1], "--yes")
    assert "160 deliveries purged" in done, done
    assert 0 == deliveries(site) and 2 == len(site.letters(OTHER))
    assert 8 + NOTICE == len(site.letters(OWNER))
    again = site.run("queue", "purge", "--incident", incident[1], "--yes", code=1)
    assert "nothing in the queue matches" in again
    action = re.search(r"--held-by (\w{17})", done)
    assert action
    assert "160 deliveries" in site.run("queue", "restore", "--held-by", action[1], "--dry-run")
    assert "160 deliveries restored" in site.run("queue", "restore", "--held-by", action[1], "--yes")
    assert 38 + NOTICE == len(site.letters(OWNER)) and 130 == deliveries(site)
    assert 100 == deliveries(site, "--account", OWNER)


@pytest.mark.parametrize("site", ["one", "split"], indirect=True)
@covers("T-03")
def test_without_a_server_and_by_incident(site: Installation, far: FarHost) -> None:
    """The same at rest: purged with the server down, restored by the incident."""
    spam(site, far, range(4))
    unrelated(site, far)
    site.wait_for_letters(OWNER, 4 + 5)
    shown = site.run("incident", "contain", OWNER, "--yes")
    incident = re.search(r"\b(\w{17})\b", shown)
    assert incident, shown
    wait_for(site, 4, "--incident", incident[1])
    site.stop()
    assert "8 deliveries purged" in site.run("queue", "purge", "--incident", incident[1], "--yes")
    assert 5 + NOTICE == len(site.letters(OWNER))
    site.start()
    assert "8 deliveries restored" in site.run("queue", "restore", "--incident", incident[1], "--yes")
    assert 9 + NOTICE == len(site.letters(OWNER)) and 4 == deliveries(site, "--account", OWNER)
