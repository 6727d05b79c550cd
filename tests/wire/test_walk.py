"""A long walk through the machine beside a model that fits on a page: class G, the state after anything."""

import random

from clients import codes, connected, say
from msgspec import Struct

from sekisho.model.verdict import Reply
from sekisho.wire.smtp_server import ServerSettings
from sekisho.wire.steps import BodyEnd, Data, Refused, Step, Verify, Violated

SETTINGS = ServerSettings("mx.example.com", 100_000, starttls=False, auth=False)
STEPS = 100_000
REFUSED = Reply(452, "4.3.1", "not now")


class Model(Struct):
    """What RFC 5321 4.1.4 and RFC 3030 2 say of a session, in four facts."""

    hello: bool = False
    sender: bool = False
    recipients: int = 0
    chunks: bool = False
    letters: int = 0

    def forget(self) -> None:
        self.sender, self.recipients, self.chunks = False, 0, False

    def answer(self, what: str, refused: bool) -> list[int]:
        """The codes that are due; `refused`: whoever decides says no."""
        match what:
            case "EHLO":
                if not refused:
                    self.hello = True
                    self.forget()
                return [452 if refused else 250]
            case "RSET":
                if not refused:
                    self.forget()
                return [452 if refused else 250]
            case "NOOP":
                return [452 if refused else 250]
            case "VRFY":
                return [452 if refused else 252]
            case "MAIL":
                return self._mail(refused)
            case "RCPT":
                return self._rcpt(refused)
            case "DATA":
                return self._data(refused)
            case "BDAT" | "LAST":
                return self._chunk(refused, last=what == "LAST")
        return [500]

    def _mail(self, refused: bool) -> list[int]:
        if not self.hello or self.sender:
            return [503]
        self.sender = not refused
        return [452 if refused else 250]

    def _rcpt(self, refused: bool) -> list[int]:
        if not self.sender or self.chunks:
            return [503]
        self.recipients += not refused
        return [452 if refused else 250]

    def _data(self, refused: bool) -> list[int]:
        """With its text, which is garbage to a server that refused: the walk does not send it then."""
        if not self.recipients or self.chunks:
            return [503]
        if refused:
            return [452]
        self.forget()
        self.letters += 1
        return [354, 250]

    def _chunk(self, refused: bool, *, last: bool) -> list[int]:
        if not self.recipients:
            return [503]
        if refused and not self.chunks:
            return [452]  # the first is asked about; those behind it are not
        self.chunks = True
        if not last:
            return [250]
        self.forget()
        self.letters += not refused
        return [452 if refused else 250]


LINES = {
    "EHLO": b"EHLO client.example\r\n",
    "RSET": b"RSET\r\n",
    "NOOP": b"NOOP\r\n",
    "VRFY": b"VRFY \xc3\xa9\r\n",
    "MAIL": b"MAIL FROM:<a@far.example>\r\n",
    "RCPT": b"RCPT TO:<bob@example.com>\r\n",
    "DATA": b"DATA\r\n",
    "BDAT": b"BDAT 6\r\nRSET\r\n",
    "LAST": b"BDAT 6 LAST\r\nQUIT\r\n",
    "FNORD": b"FNORD\r\n",
}


class Decider:
    """Says yes or no to everything it is asked, as it was told to."""

    def __init__(self) -> None:
        self.refuses = False
        self.letters = 0

    def answer(self, step: Step) -> Reply | None:
        if isinstance(step, bytes | Refused | Violated):
            return None
        if self.refuses:
            return REFUSED
        match step:
            case Data():
                return Reply(354, "", "go on")
            case Verify():
                return Reply(252, "2.5.0", "perhaps")
            case BodyEnd():
                self.letters += 1
        return Reply(250, "2.0.0", "ok")


def test_class_g_a_hundred_thousand_steps_agree_with_a_small_model() -> None:
    """Any verb at any time, granted or refused: the codes and the number of letters are the model's."""
    chance = random.Random(20260803)
    client, model, decider = connected(SETTINGS), Model(), Decider()
    client.postmaster.answer = decider.answer  # type: ignore[method-assign]
    weighed = [*LINES, "MAIL", "RCPT", "RCPT", "BDAT", "LAST", "DATA"]
    for step in range(STEPS):
        what, decider.refuses = chance.choice(weighed), chance.random() < 0.2
        due = model.answer(what, decider.refuses)
        told = codes(say(client, LINES[what]))
        if told == [354]:
            told += codes(say(client, b"x\r\n.\r\n"))
        assert due == told, (step, what, model)
        assert model.letters == decider.letters
    assert model.letters > 1000
