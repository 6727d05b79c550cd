"""Clients of the machine under test: how each state is reached, and what was said and done there."""

from msgspec import Struct

from sekisho.model.verdict import Reply
from sekisho.testing.stage import OnMachine
from sekisho.wire.smtp_server import ServerSettings
from sekisho.wire.steps import BodyEnd, Login, Step
from sekisho.wire.verbs import State

PLAIN_TEXT = ServerSettings("mx.example.com", 10_000, starttls=True, auth=True)
ENCRYPTED = ServerSettings("mx.example.com", 10_000, starttls=True, auth=True, implicit_tls=True)

HELLO = b"EHLO client.example\r\n"
MAIL = b"MAIL FROM:<carol@remote.example>\r\n"
RCPT = b"RCPT TO:<bob@example.com>\r\n"
LOGIN = b"AUTH PLAIN AGFsaWNlQGV4YW1wbGUuY29tAGNvcnJlY3QgaG9yc2U=\r\n"


class Way(Struct, frozen=True):
    """The writes that lead a new session to a state; each is answered before the next."""

    settings: ServerSettings
    writes: tuple[bytes, ...]
    state: State


WAYS = {
    "fresh": Way(PLAIN_TEXT, (), State.FRESH),
    "ready": Way(PLAIN_TEXT, (HELLO,), State.READY),
    "sender": Way(PLAIN_TEXT, (HELLO, MAIL), State.SENDER),
    "recipient": Way(PLAIN_TEXT, (HELLO, MAIL, RCPT), State.RECIPIENT),
    "body": Way(PLAIN_TEXT, (HELLO, MAIL, RCPT, b"DATA\r\n"), State.BODY),
    "in a body": Way(PLAIN_TEXT, (HELLO, MAIL, RCPT, b"DATA\r\n", b"Subject: x\r\n\r"), State.BODY),
    "before the end": Way(PLAIN_TEXT, (HELLO, MAIL, RCPT, b"DATA\r\n", b"x\r\n.\r"), State.BODY),
    "in a flawed body": Way(PLAIN_TEXT, (HELLO, MAIL, RCPT, b"DATA\r\n", b"a\nb\r\n"), State.BODY),
    "between chunks": Way(PLAIN_TEXT, (HELLO, MAIL, RCPT, b"BDAT 4\r\nx\r\n."), State.CHUNKS),
    "in a chunk": Way(PLAIN_TEXT, (HELLO, MAIL, RCPT, b"BDAT 400\r\nx\r\n\r"), State.BODY),
    "in an unwanted chunk": Way(PLAIN_TEXT, (HELLO, MAIL, b"BDAT 100\r\nx"), State.BODY),
    "after a message": Way(PLAIN_TEXT, (HELLO, MAIL, RCPT, b"DATA\r\n", b"x\r\n.\r\n"), State.READY),
    "encrypted": Way(ENCRYPTED, (HELLO,), State.READY),
    "known": Way(ENCRYPTED, (HELLO, LOGIN), State.READY),
    "plain": Way(ENCRYPTED, (HELLO, b"AUTH PLAIN\r\n"), State.SASL),
    "login": Way(ENCRYPTED, (HELLO, b"AUTH LOGIN\r\n"), State.SASL),
    "password": Way(ENCRYPTED, (HELLO, b"AUTH LOGIN\r\n", b"YWxpY2VAZXhhbXBsZS5jb20=\r\n"), State.SASL),
}


def arrived(way: Way) -> OnMachine:
    """A client in that state, everything said so far read."""
    client = connected(way.settings)
    for write in way.writes:
        client.send(write)
    replies(client)
    return client


def connected(settings: ServerSettings) -> OnMachine:
    client = OnMachine(settings)
    assert b"220 mx.example.com ESMTP" == client.line()
    return client


def say(client: OnMachine, *commands: bytes) -> list[bytes]:
    """One write; the lines that come back."""
    client.send(b"".join(commands))
    return replies(client)


def replies(client: OnMachine) -> list[bytes]:
    lines = []
    while (line := client.line()) is not None:
        lines.append(line)
    return lines


def codes(lines: list[bytes]) -> list[int]:
    """The code of each reply, not of each line."""
    return [int(line[:3]) for line in lines if line[3:4] == b" "]


def gist(steps: list[Step]) -> list[object]:
    """What the steps mean, however the body was cut; of a message that is refused only the refusal counts."""
    out: list[object] = []
    content = b""
    for step in steps:
        if isinstance(step, bytes):
            content += step
        elif isinstance(step, BodyEnd):
            out += [step if step.flaw else content, step]
            content = b""
        elif isinstance(step, Login):
            out.append((step.mechanism, step.identity, step.authorization, step.password.reveal()))
        else:
            out.append(step)
    return out


NO = Reply(452, "4.3.1", "not now")
