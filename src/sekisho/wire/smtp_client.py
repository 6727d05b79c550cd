"""The client's side of SMTP and LMTP, without sockets: bytes in, steps out (RFC 5321, 2920, 2033).

Theory of operation: `client_session.py` keeps what is owed and opens the session; here are transactions, one
after another or one behind the other. A reply that nobody asked for, or that is none, ends the session. The
machine knows no hosts, no retries and no clock: the caller reads `wait_s`, and tells `lost` what went wrong.
"""

from collections.abc import Iterator

from sekisho.wire.client_replies import BadReply, Said
from sekisho.wire.client_session import OPENING, Session, negative
from sekisho.wire.client_steps import CONFUSED, Ended, SendBody, Step, Transaction, Verb
from sekisho.wire.outgoing import Deal

EVERYONE = -1
"""The place of a reply that is for all recipients."""


class SmtpClient(Session):
    """One session from the server's greeting to its end; any number of transactions, one after another."""

    def begin(self, transaction: Transaction) -> Ended | None:
        """Only when Ready. Ended at once when nothing of it can be said to this server."""
        assert self._deal is None and not self._owed and not self.closed
        deal = Deal(transaction, self.extensions)
        if not deal.open():
            return deal.ended()
        self._deal = deal
        if self._dirty:
            self._todo.append((Verb.RSET, 0, b"RSET\r\n"))
        self._ask(deal)
        return None

    def line_up(self, transaction: Transaction) -> bool:
        """After `end_body`: this envelope goes out in one segment with the final dot (RFC 2920 3.1).

        False when it cannot: then `begin` it later. Its steps come after the Ended of the one before.
        """
        deal = Deal(transaction, self.extensions)
        if self.closed or not self.pipelines or self._lined_up is not None or not deal.open():
            return False
        self._lined_up = deal
        self._ask(deal)
        return True

    def _ask(self, deal: Deal) -> None:
        self._todo.append((Verb.MAIL, 0, deal.mail_line()))
        self._todo.extend((Verb.RCPT, place, deal.rcpt_line(place)) for place in deal.open())
        if not deal.question:
            self._todo.append((Verb.DATA, 0, b"DATA\r\n"))
        self._flush()

    def _on_rset(self, said: Said, _place: int) -> Iterator[Step]:
        if said.kind != 2:
            yield from self._end(negative(said))

    def _on_mail(self, said: Said, _place: int) -> Iterator[Step]:
        assert self._deal is not None
        self._dirty = True
        if said.kind != 2:
            self._deal.bar(negative(said))
            yield from self._cut_short()

    def _on_rcpt(self, said: Said, place: int) -> Iterator[Step]:
        assert self._deal is not None
        if said.kind == 2:
            self._deal.accepted.append(place)
            if self._deal.question:
                self._deal.judge(place, said.reply())
        else:
            self._deal.judge(place, negative(said))
        if self._deal.question and not self._owed and not self._todo:
            yield self._close_deal()
            return
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
            self._deal.judge_all(negative(said))
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
        reply = said.reply() if said.kind == 2 else negative(said)
        if self._settings.lmtp:
            self._deal.judge(place, reply)
        else:
            self._deal.judge_all(reply)
        if self._owed and self._owed[0][0] is Verb.END:
            return
        self._dirty = False
        yield self._close_deal()
        if said.kind != 2 and self._deal is not None and not self._settings.lmtp:
            # A server that refused in the middle of the letter may take the rest of it for commands: what
            # it says from now on must not be believed of the next recipients.
            yield from self._end(CONFUSED)


SmtpClient._handlers = {
    **OPENING,
    Verb.RSET: SmtpClient._on_rset,
    Verb.MAIL: SmtpClient._on_mail,
    Verb.RCPT: SmtpClient._on_rcpt,
    Verb.DATA: SmtpClient._on_data,
    Verb.END: SmtpClient._on_end,
}
