"""The client's side of SMTP and LMTP, without sockets: bytes in, steps out (RFC 5321, 3207, 4954, 2920, 1870,
6152, 2033).

Theory of operation: `_owed` lists the commands that were sent and not answered, in order; every reply
belongs to its first entry, and `_HANDLERS` says what happens then. `_todo` lists commands not yet sent: all
of them go at once when the server pipelines, else one after each reply. A reply that nobody asked for, or
that is none, ends the session. The machine knows no hosts, no retries and no clock: the caller reads
`wait_s`, and tells `lost` what went wrong.
"""

from base64 import b64encode
from collections import deque
from collections.abc import Callable, Iterator

from sekisho.model.delivery import Tls
from sekisho.model.verdict import Reply
from sekisho.wire.client_replies import BadReply, ReplyReader, Said
from sekisho.wire.client_steps import (
    INJECTED,
    NO_LOGIN,
    NO_PLAIN_LOGIN,
    NO_TLS,
    STAGES,
    ClientSettings,
    Encrypt,
    Ended,
    Ready,
    Refused,
    SendBody,
    Step,
    Transaction,
    Verb,
)
from sekisho.wire.outgoing import Deal

EVERYONE = -1
"""The place of a reply that is for all recipients."""


class SmtpClient:
    """One session from the server's greeting to its end; any number of transactions, one after another."""

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
        self._dirty = False
        self._deal: Deal | None = None

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
            yield self._end(Reply(451, "4.5.0", f"the server does not speak SMTP: {bad.why}"))

    def _next(self) -> Said | None:
        if self._handshake and not self._reader.empty:
            raise BadReply("words in the middle of a handshake")
        return self._reader.next()

    def _answered(self, said: Said) -> Iterator[Step]:
        self.heard += 1
        if said.code == 421:  # RFC 5321 4.2.1: at any time; the server closes
            yield self._end(said.reply())
        elif not self._owed:
            yield self._unasked(said)
        else:
            verb, place = self._owed.popleft()
            self._opening = verb if verb in STAGES else None
            yield from _HANDLERS[verb](self, said, place)
            self._flush()

    def _unasked(self, said: Said) -> Step:
        """Only a server that has read enough of the letter to refuse it may speak; the session is over."""
        if self._deal is None or said.kind < 4:
            raise BadReply(f"a reply to nothing: {said.reply()}")
        self._deal.judge_all(said.reply())
        self.closed = True
        return self._close_deal()

    # Opening the session.

    def _on_greeting(self, said: Said, _place: int) -> Iterator[Step]:
        if said.kind != 2:
            yield self._end(_negative(said))
            return
        self._greet()

    def _greet(self) -> None:
        self._order(Verb.EHLO, f"{'LHLO' if self._settings.lmtp else 'EHLO'} {self._settings.helo}")

    def _on_ehlo(self, said: Said, place: int) -> Iterator[Step]:
        if said.kind == 5 and not self._settings.lmtp:  # RFC 5321 3.2
            self._order(Verb.HELO, f"HELO {self._settings.helo}")
            return
        self.extensions = _extensions(said)
        yield from self._on_helo(said, place)

    def _on_helo(self, said: Said, _place: int) -> Iterator[Step]:
        if said.kind == 2:
            yield from self._prepare()
        else:
            yield self._end(_negative(said))

    def _prepare(self) -> Iterator[Step]:
        """What is still missing before the first transaction: encryption, login, nothing."""
        tls = self._settings.tls
        wanted = tls is not Tls.NONE and not self.encrypted and not self._tls_refused
        if wanted and "STARTTLS" in self.extensions:
            self._order(Verb.STARTTLS, "STARTTLS")
        elif tls in (Tls.MUST, Tls.VERIFY) and not self.encrypted:
            self._opening = Verb.STARTTLS
            yield self._end(NO_TLS)
        elif not self._logged_in:
            yield from self._log_in()
        else:
            self._opening = None
            yield Ready()

    def _on_starttls(self, said: Said, _place: int) -> Iterator[Step]:
        if said.kind == 2 and not self._reader.empty:
            # Words sent before the handshake must not count as said behind it (response injection).
            yield self._end(INJECTED)
        elif said.kind == 2:
            self._handshake = True
            yield Encrypt()
        elif self._settings.tls is Tls.MAY:
            self._tls_refused = True
            yield from self._prepare()
        else:
            yield self._end(_negative(said))

    def tls_started(self, description: str) -> None:
        """RFC 3207 4.2: what the server said before is forgotten."""
        self.encrypted = description
        self.extensions = {}
        self._handshake = False
        self._greet()
        self._flush()

    def _log_in(self) -> Iterator[Step]:
        mechanisms = self.extensions.get("AUTH", "").upper().split()
        self._opening = Verb.AUTH
        if not self.encrypted and self._settings.tls is not Tls.NONE:
            yield self._end(NO_PLAIN_LOGIN)
        elif "PLAIN" in mechanisms:  # RFC 4616
            proof = b"\0" + self._settings.user.encode() + b"\0" + self._password()
            self._order(Verb.AUTH, "AUTH PLAIN " + b64encode(proof).decode("ascii"))
        elif "LOGIN" in mechanisms:
            self._order(Verb.USER, "AUTH LOGIN")
        else:
            yield self._end(NO_LOGIN)

    def _password(self) -> bytes:
        return self._settings.password.reveal() if self._settings.password else b""

    def _on_user(self, said: Said, place: int) -> Iterator[Step]:
        """AUTH LOGIN asks twice: place 0 is the user's name, 1 the password."""
        if said.kind != 3:
            yield self._end(_negative(said))
            return
        answer = self._password() if place else self._settings.user.encode()
        self._order(Verb.AUTH if place else Verb.USER, b64encode(answer).decode("ascii"), place + 1)

    def _on_auth(self, said: Said, _place: int) -> Iterator[Step]:
        if said.kind != 2:
            yield self._end(_negative(said))
            return
        self._logged_in = True
        self._opening = None
        yield Ready()

    # A transaction.

    def begin(self, transaction: Transaction) -> Ended | None:
        """Only when Ready. Ended at once when nothing of it can be said to this server."""
        assert self._deal is None and not self._owed and not self.closed
        deal = Deal(transaction, self.extensions)
        if not deal.open():
            return deal.ended()
        self._deal = deal
        if self._dirty:
            self._todo.append((Verb.RSET, 0, b"RSET\r\n"))
        self._todo.append((Verb.MAIL, 0, deal.mail_line()))
        self._todo.extend((Verb.RCPT, place, deal.rcpt_line(place)) for place in deal.open())
        self._todo.append((Verb.DATA, 0, b"DATA\r\n"))
        self._flush()
        return None

    def _on_rset(self, said: Said, _place: int) -> Iterator[Step]:
        if said.kind != 2:
            yield self._end(_negative(said))

    def _on_mail(self, said: Said, _place: int) -> Iterator[Step]:
        assert self._deal is not None
        self._dirty = True
        if said.kind != 2:
            self._deal.judge_all(_negative(said))
            yield from self._cut_short()

    def _on_rcpt(self, said: Said, place: int) -> Iterator[Step]:
        assert self._deal is not None
        if said.kind == 2:
            self._deal.accepted.append(place)
        else:
            self._deal.judge(place, _negative(said))
        everyone = not self._owed and self._todo and self._todo[0][0] is Verb.DATA
        if everyone and not self._deal.wanted():
            yield from self._cut_short()

    def _cut_short(self) -> Iterator[Step]:
        """Nobody is left to send to. What was pipelined is still answered; what was not sent, is not."""
        self._todo.clear()
        if not self._owed:
            yield self._close_deal()

    def _on_data(self, said: Said, _place: int) -> Iterator[Step]:
        assert self._deal is not None
        if said.kind == 3 and self._deal.wanted():
            self._deal.started = True
            yield SendBody()
        elif said.kind == 3 and self._settings.lmtp:
            raise BadReply("a letter is wanted for nobody")  # RFC 2033 4.2
        elif said.kind == 3:
            # RFC 2920 3.1: DATA was pipelined and no recipient accepted; an empty letter ends it.
            self._out.append(b".\r\n")
            self._owed.append((Verb.END, EVERYONE))
        else:
            self._deal.judge_all(_negative(said))
            yield self._close_deal()

    def body(self, part: bytes) -> Ended | None:
        """Between SendBody and `end_body`. Ended when the letter is unfit: drop the connection then."""
        assert self._deal is not None and self._deal.started
        self._out.append(self._deal.gate.through(part))
        return self._stopped(self._deal)

    def end_body(self) -> Ended | None:
        assert self._deal is not None and self._deal.started
        self._deal.gate.finish()
        if stopped := self._stopped(self._deal):
            return stopped
        self._out.append(b".\r\n")
        # RFC 2033 4.2: a reply for each recipient that was accepted, in their order.
        places = self._deal.accepted if self._settings.lmtp else [EVERYONE]
        self._owed.extend((Verb.END, place) for place in places)
        self._deal.dotted = True
        return None

    def _stopped(self, deal: Deal) -> Ended | None:
        if not deal.gate.flaw:
            return None
        deal.judge_all(deal.unfit())
        self.closed = True
        self._out.clear()
        return self._close_deal()

    def _on_end(self, said: Said, place: int) -> Iterator[Step]:
        assert self._deal is not None
        reply = said.reply() if said.kind == 2 else _negative(said)
        if self._settings.lmtp:
            self._deal.judge(place, reply)
        else:
            self._deal.judge_all(reply)
        if not self._owed:
            self._dirty = False
            yield self._close_deal()

    def _close_deal(self) -> Ended:
        assert self._deal is not None
        deal, self._deal = self._deal, None
        return deal.ended()

    # The end of the session.

    def quit(self) -> None:
        """RFC 5321 4.1.1.10; the reply is not waited for."""
        if not self.closed and not self._owed and self._deal is None:
            self._out.append(b"QUIT\r\n")
        self.closed = True

    def lost(self, reply: Reply) -> Ended | Refused | None:
        """The connection is gone or the wait was too long. None when nothing was under way."""
        if self.closed:
            return None
        if self._deal is None and not self._owed and not self._handshake:
            self.closed = True
            return None
        return self._end(reply)

    def _end(self, reply: Reply) -> Ended | Refused:
        """The session is over. Recipients without a reply get this one; another host may take them yet."""
        verb = self._owed[0][0] if self._owed else self._opening
        self.closed = True
        self._todo.clear()
        if self._deal is None:
            return Refused(STAGES.get(verb, "idle") if verb else "idle", reply)
        deal, self._deal = self._deal, None
        undecided = () if deal.dotted else deal.open()
        deal.judge_all(reply)
        return deal.ended(undecided)

    # Sending.

    def _order(self, verb: Verb, line: str, place: int = 0) -> None:
        self._todo.append((verb, place, line.encode("ascii", "replace") + b"\r\n"))

    def _flush(self) -> None:
        """RFC 2920: all at once when the server pipelines, else one command at a time."""
        while self._todo and (not self._owed or "PIPELINING" in self.extensions):
            verb, place, line = self._todo.popleft()
            self._owed.append((verb, place))
            self._out.append(line)


