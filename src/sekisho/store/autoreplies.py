"""Automatic replies as they are kept: `autoreply` and `autoreply.told` in the account's folder.

The first is written by `sekisho account autoreply`, the second by the local role: whom it has answered, and
when. A thousand or so senders are remembered; when that is not enough, nobody more is answered that day.
"""

import os
from functools import partial

import msgspec
from msgspec import Struct

from sekisho.mail.autoreply import Autoreply
from sekisho.store import guarded
from sekisho.store.paths import mailbox_folder
from sekisho.world import Disk, Folder, Unavailable

FILE, TOLD = "autoreply", "autoreply.told"
FILE_BYTES = 64 * 1024
TOLD_BYTES = 1024 * 1024
KEPT = 2_000
"""Most senders remembered."""

A_DAY = 200
"""Most answers of one account in 24 hours: what somebody else can make it write to strangers."""

DAY = 86_400 * 1_000_000

_reply = msgspec.json.Decoder(Autoreply)


class Told(Struct):
    """Times by sender, in microseconds, the oldest first."""

    senders: dict[str, int] = {}


_told = msgspec.json.Decoder(Told)


def path_of(state: str, mailbox: str) -> str:
    """By the folder of the account's mailbox."""
    return f"{state}/{os.path.dirname(mailbox)}/{FILE}"


def read(state: str, account: str) -> Autoreply | None:
    """None when there is none. Raises Unavailable for one that must not be believed."""
    text = _guarded(state, account, FILE, FILE_BYTES)
    if text is None:
        return None
    try:
        return _reply.decode(text)
    except msgspec.DecodeError as error:
        raise Unavailable(path_of(state, mailbox_folder(account)), "is not understood") from error


def write(disk: Disk, state: str, account: str, reply: Autoreply | None) -> None:
    """None removes it, and forgets who has been told."""
    with _folder(disk, state, account) as folder:
        for name in (FILE, TOLD) if reply is None else (TOLD,):
            if name in folder.names():
                folder.unlink(name)
        if reply is not None:
            _put(folder, FILE, msgspec.json.encode(reply))
        folder.sync()


class Telling(Struct, frozen=True):
    """Who would be told, by which account, and for how many days that is enough."""

    account: str
    sender: str
    days: int
    now: int


def tell(disk: Disk, state: str, telling: Telling) -> bool:
    """True when this sender is to be told now: it is remembered, before anything is sent."""
    told, now = _remembered(state, telling.account), telling.now
    oldest = now - max(telling.days, 1) * DAY
    recent = {who: at for who, at in told.senders.items() if oldest < at <= now + DAY}
    today = sum(1 for at in recent.values() if at > now - DAY)
    if telling.sender in recent or len(recent) >= KEPT or today >= A_DAY:
        return False
    with _folder(disk, state, telling.account) as folder:
        _put(folder, TOLD, msgspec.json.encode(Told({**recent, telling.sender: now})))
    return True


def _remembered(state: str, account: str) -> Told:
    text = _guarded(state, account, TOLD, TOLD_BYTES)
    try:
        return _told.decode(text) if text is not None else Told()
    except msgspec.DecodeError:
        return Told()


def _guarded(state: str, account: str, name: str, limit: int) -> bytes | None:
    folder = os.path.dirname(mailbox_folder(account))
    try:
        handle = os.open(f"{state}/{folder}", os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        text = guarded.read(name, limit, handle)
    finally:
        os.close(handle)
    return text.data if text is not None else None


def _put(folder: Folder, name: str, data: bytes) -> None:
    temporary = f"{name}.new"
    if temporary in folder.names():  # left behind by a crash
        folder.unlink(temporary)
    with folder.create(temporary) as file:
        file.write(data)
        file.finish()
    folder.move(temporary, folder, name)


def _folder(disk: Disk, state: str, account: str) -> Folder:
    """The account's, made if need be as the owner of all mail would have made it."""
    _, domain, user, _ = mailbox_folder(account).split("/")
    path = f"{state}/mail"
    if not disk.exists(path):
        disk.make_folders(path)
    place, owner = disk.folder(path), os.stat(path)
    for name in (domain, user):
        path = f"{path}/{name}"
        with place:
            place = _entered(place, name, partial(_give, path, owner))
    return place


def _entered(place: Folder, name: str, made: "partial[None]") -> Folder:
    try:
        return place.enter(name)
    except FileNotFoundError:
        place.make(name)
        made()
        return place.enter(name)


def _give(path: str, owner: os.stat_result) -> None:
    if os.geteuid() == 0:
        os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)
