"""The list of checks, and what settings can make of it."""

import importlib
import pkgutil

import pytest
from answers import ALICE, NOW, STRANGER, TRUSTED, Answers, verdict
from msgspec.structs import replace

from sekisho import checks
from sekisho.checks.ask import (
    AskedDkim,
    AskedDmarc,
    AskedSpf,
    BodyFacts,
    Client,
    Judgement,
    MailFacts,
    RcptFacts,
    SessionFacts,
)
from sekisho.checks.registry import REGISTRY, STAGES, Entry, mistakes, policy
from sekisho.mail.dmarc import Dmarc
from sekisho.mail.headers import Head
from sekisho.mail.spf import Spf
from sekisho.model.incident import Standing
from sekisho.model.verdict import PASS, Act

HELPERS = {"ask", "registry"}


def test_every_file_is_registered_and_nothing_else() -> None:
    """A check is one file and one line; names are those of the files."""
    files = {module.name for module in pkgutil.iter_modules(checks.__path__)} - HELPERS
    assert files == {entry.name for entry in REGISTRY}
    for entry in REGISTRY:
        assert entry.check is importlib.import_module(f"sekisho.checks.{entry.name}").check
        assert entry.stage in STAGES and str(entry.caption).endswith("?")


def test_what_the_guard_hears_of_comes_last() -> None:
    """It learns what it is asked about, so only what nothing else refuses is asked."""
    for stage, entries in policy((), {}).stages.items():
        lasts = [entry.last for entry in entries]
        assert lasts == sorted(lasts), stage


def test_settings_choose_and_order_but_cannot_open_the_door() -> None:
    """Named checks in their order; the firm ones stay, and the last ones stay last."""
    chosen = policy(("takeover", "recipient_known", "max_recipients"), {}).stages["rcpt"]
    assert ["relay", "recipient_known", "max_recipients", "takeover"] == [entry.name for entry in chosen]
    assert [] == [entry.name for entry in policy(("relay",), {}).stages["body"]]
    assert ["login_required"] == [entry.name for entry in policy(("relay",), {}).stages["mail"]]
    assert {"takeover": Act.DELAY} == policy((), {"takeover": "delay"}).soften


CLIENTS = tuple(
    replace(client, submission=submission)
    for client in (STRANGER, TRUSTED, ALICE)
    for submission in (False, True)
)
STOLEN = Standing("alice@example.com", "192.0.2.7", treatment="refuse", place="unfamiliar")
HOSTILE = Answers(
    leads={},
    free=-1,
    judgement=Judgement(STOLEN, fresh=False),
    room=False,
    counted=1000,
    proof=AskedSpf(6, Spf("fail", "example.com")),
    signed=AskedDkim((), {"none": "reject"}),
    author=AskedDmarc(Dmarc("fail", "example.com", "reject", "reject"), obeyed=True),
)
"""Answers by which every check refuses what it may refuse."""


def worst(entry: Entry, client: Client) -> SessionFacts:
    match entry.stage:
        case "mail":
            return MailFacts(NOW, client, "nobody@example.com", 1)
        case "rcpt":
            return RcptFacts(NOW, client, "carol@remote.example", 0, "bob@far.example", 100, 100)
    return BodyFacts(NOW, client, "", 1, ("alice@example.com",), Head((), 2), 0, True)


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("entry", [entry for entry in REGISTRY if entry.about != "all"])
def test_who_is_not_asked_about_would_pass(entry: Entry, client: Client) -> None:
    """Whatever is answered: leaving a check out lets nothing in. Whom it is about, it refuses somewhere."""
    asked = policy((), {}).asked_of(entry.stage, client)
    found = verdict(entry.check(worst(entry, client), HOSTILE))
    if entry not in asked:
        assert found is PASS
    elif entry.name != "login_required" or client.submission:
        assert found is not PASS


def test_who_logged_in_is_asked_about_by_the_guard() -> None:
    """At every recipient and at the end; the open relay's question is for strangers."""
    checked = policy((), {})
    assert "takeover" in [each.name for each in checked.asked_of("rcpt", ALICE)]
    assert "takeover" in [each.name for each in checked.asked_of("body", replace(ALICE, trusted=True))]
    assert "relay" in [each.name for each in checked.asked_of("rcpt", STRANGER)]
    assert "sender_owned" in [each.name for each in checked.asked_of("mail", ALICE)]


@pytest.mark.parametrize(
    ("names", "soften", "wanted"),
    [
        ((), {}, []),
        (("relay", "takeover"), {"takeover": "pass"}, []),
        (("relais",), {}, ["there is no check named relais"]),
        ((), {"relais": "pass"}, ["there is no check named relais"]),
        ((), {"relay": "tag"}, ["relay cannot be softened: without it this server is not safe"]),
    ],
)
def test_mistakes_are_named(names: tuple[str, ...], soften: dict[str, str], wanted: list[str]) -> None:
    """For `config check`, which says them with the key's name."""
    assert wanted == [str(mistake) for mistake in mistakes(names, soften)]
