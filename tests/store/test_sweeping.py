"""Bounces in mailboxes: which are found, where they come back to, and what a hostile owner gains."""

from pathlib import Path

import pytest

from sekisho.host import HostDisk
from sekisho.mail.return_path import mark_of
from sekisho.model.envelope import Envelope, Origin
from sekisho.model.ident import make_id
from sekisho.model.letter import BOUNCE_ACCOUNT, BOUNCE_MARK, BOUNCE_OF
from sekisho.model.selector import Cause
from sekisho.store.maildir import name_of
from sekisho.store.sweeping import Found, Mailboxes, mark_line
from sekisho.world import Unavailable

HELLO, BOX = "hello@example.com", "example.com/hello/Maildir"
BEGAN = 1_700_000_000 * 1_000_000
ACTION, LATER = make_id(BEGAN + 10_000_000, 1), make_id(BEGAN + 20_000_000, 2)
HOME, THEIRS = mark_of("AS1/JP"), mark_of("AS2/BY")
CAUSE = Cause(HELLO, BEGAN, 0, (HOME,))


def letter_of(message: str, mark: int = THEIRS, account: str = HELLO) -> bytes:
    options = {BOUNCE_OF: message, BOUNCE_MARK: str(mark), BOUNCE_ACCOUNT: account}
    line = mark_line(Envelope(None, (HELLO,), Origin("", "bounce", BEGAN), options))
    return b"Return-Path: <>\nDelivered-To: hello@example.com\n" + line + b"Subject: returned\n\nx\n"


def message(at_s: int) -> str:
    return make_id(BEGAN + at_s * 1_000_000, 9)


def put(base: Path, letter: bytes, place: str = "new", number: int = 0) -> str:
    folder = base / BOX / place
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("new", "cur", "tmp"):
        (folder.parent / name).mkdir(exist_ok=True)
    name = f"{name_of(make_id(BEGAN + 5_000_000, number))},S={len(letter)},W=9"
    (folder / name).write_bytes(letter)
    return name


def swept(base: Path, action: str = ACTION, cause: Cause = CAUSE) -> list[str]:
    return [each.name for each in Mailboxes(HostDisk(), str(base)).purge(BOX, cause, action)]


def restored(base: Path, cause: Cause | None = None, taken_by: str = "") -> list[Found]:
    return Mailboxes(HostDisk(), str(base)).restore(cause, taken_by, dry=False)


def test_only_bounces_of_the_incident(tmp_path: Path) -> None:
    """Not of the owner's network, not of another account, not of a letter from before, not without our line,
    nor with it anywhere else, nor of mail with a sender.
    """
    wanted = put(tmp_path, letter_of(message(1)), number=1)
    read = put(tmp_path, letter_of(message(2)), "cur", 2)
    sorted_away = put(tmp_path, letter_of(message(3)), ".Spam.Old/cur", 3)
    forged = letter_of(message(1))
    for number, letter in enumerate(
        (
            letter_of(message(1), HOME),
            letter_of(message(1), account="other@example.com"),
            letter_of(message(-1)),
            forged.replace(b"X-Bounce-Of", b"Received: here\nX-Bounce-Of"),
            forged.replace(b"Return-Path: <>", b"Return-Path: <a@b.example>"),
            forged.replace(b"X-Bounce-Of: ", b"X-Bounce-Of: x"),
            b"Subject: x\n\n" + forged,
            b"",
        ),
        10,
    ):
        put(tmp_path, letter, number=number)
    assert [wanted, read, sorted_away] == swept(tmp_path, action="")
    assert [wanted, read, sorted_away] == swept(tmp_path) and [] == swept(tmp_path)
    assert 8 == len(list((tmp_path / BOX / "new").iterdir()))


