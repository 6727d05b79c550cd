"""The SMTP server, without sockets, clock or policy (RFC 5321, 3207, 4954, 2920, 3030, 2033).

    machine = SmtpServer(settings)
    for step in machine.receive(data):      # b"" at the very beginning, and after a reply that came late
        machine.reply(...)                  # exactly one for each step that owes a reply
    transport.write(machine.take())

Theory of operation. `receive` keeps the bytes and reads on while no reply is owed; so what the client sends
ahead waits until its turn. The order of verbs is the table of `verbs.py`: a verb in order becomes a step that
owes a reply, and a positive reply moves to the state that the table names. What is out of order, malformed or
unknown the machine answers itself. Where a byte that came too early could be read in two ways (before the
greeting, behind STARTTLS, DATA, AUTH or EHLO, a bare LF) it answers and closes.
"""

from collections.abc import Iterator

from sekisho.model.verdict import Reply
from sekisho.wire import replies, verbs
from sekisho.wire.body import Body
from sekisho.wire.chunks import Chunks, Discard, parse_chunk
from sekisho.wire.commands import (
    QMAIL,
    ServerSettings,
    Session,
    auth_refusal,
    capabilities,
    refusal_of,
    step_of,
)
from sekisho.wire.lenient import LenientBody
from sekisho.wire.lines import UNREAD_OCTETS, Lines
from sekisho.wire.manner import note
from sekisho.wire.patience import IMPATIENT, ONWARD, PIPELINED, SASL
from sekisho.wire.qmail_voice import in_qmails_words
from sekisho.wire.sasl import Challenge, Credentials, Exchange, Outcome
from sekisho.wire.steps import (
    BodyEnd,
    Chunk,
    Data,
    Hello,
    Login,
    Mail,
    Opened,
    Owing,
    Quit,
    Rcpt,
    Refused,
    StartTls,
    Step,
    Violated,
    XClient,
)
from sekisho.wire.verbs import State

__all__ = ["ServerSettings", "SmtpServer", "Step"]

Reader = Body | Chunks | Discard

_CONTROLS = bytes(range(0x20)) + b"\x7f"


