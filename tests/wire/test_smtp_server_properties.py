"""What holds for every client: cutting never matters, garbage never raises, and a small model agrees."""

import itertools

import pytest
from clients import ENCRYPTED, NO, PLAIN_TEXT, WAYS, arrived, codes, connected, gist, say
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from sekisho.model.verdict import Reply
from sekisho.testing.stage import OnMachine
from sekisho.wire.steps import Chunk, Refused, Step, Violated

FRAGMENTS = [
    b"EHLO client.example\r\n", b"HELO x\r\n", b"MAIL FROM:<carol@remote.example>\r\n", b"MAIL FROM:<>\r\n",
    b"MAIL FROM:<carol@remote.example> SIZE=5 BODY=8BITMIME\r\n", b"RCPT TO:<bob@example.com>\r\n",
    b"RCPT TO:<nobody@example.com>\r\n", b"rcpt to:<\"a>b\"@example.com>\r\n", b"DATA\r\n", b"RSET\r\n",
    b"NOOP\r\n", b"VRFY bob\r\n", b"HELP\r\n", b"QUIT\r\n", b"STARTTLS\r\n", b"GET / HTTP/1.1\r\n",
    b"AUTH PLAIN\r\n", b"AUTH LOGIN\r\n", b"*\r\n", b"YWxpY2VAZXhhbXBsZS5jb20=\r\n",
    b"AUTH PLAIN AGFsaWNlQGV4YW1wbGUuY29tAGNvcnJlY3QgaG9yc2U=\r\n", b"\r\n", b"\n", b"\r", b".", b".\r\n",
    b"BDAT 3\r\n", b"BDAT 12 LAST\r\n", b"BDAT 0 LAST\r\n", b"BDAT 0\r\n",
    b"\r\n.\r\n", b"\n.\n", b"..\r\n", b"Subject: x\r\n", b"x" * 3000, b"\0", b"\xff",
]  # fmt: skip
TALK = st.one_of(
    st.lists(st.sampled_from(FRAGMENTS), max_size=8).map(b"".join),
    st.lists(st.one_of(st.sampled_from(FRAGMENTS), st.binary(max_size=12)), max_size=8).map(b"".join),
    st.binary(max_size=200),
)
STATE = st.sampled_from(sorted(WAYS))
CUTS = st.lists(st.integers(0, 10_000), max_size=6)


def told(client: OnMachine, pieces: list[bytes]) -> tuple[list[bytes], list[object], bool, str]:
    """Everything that may be seen of a session after these bytes."""
    before = len(client.postmaster.steps)
    for piece in pieces:
        client.send(piece)
    lines = []
    while (line := client.line()) is not None:
        lines.append(line)
    steps = client.postmaster.steps[before:]
    return lines, gist(steps), client.machine.closed, client.machine.fingerprint


def impatient(steps: list[object]) -> bool:
    """Who did not wait is found out by when bytes come, so for them cutting does matter."""
    return any(isinstance(step, Violated) and step.what in ("pipelined", "glued") for step in steps)


@pytest.mark.parametrize("name", WAYS)
@settings(max_examples=60, deadline=None)
@given(talk=TALK, cuts=CUTS)
@example(talk=b"MAIL FROM:<>\r\nRCPT TO:<bob@example.com>\r\nDATA\r\n", cuts=[1, 20])
@example(talk=b"\r\n.\r\nMAIL FROM:<>\r\nNOOP\r\n", cuts=[1, 2, 3, 4])
@example(talk=b"x" * 2047 + b"\n", cuts=[2046, 2047])
@example(talk=b"AUTH " + b"x" * 12_283 + b"\r\n", cuts=[3, 12_287])
def test_cutting_never_matters(name: str, talk: bytes, cuts: list[int]) -> None:
    """From every state: whole, cut anywhere, byte by byte: same replies, same steps, same end."""
    whole = told(arrived(WAYS[name]), [talk])
    assume(not impatient(whole[1]))
    places = [0, *sorted(cut % (len(talk) + 1) for cut in cuts), len(talk)]
    cut = [talk[start:end] for start, end in itertools.pairwise(places)]
    assert whole == told(arrived(WAYS[name]), cut)
    if len(talk) < 400:
        assert whole == told(arrived(WAYS[name]), [talk[at : at + 1] for at in range(len(talk))])


