"""The machine as its caller sees it: what is owed, what is written, what is remembered, what is forgotten."""

import gc

import pytest
from clients import (
    ENCRYPTED,
    HELLO,
    LOGIN,
    MAIL,
    PLAIN_TEXT,
    RCPT,
    WAYS,
    arrived,
    codes,
    connected,
    gist,
    say,
)

from covers import covers
from sekisho.model.verdict import Reply
from sekisho.testing.stage import OnMachine
from sekisho.wire.lines import UNREAD_OCTETS
from sekisho.wire.smtp_server import ServerSettings, SmtpServer
from sekisho.wire.steps import BodyEnd, Data, Hello, Login, Mail, Opened, Rcpt, Refused, Violated
from sekisho.wire.verbs import State

OK = Reply(250, "2.0.0", "ok")
GREETING = Reply(220, "", "mx.example.com ESMTP")
CANARY = b"correct horse"


def opened(settings: ServerSettings = PLAIN_TEXT) -> SmtpServer:
    machine = SmtpServer(settings)
    assert [Opened()] == list(machine.receive(b""))
    machine.reply(GREETING)
    assert b"220 mx.example.com ESMTP\r\n" == machine.take()
    return machine


# What is owed.


def test_nothing_is_read_on_while_a_reply_is_owed() -> None:
    """The commands behind wait; they come when the reply has been given, however late."""
    machine = opened()
    assert [Hello("client.example", extended=True)] == list(machine.receive(HELLO))
    machine.reply(OK)
    assert [Mail("carol@remote.example", {}, 0)] == list(machine.receive(MAIL + RCPT))
    assert [] == list(machine.receive(RCPT))
    machine.take()
    machine.reply(OK)
    assert b"250 2.0.0 ok\r\n" == machine.take()
    assert [Rcpt("bob@example.com", {})] == list(machine.receive(b""))


def test_a_reply_given_between_two_steps_lets_the_next_one_come() -> None:
    """The caller may answer within its loop."""
    machine = opened()
    list(machine.receive(HELLO))
    machine.reply(OK)
    seen = []
    for step in machine.receive(MAIL + RCPT + b"NOOP\r\n"):
        seen.append(type(step).__name__)
        machine.reply(OK)
    assert ["Mail", "Rcpt", "Noop"] == seen


def test_bytes_are_kept_even_if_nobody_looks_at_the_steps() -> None:
    """`receive` takes its bytes when it is called."""
    machine = opened()
    machine.receive(b"NO")
    machine.receive(b"OP\r\n")
    assert ["Noop"] == [type(step).__name__ for step in machine.receive(b"")]


def test_a_reply_that_nobody_asked_for_is_a_bug_of_ours() -> None:
    """It raises, because it would shift every reply after it."""
    with pytest.raises(RuntimeError):
        opened().reply(OK)


def test_a_late_reply_after_the_end_is_dropped() -> None:
    """The session was shut while somebody was still thinking about the answer."""
    machine = opened()
    list(machine.receive(b"NOOP\r\n"))
    machine.shut(Reply(421, "4.3.2", "shutting down"))
    machine.reply(OK)
    assert b"421 4.3.2 shutting down\r\n" == machine.take()
    assert machine.closed and [] == list(machine.receive(b"NOOP\r\n"))


def test_a_pipelined_group_is_one_write() -> None:
    """RFC 2920 3.2: the replies come together, in order, refusals among them."""
    client = arrived(WAYS["ready"])
    lines = say(client, MAIL, RCPT, b"RCPT TO:<nobody@example.com>\r\n", b"BLA\r\n", b"DATA\r\n")
    assert [250, 250, 550, 500, 354] == codes(lines)


def test_the_machine_says_no_where_the_caller_may_not_say_yes() -> None:
    """A flawed body is refused even if the caller forgets it."""
    machine = opened()
    for command in (HELLO, MAIL, RCPT):
        list(machine.receive(command))
        machine.reply(OK)
    assert [Data()] == list(machine.receive(b"DATA\r\n"))
    machine.reply(Reply(354, "", "go on"))
    steps = list(machine.receive(b"a\nb\r\n.\r\n"))
    assert isinstance(steps[-1], BodyEnd) and steps[-1].flaw is not None
    machine.take()
    machine.reply(OK)
    assert machine.take().startswith(b"550 5.6.11 ")
    assert machine.closed


def test_an_idle_machine_writes_nothing() -> None:
    """`take` gives everything once."""
    assert b"" == opened().take()


# Greeting and hello.


