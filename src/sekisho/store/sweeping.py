"""Bounces that have arrived in mailboxes: found by the line we write above them, taken out, brought back.

What is taken out lies beside the Maildir, in `purged/ACTION/`, and its name says where it was. Users may
write into their mailboxes, so every folder is entered, never followed through a link. All calls block.
"""

import contextlib
import re
from collections.abc import Iterator

from msgspec import Struct

from sekisho.model.envelope import Envelope
from sekisho.model.ident import id_time, is_id
from sekisho.model.letter import BOUNCE_ACCOUNT, BOUNCE_MARK, BOUNCE_OF
from sekisho.model.selector import Cause
from sekisho.store.maildir import FOLDERS
from sekisho.store.maildirsize import Held, add
from sekisho.world import Disk, Folder, Unavailable

NAME = b"X-Bounce-Of"
HEAD_BYTES = 2048
"""Return-Path, Delivered-To and our line stand within this much."""

TRASH = "purged"
PLACES = FOLDERS[1:]
BETWEEN = "!"

_OURS = re.compile(r"(\d+)\.D[0-9a-z]{17}\.sekisho,S=(\d+)")
_LINE = re.compile(rb"Return-Path: <>\nDelivered-To: [^\n]*\n" + NAME + rb": (\w{17}) (\d+) ([^\n]*)\n")


def mark_line(envelope: Envelope) -> bytes:
    """The line above a bounce of a letter of ours, b"" above everything else. What strangers write stands
    below our Received field, never here.
    """
    options = envelope.options
    if envelope.sender is not None or not options.get(BOUNCE_OF):
        return b""
    said = f"{options[BOUNCE_OF]} {options.get(BOUNCE_MARK, '0')} {options.get(BOUNCE_ACCOUNT, '')}"
    return NAME + b": " + said.encode() + b"\n"


class Found(Struct, frozen=True):
    name: str
    bytes: int


class Mailboxes:
    """Those of one house; `base` is its `mail` folder, which is the operator's."""

    def __init__(self, disk: Disk, base: str) -> None:
        self._disk = disk
        self._base = base

    def purge(self, mailbox: str, cause: Cause, action: str) -> list[Found]:
        """`mailbox` as in `DOMAIN/USER/Maildir`; without an action it is only looked."""
        found: list[Found] = []
        home, _, box = mailbox.rpartition("/")
        with (
            contextlib.suppress(FileNotFoundError),
            self._entered(*home.split("/")) as owner,
            owner.enter(box) as maildir,
        ):
            for folder in ("", *filter(_is_folder, maildir.names())):
                found += self._purge_folder(owner, maildir, folder, cause, action)
            if action:
                _write_down(maildir, found, -1)
        return found

    def restore(self, cause: Cause | None, taken_by: str, *, dry: bool) -> list[Found]:
        """What this action has taken, or any action of what the cause covers."""
        return [each for owner in self._homes() for each in _restore_home(owner, cause, taken_by, dry=dry)]

    def forget(self, before: int) -> None:
        """What was taken before then is gone for good."""
        for owner in self._homes():
            _forget_home(owner, before)

    def _homes(self) -> Iterator[Folder]:
        """The folders of all users, one after the other; nobody's whose name is a link."""
        if not self._disk.exists(self._base):
            return
        with self._disk.folder(self._base) as base:
            for domain in base.names():
                for user in _names(base, domain):
                    with (
                        contextlib.suppress(FileNotFoundError, Unavailable),
                        base.enter(domain) as inside,
                        inside.enter(user) as owner,
                    ):
                        yield owner

    def _entered(self, *names: str) -> Folder:
        folder = self._disk.folder(self._base)
        for name in names:
            with folder:
                folder = folder.enter(name)
        return folder

    def _purge_folder(
        self, owner: Folder, maildir: Folder, folder: str, cause: Cause, action: str
    ) -> list[Found]:
        found = []
        for place in PLACES:
            with contextlib.suppress(FileNotFoundError, Unavailable), _at(maildir, folder, place) as letters:
                chosen = [name for name in letters.names() if _is_caused(letters, name, cause)]
                found += [Found(name, _size(name)) for name in chosen]
                if chosen and action:
                    _take_out(owner, letters, action, f"{folder}{BETWEEN}{place}", chosen)
        return found


def _write_down(maildir: Folder, moved: list[Found], sign: int) -> None:
    """For the quota of the mailbox, where one is kept; a line that is lost is found by counting."""
    if moved:
        with contextlib.suppress(Unavailable):
            add(maildir, Held(sign * sum(each.bytes for each in moved), sign * len(moved)))


