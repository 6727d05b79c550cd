"""One session with another mail server: the client machine on a connection, with a deadline for every answer.

The world's failures end here as values: whatever happens to the connection becomes replies of the recipients.
"""

import asyncio
from collections import deque
from collections.abc import Callable

from msgspec import Struct
from msgspec.structs import replace

from sekisho.mail.tlsa import Pins
from sekisho.model.config import Outbound
from sekisho.model.delivery import Tls
from sekisho.model.secret import Secret
from sekisho.model.verdict import Reply
from sekisho.net.dial import NoSource
from sekisho.queue.hops import Hop
from sekisho.service.deadline import Deadline
from sekisho.service.parts import Parts
from sekisho.wire.client_extensions import limit
from sekisho.wire.client_steps import (
    INJECTED,
    ClientSettings,
    Derive,
    Encrypt,
    Ended,
    Ready,
    Refused,
    SendBody,
    Step,
    Transaction,
)
from sekisho.wire.smtp_client import SmtpClient
from sekisho.world import NoTls, Stream, Unavailable, World

BLOCK_BYTES = 64 * 1024
BLOCK_S = 180
"""Longest wait until the server has taken a block of the letter (RFC 5321 4.5.3.2.5)."""

LAST_WORDS_S = 2
"""How long a broken connection is listened to for what the server said before it hung up."""

FAREWELL_S = 5

SESSION_S = 300
TRANSACTIONS_MAX = 1000
"""A session is used no longer and no more often than this."""

RECIPIENTS_MAX = 100
"""Most recipients of one transaction: every host must take so many (RFC 5321 4.5.3.1.8)."""

LINE_UP_S = 1.0
"""A host that took longer over the letter before gets no next one behind it in the same segment."""

SECOND = 1_000_000

Follow = Callable[[], Transaction | None]
"""Asked once, when a letter is nearly over: the transaction that may go out behind it."""


class Login(Struct, frozen=True):
    """`user` "" is no login; `nonce` is chance for SCRAM."""

    user: str = ""
    password: Secret | None = None
    nonce: str = ""


NO_LOGIN = Login()


class Manner(Struct, frozen=True):
    """How to call: who we say we are, encryption, login, deadlines.

    `testing`: a certificate that is not valid is noted, and nothing else.
    """

    helo: str
    outbound: Outbound
    tls: Tls
    login: Login = NO_LOGIN
    source: str = ""
    lmtp: bool = False
    pins: Pins | None = None
    testing: bool = False

    @property
    def settings(self) -> ClientSettings:
        out = self.outbound
        user, password, nonce = self.login.user, self.login.password, self.login.nonce
        return ClientSettings(
            self.helo, self.tls, user, password, nonce, out.reply_s, out.final_dot_s, self.lmtp
        )


class NoCall(Struct, frozen=True):
    """No session with this hop. `stage` as in `Refused`, or connect, source, demand.

    `cause` as in DeliveryTried. `result` says of encryption what RFC 8460 4.3 has a name for.
    """

    hop: Hop
    reply: Reply
    cause: str
    stage: str
    result: str = ""


class Result(Struct, frozen=True):
    """A transaction that is over. `undecided` may be tried elsewhere; `cause` is that of an ended session."""

    replies: tuple[Reply, ...]
    undecided: tuple[int, ...] = ()
    cause: str = ""
    told: bool = False


