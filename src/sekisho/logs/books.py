"""Where the dialects of whole mail servers write what they understood: sign-ins, letters, what became of
them.

A letter is known by its host and the name that the server gave it; how sure it is who sent it is told with
the sign-in. A name is used again after its letter's end.
"""

from sekisho.logs.facts import Login
from sekisho.logs.ledger import Ledger
from sekisho.logs.mailroom import Letter, Try
from sekisho.logs.replies import Told
from sekisho.logs.saying import Saying

OPEN_MAX = 300_000
"""Letters whose end has not been seen; a queue of this size has left the log behind."""

SEEN_MAX = 200_000
"""Failures that are remembered in order to know them again in a second log of the same server."""

COPIES = 4
"""So many tries back the same one is looked for."""


class Books:
    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self._letters: dict[tuple[bytes, str], Letter] = {}
        self._places: dict[tuple[bytes, str], dict[bytes, int]] = {}
        self._reports: dict[tuple[bytes, str], Letter] = {}
        self._seen: dict[int, int] = {}

    def login(self, said: Saying, login: Login) -> None:
        self.ledger.add(said.at, self.ledger.key(login), said.line, said.pid)

    def failure(self, said: Saying, login: Login) -> None:
        """A wrong password; the same line again, from another file of the same server, changes nothing."""
        token = hash((said.at, said.text))
        if self._seen.setdefault(token, said.file) != said.file:
            return
        if len(self._seen) > SEEN_MAX:
            del self._seen[next(iter(self._seen))]
        self.login(said, login)

    def begin(self, said: Saying, name: str, sender: str) -> Letter:
        """A letter has come in. The same again, from a copy of the log, is the one that is known."""
        key = (said.host, name)
        known = self._letters.get(key)
        if known is not None and known.at == said.at and known.sender == sender:
            return known
        letter = self._letters[key] = Letter(0, said.at, said.file, said.line, sender, ident=name)
        letter.bounce_of = self._reports.pop(key, None)
        self._places.pop(key, None)
        if len(self._letters) > OPEN_MAX:
            self._close(next(iter(self._letters)))
        return letter

    def enter(self, letter: Letter) -> None:
        """Its sender and account are known now: the ledger may sort it."""
        self.ledger.take([letter])

    def session(self, said: Saying, login: Login, about: str = "") -> str:
        """A sign-in that letters will refer to, by the name that is returned. The same again, from a copy of
        the log, is the one that is known."""
        host = said.host.decode(errors="replace")
        event = f"{host} {about or said.pid} {said.at} {login.account} {login.address}"
        self.ledger.add_event(said.at, self.ledger.key(login), said.line, event)
        return event

    def sign(self, letter: Letter, login: Login, event: str, confidence: float) -> None:
        letter.account, letter.address, letter.login = login.account, login.address, event
        letter.confidence = confidence

    def signed(self, said: Saying, letter: Letter, login: Login) -> None:
        """This very line says who sent the letter."""
        self.sign(letter, login, self.session(said, login, letter.ident), 1.0)

    def bounced(self, said: Saying, name: str, report: str) -> None:
        """The letter `report`, which will come, is about this one."""
        letter = self._letters.get((said.host, name))
        if letter is not None:
            self._reports[said.host, report] = letter
            if len(self._reports) > SEEN_MAX:
                del self._reports[next(iter(self._reports))]

    def find(self, said: Saying, name: str) -> Letter | None:
        return self._letters.get((said.host, name))

    def expect(self, said: Saying, letter: Letter, recipient: str) -> int:
        """The recipient's place in this letter, new or old."""
        places = self._places.setdefault((said.host, letter.ident), {})
        where = b"remote " + recipient.encode("utf-8", "surrogateescape")
        place = places.get(where)
        if place is None:
            place = places[where] = len(letter.recipients)
            letter.recipients.append(where)
        return place

    def tried(self, said: Saying, letter: Letter, recipient: str, result: Told) -> None:
        """For one recipient; a copy of the log tells each try twice."""
        place = self.expect(said, letter, recipient)
        attempt = Try(said.at, place, result.result, result.cause, result.code, result.status)
        if attempt not in letter.tries[-COPIES:]:
            letter.tries.append(attempt)

    def close(self, said: Saying, name: str) -> None:
        self._close((said.host, name))

    def _close(self, key: tuple[bytes, str]) -> None:
        self._places.pop(key, None)
        letter = self._letters.pop(key, None)
        if letter is not None:
            letter.ended = True