@pytest.mark.parametrize("code", [421, 554])
def test_a_client_may_be_sent_away_at_once(code: int) -> None:
    """Greeted with 554 or 421, it is not listened to."""
    machine = SmtpServer(PLAIN_TEXT)
    list(machine.receive(b""))
    machine.reply(Reply(code, "5.7.1" if code == 554 else "4.7.0", "go away"))
    assert machine.closed and machine.take().startswith(str(code).encode())


def test_an_early_talker_is_noticed_however_late_the_greeting() -> None:
    """What it said is not read; it gets 554 in the place of the greeting."""
    machine = SmtpServer(PLAIN_TEXT)
    assert [Opened()] == list(machine.receive(HELLO))
    assert [] == list(machine.receive(MAIL))
    machine.reply(GREETING)
    (step,) = list(machine.receive(b""))
    assert isinstance(step, Violated) and "early_talker" == step.what
    assert machine.take().startswith(b"554 5.5.1 ") and machine.closed


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("client.example", "client.example"),
        ("[192.0.2.1]", "[192.0.2.1]"),
        ("\u202eevil", "\\u202eevil"),
        ("пк", "\\u043f\\u043a"),
        ("a\\b", "a\\\\b"),
    ],
)
def test_the_hello_is_one_harmless_line(name: str, kept: str) -> None:
    """ASCII only: it will stand in a Received field and in events."""
    machine = opened()
    list(machine.receive(f"EHLO {name}\r\n".encode()))
    machine.reply(OK)
    assert (kept, "ESMTP") == (machine.hello, machine.protocol)


def test_a_refused_hello_leaves_the_old_one() -> None:
    """RFC 5321 4.1.4: the server stays in its state, transaction and all."""
    machine = opened()
    for command in (HELLO, MAIL):
        list(machine.receive(command))
        machine.reply(OK)
    list(machine.receive(b"HELO other.example\r\n"))
    machine.reply(Reply(550, "5.7.1", "not you"))
    assert ("client.example", "ESMTP", State.SENDER) == (machine.hello, machine.protocol, machine.state)


def test_capabilities_follow_the_settings() -> None:
    """Neither TLS nor AUTH is offered where it is not served."""
    bare = ServerSettings("mx.example.com", 77, starttls=False, auth=False)
    lines = say(connected(bare), HELLO)
    assert [
        b"250-mx.example.com",
        b"250-PIPELINING",
        b"250-SIZE 77",
        b"250-8BITMIME",
        b"250-ENHANCEDSTATUSCODES",
        b"250-DSN",
        b"250-CHUNKING",
        b"250-SMTPUTF8",
        b"250 LIMITS RCPTMAX=100",
    ] == lines
    client = connected(bare)
    say(client, HELLO)
    assert [502, 502] == codes(say(client, b"STARTTLS\r\n") + say(client, b"AUTH PLAIN\r\n"))


# TLS.


def test_the_handshake_is_wanted_after_220_only() -> None:
    """454 leaves everything as it was."""
    machine = opened()
    list(machine.receive(HELLO))
    machine.reply(OK)
    list(machine.receive(b"STARTTLS\r\n"))
    machine.reply(Reply(454, "4.7.0", "no certificate today"))
    assert not machine.tls_wanted and machine.state is State.READY
    list(machine.receive(b"STARTTLS\r\n"))
    machine.reply(Reply(220, "2.0.0", "go"))
    assert machine.tls_wanted
    machine.tls_started("TLSv1.3 TLS_AES_256_GCM_SHA384")
    assert (False, True, "", "SMTP") == (
        machine.tls_wanted,
        machine.encrypted,
        machine.hello,
        machine.protocol,
    )
    assert "TLSv1.3 TLS_AES_256_GCM_SHA384" == machine.tls


@pytest.mark.parametrize("late", ["EHLO injected.example\r\n", "E"])
@pytest.mark.parametrize("moment", ["with it", "before the reply", "before the handshake"])
def test_nothing_can_be_glued_behind_starttls(moment: str, late: str) -> None:
    """CVE-2011-0411: whenever the injected bytes come, they are not answered after the handshake."""
    machine = opened()
    list(machine.receive(HELLO))
    machine.reply(OK)
    machine.take()
    glued = late.encode()
    steps = list(machine.receive(b"STARTTLS\r\n" + (glued if moment == "with it" else b"")))
    if moment != "with it":
        assert [] == list(machine.receive(glued if moment == "before the reply" else b""))
        machine.reply(Reply(220, "2.0.0", "go"))
        steps = list(machine.receive(glued if moment == "before the handshake" else b""))
    (step,) = steps
    assert isinstance(step, Violated) and "glued" == step.what
    assert machine.closed and not machine.tls_wanted


