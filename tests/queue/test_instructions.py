"""What `.qmail` and `.forward` files say, line by line, as a list of steps."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from covers import covers
from sekisho.queue.instructions import MAILBOX, STEPS_MAX, Format, Instructions, Step, names, parse

OWN = "hello@example.com"


def qmail(data: bytes) -> Instructions:
    return parse(data, "qmail", OWN)


def forward(data: bytes) -> Instructions:
    return parse(data, "forward", OWN)


def listed(found: Instructions) -> list[tuple[Any, ...]]:
    return [(step.line, step.kind, step.text) for step in found.steps]


SAMPLE = (
    b"# what happens to my mail\r\n"
    b"./Maildir/ \t\r\n"
    b"&bob@example.net\t\r\n"
    b"  \t\r\n"
    b"\r\n"
    b"mary@example.net\n"
    b"&carol   \n"
    b"dave\n"
    b"| /usr/bin/filter -x 'a b' \n"
    b"./Mailbox\n"
    b"./Maildir/.Lists.qmail/\n"
    b"#./never/"
)


@covers("Q-11", partly="`sekisho import qmail`")
def test_a_qmail_file_becomes_a_list() -> None:
    """Trailing blanks, CRLF, comments, blank lines, `&a`, `a`, `|cmd`, a Maildir, an mbox, no last end."""
    found = qmail(SAMPLE)
    assert [
        (2, "maildir", "Maildir/"),
        (3, "forward", "bob@example.net"),
        (6, "forward", "mary@example.net"),
        (7, "forward", "carol@example.com"),
        (8, "forward", "dave@example.com"),
        (9, "program", "/usr/bin/filter -x 'a b'"),
        (10, "mbox", "Mailbox"),
        (11, "maildir", "Maildir/.Lists.qmail/"),
    ] == listed(found)
    assert () == found.flaws


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        (b"", MAILBOX),
        (b"#\n", Instructions()),
        (b"# nothing\n\n  \n", Instructions()),
        (b" \t\n./Maildir/\n", Instructions((Step("maildir", "Maildir/", 2),))),
        (b" \n", MAILBOX),
    ],
)
def test_nothing_to_do(data: bytes, wanted: Instructions) -> None:
    """An empty file is the mailbox; only comments throw the letter away; a line of blanks does neither."""
    assert wanted == qmail(data)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"\n./Maildir/\n", "blank"),
        (b"\r\n", "blank"),
        (b"&\n", "address"),
        (b"&a b@example.net\n", "address"),
        (b"/var/mail/hello\n", "place"),
        (b"./../../etc/\n", "place"),
        (b"./Maildir/../x/\n", "place"),
        (b"../x/\n", "place"),
        (b"./\n", "place"),
        (b"./a\x00b\n", "place"),
        (b"|\n", "syntax"),
        (b"|/bin/x\x00\n", "syntax"),
        (b"*odd\n", "syntax"),
        (b"\xff\xfe@example.net\n", "syntax"),
        (b"+list\n|/bin/x\n", "forward_only"),
    ],
)
def test_a_line_that_cannot_be_done_is_a_flaw(data: bytes, why: str) -> None:
    """As with qmail the letter waits then; nothing outside of the account's folder is ever written."""
    assert [why] == [flaw.why for flaw in qmail(data).flaws]


def test_a_list_that_programs_may_edit_only_forwards() -> None:
    """qmail's +list."""
    found = qmail(b"+list\nbob@example.net\n&mary@example.net\n")
    assert (True, 2, ()) == (found.forward_only, len(found.steps), found.flaws)


@covers("H-04", partly="`sekisho import qmail`")
def test_a_forward_file_becomes_a_list() -> None:
    """Commas and lines, `\\user`, quotes around a command with a comma, quoted local parts, comments."""
    data = b'# mine\n\\hello, "|/usr/bin/vacation -a \\"x, y\\" hello", a@b.example\r\n'
    data += b' bob,"odd name"@c.example\n'
    assert [
        (2, "mailbox", ""),
        (2, "program", '/usr/bin/vacation -a "x, y" hello'),
        (2, "forward", "a@b.example"),
        (3, "forward", "bob@example.com"),
        (3, "forward", '"odd name"@c.example'),
    ] == listed(forward(data))
    assert [(1, "mailbox", ""), (1, "forward", "bob@example.com")] == listed(forward(b'"\\hello",\\bob'))
    assert [(1, "mailbox", "")] == listed(forward(b"Hello@Example.com"))


@pytest.mark.parametrize("data", [b"", b"# only a comment\n", b" , ,\n\n"])
def test_a_forward_file_that_says_nothing_is_the_mailbox(data: bytes) -> None:
    """Nothing is ever thrown away by it."""
    assert MAILBOX == forward(data)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b'"|/bin/x\n', "syntax"),
        (b":include:/etc/passwd\n", "address"),
        (b"/var/mail/hello\n", "place"),
        (b"~bob/Mail/\n", "place"),
        (b"a@b@c\n", "address"),
        (b"a@\n", "address"),
    ],
)
def test_flaws_of_a_forward_file(data: bytes, why: str) -> None:
    """No includes, nobody else's folder."""
    assert [why] == [flaw.why for flaw in forward(data).flaws]


def test_too_many_steps_are_a_flaw() -> None:
    """One letter must not become thousands."""
    found = qmail(b"a@example.net\n" * (STEPS_MAX + 1))
    assert (STEPS_MAX, ["too_many"]) == (len(found.steps), [flaw.why for flaw in found.flaws])


@pytest.mark.parametrize(
    ("extension", "style", "wanted"),
    [
        ("", "qmail", (".qmail",)),
        ("a", "qmail", (".qmail-a", ".qmail-default", ".qmail")),
        ("a-b", "qmail", (".qmail-a-b", ".qmail-a-default", ".qmail-default", ".qmail")),
        ("a.b", "qmail", (".qmail-a:b", ".qmail-default", ".qmail")),
        ("../x", "qmail", (".qmail-default", ".qmail")),
        ("a/b", "qmail", (".qmail-default", ".qmail")),
        ("", "forward", (".forward",)),
        ("a", "forward", (".forward+a", ".forward")),
        ("../x", "forward", (".forward",)),
    ],
)
def test_the_file_follows_from_the_extension(extension: str, style: Format, wanted: tuple[str, ...]) -> None:
    """As qmail and Postfix look for them; an extension names no file elsewhere."""
    assert wanted == names(extension, style)


@given(st.binary(max_size=400), st.sampled_from(["qmail", "forward"]))
def test_any_bytes_are_read(data: bytes, style: Format) -> None:
    """A bounded list; every path stays below the folder, every address has a domain."""
    found = parse(data, style, OWN)
    for step in found.steps:
        assert "\n" not in step.text and "\0" not in step.text
        assert step.kind != "forward" or "@" in step.text
        path = step.text.rstrip("/").split("/")
        assert step.kind not in ("maildir", "mbox") or not ({"..", ""} & set(path))
