"""Each check, given facts and answers: what it says."""

import pytest
from answers import ALICE, NOW, STRANGER, TRUSTED, Answers, verdict
from msgspec.structs import replace

from sekisho.checks import (
    free_space,
    login_required,
    mailbox_full,
    mailbox_room,
    max_recipients,
    rate,
    received_loop,
    recipient_known,
    recipient_verified,
    relay,
    sender_local,
    sender_owned,
    takeover,
)
from sekisho.checks.ask import LOCKED, BodyFacts, Client, Judgement, Known, MailFacts, RcptFacts
from sekisho.mail.headers import Head, fields_of
from sekisho.model.incident import Grade, Place, Standing, Treatment
from sekisho.model.phrase import phrase
from sekisho.model.verdict import PASS, Act, Note, Verdict


def mail(client: Client, sender: str = "carol@remote.example", size: int = 0) -> MailFacts:
    return MailFacts(NOW, client, sender, size)


def rcpt(client: Client, recipient: str = "alice@example.com", given: int = 0, most: int = 100) -> RcptFacts:
    return RcptFacts(NOW, client, "carol@remote.example", 0, recipient, given, most)


def said(answer: Verdict) -> str:
    return str(answer.reply or "")[:9].rstrip()


SUBMISSION_STRANGER = Client("s", "submission", "192.0.2.7", submission=True)
SUBMISSION_TRUSTED = Client("s", "submission", "10.0.0.1", submission=True, trusted=True)


@pytest.mark.parametrize(
    ("client", "wanted"),
    [(STRANGER, ""), (ALICE, ""), (SUBMISSION_TRUSTED, ""), (SUBMISSION_STRANGER, "530 5.7.0")],
)
def test_login_required(client: Client, wanted: str) -> None:
    """Only on listeners for our own users, and not from trusted networks."""
    assert wanted == said(verdict(login_required.check(mail(client), Answers())))


@pytest.mark.parametrize(
    ("free", "size", "wanted"),
    [(1000, 0, ""), (1000, 1000, ""), (1000, 1001, "452 4.3.1"), (0, 0, "452 4.3.1"), (-5, 0, "452 4.3.1")],
)
def test_free_space(free: int, size: int, wanted: str) -> None:
    """Room for what is announced, and any room at all."""
    assert wanted == said(verdict(free_space.check(mail(STRANGER, size=size), Answers(free=free))))


@pytest.mark.parametrize(
    ("client", "sender", "wanted"),
    [
        (ALICE, "alice@example.com", ""),
        (ALICE, "", ""),
        (ALICE, "bob@example.com", "553 5.7.1"),
        (STRANGER, "bob@example.com", ""),
        (TRUSTED, "bob@example.com", ""),
    ],
)
def test_sender_owned(client: Client, sender: str, wanted: str) -> None:
    """Binds who has logged in, nobody else."""
    assert wanted == said(verdict(sender_owned.check(mail(client, sender), Answers())))


@pytest.mark.parametrize(
    ("client", "sender", "wanted"),
    [
        (STRANGER, "alice@example.com", ""),
        (STRANGER, "nobody@example.com", "550 5.1.0"),
        (STRANGER, "nobody@remote.example", ""),
        (STRANGER, "", ""),
        (TRUSTED, "nobody@example.com", ""),
    ],
)
def test_sender_local(client: Client, sender: str, wanted: str) -> None:
    """An address of ours that does not exist, from a stranger."""
    assert wanted == said(verdict(sender_local.check(mail(client, sender), Answers())))


@pytest.mark.parametrize(("given", "wanted"), [(99, ""), (100, "452 4.5.3"), (5000, "452 4.5.3")])
def test_max_recipients(given: int, wanted: str) -> None:
    """The hundredth is taken, the hundred and first is for another message."""
    assert wanted == said(verdict(max_recipients.check(rcpt(STRANGER, given=given), Answers())))


