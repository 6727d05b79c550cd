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
        self._ledger = ledger
        self._letters: dict[tuple[bytes, str], Letter] = {}
        self._places: dict[tuple[bytes, str], dict[bytes, int]] = {}
        self._seen: dict[int, int] = {}

    def login(self, said: Saying, login: Login) -> None:
        self._ledger.add(said.at, self._ledger.key(login), said.line, said.pid)

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
        self._places.pop(key, None)
        if len(self._letters) > OPEN_MAX:
            self._close(next(iter(self._letters)))
        return letter

    def enter(self, letter: Letter) -> None:
        """Its sender and account are known now: the ledger may sort it."""
        self._ledger.take([letter])

    def signed(self, said: Saying, letter: Letter, login: Login, confidence: float = 1.0) -> None:
        """This very line says who sent it."""
        event = f"{said.host.decode(errors='replace')} {letter.ident} {said.at}"
        self._ledger.add_event(said.at, self._ledger.key(login), said.line, event)
        letter.account, letter.address, letter.login = login.account, login.address, event
        letter.confidence = confidence

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
