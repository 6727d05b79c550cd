"""Logging in and sending as somebody: what vault, guard and checks make of it, through the socket."""

import asyncio
import base64
import sys
from pathlib import Path

import pytest
from msgspec.json import encode
from reception_stage import CANARY, PASSWORD, UNAVAILABLE, Held, Stage, play, until

from covers import covers
from sekisho.checks.ask import LOCKED
from sekisho.model.config import Guard, Limits, Vault
from sekisho.model.event import Accepted, Event, Judged, LoginTried, RecipientGiven, Refused, Troubled
from sekisho.model.incident import Grade, Standing
from sekisho.model.letter import DELAYED_BY
from sekisho.model.phrase import phrase
from sekisho.model.text import printable
from sekisho.service.messages import Verified, VerifyPassword

HELP = "https://help.example/locked"


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path, guard=Guard(help_url=HELP, held_messages=2))


def saying(treatment: str, when: type[Event] | None = None, **more: object) -> object:
    """A guard that says this of one kind of event, and "pass" of the others."""

    def judge(event: Event) -> Standing:
        if when is not None and not isinstance(event, when):
            return Standing(event.account, event.address, network="AS1/JP")
        return Standing(event.account, event.address, Grade.CONTAIN, "unfamiliar", treatment, **more)  # type: ignore[arg-type]

    return judge


@covers("Q-04")
def test_a_login_is_judged_and_stands_on_the_message(stage: Stage) -> None:
    """Account, client address, login id, network, TLS and listener lead from a delivery back to the login."""

    async def scene(stage: Stage) -> None:
        client = await stage.logged_in()
        answer = await client.letter("alice@example.com", "x@far.example", text="From: a\r\n\r\nhi\r\n")
        assert answer.startswith("250 2.6.0 ")
        (login,) = stage.of(LoginTried)
        assert (True, "alice@example.com", "submission", "PLAIN") == (
            login.ok,
            login.account,
            login.service,
            login.mechanism,
        )
        assert login.fingerprint
        origin = stage.spool.kept[0].draft.envelope.origin
        assert ("alice@example.com", "127.0.0.1", login.id, "AS1/JP", "submission") == (
            origin.account,
            origin.address,
            origin.login,
            origin.network,
            origin.listener,
        )
        assert origin.tls.startswith("TLSv1.3 ") and origin.session == login.session
        assert [LoginTried, RecipientGiven, Accepted] == [type(event) for event in stage.judged]
        assert [event.id for event in stage.judged] == [
            event.id for event in stage.events if isinstance(event, LoginTried | RecipientGiven | Accepted)
        ]
        assert login.id == stage.of(Accepted)[0].login
        head = stage.spool.kept[0].draft.head.decode()
        assert "with ESMTPSA id" in head and "TLSv1.3" in head and "\r\nDate: " in head
        assert "\r\nMessage-ID: <" in head and head.endswith("@mx.example.com>\r\n")

    stage.judge = saying("pass", type(None))
    play(stage, scene)


def test_who_logs_in_on_the_tls_port_is_judged_too(stage: Stage) -> None:
    """Implicit TLS: the greeting comes under TLS, AUTH is there at once."""

    async def scene(stage: Stage) -> None:
        client = await stage.greeted("submissions")
        assert (await client.login()).startswith("235")
        assert (await client.letter("alice@example.com", "x@far.example")).startswith("250")
        assert "submissions" == stage.of(LoginTried)[0].service
        assert "submissions" == stage.spool.kept[0].draft.envelope.origin.listener

    play(stage, scene)


def test_wrong_passwords_and_unknown_users_look_the_same(stage: Stage) -> None:
    """One text; the guard and the log are told which it was; to act as another is refused like both."""

    async def scene(stage: Stage) -> None:
        client = await stage.encrypted()
        answers = [await client.login("alice@example.com", "wrong"), await client.login("nobody@example.com")]
        other = base64.b64encode(f"bob@example.com\0alice@example.com\0{PASSWORD}".encode()).decode()
        answers.append(await client.say(f"AUTH PLAIN {other}"))
        assert {"535 5.7.8 Authentication credentials invalid"} == set(answers)
        tried = [(event.ok, event.account, event.why, event.digest) for event in stage.of(LoginTried)]
        assert [
            (False, "alice@example.com", "password", "cafe"),
            (False, "nobody@example.com", "unknown_user", "beef"),
            (False, "alice@example.com", "denied", ""),
        ] == tried
        assert (await client.letter("alice@example.com", "x@far.example")).startswith("530 5.7.0 ")
        assert not stage.judged
        assert (await client.login()).startswith("235")

    play(stage, scene)