class SmtpServer(Lines):
    """One connection. Public attributes are for reading; only the methods change them."""

    __slots__ = (
        "_begun", "_body", "_ended", "_exchange", "_goal", "_greeted", "_manner", "_named", "_order",
        "_owed", "_session", "_trouble", "_verbs", "settings", "tls", "tls_wanted",
    )  # fmt: skip

    def __init__(self, settings: ServerSettings) -> None:
        super().__init__(in_qmails_words if settings.speaks == QMAIL else None)
        self.settings = settings
        self.tls = ""
        self.tls_wanted = False
        qmail = settings.speaks == QMAIL
        self._verbs, self._order = verbs.spoken(lmtp=settings.lmtp, qmail=qmail, xclient=settings.xclient)
        self._named = not settings.xclient  # for whom the peer speaks is known
        self._session = Session(encrypted=settings.implicit_tls)
        self._goal = State.FRESH  # the state that a positive reply to what is owed leads to
        self._owed: type[Owing] | None = None  # its kind only: a Login's password is not kept
        self._trouble: Step | None = None  # found while no step could be yielded
        self._greeted = Hello("", False)
        self._body: Reader | None = None
        self._ended = False  # the final dot was seen, or the end of a chunk
        self._begun = False  # a first message was
        self._exchange: Exchange | None = None
        self._manner = ""

    # What the caller does.

    def receive(self, data: bytes) -> Iterator[Step]:
        """Takes the bytes at once, then yields steps until a reply is owed or the bytes are used up."""
        if data:
            self._keep(data)
        return iter(self._next, None)

    def reply(self, reply: Reply) -> None:
        """The answer to the last owing step. After `shut` or `expire` it comes too late and is dropped."""
        owed = self._owed
        if self.closed:
            return
        if owed is None:
            raise RuntimeError("no reply is owed")
        self._owed = None
        if owed in IMPATIENT and self._buffer:
            self._trouble = self._violate(*IMPATIENT[owed])
            return
        self._move(owed, reply)
        if reply.code == 421:  # RFC 5321 3.8
            self._close()

    def tls_started(self, description: str) -> None:
        """After the handshake: everything said before is forgotten, unread bytes too (RFC 3207 4.2)."""
        self.tls = description
        self._session = Session(encrypted=True)
        self._buffer, self._at = b"", 0
        self.tls_wanted = False
        if self.state is State.HANDSHAKE:  # else it was implicit TLS, and the greeting is still owed
            self.state = State.FRESH

    def expire(self) -> None:
        """The client was silent for longer than `silence_s`."""
        self.shut(replies.SILENCE)

    def shut(self, reply: Reply) -> None:
        """Ends the session from our side, whatever it was doing."""
        if not self.closed:
            self._say(reply)
            self._close()

    @property
    def encrypted(self) -> bool:
        return self._session.encrypted

    @property
    def authenticated(self) -> bool:
        return self._session.authenticated

    @property
    def hello(self) -> str:
        """The name of the last HELO or EHLO that was accepted: ASCII, one line, not verified."""
        return self._session.hello

    @property
    def protocol(self) -> str:
        """What the letter at hand comes by, as a trace field names it."""
        base = "LMTP" if self.settings.lmtp else "SMTP"
        if self._session.smtputf8:
            return "UTF8" + base
        return "E" * (self._session.extended and not self.settings.lmtp) + base

    @property
    def receiving(self) -> object | None:
        """Stands for the content that is coming in now, wanted or not."""
        return self._body if self.state is State.BODY else None

    @property
    def idle(self) -> bool:
        """Whether there is nothing to go on with until the client says more."""
        return not self._buffer and self._trouble is None and self.state in verbs.COMMAND_STATES

    @property
    def silence_s(self) -> int:
        """Longest silence of the client to be borne now (RFC 5321 4.5.3.2)."""
        return self.settings.data_s if self.state is State.BODY else self.settings.command_s

    @property
    def fingerprint(self) -> str:
        """How the client speaks (see `manner.py`)."""
        return self._manner

    # Bytes to steps.

    def _keep(self, data: bytes) -> None:
        if self.closed:
            return
        if self.state is State.HANDSHAKE:
            self._trouble = self._violate(replies.GLUED, "glued")
            return
        self._add(data)
        if self._owed is not None and len(self._buffer) > UNREAD_OCTETS:
            self._trouble = self._violate(replies.FLOOD, "flood")

    def _next(self) -> Step | None:
        if self._trouble is not None:
            step, self._trouble = self._trouble, None
            return step
        if self.closed or self._owed is not None:
            return None
        state = self.state
        if state is State.BODY:
            return self._next_part()
        if state is State.GREETING:
            return self._owe(Opened())
        if not self._buffer:
            return None
        line = self._line()
        if not isinstance(line, bytes):
            return line
        return self._answered(line) if state is State.SASL else self._command(line)

    def _next_part(self) -> Step | None:
        assert self._body is not None
        if self._ended:
            return self._end_of(self._body)
        if not self._buffer and self._body.left:
            return None
        part, rest = self._body.feed(self._buffer[self._at :])
        self._buffer, self._at = rest or b"", 0
        self._ended = rest is not None
        return part or self._next()

    def _end_of(self, body: Reader) -> Step | None:
        """Of the message; or of a chunk, which the machine answers itself."""
        answer = body.answer()
        if answer is None:
            return self._owe(BodyEnd(body.size, body.flaw, body.bare_lf))
        self.state = self._goal
        if not answer.positive:
            return self._refuse(answer, "BDAT")
        self._say(answer)
        return self._next()

    # Lines to steps.

    def _command(self, line: bytes) -> Step | None:
        if line.translate(None, _CONTROLS) != line:
            return self._refuse(replies.CONTROL, "")
        word, _, argument = line.partition(b" ")
        argument = argument.strip(b" ")
        if not self._begun:
            self._manner = note(self._manner, word, argument)
        verb = self._verbs.get(word.upper())
        if verb is None:
            return self._unknown(word.upper())
        if self._buffer and verb in verbs.LAST_IN_GROUP:
            return self._violate(*IMPATIENT[StartTls if verb == "STARTTLS" else Data])
        goal = self._order[verb][self.state]
        if verb == "BDAT":
            return self._chunk(argument, goal)
        if not self._named and verb not in verbs.BEFORE_XCLIENT:
            return self._refuse(replies.XCLIENT_FIRST, verb)
        if isinstance(goal, Reply):
            return self._refuse(goal, verb)
        if verb == "AUTH":
            return self._auth(argument)
        step = step_of(verb, argument, self.settings, self._session)
        if isinstance(step, Reply):
            return self._refuse(step, verb)
        if isinstance(step, Hello):
            self._greeted = step
        elif isinstance(step, Mail):
            self._session.smtputf8, self._session.recipients = "SMTPUTF8" in step.params, 0
        self._goal, self._owed = goal, type(step)
        return step

    def _unknown(self, word: bytes) -> Refused | Violated:
        reply, violation = refusal_of(word)
        if violation:
            return self._violate(reply, violation)
        return self._refuse(reply, "" if reply is replies.UNKNOWN else word.decode("ascii"))

    def _chunk(self, argument: bytes, goal: State | Reply) -> Step | None:
        """RFC 3030 2. Whatever is answered, what belongs to the chunk is never read as commands."""
        chunk = parse_chunk(argument)
        if isinstance(chunk, Reply):
            return self._violate(chunk, "bdat")
        octets, last = chunk
        if isinstance(goal, Reply):
            self._goal = self.state
            self._read(Discard(octets, goal))
            return self._next()
        self._goal = goal
        if isinstance(self._body, Chunks) and self.state is State.CHUNKS:
            self._body.begin(octets, last=last)
            self._read(self._body)
            return self._next()
        self._body = chunks = Chunks(self.settings.size_limit)
        chunks.begin(octets, last=last)
        return self._owe(Chunk())

    def _read(self, body: Reader) -> None:
        self.state, self._body, self._ended = State.BODY, body, False

    def _auth(self, argument: bytes) -> Step | None:
        refusal = auth_refusal(self.settings, self._session)
        mechanism, _, initial = argument.partition(b" ")
        name = mechanism.upper().decode("ascii", "replace")
        if refusal is None and name not in self.settings.mechanisms:
            refusal = replies.MECHANISM if name else replies.ARGUMENT
        if refusal is not None:
            return self._refuse(refusal, "AUTH")
        self._exchange = Exchange(name, self._manner)
        return self._go_on(self._exchange, self._exchange.begin(initial))

    def _answered(self, line: bytes) -> Step | None:
        assert self._exchange is not None
        if self.unread:
            return self._violate(*PIPELINED)
        return self._go_on(self._exchange, self._exchange.answer(line))

    def _go_on(self, exchange: Exchange, outcome: Outcome) -> Step | None:
        if isinstance(outcome, Challenge):
            self.state = State.SASL
            self._say(Reply(334, "", outcome.text))
            return None
        self.state = State.READY
        if isinstance(outcome, Reply):
            self._exchange = None
            return self._refuse(outcome, "AUTH")
        if isinstance(outcome, Credentials):
            name, other, password = outcome.identity, outcome.authorization, outcome.password
            return self._owe(Login(exchange.mechanism, name, other, password, self._manner))
        return self._owe(outcome)

    # Replies and what follows from them.

    def _move(self, owed: type[Owing], reply: Reply) -> None:
        """The part of a reply's meaning that the table cannot say."""
        if owed is Hello and reply.positive:
            self._say_hello(reply)
            return
        if owed is BodyEnd:
            self._end_body(reply)
            return
        if owed is Chunk and reply.code != 421:
            self._begin_chunks(reply)
            return
        if self._exchange is not None and reply.code == 334:
            self._trouble = self._go_on(self._exchange, self._exchange.told(reply.text))
            return
        self._say(reply, owed)
        if owed is Rcpt:
            if reply.positive:
                self._session.recipients += 1
                self.state = State.RECIPIENT
        elif owed in SASL:
            self._session.authenticated, self._exchange = reply.code == 235, None
        elif owed is XClient and reply.code == 220:
            self._named, self._session, self.state = True, Session(self.encrypted), State.FRESH
        elif reply.code == ONWARD.get(owed, reply.code) and reply.positive:
            self._enter(self._goal)
        elif owed in (Opened, XClient, Quit):
            self._close()  # RFC 5321 3.1 (not followed: after 554 we do not wait for QUIT)

    def _enter(self, state: State) -> None:
        self.state = state
        if state is State.BODY:
            kind = LenientBody if self.settings.bare_lf else Body
            self._read(kind(self.settings.size_limit))
            self._begun = True
        elif state is State.HANDSHAKE:
            self.tls_wanted = True
        elif state is State.CLOSED:
            self._close()

    def _say_hello(self, reply: Reply) -> None:
        """RFC 2034 4: no enhanced codes in the greeting and in replies to HELO and EHLO."""
        self._session.hello, self._session.extended = self._greeted.name, self._greeted.extended
        texts = [reply.text]
        if self._greeted.extended:
            texts += capabilities(self.settings, self._session)
        self._out.append(replies.lines(Reply(reply.code, "", ""), tuple(texts)))
        self._enter(State.READY)

    def _begin_chunks(self, reply: Reply) -> None:
        """The go-ahead is not said, and a refusal only when the chunk has been read."""
        assert self._body is not None
        if reply.code == ONWARD[Chunk]:
            self._begun = True
            self._read(self._body)
        else:
            self._goal = self.state
            self._read(Discard(self._body.left, reply))

    def _end_body(self, reply: Reply) -> None:
        """RFC 5321 4.1.1.4: whatever is said, the transaction is over."""
        body, self._body = self._body, None
        assert body is not None
        if body.flaw is not None and reply.positive:
            reply = body.flaw
        # RFC 2033 4.2: a reply for each recipient; all of them share one message, and so one fate
        for _ in range(self._session.recipients if self.settings.lmtp else 1):
            self._say(reply, BodyEnd)
        self.state = State.READY
        if body.bare:
            self._close()

    def _owe(self, step: Owing) -> Owing:
        self._owed = type(step)
        return step

    def _close(self) -> None:
        super()._close()
        self.tls_wanted = False
        self._owed = self._body = self._exchange = None
