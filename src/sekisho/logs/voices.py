"""The dialects whose lines are read one by one: which of them, by its program's name, said this.

One dialect, one file: it has a name, the names of its programs, and `hear`. It is added here, and nowhere
else.
"""

from collections import Counter
from collections.abc import Container
from typing import Protocol

from sekisho.logs import (
    courier,
    cyrus,
    dovecot,
    exim,
    opensmtpd,
    postfix,
    saslauthd,
    sendmail,
    smallservers,
    smtpd,
    uwimap,
    webmail,
)
from sekisho.logs.books import Books
from sekisho.logs.express import Express
from sekisho.logs.saying import Saying, take_apart, without_program
from sekisho.logs.whispers import Whispers

NAMES = (
    exim.NAME, sendmail.NAME, postfix.NAME, dovecot.NAME, opensmtpd.NAME, smtpd.NAME, courier.NAME,
    cyrus.NAME, uwimap.NAME, saslauthd.NAME, webmail.NAME, smallservers.NAME,
)  # fmt: skip

PROGRAMS_KEPT = 10_000
"""Names of programs whose dialect is remembered; a log full of rubbish has names without number."""


NAMELESS = frozenset({
    exim.NAME, postfix.NAME, dovecot.NAME, smtpd.NAME, webmail.NAME, smallservers.NAME,
})  # fmt: skip
"""Dialects whose lines may stand in a log of their own, where no program is named."""

ELSEWHERE = frozenset({"qmail"})
"""Programs whose lines are not all read here: others know those that nobody claims."""


class Dialect(Protocol):
    """`hear` is False for a line that it should know and does not; `claims` tells whether a line is its own
    that has no program's name, or one that several dialects have."""

    @property
    def name(self) -> str: ...
    @property
    def programs(self) -> Container[str]: ...
    def claims(self, text: str) -> bool: ...
    def hear(self, said: Saying) -> bool: ...


class Voices:
    def __init__(self, books: Books, only: frozenset[str] = frozenset()) -> None:
        self._whispers = Whispers(books.ledger)
        self._postfix = postfix.Postfix(books.ledger, self._whispers)
        self._dovecot = dovecot.Dovecot(books.ledger, self._whispers)
        self.express = Express(self._postfix, self._dovecot)
        self.smtpd = smtpd.Smtpd(books)
        self._books = books
        every: tuple[Dialect, ...] = (
            exim.Exim(books), sendmail.Sendmail(books), self._postfix,
            self._dovecot, opensmtpd.OpenSmtpd(books), self.smtpd,
            courier.Courier(books), cyrus.Cyrus(books), uwimap.UwImap(books), saslauthd.Saslauthd(books),
            webmail.Webmail(books), smallservers.SmallServers(books),
        )  # fmt: skip
        self._dialects = tuple(one for one in every if not only or one.name in only)
        self._bare = tuple(one for one in self._dialects if one.name in NAMELESS)
        self._by_program: dict[str, tuple[Dialect, ...]] = {}

    def whose(self, raw: bytes) -> tuple[Dialect, Saying] | None:
        """None for a line that none of these programs wrote."""
        said = take_apart(raw)
        if said is None:
            return None
        if said.program:
            several = self._of_program(said.program)
            if several:
                alone = len(several) == 1 and said.program not in ELSEWHERE
                claimed = None if alone else _claimed(several, said)
                return claimed if claimed or said.program in ELSEWHERE else (several[0], said)
            if not _is_own_stamp(said.stamp):
                return None
            said = without_program(said, raw)
        return _claimed(self._bare, said)

    def _of_program(self, program: str) -> tuple[Dialect, ...]:
        if program not in self._by_program:
            if len(self._by_program) >= PROGRAMS_KEPT:
                self._by_program.clear()
            self._by_program[program] = tuple(one for one in self._dialects if program in one.programs)
        return self._by_program[program]

    @property
    def failures(self) -> Counter[str]:
        """Failed tries of the servers that are read here, by kind."""
        return self._books.kinds

    def turn(self) -> None:
        """A file is over: what was told in it belongs to it."""
        self._whispers.settle()

    def settle(self) -> None:
        """All has been read: what a dialect could know only at the end, it knows now."""
        self._whispers.settle()
        self._postfix.settle()
        self._books.settle()


def _claimed(dialects: tuple[Dialect, ...], said: Saying) -> tuple[Dialect, Saying] | None:
    return next(((one, said) for one in dialects if one.claims(said.text)), None)


def _is_own_stamp(stamp: bytes) -> bool:
    """`2013-07-22 18:52:46` is written by programs themselves, for syslog puts a T in the middle; then no
    host and no program's name follow, whatever it looks like."""
    return stamp[10:11] == b" " and stamp[4:5] == b"-"
