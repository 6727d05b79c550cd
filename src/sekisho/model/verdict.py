"""What we think of something (Verdict) and what we say to the peer about it (Reply)."""

from enum import IntEnum

from msgspec import Struct


class Reply(Struct, frozen=True):
    """An SMTP reply: `code` 250, `status` the enhanced code "2.1.0" or "" (RFC 3463), text of one or more
    lines."""

    code: int
    status: str
    text: str

    def __str__(self) -> str:
        return f"{self.code} {self.status} {self.text}" if self.status else f"{self.code} {self.text}"

    @property
    def positive(self) -> bool:
        return self.code < 400

    @property
    def transient(self) -> bool:
        return 400 <= self.code < 500


class Act(IntEnum):
    """In order of strength: the strongest verdict wins, the earlier of two equal ones."""

    PASS = 0
    TAG = 1
    DELAY = 2
    HOLD = 3
    DEFER = 4
    REJECT = 5


class Note(Struct, frozen=True):
    """Something a check wants remembered once its verdict stands: `add` to `key` in the named table, until
    then."""

    table: str
    key: str
    add: int = 1
    until: int = 0


class Verdict(Struct, frozen=True):
    act: Act
    reply: Reply | None = None
    why: str = ""
    by: str = ""
    remember: tuple[Note, ...] = ()
    delay_s: int = 0
    held_by: str = ""


PASS = Verdict(Act.PASS)


def reject(code: int, status: str, text: str, why: str = "") -> Verdict:
    return Verdict(Act.REJECT, Reply(code, status, text), why)


def defer(code: int, status: str, text: str, why: str = "") -> Verdict:
    return Verdict(Act.DEFER, Reply(code, status, text), why)


def strongest(verdicts: list[Verdict]) -> Verdict:
    return max(verdicts, key=lambda verdict: verdict.act, default=PASS)
