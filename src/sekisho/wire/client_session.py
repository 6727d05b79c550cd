"""A client's session with another server, apart from its transactions: what is owed, how it opens and ends.

`_owed` lists the commands that were sent and not answered, in order; every reply belongs to its first entry.
`_todo` lists commands not yet sent: all of them go at once when the server pipelines, else one after each
reply (RFC 2920). Greeting, EHLO, STARTTLS and AUTH come before the first transaction (RFC 5321, 3207, 4954,
2033).
"""

from base64 import b64encode
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

from sekisho.model.delivery import Tls
from sekisho.model.verdict import Reply
from sekisho.wire.client_extensions import extensions_of
from sekisho.wire.client_login import BadLogin, Login, decoded, login_for
from sekisho.wire.client_replies import BadReply, ReplyReader, Said
from sekisho.wire.client_steps import (
    INJECTED,
    NO_LOGIN,
    NO_PLAIN_LOGIN,
    NO_TLS,
    NOT_PROVEN,
    STAGES,
    ClientSettings,
    Derive,
    Encrypt,
    Ended,
    Ready,
    Refused,
    Step,
    Verb,
)
from sekisho.wire.outgoing import Deal

Handlers = Mapping[Verb, Callable[[Any, Said, int], Iterator[Step]]]


class Session:
    """`_deal` is the transaction under way, `_lined_up` the one whose envelope went out behind its dot."""

    _handlers: ClassVar[Handlers]

    def __init__(self, settings: ClientSettings) -> None:
        self.encrypted = ""
        self.closed = False
        self.heard = 0
        self.extensions: dict[str, str] = {}
        self._settings = settings
        self._reader = ReplyReader()
        self._owed: deque[tuple[Verb, int]] = deque([(Verb.GREETING, 0)])
        self._todo: deque[tuple[Verb, int, bytes]] = deque()
        self._out: list[bytes] = []
        self._opening: Verb | None = Verb.GREETING
        self._handshake = False
        self._tls_refused = False
        self._logged_in = not settings.user
        self._login: Login | None = None
        self._dirty = False
        self._deal: Deal | None = None
        self._lined_up: Deal | None = None

    @property
    def wait_s(self) -> int:
        """The longest wait for the reply that is owed now; 0 when none is (RFC 5321 4.5.3.2)."""
        if not self._owed:
            return 0
        return self._settings.final_dot_s if self._owed[0][0] is Verb.END else self._settings.reply_s

    @property
    def handshake_s(self) -> int:
        return self._settings.reply_s

    @property
    def pipelines(self) -> bool:
        return "PIPELINING" in self.extensions

    @property
    def doubtful(self) -> bool:
        """The final dot was sent and not answered: the server may have taken the message (RFC 1047)."""
        return self._deal is not None and self._deal.dotted

    def take(self) -> bytes:
        """What to write now."""
        out = b"".join(self._out)
        self._out.clear()
        return out

    def receive(self, data: bytes) -> Iterator[Step]:
        if self.closed:
            return
        self._reader.feed(data)
        try:
            while not self.closed and (said := self._next()) is not None:
                yield from self._answered(said)
        except BadReply as bad:
            yield from self._end(Reply(451, "4.5.0", f"the server does not speak SMTP: {bad.why}"))

    def _next(self) -> Said | None:
        if self._handshake and not self._reader.empty:
            raise BadReply("words in the middle of a handshake")
        return self._reader.next()

    def _answered(self, said: Said) -> Iterator[Step]:
        self.heard += 1
        if said.code == 421:  # RFC 5321 4.2.1: at any time; the server closes
            yield from self._end(said.reply())
        elif not self._owed:
            yield self._unasked(said)
        else:
            verb, place = self._owed.popleft()
            self._opening = verb if verb in STAGES else None
            yield from self._handlers[verb](self, said, place)
            self._flush()

    def _unasked(self, said: Said) -> Step:
        """Only a server that has read enough of the letter to refuse it may speak; the session is over."""
        if self._deal is None or said.kind < 4:
            raise BadReply(f"a reply to nothing: {said.reply()}")
        self._deal.judge_all(said.reply())
        self.closed = True
        return self._close_deal()

    def _close_deal(self) -> Ended:
        assert self._deal is not None
        deal, self._deal, self._lined_up = self._deal, self._lined_up, None
        return deal.ended()

    # Opening the session.

    def _on_greeting(self, said: Said, _place: int) -> Iterator[Step]:
        if said.kind != 2:
            yield from self._end(negative(said))
            return
        self._greet()

    def _greet(self) -> None:
        self._order(Verb.EHLO, f"{'LHLO' if self._settings.lmtp else 'EHLO'} {self._settings.helo}")

    def _on_ehlo(self, said: Said, place: int) -> Iterator[Step]:
        if said.kind == 5 and not self._settings.lmtp:  # RFC 5321 3.2
            self._order(Verb.HELO, f"HELO {self._settings.helo}")
            return
        self.extensions = extensions_of(said)
        yield from self._on_helo(said, place)

    def _on_helo(self, said: Said, _place: int) -> Iterator[Step]:
        if said.kind == 2:
            yield from self._prepare()
        else:
            yield from self._end(negative(said))

    def _prepare(self) -> Iterator[Step]:
        """What is still missing before the first transaction: encryption, login, nothing."""
        tls = self._settings.tls
        wanted = tls is not Tls.NONE and not self.encrypted and not self._tls_refused
        if wanted and "STARTTLS" in self.extensions:
            self._order(Verb.STARTTLS, "STARTTLS")
        elif tls not in (Tls.NONE, Tls.OPPORTUNISTIC) and not self.encrypted:
            self._opening = Verb.STARTTLS
            yield from self._end(NO_TLS)
        elif not self._logged_in:
            yield from self._log_in()
        else:
            self._opening = None
            yield Ready()

    def _on_starttls(self, said: Said, _place: int) -> Iterator[Step]:
        if said.kind == 2 and not self._reader.empty:
            # Words sent before the handshake must not count as said behind it (response injection).
            yield from self._end(INJECTED)
        elif said.kind == 2:
            self._handshake = True
            yield Encrypt()
        elif self._settings.tls is Tls.OPPORTUNISTIC:
            self._tls_refused = True
            yield from self._prepare()
        else:
            yield from self._end(negative(said))

    def tls_started(self, description: str) -> None:
        """RFC 3207 4.2: what the server said before is forgotten."""
        self.encrypted = description
        self.extensions = {}
        self._handshake = False
        self._greet()
        self._flush()

    def _log_in(self) -> Iterator[Step]:
        who = self._settings
        mechanisms = self.extensions.get("AUTH", "").upper().split()
        self._login = login_for(mechanisms, who.user, who.password, who.nonce)
        self._opening = Verb.AUTH
        if not self.encrypted and self._settings.tls is not Tls.NONE:
            yield from self._end(NO_PLAIN_LOGIN)
        elif self._login is None:
            yield from self._end(NO_LOGIN)
        else:
            self._order(Verb.AUTH, self._login.opening())

    def _on_auth(self, said: Said, _place: int) -> Iterator[Step]:
        assert self._login is not None
        if said.kind == 3:
            yield from self._on_challenge(self._login, said)
        elif said.kind != 2:
            yield from self._end(negative(said))
        elif not self._login.proven:
            yield from self._end(NOT_PROVEN)
        else:
            self._logged_in = True
            self._opening = None
            yield Ready()

    def _on_challenge(self, login: Login, said: Said) -> Iterator[Step]:
        try:
            answer = login.answer(decoded(said.lines[-1]))
        except BadLogin as bad:
            yield from self._end(Reply(451, "4.7.0", f"no login: {bad.why}"))
            return
        if isinstance(answer, Derive):
            yield answer
        else:
            self._order(Verb.AUTH, b64encode(answer).decode("ascii"))

    def derived(self, key: bytes) -> None:
        """What `Derive` asked for."""
        if self._login is not None and not self.closed:
            self._order(Verb.AUTH, b64encode(self._login.final(key)).decode("ascii"))
            self._flush()

    # The end of the session.

    def quit(self) -> None:
        """RFC 5321 4.1.1.10; the reply is not waited for."""
        if not self.closed and not self._owed and self._deal is None:
            self._out.append(b"QUIT\r\n")
        self.closed = True

    def lost(self, reply: Reply) -> tuple[Step, ...]:
        """The connection is gone or the wait was too long. Empty when nothing was under way."""
        if self.closed:
            return ()
        if self._deal is None and not self._owed and not self._handshake:
            self.closed = True
            return ()
        return tuple(self._end(reply))

    def _end(self, reply: Reply) -> Iterator[Step]:
        """The session is over. Recipients without a reply get this one; another host may take them yet."""
        verb = self._owed[0][0] if self._owed else self._opening
        self.closed = True
        self._todo.clear()
        if self._deal is None:
            yield Refused(STAGES.get(verb, "idle") if verb else "idle", reply)
        while self._deal is not None:
            deal, self._deal, self._lined_up = self._deal, self._lined_up, None
            undecided = () if deal.dotted else deal.open()
            deal.judge_all(reply)
            yield deal.ended(undecided)

    # Sending.

    def _order(self, verb: Verb, line: str, place: int = 0) -> None:
        self._todo.append((verb, place, line.encode("ascii", "replace") + b"\r\n"))

    def _flush(self) -> None:
        """RFC 2920: all at once when the server pipelines, else one command at a time."""
        while self._todo and (not self._owed or self.pipelines):
            verb, place, line = self._todo.popleft()
            self._owed.append((verb, place))
            self._out.append(line)


OPENING: Handlers = {
    Verb.GREETING: Session._on_greeting,
    Verb.EHLO: Session._on_ehlo,
    Verb.HELO: Session._on_helo,
    Verb.STARTTLS: Session._on_starttls,
    Verb.AUTH: Session._on_auth,
}


def negative(said: Said) -> Reply:
    """A refusal as it stands. A yes that makes no sense here is not SMTP."""
    if said.kind < 4:
        raise BadReply(f"an answer to something else: {said.reply()}")
    return said.reply()