def _is_folder(name: str) -> bool:
    """Of Maildir++."""
    return name.startswith(".") and name not in (".", "..")


def _at(maildir: Folder, folder: str, place: str) -> Folder:
    """Raises FileNotFoundError where there is none, Unavailable where it is a link."""
    if not folder:
        return maildir.enter(place)
    with maildir.enter(folder) as inside:
        return inside.enter(place)


def _names(base: Folder, domain: str) -> list[str]:
    try:
        with base.enter(domain) as inside:
            return list(inside.names())
    except (FileNotFoundError, Unavailable):
        return []


def _is_caused(letters: Folder, name: str, cause: Cause) -> bool:
    """Only a file that we delivered since the incident began is opened."""
    ours = _OURS.match(name)
    if ours is None or (int(ours[1]) + 1) * 1_000_000 < cause.since:
        return False
    try:
        line = _LINE.match(letters.start(name, HEAD_BYTES))
    except FileNotFoundError:  # its reader has just moved it
        return False
    return line is not None and _covered(line, cause)


def _covered(line: re.Match[bytes], cause: Cause) -> bool:
    message, mark, account = (part.decode("utf-8", "replace") for part in line.groups())
    return cause.covers(message, account, mark)


def _size(name: str) -> int:
    ours = _OURS.match(name.rpartition(BETWEEN)[2])
    return int(ours[2]) if ours else 0


def _take_out(owner: Folder, letters: Folder, action: str, prefix: str, names: list[str]) -> None:
    owner.make(TRASH)
    with owner.enter(TRASH) as trash:
        trash.make(action)
        with trash.enter(action) as bin_:
            for name in names:
                with contextlib.suppress(FileNotFoundError):
                    letters.move(name, bin_, f"{prefix}{BETWEEN}{name}")
            bin_.sync()


def _bins(owner: Folder) -> Iterator[tuple[str, Folder]]:
    """What was taken out of this mailbox, by action. A link that its owner has put there is nothing, and
    keeps nobody else from theirs.
    """
    with contextlib.suppress(FileNotFoundError, Unavailable), owner.enter(TRASH) as trash:
        for action in trash.names():
            with contextlib.suppress(FileNotFoundError, Unavailable), trash.enter(action) as bin_:
                yield action, bin_


def _restore_home(owner: Folder, cause: Cause | None, taken_by: str, *, dry: bool) -> list[Found]:
    found: list[Found] = []
    for action, bin_ in _bins(owner):
        if not taken_by or action == taken_by:
            with contextlib.suppress(FileNotFoundError, Unavailable), owner.enter("Maildir") as box:
                back = _restore_bin(bin_, box, cause, dry=dry)
                found += back
                if not dry:
                    _write_down(box, back, 1)
    return found


def _restore_bin(bin_: Folder, maildir: Folder, cause: Cause | None, *, dry: bool) -> list[Found]:
    found = []
    for name in bin_.names():
        to = _origin(name)
        if to is None or (cause is not None and not _is_of(bin_, name, cause)):
            continue
        found.append(Found(to[2], _size(name)))
        if not dry:
            _put_back(bin_, name, maildir, to)
    return found


def _origin(name: str) -> tuple[str, str, str] | None:
    """Folder, place and name that it had; None for what we did not put here."""
    parts = name.rsplit(BETWEEN, 2)
    if len(parts) < 3 or parts[1] not in PLACES or not _OURS.match(parts[2]):
        return None
    return (parts[0], parts[1], parts[2]) if not parts[0] or _is_folder(parts[0]) else None


def _is_of(bin_: Folder, name: str, cause: Cause) -> bool:
    line = _LINE.match(bin_.start(name, HEAD_BYTES))
    return line is not None and _covered(line, cause)


def _put_back(bin_: Folder, name: str, maildir: Folder, to: tuple[str, str, str]) -> None:
    """Where it was; into the inbox where that folder is gone."""
    folder, place, plain = to
    try:
        target = _at(maildir, folder, place)
    except (FileNotFoundError, Unavailable):
        target = maildir.enter(PLACES[0])
    with target:
        bin_.move(name, target, plain)
        target.sync()


def _forget_home(owner: Folder, before: int) -> None:
    for action, bin_ in _bins(owner):
        if is_id(action) and id_time(action) < before:
            for name in bin_.names():
                bin_.unlink(name)