def test_rule_10_a_spent_address_is_refused_before_the_hash(tmp_path: Path) -> None:
    """With the text of a wrong password, the right one too; who has logged in from there goes on."""
    asked = []

    def verify(request: VerifyPassword) -> Verified:
        asked.append(request.login)
        password = request.password.reveal().decode()
        return Verified(request.login) if password == PASSWORD else Verified("", "password", password)

    async def scene(stage: Stage) -> None:
        client = await stage.encrypted()
        assert (await client.login("bob@example.com")).startswith("235")
        for number in range(3):
            client = await stage.encrypted()
            assert (await client.login("alice@example.com", f"guess{number}")).startswith("535")
        asked.clear()
        answer = await client.login("alice@example.com")
        assert ("535 5.7.8 Authentication credentials invalid", []) == (answer, asked)
        assert "budget" == stage.of(LoginTried)[-1].why
        assert (await client.login("bob@example.com")).startswith("235")

    stage = Stage(tmp_path, vault=Vault(wrong_per_address=3))
    stage.verify = verify
    play(stage, scene)


def test_what_is_no_address_is_not_written_down(stage: Stage) -> None:
    """A password typed into the field for the name does not reach the log."""

    async def scene(stage: Stage) -> None:
        client = await stage.encrypted()
        assert (await client.login(CANARY, "x")).startswith("535")
        assert [""] == [event.account for event in stage.of(LoginTried)]

    play(stage, scene)


@pytest.mark.parametrize("busy", [True, False])
def test_a_busy_or_absent_vault_is_454(stage: Stage, busy: bool) -> None:
    """Mail programs try again after 454; after 535 they would ask their user for a new password."""

    def verify(request: VerifyPassword) -> Verified:
        if not busy:
            raise UNAVAILABLE
        return Verified("", "busy")

    async def scene(stage: Stage) -> None:
        client = await stage.encrypted()
        assert (await client.login()).startswith("454 4.7.0 ")
        stage.verify = stage._verified
        assert (await client.login()).startswith("235")

    stage.verify = verify
    play(stage, scene)


def test_without_tls_or_on_the_mail_exchanger_no_password_is_taken(stage: Stage) -> None:
    """538 before STARTTLS; port 25 has no AUTH at all, encrypted or not."""

    async def scene(stage: Stage) -> None:
        client = await stage.greeted("submission")
        assert (await client.login()).startswith("538 ")
        assert (await client.letter("alice@example.com", "bob@example.com")).startswith("530 5.7.0 ")
        exchanger = await stage.greeted()
        await exchanger.start_tls()
        assert "AUTH" not in await exchanger.say("EHLO client.example")
        assert (await exchanger.login()).startswith("502 ")

    play(stage, scene)


@covers("O-07", partly="one policy for all domains")
def test_the_sender_belongs_to_who_has_logged_in(stage: Stage) -> None:
    """553 for another's address; the null sender is everybody's."""

    async def scene(stage: Stage) -> None:
        client = await stage.logged_in()
        assert (await client.say("MAIL FROM:<bob@example.com>")).startswith("553 5.7.1 ")
        assert (await client.say("MAIL FROM:<alice@far.example>")).startswith("553 5.7.1 ")
        assert (await client.say("MAIL FROM:<>")).startswith("250")

    play(stage, scene)


def test_unknown_recipients_do_not_throw_a_user_out(tmp_path: Path) -> None:
    """A newsletter with dead addresses of our own domain is put right by its sender, not cut off."""

    async def scene(stage: Stage) -> None:
        client = await stage.logged_in()
        await client.say("MAIL FROM:<alice@example.com>")
        for _ in range(6):
            assert (await client.say("RCPT TO:<gone@example.com>")).startswith("550 5.1.1 ")
        assert (await client.say("RCPT TO:<bob@example.com>")).startswith("250")
        assert ["bob@example.com"] == [e.recipient for e in stage.judged if isinstance(e, RecipientGiven)]

    play(Stage(tmp_path, limits=Limits(errors=2, bad_recipients=2)), scene)