class Call:
    """Opened by `call`; `usable` as long as another transaction may follow.

    `flaw` is what was wrong with its encryption (RFC 8460 4.3), "" for nothing. `followed`: the transaction
    that `follow` gave has begun; the next `deliver` is its.
    """

    def __init__(self, world: World, hop: Hop, stream: Stream, manner: Manner) -> None:
        self.hop = hop
        self.transactions = 0
        self.idle_since = 0
        self.followed = False
        self.wanted: Callable[[], bool] = _unwanted
        self.when_closed: Callable[[], None] | None = None
        self._world = world
        self._opened_at = world.clock.ticks()
        self._deadline = Deadline()
        self._dotted_at = 0
        self._dot_s = LINE_UP_S
        self._stream = stream
        self._machine = SmtpClient(manner.settings)
        self._verify = manner.tls is Tls.VERIFY
        self._pins = manner.pins
        self.flaw = ""
        self._block_s = min(BLOCK_S, manner.outbound.reply_s)
        self._steps: deque[Step] = deque()
        self._cause = ""

    @property
    def usable(self) -> bool:
        return not self._machine.closed

    @property
    def encrypted(self) -> str:
        return self._machine.encrypted

    @property
    def worn(self) -> bool:
        """Not for another letter: RFC 9422 MAILMAX, our own limits, or another lane waits for its place."""
        most = limit(self._machine.extensions, "MAILMAX") or TRANSACTIONS_MAX
        age = self._world.clock.ticks() - self._opened_at
        return self.transactions >= min(most, TRANSACTIONS_MAX) or age > SESSION_S * SECOND or self.wanted()

    @property
    def recipients_max(self) -> int:
        """Of one transaction (RFC 9422 RCPTMAX)."""
        return min(limit(self._machine.extensions, "RCPTMAX") or RECIPIENTS_MAX, RECIPIENTS_MAX)

    @property
    def domains_max(self) -> int:
        """Different domains among them (RFC 9422 RCPTDOMAINMAX)."""
        return limit(self._machine.extensions, "RCPTDOMAINMAX") or RECIPIENTS_MAX

    async def open(self) -> NoCall | None:
        """Greeting, EHLO, STARTTLS, login. None when the session is ready."""
        while True:
            match await self._step():
                case Ready() if self.usable:
                    return None
                case Encrypt() if self.usable:
                    await self._encrypt()
                case Derive(work=work) if self.usable:
                    self._machine.derived(await self._world.spawn.thread(work))
                case Refused(stage=stage, reply=reply):
                    self.drop()
                    cause = self._cause or _cause_of(stage, reply)
                    return NoCall(self.hop, reply, cause, stage, self._result(stage))
                case _:  # what stood before the refusal that follows
                    pass

    def _result(self, stage: str) -> str:
        return (self.flaw or "starttls-not-supported") if stage == "tls" else ""

    async def _encrypt(self) -> None:
        name = self._pins.names[0] if self._pins is not None else self.hop.name
        try:
            with self._deadline.within(self._machine.handshake_s):
                encrypted = await self._stream.start_tls(name, self._verify, self._pins)
            self._machine.tls_started(encrypted)
        except (Unavailable, TimeoutError) as trouble:
            self.flaw = trouble.result if isinstance(trouble, NoTls) else "validation-failure"
            why = trouble.why if isinstance(trouble, Unavailable) else "no answer"
            self._lose(Reply(451, "4.7.5", f"no encryption with {self.hop}: {why}"), "tls")

    async def deliver(self, transaction: Transaction | None, parts: Parts, follow: Follow) -> Result:
        """One letter; None when its transaction was begun behind the one before. Afterwards the session is
        `usable` or dropped.
        """
        self.transactions += 1
        self.followed = False
        ended = self._machine.begin(transaction) if transaction is not None else None
        while ended is None:
            match await self._step():
                case Ended() as step:
                    ended = step
                case SendBody() if self.usable:
                    ended = await self._send(parts, follow)
                case _:
                    pass
        self._dot_s = (self._world.clock.ticks() - self._dotted_at) / SECOND
        if not self.usable:
            self.drop()
        return Result(ended.replies, ended.undecided, self._cause, ended.told)

    async def ask(self, transaction: Transaction) -> Result:
        """A question: what the host says of the recipients of a letter that does not come."""
        self.transactions += 1
        ended = self._machine.begin(transaction)
        while ended is None:
            step = await self._step()
            ended = step if isinstance(step, Ended) else None
        return Result(ended.replies, ended.undecided, self._cause)

    async def _send(self, parts: Parts, follow: Follow) -> Ended | None:
        """The letter in blocks; the last block goes together with the final dot and what follows it."""
        waiting = 0
        try:
            async for part in parts:
                if unfit := self._machine.body(part):
                    return unfit
                waiting += len(part)
                if waiting >= BLOCK_BYTES:
                    waiting = 0
                    if not await self._write():
                        return None
        except Unavailable as trouble:
            return self._give_up(trouble)
        unfit = self._machine.end_body()
        self._dotted_at = self._world.clock.ticks()
        if unfit is None and self._machine.pipelines and self._dot_s < LINE_UP_S and not self.worn:
            following = follow()
            self.followed = following is not None and self._machine.line_up(following)
        return unfit

    def _give_up(self, trouble: Unavailable) -> Ended:
        """Our own disk failed in the middle of a letter: the server must not take what it has for the
        whole.
        """
        self.drop()
        (ended,) = self._machine.lost(Reply(451, "4.3.0", f"the message could not be read: {trouble.why}"))
        assert isinstance(ended, Ended)
        return Ended(ended.replies)

    async def _step(self) -> Step:
        """The next thing that the server makes happen."""
        while not self._steps:
            if await self._write():
                await self._hear()
        return self._steps.popleft()

    async def _write(self) -> bool:
        """Whether the server took it. If not, the steps hold the end."""
        data = self._machine.take()
        if not data:
            return True
        try:
            with self._deadline.within(self._block_s):
                await self._stream.write(data)
        except TimeoutError:
            self._lose(Reply(451, "4.4.2", f"{self.hop} stopped reading"), "timeout")
        except Unavailable as trouble:
            await self._last_words()
            self._lose(self._broken(trouble), "connect")
        else:
            return True
        return False

    async def _hear(self) -> None:
        """Until one more whole reply has come. A byte now and then does not put off its deadline."""
        heard, wait_s = self._machine.heard, self._machine.wait_s
        try:
            with self._deadline.within(wait_s):
                while self._machine.heard == heard and not self._steps:
                    data = await self._stream.read()
                    if not data:
                        raise Unavailable(str(self.hop), "the connection was closed")
                    self._steps.extend(self._machine.receive(data))
        except TimeoutError:
            text = f"{self.hop} did not answer within {wait_s} s"
            self._lose(Reply(451, "4.4.2", text + self._doubt()), "timeout")
        except Unavailable as trouble:
            self._lose(self._broken(trouble), "connect")

    async def _last_words(self) -> None:
        """A server that refuses and hangs up has often said why."""
        try:
            with self._deadline.within(LAST_WORDS_S):
                while self.usable and (data := await self._stream.read()):
                    self._steps.extend(self._machine.receive(data))
        except (Unavailable, TimeoutError):
            return

    def _broken(self, trouble: Unavailable) -> Reply:
        return Reply(451, "4.4.2", f"connection to {self.hop} broke: {trouble.why}{self._doubt()}")

    def _doubt(self) -> str:
        return "; the message may have been taken and come twice" if self._machine.doubtful else ""

    def _lose(self, reply: Reply, cause: str) -> None:
        end = self._machine.lost(reply)
        if end:
            self._cause = cause
            self._steps.extend(end)

    async def quit(self) -> None:
        """Says goodbye, without waiting for the answer (RFC 5321 4.1.1.10 wants one; nothing hangs on it)."""
        self._machine.quit()
        try:
            async with asyncio.timeout(FAREWELL_S):
                await self._stream.write(self._machine.take())
        except (Unavailable, TimeoutError):
            pass
        self.drop()

    def drop(self) -> None:
        self._deadline.stop()
        self._close()

    def _close(self) -> None:
        self._stream.close()
        when_closed, self.when_closed = self.when_closed, None
        if when_closed is not None:
            when_closed()


