"""Automatic replies on a real server, set by the command that an operator types."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.farhost import FarHost
from e2e.running import Installation

FRIEND, HELLO = "friend@far.example", "hello@example.com"


@pytest.fixture
def far() -> Iterator[FarHost]:
    host = FarHost()
    yield host
    host.stop()


@pytest.mark.parametrize("processes", ["one", "split"])
def test_a_sender_is_answered_once(tmp_path: Path, far: FarHost, processes: str) -> None:
    """By account or alias; not bulk, not bounces; not twice, not after a restart, not when it is off."""
    site = Installation(tmp_path / "site", processes=processes, extra=far.smarthost)
    site.add_account(HELLO)
    site.run("alias", "add", "sales@example.com", HELLO)
    text = "I am away.\n.\nBack on Monday.\n"
    site.run("account", "autoreply", HELLO, "--set", "--subject", "Away", "--until", "2100-01-01", stdin=text)

    def write(sender: str, to: str, *fields: str) -> None:
        with site.client() as client:
            head = "\r\n".join((f"To: {to}", "Subject: x", "Message-ID: <1@far.example>", *fields))
            client.sendmail(sender, [to], f"{head}\r\n\r\nwords\r\n")

    with site.serving():
        write(FRIEND, HELLO, "Precedence: bulk")
        write(FRIEND, HELLO, "List-Id: <x.y>")
        write("", HELLO)
        write(FRIEND, "sales@example.com")
        (reply,) = far.wait_for(1)
        assert ("", [FRIEND]) == (reply.sender, list(reply.recipients))
        write(FRIEND, HELLO)
        write("other@far.example", HELLO)
        far.wait_for(2)
    with site.serving():
        write(FRIEND, HELLO)
        site.wait_for_letters(HELLO, 7)
        time.sleep(1)
        assert 2 == len(far.sink.messages)
        site.run("account", "autoreply", HELLO, "--off")
        write("third@far.example", HELLO)
        site.wait_for_letters(HELLO, 8)
        time.sleep(1)
        assert 2 == len(far.sink.messages)
    shown = json.loads(site.run("account", "autoreply", HELLO, "--json"))
    assert not shown["answers"]