@pytest.mark.parametrize(
    ("client", "recipient", "wanted"),
    [
        (STRANGER, "nobody@example.com", ""),
        (STRANGER, "x@far.example", "550 5.7.1"),
        (STRANGER, "x@[127.0.0.1]", "550 5.7.1"),
        (STRANGER, "x@sub.example.com", "550 5.7.1"),
        (ALICE, "x@far.example", ""),
        (TRUSTED, "x@far.example", ""),
    ],
)
def test_relay(client: Client, recipient: str, wanted: str) -> None:
    """Others' domains are for our own people."""
    assert wanted == said(verdict(relay.check(rcpt(client, recipient), Answers())))


@pytest.mark.parametrize(
    ("answer", "wanted"), [("known", ""), ("unknown", "550 5.1.1"), ("silent", "451 4.4.1")]
)
def test_recipient_verified(answer: Known, wanted: str) -> None:
    """What the next host says; silence is for now."""
    assert wanted == said(verdict(recipient_verified.check(rcpt(STRANGER), Answers(said=answer))))


@pytest.mark.parametrize("local", ["a%far.example", "far.example!a", '"a@far.example"', "a:b"])
def test_a_hub_is_no_relay_for_strangers(local: str) -> None:
    """What the next host may read as a way to a third one is not sent on for them; our own users may."""
    recipient = f"{local}@example.com"
    asked = Answers(elsewhere=(recipient, "plain@example.com"))
    assert "550 5.7.1" == said(verdict(relay.check(rcpt(STRANGER, recipient), asked)))
    assert "" == said(verdict(relay.check(rcpt(ALICE, recipient), asked)))
    assert "" == said(verdict(relay.check(rcpt(STRANGER, recipient), Answers())))
    assert "" == said(verdict(relay.check(rcpt(STRANGER, "plain@example.com"), asked)))


@pytest.mark.parametrize(
    ("recipient", "wanted"),
    [("info@example.com", ""), ("nobody@example.com", "550 5.1.1"), ("nobody@far.example", "")],
)
def test_recipient_known(recipient: str, wanted: str) -> None:
    """Of our domains we know who is there; also for those who have logged in."""
    assert wanted == said(verdict(recipient_known.check(rcpt(ALICE, recipient), Answers())))


def test_a_bounce_to_an_invented_name_is_refused() -> None:
    """The catch-all takes ordinary mail; nobody here wrote as that name, so a bounce to it is backscatter."""
    answers = Answers(caught=("info@example.com",))
    letter = rcpt(STRANGER, "info@example.com")
    assert "" == said(verdict(recipient_known.check(letter, answers)))
    assert "550 5.1.1" == said(verdict(recipient_known.check(replace(letter, sender=""), answers)))
    named = replace(letter, sender="", recipient="alice@example.com")
    assert "" == said(verdict(recipient_known.check(named, answers)))


@pytest.mark.parametrize(("fields", "wanted"), [(50, ""), (51, "554 5.4.6")])
def test_received_loop(fields: int, wanted: str) -> None:
    """One more than the limit."""
    head = Head(fields_of(b"RECEIVED: x\r\n" * fields), 0)
    facts = BodyFacts(NOW, STRANGER, "", 0, (), head, 50)
    assert wanted == said(verdict(received_loop.check(facts, Answers())))


BOB, INFO = "bob@example.com", "info@example.com"


@pytest.mark.parametrize(
    ("size", "when_full", "wanted"),
    [(0, "later", "452 4.2.2"), (1000, "refuse", "552 5.2.2"), (1001, "later", "552 5.2.2")],
)
def test_mailbox_full(size: int, when_full: str, wanted: str) -> None:
    """What can never fit is refused for ever, whatever is said of a mailbox that is full now."""
    answers = Answers(full=(BOB,), tiny=(BOB,), when_full=when_full)
    facts = replace(rcpt(STRANGER, BOB), size=size)
    assert wanted == said(verdict(mailbox_full.check(facts, answers)))
    assert PASS is verdict(mailbox_full.check(replace(facts, recipient=INFO), answers))


