"""`sekisho account autoreply` as an operator types it, and whom the account would tell."""

import json
from pathlib import Path

import pytest
from mailhome import MailHome

from sekisho.host import HostDisk
from sekisho.store import autoreplies
from sekisho.store.autoreplies import A_DAY, DAY, KEPT, Telling, tell
from sekisho.store.vault import Vault
from sekisho.world import Unavailable

HELLO = "hello@example.com"


@pytest.fixture
def home(tmp_path: Path) -> MailHome:
    home = MailHome(tmp_path)
    Vault.create(str(tmp_path), b"k" * 32).close()
    assert 0 == home("account", "add", HELLO, "--no-password").code
    home("alias", "add", "sales@example.com", HELLO)
    return home


def test_it_is_set_shown_and_ended(home: MailHome) -> None:
    """Text from standard input; other names of the account count; each change stands in the audit."""
    words = ("account", "autoreply", HELLO)
    span = ("--from", "2026-08-01", "--until", "2026-08-31T12:00")
    result = home(*words, "--set", *span, typed="留守です。\n".encode())
    assert 0 == result.code, result.err
    (row,) = home(*words, "--json").rows()
    assert ("留守です。\n", ["sales@example.com"], 7) == (row["text"], row["addresses"], row["days"])
    assert row["from"].startswith("2026-08-01T00:00") and row["until"].startswith("2026-08-31T12:00")
    assert "| 留守です。" in home(*words).out
    assert "answers nobody" in home(*words, "--off").out
    with home.house() as house:
        assert ["autoreply ended", "autoreply set"] == [change.what for change in house.audit(HELLO)][:2]


@pytest.mark.parametrize(
    ("words", "typed", "why"),
    [
        (("--set",), b"", "no text"),
        (("--set",), b" \n\n", "no text"),
        (("--set",), b"x" * 20_000, "more than 16384 bytes"),
        (("--set", "--from", "2026-02-01", "--until", "2026-01-01"), b"x", "end before it begins"),
        (("--set", "--off"), b"x", "either --set or --off"),
    ],
)
def test_what_cannot_be_is_refused(home: MailHome, words: tuple[str, ...], typed: bytes, why: str) -> None:
    """With a sentence; nothing is written."""
    result = home("account", "autoreply", HELLO, *words, typed=typed)
    assert 1 == result.code and why in result.err
    assert not home("account", "autoreply", HELLO, "--json").rows()[0]["answers"]


def test_control_characters_do_not_get_in(home: MailHome) -> None:
    """Neither into the letter nor onto a terminal."""
    home("account", "autoreply", HELLO, "--set", "--subject", "a\r\nBcc: x@y", typed=b"x\x1b[31m\x00y\r\nz\n")
    (row,) = home("account", "autoreply", HELLO, "--json").rows()
    assert ("a Bcc: x@y", "x[31my\nz\n") == (row["subject"].replace("  ", " "), row["text"])


def test_a_sender_is_told_once_in_so_many_days(tmp_path: Path) -> None:
    """And nobody more when the day's or the memory's limit is reached."""
    (tmp_path / "mail").mkdir()
    now = 20_000 * DAY

    def asks(sender: str, at: int = now) -> bool:
        return tell(HostDisk(), str(tmp_path), Telling(HELLO, sender, 7, at))

    assert asks("a@b.example") and not asks("a@b.example")
    assert not asks("a@b.example", now + 7 * DAY - 1) and asks("a@b.example", now + 7 * DAY)
    path = tmp_path / "mail" / "example.com" / "hello" / "autoreply.told"
    path.write_text(json.dumps({"senders": {f"u{n}@x.example": now for n in range(A_DAY)}}))
    assert not asks("b@b.example", now + DAY - 1) and asks("b@b.example", now + DAY)
    path.write_text(json.dumps({"senders": {f"u{n}@x.example": now for n in range(KEPT)}}))
    assert not asks("c@b.example", now + 2 * DAY)
    path.write_text("{broken")
    assert asks("d@b.example")


def test_a_file_that_others_may_write_is_not_believed(home: MailHome) -> None:
    """Nor one behind a link, nor one that is no reply."""
    home("account", "autoreply", HELLO, "--set", typed=b"x")
    path = home.folder / "mail" / "example.com" / "hello" / "autoreply"
    path.chmod(0o666)
    with pytest.raises(Unavailable, match="chmod"):
        autoreplies.read(str(home.folder), HELLO)
    path.chmod(0o644)
    path.write_text('{"subject": 1}')
    with pytest.raises(Unavailable, match="not understood"):
        autoreplies.read(str(home.folder), HELLO)


def test_it_is_refused_where_another_server_would_have_to_answer(home: MailHome) -> None:
    """With `[local] lmtp` nobody here would; what is set can still be ended."""
    path = Path(home.path)
    path.write_text(path.read_text() + '\n[local]\nlmtp = "unix:/run/dovecot/lmtp"\n')
    result = home("account", "autoreply", HELLO, "--set", typed=b"Away.\n")
    assert 1 == result.code and "it must answer" in result.err
    assert 0 == home("account", "autoreply", HELLO, "--off").code