def _unwanted() -> bool:
    return False


async def call(world: World, hop: Hop, manner: Manner) -> Call | NoCall:
    """A session that is ready, or why there is none. Under `opportunistic` plain text follows a failed
    handshake.
    """
    flaw = ""
    if manner.testing:
        session = await _call(world, hop, replace(manner, tls=Tls.VERIFY))
        if not isinstance(session, NoCall) or session.stage != "tls":
            return session
        flaw = session.result
    session = await _call(world, hop, manner)
    if isinstance(session, NoCall) and _may_be_plain(session, manner):
        flaw = flaw or session.result
        session = await _call(world, hop, replace(manner, tls=Tls.NONE))
    if isinstance(session, Call):
        unencrypted = "" if session.encrypted else "starttls-not-supported"
        session.flaw = flaw or session.flaw or unencrypted
    return session


def _may_be_plain(refusal: NoCall, manner: Manner) -> bool:
    """Not where somebody meddles, and never with a password, which is worth more than this letter."""
    failed = refusal.cause == "tls" and refusal.reply != INJECTED
    return failed and manner.tls is Tls.OPPORTUNISTIC and not manner.login.user


async def _call(world: World, hop: Hop, manner: Manner) -> Call | NoCall:
    try:
        stream = await world.net.dial(hop.address, hop.port, manner.outbound.connect_s, manner.source)
    except NoSource as trouble:
        return NoCall(hop, Reply(451, "4.3.5", f"{trouble.door} {trouble.why}"), "4yz", "source")
    except Unavailable as trouble:
        return NoCall(
            hop, Reply(451, "4.4.1", f"no connection to {hop}: {trouble.why}"), "connect", "connect"
        )
    session = Call(world, hop, stream, manner)
    finished = False
    try:
        refused = await session.open()
        finished = True
    finally:
        if not finished:  # we were told to stop: nobody else knows of this connection
            session.drop()
    return refused or session


def _cause_of(stage: str, reply: Reply) -> str:
    if stage == "tls":
        return "tls"
    return "4yz" if reply.transient else "5yz"