def test_they_come_back_to_where_they_were(tmp_path: Path) -> None:
    """With their flags; into the inbox where the folder is gone; by their action or by the incident."""
    put(tmp_path, letter_of(message(1)), number=1)
    put(tmp_path, letter_of(message(2)), ".Spam/cur", 2)
    flagged = tmp_path / BOX / "cur" / (put(tmp_path, letter_of(message(3)), "cur", 3) + ":2,S")
    (flagged.parent / flagged.name.removesuffix(":2,S")).rename(flagged)
    before = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file())
    assert 3 == len(swept(tmp_path)) and not flagged.exists()
    assert [] == restored(tmp_path, taken_by=LATER) == restored(tmp_path, Cause("other@example.com", 0))
    assert 3 == len(restored(tmp_path, taken_by=ACTION)) and [] == restored(tmp_path, taken_by=ACTION)
    assert before == sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file())
    assert 3 == len(swept(tmp_path))
    for name in ("new", "cur", "tmp"):
        (tmp_path / BOX / ".Spam" / name).rmdir()
    (tmp_path / BOX / ".Spam").rmdir()
    assert 3 == len(restored(tmp_path, CAUSE))
    assert 2 == len(list((tmp_path / BOX / "new").iterdir())) and flagged.exists()


def test_links_lead_nowhere(tmp_path: Path) -> None:
    """A mailbox, a folder, a letter and the place for what is taken out, each a link planted by its owner."""
    outside = tmp_path / "outside"
    put(outside, letter_of(message(1)))
    base = tmp_path / "mail"
    (base / "example.com/hello").mkdir(parents=True)
    (base / BOX).symlink_to(outside / BOX)
    with pytest.raises(Unavailable, match="symbolic link"):
        swept(base)
    (base / BOX).unlink()
    (base / BOX / "cur").mkdir(parents=True)
    (base / BOX / "new").symlink_to(outside / BOX / "new")
    (base / BOX / ".x").symlink_to(outside / BOX)
    (base / BOX / "cur" / f"{name_of(ACTION)},S=1,W=1").symlink_to("/etc/passwd")
    assert [] == swept(base)
    assert 1 == len(list((outside / BOX / "new").iterdir()))
    (base / "example.com/hello/purged").symlink_to(outside)
    assert [] == restored(base)


def test_what_else_lies_in_the_trash_stays_there(tmp_path: Path) -> None:
    """Names that say they came from outside, from nowhere, or from us and did not."""
    name = put(tmp_path, letter_of(message(1)))
    swept(tmp_path)
    trash = tmp_path / "example.com/hello/purged" / ACTION
    for odd in (f"..!new!{name}", f".!cur!{name}", "x", "a!b!c", f"!tmp!{name}", f"!new!{name}!"):
        (trash / odd).write_bytes(letter_of(message(1)))
    assert [name] == [each.name for each in restored(tmp_path, taken_by=ACTION)]
    assert not (tmp_path / "example.com/hello/new").exists()


def test_it_ends_with_the_time_of_purged_mail(tmp_path: Path) -> None:
    """What was taken before then is removed, the rest stays."""
    put(tmp_path, letter_of(message(1)), number=1)
    swept(tmp_path)
    put(tmp_path, letter_of(message(1)), number=2)
    swept(tmp_path, LATER)
    Mailboxes(HostDisk(), str(tmp_path)).forget(BEGAN + 15_000_000)
    assert 1 == len(restored(tmp_path))


def test_the_quota_of_the_mailbox_is_told(tmp_path: Path) -> None:
    """What is taken out no longer counts, what comes back does, and a look changes nothing."""
    letter = letter_of(message(1))
    put(tmp_path, letter, number=1)
    put(tmp_path, letter, "cur", 2)
    limits = tmp_path / BOX / "maildirsize"
    limits.write_text(f"1000000S\n{2 * len(letter) + 50} 3\n")
    before = limits.read_text()
    assert 2 == len(swept(tmp_path, action="")) and before == limits.read_text()
    assert 2 == len(swept(tmp_path))
    assert before + f"-{2 * len(letter)} -2\n" == limits.read_text()
    assert 2 == len(restored(tmp_path))
    assert before + f"-{2 * len(letter)} -2\n{2 * len(letter)} 2\n" == limits.read_text()