def test_implicit_tls_is_encrypted_before_the_greeting() -> None:
    """The handshake comes first and forgets nothing, as nothing was said."""
    machine = SmtpServer(ENCRYPTED)
    machine.tls_started("TLSv1.3")
    assert machine.encrypted and [Opened()] == list(machine.receive(b""))
    machine.reply(GREETING)
    assert machine.take().startswith(b"220 ")


def test_bytes_from_before_the_handshake_are_not_read_after_it() -> None:
    """A caller who fed them by mistake has not let them in."""
    machine = SmtpServer(ENCRYPTED)
    list(machine.receive(b"EHLO injected.example\r\n"))
    machine.tls_started("TLSv1.3")
    machine.reply(GREETING)
    assert [] == list(machine.receive(b"")) and machine.take().startswith(b"220 ")


def test_tls_forgets_that_somebody_was_known() -> None:
    """RFC 3207 4.2, even where it cannot happen by the table."""
    client = arrived(WAYS["known"])
    assert client.machine.authenticated
    client.machine.tls_started("again")
    assert not client.machine.authenticated


# AUTH.


@covers("Q-04")
def test_a_login_carries_who_and_how() -> None:
    """Mechanism, identities, the password in its Secret, and the manner of speaking."""
    client = arrived(WAYS["known"])
    (login,) = [step for step in client.postmaster.steps if isinstance(step, Login)]
    assert ("PLAIN", "alice@example.com", "") == (login.mechanism, login.identity, login.authorization)
    assert CANARY == login.password.reveal()
    assert "EHLO=name AUTH:PLAIN+" == login.fingerprint == client.machine.fingerprint


@pytest.mark.parametrize("code", [235, 250, 454, 535])
def test_only_235_makes_a_client_known(code: int) -> None:
    """After any other reply it may try again."""
    machine = opened(ENCRYPTED)
    list(machine.receive(HELLO))
    machine.reply(OK)
    list(machine.receive(LOGIN))
    machine.reply(Reply(code, "", "so"))
    assert machine.authenticated == (code == 235)
    (again,) = list(machine.receive(LOGIN))
    assert isinstance(again, Refused if code == 235 else Login)


def test_a_client_that_cannot_wait_for_its_password_is_sent_away() -> None:
    """Bytes that came during the check of the password: 503, whatever the check said."""
    machine = opened(ENCRYPTED)
    list(machine.receive(HELLO))
    machine.reply(OK)
    list(machine.receive(LOGIN))
    list(machine.receive(MAIL))
    machine.take()
    machine.reply(Reply(235, "2.7.0", "welcome"))
    assert machine.take().startswith(b"503 5.5.1 ")
    assert machine.closed and not machine.authenticated


def reachable(root: object) -> str:
    """Everything that hangs on an object, as text."""
    seen: dict[int, object] = {}
    waiting = [root]
    while waiting:
        thing = waiting.pop()
        if id(thing) in seen or isinstance(thing, type) or callable(thing):
            continue
        seen[id(thing)] = thing
        waiting += gc.get_referents(thing)
    return "\n".join(repr(thing) for thing in seen.values() if isinstance(thing, bytes | str | bytearray))


@pytest.mark.parametrize(
    "writes",
    [
        (LOGIN,),
        (b"AUTH PLAIN\r\n", LOGIN[11:]),
        (b"AUTH LOGIN\r\n", b"YWxpY2VAZXhhbXBsZS5jb20=\r\n", b"Y29ycmVjdCBob3JzZQ==\r\n"),
    ],
)
def test_a_password_is_in_its_secret_and_nowhere_else(writes: tuple[bytes, ...]) -> None:
    """Not in the machine, before and after the reply; not in the repr of a step; not in the fingerprint."""
    machine = opened(ENCRYPTED)
    list(machine.receive(HELLO))
    machine.reply(OK)
    steps = [step for write in writes for step in machine.receive(write)]
    (login,) = steps
    assert isinstance(login, Login)
    for trace in (repr(login), reachable(machine), repr(machine)):
        assert "horse" not in trace and "Y29ycmVjd" not in trace and "AGNvcnJl" not in trace
    machine.reply(Reply(535, "5.7.8", "no"))
    assert "horse" not in reachable(machine)


# Memory.