def test_a_held_letter_is_answered_250_and_marked(stage: Stage) -> None:
    """The thief sees success; every delivery starts held by the incident, and stays so."""

    async def scene(stage: Stage) -> None:
        client = await stage.logged_in()
        answer = await client.letter("alice@example.com", "x@far.example", "y@far.example")
        assert answer.startswith("250 2.6.0 queued as ")
        draft = stage.spool.kept[0].draft
        assert [frozenset({"incident7"})] * 2 == [delivery.held_by for delivery in draft.deliveries]
        assert "incident7" == stage.of(Accepted)[0].held_by
        held = [event for event in stage.of(Judged) if event.act == "hold"]
        assert [("body", "takeover", True)] == [(event.stage, event.check, event.won) for event in held]

    stage.judge = saying("hold", Accepted, incident="incident7", score=9.5)
    play(stage, scene)


def test_a_hold_at_one_recipient_holds_the_whole_letter(stage: Stage) -> None:
    """What was strange at RCPT is not forgotten at the end of the letter."""

    async def scene(stage: Stage) -> None:
        client = await stage.logged_in()
        assert (await client.letter("alice@example.com", "x@far.example")).startswith("250")
        assert frozenset({"incident7"}) == stage.spool.kept[0].draft.deliveries[0].held_by

    stage.judge = saying("hold", RecipientGiven, incident="incident7")
    play(stage, scene)


def test_above_the_limit_nothing_more_is_held(stage: Stage) -> None:
    """452: the reviewer's time and the disk have an end."""

    async def scene(stage: Stage) -> None:
        client = await stage.logged_in()
        stage.spool.held = Held(messages=1, bytes=0)
        assert (await client.letter("alice@example.com", "x@far.example")).startswith("250")
        stage.spool.held = Held(messages=2, bytes=0)
        assert (await client.letter("alice@example.com", "x@far.example")).startswith("452 4.7.0 ")
        stage.spool.held = Held(messages=1, bytes=100 * 1024 * 1024)
        assert (await client.letter("alice@example.com", "x@far.example")).startswith("452 4.7.0 ")
        assert 1 == len(stage.spool.kept)

    stage.judge = saying("hold", Accepted, incident="incident7")
    play(stage, scene)


def test_a_delayed_letter_waits_in_the_queue(stage: Stage) -> None:
    """Under watch the first try comes later; nothing else changes."""

    async def scene(stage: Stage) -> None:
        client = await stage.logged_in()
        assert (await client.letter("alice@example.com", "x@far.example")).startswith("250")
        draft = stage.spool.kept[0].draft
        assert draft.envelope.origin.at + 300 * 1_000_000 == draft.deliveries[0].next_at
        assert not draft.deliveries[0].held_by and draft.envelope.origin.suspect
        assert "takeover: evidence 0.0: alice is watched" == draft.envelope.options[DELAYED_BY]

    stage.judge = saying("delay", Accepted, delay_s=300, reason=phrase("{name} is watched", name="alice"))
    play(stage, scene)


def test_a_refused_login_gets_the_reason_and_help(stage: Stage) -> None:
    """Only after the right password: 535 with the help URL and no evidence; the session stays a stranger."""

    async def scene(stage: Stage) -> None:
        client = await stage.encrypted()
        assert f"535 5.7.8 {LOCKED} {HELP}" == await client.login()
        assert (
            await client.login("alice@example.com", "wrong")
        ) == "535 5.7.8 Authentication credentials invalid"
        assert (await client.letter("alice@example.com", "bob@example.com")).startswith("530 ")
        (tried, wrong) = stage.of(LoginTried)
        assert tried.ok and not wrong.ok
        assert [("login", "takeover")] == [(e.stage, e.by) for e in stage.of(Refused)][:1]

    stage.judge = saying("refuse", reason=phrase("{name} is contained", name="alice"))
    play(stage, scene)


def test_a_refusal_in_the_middle_of_a_session(stage: Stage) -> None:
    """The account is locked while a client is logged in: 550 at RCPT and at the end of a letter."""

    async def scene(stage: Stage) -> None:
        client = await stage.logged_in()
        stage.judge = saying("refuse", RecipientGiven)
        assert f"550 5.7.1 {LOCKED} {HELP}" == await client.letter("alice@example.com", "x@far.example")
        await client.say("RSET")
        stage.judge = saying("refuse", Accepted)
        assert (await client.letter("alice@example.com", "x@far.example")).startswith("550 5.7.1 ")
        assert not stage.spool.kept

    play(stage, scene)


