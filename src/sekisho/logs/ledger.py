"""The index of a scan: every login and every letter of all files, in columns, with the line where it
stands.

A login costs 24 bytes, however long its line is; a letter of a stranger is dropped when there are too many.
From here one account's whole story can be taken out in order of time.
"""

from array import array
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Container, Iterable

from msgspec import Struct, structs

from sekisho.logs.facts import Login
from sekisho.logs.mailroom import Letter
from sekisho.model.address import domain_of

STRANGERS_MAX = 400_000
"""Ended letters from senders outside the domains that log in; above it the oldest are forgotten, their
number kept."""


class Visit(Struct, frozen=True):
    """One login with its time and place in the log. `row` tells it from all others; `event` is our own
    event's id."""

    at: int
    login: Login
    file: int
    line: int
    pid: int
    row: int
    event: str = ""


class Ledger:
    """`columns` are the doors of a reader in a hurry: time, key, line and process id of one login, each; what
    `add` looks at first, `since` and `until`, it must look at itself.
    """

    def __init__(self, since: int = 0, until: int = 2**62) -> None:
        self.since = since
        self.until = until
        self.logins: list[Login] = []
        self.letters: dict[str, list[Letter]] = defaultdict(list)
        self.letter_count = 0
        self.forgotten = 0
        self.passing_tries = 0
        self.mailboxes: set[str] = set()
        self._passed: tuple[int, int] | None = None
        self._keys: dict[Login, int] = {}
        self._at = array("q")
        self._key = array("I")
        self._line = array("I")
        self._pid = array("I")
        self.columns = (self._at.append, self._key.append, self._line.append, self._pid.append)
        self._file_starts: list[int] = []
        self._events: dict[int, str] = {}
        self._rows_of_event: dict[str, int] = {}
        self._strangers = 0
        self._accounts: dict[str, list[int]] | None = None

    def begin_file(self) -> None:
        self._file_starts.append(len(self._at))

    def key(self, login: Login) -> int:
        """The number of a login that differs from others by more than time."""
        key = self._keys.get(login)
        if key is None:
            key = self._keys[login] = len(self.logins)
            self.logins.append(login)
        return key

    def add(self, at: int, key: int, line: int, pid: int) -> int:
        """The login's row; -1 if it is not wanted."""
        if not self.since <= at < self.until:
            return -1
        self._at.append(at)
        self._key.append(key)
        self._line.append(line)
        self._pid.append(pid)
        return len(self._at) - 1

    def login_at(self, row: int) -> Login:
        return self.logins[self._key[row]]

    def last(self, pid: int) -> tuple[Login, int] | None:
        """The latest login and its time, if it is of this process."""
        if not self._pid or self._pid[-1] != pid:
            return None
        return self.logins[self._key[-1]], self._at[-1]

    def replace(self, rows: Iterable[int], login: Login) -> None:
        """These rows say this instead."""
        for row in rows:
            self._key[row] = self.key(login)

    def add_event(self, at: int, key: int, line: int, event: str) -> None:
        """A login of our own archive. The same event again, from a copy of the file, changes nothing."""
        if event in self._rows_of_event or not self.since <= at < self.until:
            return
        self._rows_of_event[event] = len(self._at)
        self._events[len(self._at)] = event
        self.add(at, key, line, 0)

    def row_of(self, event: str) -> int | None:
        return self._rows_of_event.get(event)

    def take(self, letters: Iterable[Letter]) -> None:
        """Letters that began; they may still gain recipients and results."""
        for letter in letters:
            if not self.since <= letter.at < self.until:
                continue
            self.letter_count += 1
            self.letters[letter.owner].append(letter)
            self._strangers += 1
        if self._strangers > STRANGERS_MAX:
            self._forget_strangers()

    def _forget_strangers(self) -> None:
        ours = {domain_of(login.account) for login in self.logins if login.ok}
        accounts = {login.account for login in self.logins}
        for sender in list(self.letters):
            if sender in accounts or (sender and domain_of(sender) in ours):
                continue
            kept = [letter for letter in self.letters[sender] if not letter.ended]
            self.forgotten += len(self.letters[sender]) - len(kept)
            self.letters[sender] = kept
            if not kept:
                del self.letters[sender]
        self._strangers = 0

    def pass_by(self, at: int) -> None:
        """A stranger's letter, of which only the number is kept."""
        if self.since <= at < self.until:
            self.letter_count += 1
            first, last = self._passed or (at, at)
            self._passed = min(first, at), max(last, at)

    def settle(self) -> None:
        """Letters that turned out to be none of their own are dropped; those whose account was learnt late
        are put where they belong."""
        for owner in list(self.letters):
            group = self.letters[owner]
            stay = [letter for letter in group if not letter.dropped and letter.owner == owner]
            if len(stay) == len(group):
                continue
            self.letters[owner] = stay
            for letter in group:
                if letter.dropped:
                    self.letter_count -= 1
                elif letter.owner != owner:
                    self.letters[letter.owner].append(letter)

    def __len__(self) -> int:
        return len(self._at)

    def shift(self, logins: Container[int], letters: Container[int], by: int) -> None:
        """Move the logins and the letters of these files in time: their zone was found out."""
        for file, start in enumerate(self._file_starts):
            end = self._file_starts[file + 1] if file + 1 < len(self._file_starts) else len(self._at)
            if file in logins:
                self._at[start:end] = array("q", (at + by for at in self._at[start:end]))
        for group in self.letters.values():
            for letter in group:
                if letter.file in letters:
                    letter.at += by
                    letter.tries = [structs.replace(attempt, at=attempt.at + by) for attempt in letter.tries]

    def spanning(self) -> tuple[int, int] | None:
        """First and last time of all logins and letters; None if there is neither."""
        letters = [letter.at for group in self.letters.values() for letter in group]
        groups = (self._at, letters, self._passed)
        times = [time for group in groups if group for time in (min(group), max(group))]
        return (min(times), max(times)) if times else None

    def accounts(self) -> dict[str, list[int]]:
        """Account -> its keys. Call it when all is read."""
        if self._accounts is None:
            self._accounts = {}
            for key, login in enumerate(self.logins):
                if login.account:
                    self._accounts.setdefault(login.account, []).append(key)
        return self._accounts

    def tallies(self) -> Counter[int]:
        """How often each key occurs."""
        return Counter(self._key)

    def visits(self, accounts: Iterable[str]) -> dict[str, list[Visit]]:
        """Every login of these accounts, each in order of time; one pass over the columns for all of them."""
        wanted: dict[int, list[Visit]] = {}
        found: dict[str, list[Visit]] = {}
        for account in accounts:
            story = found[account] = []
            for key in self.accounts().get(account, ()):
                wanted[key] = story
        if wanted:
            for row, key in enumerate(self._key):
                if key in wanted:
                    wanted[key].append(self._visit(row, key))
        for story in found.values():
            story.sort(key=lambda visit: (visit.at, visit.row))
        return found

    def _visit(self, row: int, key: int) -> Visit:
        file = bisect_right(self._file_starts, row) - 1
        return Visit(
            self._at[row],
            self.logins[key],
            file,
            self._line[row],
            self._pid[row],
            row,
            self._events.get(row, ""),
        )
