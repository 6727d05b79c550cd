"""From a delivery back to the login: where the reply of a far host leads an operator, joining no logs."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from covers import covers
from e2e.farhost import FarHost
from e2e.running import Installation, queue_id
from sekisho.model.verdict import Reply
from waiting import until

HELLO = "hello@example.com"


def refuse(recipient: str) -> Reply | None:
    return Reply(550, "5.1.1", "no such user") if recipient.startswith("nobody") else None


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Installation]:
    far = FarHost(refuse)
    site = Installation(tmp_path / "site", extra=far.smarthost)
    site.add_account(HELLO)
    with site.serving():
        yield site
    far.stop()


def traced(site: Installation, key: str, wanted: int) -> list[dict[str, Any]]:
    """The events that `trace --json` gives, once there are so many deliveries among them."""

    def asked() -> list[dict[str, Any]]:
        code, said = site.tried("trace", "--json", key)
        told = [json.loads(line) for line in said.splitlines()] if code == 0 else []
        tries = sum(event["event"] == "delivery_tried" for event in told)
        return told if tries >= wanted else []

    return until(asked)


@covers("O-03", partly="precision and recall of the estimated join on a labelled foreign log; the console")
def test_a_delivery_leads_to_its_login(site: Installation) -> None:
    """Each delivery record names the login's event; that has address and session, the message its TLS."""
    with site.signed_in(HELLO) as client:
        client.mail(HELLO)
        for recipient in ("friend@far.example", "nobody@far.example"):
            client.rcpt(recipient)
        message = queue_id(client.data("Subject: x\r\n\r\nx\r\n")[1])
    told = traced(site, message, 2)
    tries = [event for event in told if event["event"] == "delivery_tried"]
    assert {"friend@far.example": "delivered", "nobody@far.example": "failed"} == {
        event["recipient"]: event["result"] for event in tries
    }
    (login,) = [event for event in told if event["event"] == "login_tried"]
    (accepted,) = [event for event in told if event["event"] == "accepted"]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:]{8}\.\d{3}[+-]\d\d:\d\d", event["at"]) for event in told)
    assert {login["id"]} == {event["login"] for event in (*tries, accepted)}
    assert {login["session"]} == {event["session"] for event in (*tries, accepted)}
    assert {("127.0.0.1", HELLO)} == {
        (event["address"], event["account"]) for event in (login, *tries, accepted)
    }
    assert accepted["tls"].startswith("TLS")
    (bounced,) = [event for event in told if event["event"] == "bounced"]
    by_bounce = traced(site, bounced["bounce"], 2)
    assert login["id"] in {event["id"] for event in by_bounce}
