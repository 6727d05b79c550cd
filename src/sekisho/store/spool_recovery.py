"""What a spool does when it is opened: what the crash left half done is put right before anything else."""

from collections.abc import Sequence
from typing import Any, Protocol

import apsw
import msgspec
from msgspec import Struct

from sekisho.model.config import Queue
from sekisho.store.bodies import remove
from sekisho.store.journal import Journal
from sekisho.store.spool_file import TROUBLE
from sekisho.store.spool_rows import SQL
from sekisho.store.spool_young import Young, decoder, watermark
from sekisho.world import Clock, Disk, Unavailable

MISSING_BODY = "alarm-body-file-missing"
"""Stands in `held_by` of a message whose body file is gone: it is never tried and never dropped."""

LONGEST_WAIT_S = 86400
"""No try is put off for longer than this, or than the settings' longest wait if that is more."""


class Doors(Protocol):
    @property
    def clock(self) -> Clock: ...

    @property
    def disk(self) -> Disk: ...


class Recovered(Struct, frozen=True):
    """For the operator: `tried` deliveries were under way, `orphans` files had no row, `missing` messages
    no file. `holes` frames of the journal were damaged behind which others stood, `refused` messages could
    not be rows: no crash leaves such a thing, only a disk or a program with a fault."""

    tried: int
    orphans: int
    missing: tuple[str, ...]
    holes: int = 0
    refused: tuple[str, ...] = ()


def recover(db: Any, journal: Journal, bodies: str, doors: Doors, settings: Queue) -> Recovered:
    now = doors.clock.now()
    try:
        db.execute("begin immediate")
        holes, refused = _take_in(db, journal)
        (salt,) = db.execute(SQL["new_salt"]).fetchone()
        db.execute(SQL["journal_salt"], (salt,))
        db.execute(SQL["recover"])
        tried = db.changes()
        db.execute(SQL["nothing_on_the_wire"])
        clamp(db, now, settings)
        named = {row[0] for row in db.execute(SQL["messages_in_files"])}
        there = set(doors.disk.list(bodies))
        missing = sorted(named - there)
        _hold(db, missing, now)
        db.execute("commit")
        db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    except TROUBLE as error:
        raise Unavailable("spool", str(error)) from error
    _, number = watermark(db)
    journal.begin(salt, number)
    orphans = there - named
    for name in orphans:
        remove(doors.disk, f"{bodies}/{name}")
    return Recovered(tried, len(orphans), tuple(missing), holes, tuple(refused))


def _take_in(db: Any, journal: Journal) -> tuple[int, list[str]]:
    """What the journal says and the table does not know. Returns the holes, and messages that are refused."""
    salt, known = watermark(db)
    young, number, count = Young(), known, 0
    for number, frame in journal.frames(salt, known):
        count += 1
        try:
            young.apply(decoder.decode(frame), number, 0)
        except msgspec.MsgspecError as error:
            raise Unavailable(journal.path, f"frame {number} is not of this version: {error}") from error
    _, refused = young.fold(db, number)
    db.execute(SQL["journal_number"], (number,))
    return number - known - count, refused


def clamp(db: Any, now: int, settings: Queue) -> tuple[None, list[str]]:
    latest = now + max(LONGEST_WAIT_S, settings.longest_retry_s * 2) * 1_000_000
    db.execute(SQL["clamp"], (latest, latest))
    return None, []


def _hold(db: Any, messages: Sequence[str], now: int) -> None:
    for message in messages:
        db.execute(SQL["hold_message"], (now, MISSING_BODY, message))