@pytest.mark.parametrize("name", WAYS)
@pytest.mark.parametrize("filler", [b"x", b"\0", b" ", b"AUTH ", b"MAIL FROM:<"])
def test_a_line_without_an_end_costs_little(name: str, filler: bytes) -> None:
    """A megabyte, from every state: at most 12,288 octets are kept; outside a body it is over."""
    client = arrived(WAYS[name])
    worst = 0
    for _ in range(1_000_000 // 1000):
        client.send((filler * 1000)[:1000])
        worst = max(worst, client.machine.unread)
    assert worst <= 12_288
    assert client.machine.closed == (client.machine.state is not State.BODY)


@pytest.mark.parametrize(("start", "octets"), [(b"NOOP ", 2048), (b"RCPT TO:", 4096), (b"AUTH ", 12_288)])
@pytest.mark.parametrize("piece", [0, 1, 100])
def test_each_command_has_its_limit(start: bytes, octets: int, piece: int) -> None:
    """One octet less than too many is read; too many is too many, with its end or without."""
    client = arrived(WAYS["ready"])
    client.piece = piece
    assert 1 == len(say(client, start.ljust(octets - 2, b"x") + b"\r\n"))
    assert not client.machine.closed
    assert [b"500 5.5.6 line too long"] == say(client, start.ljust(octets - 1, b"x") + b"\r\n")
    assert client.machine.closed


def test_a_flood_while_a_reply_is_owed_ends() -> None:
    """A caller that never stops reading is protected too."""
    machine = opened()
    list(machine.receive(b"NOOP\r\n"))
    steps = []
    for _ in range(2 * UNREAD_OCTETS // 65536):
        steps += list(machine.receive(b"NOOP\r\n" * (65536 // 6)))
    assert ["flood"] == [step.what for step in steps if isinstance(step, Violated)]
    assert machine.closed and 0 == machine.unread
    machine.reply(OK)
    assert machine.take().startswith(b"421 4.7.0 ")


def test_the_manner_of_speaking_is_kept_short_and_ends_with_the_first_message() -> None:
    """What comes later says nothing new about the program."""
    client = connected(PLAIN_TEXT)
    for number in range(1000):
        say(client, b"X%dY\r\n" % number, b"noop\r\n", b"Noop\r\n")
    assert len(client.machine.fingerprint) <= 200
    client = arrived(WAYS["after a message"])
    before = client.machine.fingerprint
    say(client, b"HELP\r\n")
    assert "EHLO=name MAIL RCPT DATA" == before == client.machine.fingerprint


# Time.


def test_silence_has_its_own_length_in_a_body() -> None:
    """The settings say how long."""
    settings = ServerSettings("mx", 1000, starttls=False, auth=False, command_s=7, data_s=9)
    client = connected(settings)
    assert 7 == client.machine.silence_s
    say(client, HELLO)
    say(client, MAIL, RCPT, b"DATA\r\n")
    assert 9 == client.machine.silence_s


@pytest.mark.parametrize("name", WAYS)
def test_patience_ends_from_every_state(name: str) -> None:
    """421 4.4.2, once, and nothing more."""
    client = arrived(WAYS[name])
    client.machine.expire()
    client.machine.expire()
    assert b"421 4.4.2 closing after too long a silence\r\n" == client.machine.take()
    assert client.machine.closed and [] == say(client, b"NOOP\r\n.\r\n")


# Messages.


def test_what_was_sent_is_what_is_kept() -> None:
    """Wire form, dots doubled, to the last octet."""
    client = arrived(WAYS["body"])
    content = b"Subject: x\r\n\r\n..\r\n...\r\n.x\r\n\xff\xfe\r\n\r\n"
    assert [b"250 2.6.0 queued as 1"] == say(client, content + b".\r\n")
    (letter,) = client.postmaster.letters
    assert (content, ("bob@example.com",)) == (letter.content, letter.recipients)


def test_a_message_in_one_write_is_one_part() -> None:
    """The fast path: no piece of Python per line."""
    client = arrived(WAYS["body"])
    say(client, b"line of text\r\n" * 500 + b".\r\n")
    assert 1 == sum(isinstance(step, bytes) for step in client.postmaster.steps)


def test_an_empty_message_has_no_part() -> None:
    """A dot at once is a message of no octets."""
    client = arrived(WAYS["body"])
    say(client, b".\r\n")
    assert [b"", BodyEnd(0)] == gist(client.postmaster.steps)[-2:]


def sent_home(client: OnMachine) -> None:
    assert [503, 503] == codes(say(client, RCPT, b"DATA\r\n"))


@pytest.mark.parametrize("end", [b".\r\n", b"x" * 20_000 + b"\r\n.\r\n"])
def test_every_end_of_a_transaction_forgets_it(end: bytes) -> None:
    """Taken or refused: RCPT and DATA need a new MAIL."""
    client = arrived(WAYS["body"])
    say(client, end)
    sent_home(client)