def test_a_guard_that_is_slow_is_not_waited_for(stage: Stage) -> None:
    """After 200 ms the last word stands: mail goes on, with a cap where the network is not confirmed."""

    async def slow(event: Event) -> Standing:
        await asyncio.sleep(60)
        raise AssertionError

    async def scene(stage: Stage) -> None:
        client = await stage.logged_in()
        stage.judge = slow
        stage.spool.kept.clear()
        await client.say("MAIL FROM:<alice@example.com>")
        answers = [await client.say(f"RCPT TO:<u{n}@far.example>") for n in range(22)]
        assert ["250"] * 20 + ["452"] * 2 == [answer[:3] for answer in answers]
        assert answers[20].startswith("452 4.7.1 ")
        await client.say("DATA")
        assert (await client.raw(b"a: b\r\n\r\n.\r\n")).startswith("250")
        assert 20 == len(stage.spool.kept[0].draft.deliveries)
        stage.clock.advance(3601)
        assert (await client.letter("alice@example.com", "x@far.example")).startswith("250")

    stage.judge = saying("pass", network="AS1/JP")
    stage.spawn._pool._max_workers = 2
    play(stage, scene)


@pytest.mark.parametrize(
    ("last", "place", "wanted"),
    [("pass", "known", "250"), ("hold", "unfamiliar", "held"), ("refuse", "known", "550")],
)
def test_without_a_guard_its_last_word_stands(stage: Stage, last: str, place: str, wanted: str) -> None:
    """A watch that has died fails open where it was content, and stays closed where it was not."""

    def gone(event: Event) -> Standing:
        raise UNAVAILABLE

    async def scene(stage: Stage) -> None:
        client = await stage.logged_in()
        stage.judge = lambda event: Standing(
            event.account,
            event.address,
            Grade.CONTAIN,
            place,
            last,
            incident="i7",  # type: ignore[arg-type]
        )
        await client.say("MAIL FROM:<alice@example.com>", "RCPT TO:<x@far.example>", "RSET")
        stage.judge = gone
        answer = await client.letter("alice@example.com", "x@far.example")
        if wanted == "held":
            assert frozenset({"i7"}) == stage.spool.kept[0].draft.deliveries[0].held_by
        else:
            assert answer.startswith(wanted)

    play(stage, scene)


def test_a_guard_with_a_bug_stops_no_mail(stage: Stage) -> None:
    """Its role answers "internal error", which is no answer."""

    def broken(event: Event) -> Standing:
        raise KeyError(CANARY)

    async def scene(stage: Stage) -> None:
        client = await stage.logged_in()
        assert (await client.letter("alice@example.com", "bob@example.com")).startswith("250")

    stage.judge = broken
    stage._record_trouble = lambda what, about, trace: None  # type: ignore[method-assign]
    play(stage, scene)


def test_dropping_sessions_spares_the_owners_networks(stage: Stage) -> None:
    """Who is logged in from elsewhere is cut off with 421, in the middle of a letter too."""

    async def scene(stage: Stage) -> None:
        networks = iter(["AS1/JP", "AS2/BY", "AS3/UA"])
        stage.judge = lambda event: Standing(
            event.account, event.address, network=next(networks) if isinstance(event, LoginTried) else ""
        )
        owner, thief, other = [await stage.logged_in() for _ in range(3)]
        stranger = await stage.greeted()
        await thief.say("MAIL FROM:<alice@example.com>", "RCPT TO:<x@far.example>", "DATA")
        assert 2 == stage.reception.drop_sessions("alice@example.com", ("AS1/JP",))
        for client in (thief, other):
            assert (await client.reply()).startswith("421 4.7.0 ")
            assert await client.closed()
        for client in (owner, stranger):
            assert (await client.say("NOOP")).startswith("250")
        assert not stage.spool.kept

    play(stage, scene)


