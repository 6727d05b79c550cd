"""Where the dialects of whole mail servers write what they understood: sign-ins, letters, what became of
them.

A letter is known by its host and the name that the server gave it; how sure it is who sent it is told with
the sign-in. A name is used again after its letter's end.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator

from sekisho.logs.facts import Login
from sekisho.logs.ledger import Ledger, Visit
from sekisho.logs.mailroom import Letter, Try
from sekisho.logs.replies import Told
from sekisho.logs.saying import Saying
from sekisho.logs.stamp import SECOND

OPEN_MAX = 300_000
"""Letters whose end has not been seen; a queue of this size has left the log behind."""

SEEN_MAX = 200_000
"""Failures and sessions that are remembered, to know them again in a second log of the same server."""

DOUBTFUL_MAX = 1_000_000
"""Words of second witnesses that are weighed at the end; what is above it counts."""

WITNESS_S = 10
"""So near in time a second witness and the mail server speak of the same sign-in."""

NOBODY = Login("", False, "", "")
"""What remains of a sign-in that was told twice."""

COPIES = 4
"""So many tries back the same one is looked for."""


class Books:
    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self._letters: dict[tuple[bytes, str], Letter] = {}
        self._places: dict[tuple[bytes, str], dict[bytes, int]] = {}
        self._reports: dict[tuple[bytes, str], Letter] = {}
        self.kinds: Counter[str] = Counter()
        self._seen: dict[int, int] = {}
        self._sessions: dict[int, int] = {}
        self._doubtful: set[int] = set()

    def login(self, said: Saying, login: Login) -> int:
        """The row of the ledger; -1 if it is not wanted."""
        return self.ledger.add(said.at, self.ledger.key(login), said.line, said.pid)

    def witness(self, said: Saying, login: Login) -> None:
        """A second witness says so: it counts only where the server itself says nothing of it."""
        row = self.login(said, login)
        if row >= 0:
            self._doubtful.add(row)
            if len(self._doubtful) > DOUBTFUL_MAX:
                self._doubtful.pop()

    def once(self, said: Saying, login: Login) -> None:
        """A server that tells one sign-in in two lines."""
        before = self.ledger.last(said.pid)
        if before is None or before[0] != login or said.at - before[1] > WITNESS_S * SECOND:
            self.login(said, login)

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
        letter = self._letters[key] = Letter(0, said.at, said.file, said.line, sender, ident=name, told=True)
        letter.bounce_of = self._reports.pop(key, None)
        self._places.pop(key, None)
        if len(self._letters) > OPEN_MAX:
            self._close(next(iter(self._letters)))
        return letter

    def enter(self, letter: Letter) -> None:
        """Its sender and account are known now: the ledger may sort it."""
        self.ledger.take([letter])

    def session(self, said: Saying, login: Login, about: str = "") -> int:
        """A sign-in to which letters will refer, by the row that is returned. The same again, from a copy of
        the log, is the one that is known."""
        token = hash((said.host, about or said.pid, said.at, login))
        known = self._sessions.get(token)
        if known is None:
            known = self._sessions[token] = self.login(said, login)
            if len(self._sessions) > SEEN_MAX:
                del self._sessions[next(iter(self._sessions))]
        return known

    def sign(self, letter: Letter, login: Login, row: int, confidence: float) -> None:
        letter.account, letter.address, letter.row = login.account, login.address, row
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
        if result.kind:
            self.kinds[result.kind] += 1
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

    def settle(self) -> None:
        """All has been read: second witnesses of what a server told itself are dismissed."""
        stories = self.ledger.visits({self.ledger.login_at(row).account for row in self._doubtful})
        for name, story in list(stories.items()):
            local = name.partition("@")[0]
            if local != name and self.ledger.accounts().get(local):
                story += self.ledger.visits((local,))[local]  # one witness may not know the domain
        twice = {visit.row for story in stories.values() for visit in self._told_twice(story)}
        self.ledger.replace(twice, NOBODY)
        self._doubtful.clear()

    def _told_twice(self, story: list[Visit]) -> Iterator[Visit]:
        sure = [visit for visit in story if visit.row not in self._doubtful]
        times = sorted((visit.at, visit.row) for visit in sure)
        by_row = {visit.row: visit for visit in sure}
        for visit in story:
            if visit.row not in self._doubtful:
                continue
            near = WITNESS_S * SECOND
            first, last = (
                bisect_left(times, (visit.at - near, -1)),
                bisect_left(times, (visit.at + near + 1, -1)),
            )
            if any(_is_same(visit.login, by_row[row].login) for _, row in times[first:last]):
                yield visit


def _is_same(witness: Login, told: Login) -> bool:
    return witness.ok == told.ok and witness.address in ("", told.address)