@settings(max_examples=400, deadline=None)
@given(STATE, TALK)
def test_garbage_never_raises(name: str, talk: bytes) -> None:
    """From every state, whole and byte by byte: steps and replies, nothing else; every reply is a reply."""
    for pieces in ([talk], [talk[at : at + 1] for at in range(len(talk))]):
        lines, _, closed, _ = told(arrived(WAYS[name]), pieces)
        for line in lines:
            assert line[:3].isdigit() and line[3:4] in b" -" and line.isascii() and len(line) <= 510
        if closed:
            assert lines or any(b"QUIT" in piece.upper() for piece in pieces)


@settings(max_examples=200, deadline=None)
@given(STATE, TALK, st.lists(st.booleans(), max_size=12))
def test_every_owing_step_gets_one_reply(name: str, talk: bytes, moods: list[bool]) -> None:
    """Whatever the caller answers: one reply a step, except for the parts of a body."""
    client = arrived(WAYS[name])
    before = len(client.postmaster.steps)
    answer = client.postmaster.answer
    left = iter(moods)

    def moody(step: Step) -> Reply | None:
        reply = answer(step)
        return NO if reply is not None and not next(left, True) else reply

    client.postmaster.answer = moody  # type: ignore[method-assign]
    lines, *_ = told(client, [talk])
    replied = [code for code in codes(lines) if code != 334]
    chunks = sum(line.endswith(b" octets received") for line in lines)
    steps = [step for step in client.postmaster.steps[before:] if not isinstance(step, bytes)]
    unheard = sum(isinstance(step, Chunk) for step in steps)  # its chunk is answered, or is refused
    assert len(replied) - chunks <= len(steps) <= len(replied) + unheard