_HANDLERS: dict[Verb, Callable[[SmtpClient, Said, int], Iterator[Step]]] = {
    Verb.GREETING: SmtpClient._on_greeting,
    Verb.EHLO: SmtpClient._on_ehlo,
    Verb.HELO: SmtpClient._on_helo,
    Verb.STARTTLS: SmtpClient._on_starttls,
    Verb.USER: SmtpClient._on_user,
    Verb.AUTH: SmtpClient._on_auth,
    Verb.RSET: SmtpClient._on_rset,
    Verb.MAIL: SmtpClient._on_mail,
    Verb.RCPT: SmtpClient._on_rcpt,
    Verb.DATA: SmtpClient._on_data,
    Verb.END: SmtpClient._on_end,
}


def _negative(said: Said) -> Reply:
    """A refusal as it stands. A yes that makes no sense here is not SMTP."""
    if said.kind < 4:
        raise BadReply(f"an answer to something else: {said.reply()}")
    return said.reply()


def _extensions(said: Said) -> dict[str, str]:
    """RFC 5321 4.1.1.1: behind the first line, one extension a line. `AUTH=LOGIN` is an old way to say it."""
    found: dict[str, str] = {}
    for line in said.lines[1:]:
        name, _, parameters = line.decode("latin-1").strip().replace("=", " ", 1).partition(" ")
        if name.isascii():
            found[name.upper()] = parameters.strip()
    return found