@pytest.mark.parametrize(
    ("recipients", "size", "announced", "wanted"),
    [
        ((BOB,), 1001, 0, "552 5.2.2"),
        ((BOB,), 1001, 1000, "552 5.2.2"),
        ((BOB,), 1001, 1001, ""),
        ((BOB,), 1000, 0, ""),
        ((BOB, INFO), 1001, 0, ""),
        ((BOB, "full@example.com"), 1001, 0, "452 4.2.2"),
        (("full@example.com",), 1, 0, "452 4.2.2"),
    ],
)
def test_mailbox_room(recipients: tuple[str, ...], size: int, announced: int, wanted: str) -> None:
    """A letter larger than its client said is refused where nobody can take it; where somebody may come
    again later, all may."""
    answers = Answers(full=("full@example.com",), tiny=(BOB,))
    facts = BodyFacts(NOW, STRANGER, "", size, recipients, Head((), 0), 50, announced=announced)
    assert wanted == said(verdict(mailbox_room.check(facts, answers)))


def judged(treatment: Treatment, place: Place = "unfamiliar", **more: object) -> Judgement:
    reason = phrase("{who} is watched", who="alice")
    standing = Standing(
        "alice@example.com",
        "192.0.2.7",
        Grade.WATCH,
        place,
        treatment,
        300,
        "case",
        9.04,
        "",
        reason,
        **more,  # type: ignore[arg-type]
    )
    return Judgement(standing, help_url="https://help.example/")


def test_takeover_obeys_the_guard() -> None:
    """Pass, wait, hold under the action's name (else the case's), refuse with where help is.

    The evidence is for `explain`, not for who has the password.
    """

    def ask(judgement: Judgement, room: bool = True) -> Verdict:
        return verdict(takeover.check(mail(ALICE), Answers(judgement=judgement, room=room)))

    assert PASS is ask(judged("pass"))
    why = "evidence 9.0: alice is watched"
    assert Verdict(Act.DELAY, why=why, delay_s=300) == ask(judged("delay"))
    assert Verdict(Act.HOLD, why=why, held_by="case") == ask(judged("hold"))
    assert Verdict(Act.HOLD, why=why, held_by="action") == ask(judged("hold", action="action"))
    assert f"550 5.7.1 {LOCKED} https://help.example/" == str(ask(judged("refuse")).reply)
    assert why == ask(judged("refuse")).why
    assert "452 4.7.0" == said(ask(judged("hold"), room=False))
    bare = Judgement(Standing("alice@example.com", "192.0.2.7", treatment="hold"))
    assert takeover.UNNAMED == ask(bare).held_by


def test_takeover_asks_nothing_about_strangers() -> None:
    """Who has not logged in has no account that could be taken over: no hop to the guard."""
    answers = Answers(asked=[])
    assert PASS is verdict(takeover.check(mail(STRANGER), answers))
    assert PASS is verdict(rate.check(rcpt(TRUSTED), answers))
    assert [] == answers.asked


def test_rate_counts_only_while_the_guard_is_silent() -> None:
    """Twenty an hour for networks that are not confirmed; confirmed ones and a guard that answers: no
    limit.
    """

    def ask(place: Place, counted: int, *, fresh: bool) -> Verdict:
        judgement = Judgement(judged("pass", place).standing, fresh)
        return verdict(rate.check(rcpt(ALICE), Answers(judgement=judgement, counted=counted)))

    assert PASS is ask("unfamiliar", 100, fresh=True)
    assert PASS is ask("known", 100, fresh=False)
    assert "452 4.7.1" == said(ask("unfamiliar", 20, fresh=False))
    last = ask("nowhere", 19, fresh=False)
    assert (Act.PASS, (Note("unjudged", "alice@example.com", 1, NOW + 3_600_000_000),)) == (
        last.act,
        last.remember,
    )


WEB_NAMES = ("", "www-data@example.com")
HOUSEMATE = Client("s", "sendmail", account="web@example.com", names=WEB_NAMES, trusted=True)


@pytest.mark.parametrize(
    ("names", "sender", "wanted"),
    [
        (HOUSEMATE.names, "", ""),
        (HOUSEMATE.names, "WWW-data@example.com", ""),
        (HOUSEMATE.names, "alice@example.com", "553 5.7.1"),
        (("*",), "alice@example.com", ""),
    ],
)
def test_system_users_write_as_themselves(names: tuple[str, ...], sender: str, wanted: str) -> None:
    """And the trusted ones as anybody."""
    client = replace(HOUSEMATE, names=names)
    assert wanted == said(verdict(sender_owned.check(mail(client, sender), Answers())))