class Client(RuleBasedStateMachine):
    """A client that does anything in any order, against a model of what must be said.

    The model is the transaction (a hello, a sender, how many recipients) and the session (encrypted, known,
    over). It knows nothing of the machine's table.
    """

    def __init__(self) -> None:
        super().__init__()
        self.hello = self.encrypted = self.known = self.over = False
        self.heard = 0
        self.sender = self.chunks = False
        self.recipients = 0
        self.letters = 0

    @initialize(implicit=st.booleans())
    def connect(self, implicit: bool) -> None:
        self.encrypted = implicit
        self.client = connected(ENCRYPTED if implicit else PLAIN_TEXT)

    def says(self, command: bytes, *expected: int) -> None:
        assert list(expected) == codes(say(self.client, command))

    def forget(self) -> None:
        self.sender, self.recipients, self.chunks, self.heard = False, 0, False, 0

    @precondition(lambda self: not self.over)
    @rule(verb=st.sampled_from([b"EHLO", b"HELO", b"ehlo"]))
    def greet(self, verb: bytes) -> None:
        self.says(verb + b" client.example\r\n", 250)
        self.hello = True
        self.forget()

    @precondition(lambda self: not self.over)
    @rule(path=st.sampled_from([b"<carol@remote.example>", b"<>", b"<carol>", b"<\xff@x.example>", b"carol"]))
    def mail(self, path: bytes) -> None:
        if not self.hello or self.sender:
            self.says(b"MAIL FROM:" + path + b"\r\n", 503)
            return
        code = {b"<carol>": 501, b"carol": 501, b"<\xff@x.example>": 553}.get(path, 250)
        self.says(b"MAIL FROM:" + path + b"\r\n", code)
        self.sender = code == 250

    @precondition(lambda self: not self.over)
    @rule(name=st.sampled_from([b"bob", b"nobody", b""]))
    def rcpt(self, name: bytes) -> None:
        command = b"RCPT TO:<" + name + b"@example.com>\r\n"
        if not self.sender or self.chunks:
            self.says(command, 503)
        else:
            self.says(command, {b"bob": 250, b"nobody": 550, b"": 501}[name])
            self.recipients += name == b"bob"

    @precondition(lambda self: not self.over)
    @rule(
        body=st.sampled_from(
            [b"", b"Subject: x\r\n\r\ny\r\n", b"..\r\n", b"x" * 11_000 + b"\r\n", b"a\nb\r\n"]
        )
    )
    def data(self, body: bytes) -> None:
        if not self.recipients or self.chunks:
            self.says(b"DATA\r\n", 503)
            return
        self.says(b"DATA\r\n", 354)
        self.forget()
        if b"a\nb" in body:
            self.says(body + b".\r\n", 550)
            self.over = True
        elif len(body) > 10_000:
            self.says(body + b".\r\n", 552)
        else:
            self.says(body + b".\r\n", 250)
            self.letters += 1

    @precondition(lambda self: not self.over)
    @rule(
        body=st.sampled_from(
            [b"", b"x: y\r\n.\r\n", b"QUIT\r\n", b"..", b"x" * 6_000 + b"\r\n", b"a\nb\r\n"]
        ),
        last=st.booleans(),
    )
    def chunk(self, body: bytes, last: bool) -> None:
        command = b"BDAT %d%s\r\n" % (len(body), b" LAST" if last else b"") + body
        if not self.recipients:
            self.says(command, 503)
            return
        self.chunks = True
        self.heard += len(body)
        if b"a\nb" in body or self.heard > 10_000:
            self.says(command, 550 if b"a\nb" in body else 552)
            self.forget()
            return
        self.says(command, 250)
        if last:
            self.letters += 1
            self.forget()

    @precondition(lambda self: self.recipients and not self.chunks)
    @rule(count=st.integers(1, 4))
    def pipeline(self, count: int) -> None:
        group = b"MAIL FROM:<>\r\n" + b"RCPT TO:<bob@example.com>\r\n" * count + b"DATA\r\n"
        self.says(b"DATA\r\n", 354)
        self.says(b"first\r\n.\r\n" + group, 250, 250, *[250] * count, 354)
        self.says(b"second\r\n.\r\n", 250)
        self.letters += 2
        self.forget()

    @precondition(lambda self: not self.over)
    @rule()
    def reset(self) -> None:
        self.says(b"RSET\r\n", 250)
        self.forget()

    @precondition(lambda self: not self.over)
    @rule(
        verb=st.sampled_from(
            [(b"NOOP", 250), (b"VRFY bob", 252), (b"HELP", 214), (b"EXPN x", 502), (b"\0", 500)]
        )
    )
    def idle(self, verb: tuple[bytes, int]) -> None:
        self.says(verb[0] + b"\r\n", verb[1])

    @precondition(lambda self: not self.over)
    @rule()
    def starttls(self) -> None:
        if not self.hello or self.sender or self.encrypted:
            self.says(b"STARTTLS\r\n", 503)
            return
        self.says(b"STARTTLS\r\n", 220)
        self.client.start_tls()
        self.encrypted, self.hello = True, False

    @precondition(lambda self: not self.over)
    @rule(secret=st.sampled_from([b"AGFsaWNlQGV4YW1wbGUuY29tAGNvcnJlY3QgaG9yc2U=", b"AGEAYg==", b"!", b"*"]))
    def auth(self, secret: bytes) -> None:
        if not self.hello or self.sender or self.known:
            self.says(b"AUTH PLAIN\r\n", 503)
        elif not self.encrypted:
            self.says(b"AUTH PLAIN\r\n", 538)
        else:
            self.says(b"AUTH PLAIN\r\n", 334)
            self.says(secret + b"\r\n", {b"!": 501, b"*": 501, b"AGEAYg==": 535}.get(secret, 235))
            self.known = len(secret) > 20

    @precondition(lambda self: not self.over)
    @rule(
        verb=st.sampled_from(
            [b"GET / HTTP/1.1\r\n", b"NOOP\n", b"BDAT x\r\n", b"EHLO x\r\nNOOP\r\n", b"QUIT\r\n"]
        )
    )
    def end(self, verb: bytes) -> None:
        assert 1 == len(say(self.client, verb))
        self.over = True

    @precondition(lambda self: self.over)
    @rule()
    def speak_to_the_wall(self) -> None:
        self.says(b"NOOP\r\n")

    @invariant()
    def agrees(self) -> None:
        if hasattr(self, "client"):
            machine = self.client.machine
            assert self.over == machine.closed
            assert self.letters == len(self.client.postmaster.letters)
            assert self.over or (self.encrypted, self.known) == (machine.encrypted, machine.authenticated)
            assert not any(
                isinstance(step, Refused) and step.reply.code < 500 for step in self.client.postmaster.steps
            )


Client.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestAgainstTheModel = Client.TestCase