def test_letters_on_their_way_to_the_spool_are_waited_for(stage: Stage) -> None:
    """Judged before the incident, kept after: who holds the queue waits until they are there to be held."""

    async def scene(stage: Stage) -> None:
        stage.spool.gate = asyncio.Event()
        client = await stage.logged_in()
        await client.say("MAIL FROM:<alice@example.com>", "RCPT TO:<x@far.example>", "DATA")
        client.writer.write(b"a: b\r\n\r\n.\r\n")
        await until(lambda: any(isinstance(event, Accepted) for event in stage.judged))
        await asyncio.wait_for(stage.reception.quiet("bob@example.com"), 1)
        quiet = asyncio.create_task(stage.reception.quiet("alice@example.com"))
        await asyncio.sleep(0.05)
        assert not quiet.done()
        stage.spool.gate.set()
        await quiet
        assert 1 == len(stage.spool.kept)

    play(stage, scene)


def test_a_guard_that_is_off_is_not_asked(tmp_path: Path) -> None:
    """`guard.enabled = false`: standings are clear."""

    async def scene(stage: Stage) -> None:
        client = await stage.logged_in()
        assert (await client.letter("alice@example.com", "x@far.example")).startswith("250")
        assert not stage.judged

    play(Stage(tmp_path, guard=Guard(enabled=False)), scene)


def test_checks_can_be_softened(tmp_path: Path) -> None:
    """A refusal becomes a letter that waits for somebody to look; what it would have been is told."""

    async def scene(stage: Stage) -> None:
        client = await stage.logged_in()
        assert (await client.letter("bob@example.com", "x@far.example")).startswith("250")
        assert frozenset({"check-sender_owned"}) == stage.spool.kept[0].draft.deliveries[0].held_by
        judged = stage.of(Judged)[0]
        assert ("sender_owned", "hold") == (judged.check, judged.act) and "softened from reject" in judged.why

    play(Stage(tmp_path, soften={"sender_owned": "hold"}), scene)


@pytest.mark.parametrize("shown", ["address", "token", "none"])
def test_the_clients_address_can_be_left_out(tmp_path: Path, shown: str) -> None:
    """Who has logged in is told by address, by a token or not at all; strangers are always named."""

    async def scene(stage: Stage) -> None:
        client = await stage.logged_in()
        await client.letter("alice@example.com", "x@far.example")
        await (await stage.greeted()).letter("", "bob@example.com")
        ours, theirs = [kept.draft.head for kept in stage.spool.kept]
        assert (shown == "address") == (b"127.0.0.1" in ours) == (b"client.example" in ours)
        login = stage.spool.kept[0].draft.envelope.origin.login
        assert (shown == "token") == (f"(token {login})".encode() in ours) == (login.encode() in ours)
        assert b"127.0.0.1" in theirs and b"token" not in theirs
        assert "127.0.0.1" == stage.spool.kept[0].draft.envelope.origin.address

    play(Stage(tmp_path, show_client=shown), scene)


def test_a_password_is_nowhere(stage: Stage, capfd: pytest.CaptureFixture[str]) -> None:
    """Right, wrong, in a vault that breaks, in a session that ends: never in events, traces or files."""
    texts: list[str] = []

    def broken(request: VerifyPassword) -> Verified:
        plain = request.password.reveal()
        raise KeyError(plain)

    def trouble(what: str, about: str, trace: str) -> None:
        texts.append(f"{what} {about} {trace}")

    async def scene(stage: Stage) -> None:
        for verify in (stage._verified, broken, lambda request: Verified("alice@example.com")):
            stage.verify = verify
            client = await stage.encrypted()
            texts.append(await client.login("alice@example.com", CANARY))
        stage.judge = lambda event: 1 / 0  # type: ignore[assignment, return-value]
        client = await stage.encrypted()
        texts.append(await client.login("alice@example.com", CANARY))
        client = await stage.encrypted()
        texts.append(await client.say("AUTH LOGIN", "YWxpY2U=", base64.b64encode(CANARY.encode()).decode()))
        stage.reception._front.judging.judge = None  # type: ignore[assignment, method-assign]
        client = await stage.encrypted()
        assert (await client.login("alice@example.com", CANARY)).startswith("421 4.3.0 ")
        assert stage.of(Troubled)

    stage._record_trouble = trouble  # type: ignore[method-assign]
    play(stage, scene)
    texts += [encode(event).decode() for event in stage.events + stage.judged]
    texts += [path.read_text(errors="replace") for path in stage.folder.rglob("*") if path.is_file()]
    texts += list(capfd.readouterr())
    for hidden in (CANARY, base64.b64encode(CANARY.encode()).decode().rstrip("="), printable(CANARY)):
        assert not [text for text in texts if hidden in text]
    assert sys.exc_info() == (None, None, None)
