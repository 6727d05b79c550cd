"""A mailbox's folder follows from its address, stays in the mail folder, and is nobody else's."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.store.paths import mailbox_folder

ODD = "abz09.-_+%/\\~ \"'\0\n:;&|$`<>*?éſK"


@pytest.mark.parametrize(
    ("address", "folder"),
    [
        ("hello@example.com", "mail/example.com/hello/Maildir"),
        ("mary.ann+x@example.com", "mail/example.com/mary.ann+x/Maildir"),
        ("../../etc/passwd@d", "mail/d/%2e.%2f..%2fetc%2fpasswd/Maildir"),
        ("a/../b@d", "mail/d/a%2f..%2fb/Maildir"),
        (".@d", "mail/d/%2e/Maildir"),
        ("..@d", "mail/d/%2e./Maildir"),
        ("-rf@d", "mail/d/%2drf/Maildir"),
        ('"a b"@d', "mail/d/%22a%20b%22/Maildir"),
        ("%2e@d", "mail/d/%252e/Maildir"),
        ("Hello@d", "mail/d/%48ello/Maildir"),
        ("\u00e9@d", "mail/d/%c3%a9/Maildir"),
        ("x@..", "mail/%2e./x/Maildir"),
        ("x@[192.0.2.1]", "mail/%5b192.0.2.1%5d/x/Maildir"),
    ],
)
def test_odd_names_are_written_safely(address: str, folder: str) -> None:
    """Path characters, leading dots and hyphens, quotes and percent signs become %XX."""
    assert folder == mailbox_folder(address)


@given(st.text(ODD, max_size=12), st.text(ODD, max_size=12))
def test_no_two_addresses_share_a_folder(one: str, other: str) -> None:
    """The way back is unique, and the path has exactly four plain parts."""
    for local in (one, other):
        parts = mailbox_folder(f"{local}@d").split("/")
        assert 4 == len(parts) and "\0" not in "".join(parts)
        assert not set(parts) & {"", ".", ".."}
        assert os.path.normpath("/".join(parts)) == "/".join(parts)
    assert (one == other) == (mailbox_folder(f"{one}@d") == mailbox_folder(f"{other}@d"))
