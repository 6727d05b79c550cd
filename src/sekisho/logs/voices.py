"""The dialects whose lines are read one by one: which of them, by its program's name, said this."""

from typing import Protocol

from sekisho.logs import exim, sendmail
from sekisho.logs.books import Books
from sekisho.logs.saying import Saying, take_apart, without_program

NAMES = (exim.NAME, sendmail.NAME)


class Dialect(Protocol):
    """`hear` is False for a line that it should know and does not; `claims` tells whether a line without a
    program's name is its own."""

    @property
    def name(self) -> str: ...
    @property
    def programs(self) -> frozenset[str]: ...
    def claims(self, text: str) -> bool: ...
    def hear(self, said: Saying) -> bool: ...


class Voices:
    def __init__(self, books: Books, only: frozenset[str] = frozenset()) -> None:
        every: tuple[Dialect, ...] = (exim.Exim(books), sendmail.Sendmail(books))
        self._dialects = tuple(one for one in every if not only or one.name in only)
        self._by_program = {program: one for one in self._dialects for program in one.programs}

    def whose(self, raw: bytes) -> tuple[Dialect, Saying] | None:
        """None for a line that none of these programs wrote."""
        said = take_apart(raw)
        if said is None:
            return None
        if said.program:
            dialect = self._by_program.get(said.program)
            if dialect is not None:
                return dialect, said
            if not _is_own_stamp(said.stamp):
                return None
            said = without_program(said, raw)
        for dialect in self._dialects:
            if dialect.claims(said.text):
                return dialect, said
        return None


def _is_own_stamp(stamp: bytes) -> bool:
    """`2013-07-22 18:52:46` is written by programs themselves, for syslog puts a T in the middle; then no
    host and no program's name follow, whatever it looks like."""
    return stamp[10:11] == b" " and stamp[4:5] == b"-"
