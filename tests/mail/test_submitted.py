"""Letters as programs hand them over: address lists, heads that lack things, ends of lines."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.mail.submitted import (
    BadAddresses,
    addresses,
    divided,
    letter,
    named_in,
    stuffed,
    wire_lines,
)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (b"a@b.example", [b"a@b.example"]),
        (b" root ", [b"root"]),
        (b"a@b, c@d ,,", [b"a@b", b"c@d"]),
        (b'"Smith, Bob" <bob@x> (comment, c@d), e@f', [b"bob@x", b"e@f"]),
        (b"Friends: a@b, c@d; e@f", [b"a@b", b"c@d", b"e@f"]),
        (b"undisclosed-recipients:;", []),
        (b"Bob Smith <a . b @ c . d>", [b"a.b@c.d"]),
        (b'"q r"@x', [b'"q r"@x']),
        (b'"a\\"b, <c"@x', [b'"a\\"b, <c"@x']),
        (b"<@r1,@r2:u@h>", [b"u@h"]),
        (b"(nested (comment) \\) still) a@b", [b"a@b"]),
        (b"<>", []),
        (b"a@b,\r\n\tc@d", [b"a@b", b"c@d"]),
        (b"", []),
    ],
)
def test_lists_of_addresses(text: bytes, found: list[bytes]) -> None:
    """RFC 5322 3.4, with the obsolete forms that are still written."""
    assert found == addresses(text)


@pytest.mark.parametrize(
    "text", [b"a b@c", b"a@b c@d", b"<a@b", b"a@b>", b"(", b'"a@b', b"x <a@b> <c@d>", b"<a@b> x", b"<a<b@c>>"]
)
def test_what_could_be_read_in_two_ways_is_refused(text: bytes) -> None:
    """To whom it goes is not guessed."""
    with pytest.raises(BadAddresses):
        addresses(text)


@given(st.binary(max_size=60) | st.text('"<>(),;:@\\ab \r\n', max_size=30).map(str.encode))
def test_nothing_else_comes_of_any_text(text: bytes) -> None:
    """A list, or BadAddresses; no address with a blank or a bracket outside quotes."""
    try:
        found = addresses(text)
    except BadAddresses:
        return
    for address in found:
        assert b'"' in address or not set(b" \t\r\n<>") & set(address)


def test_a_hostile_list_takes_no_time() -> None:
    """Linear in its length."""
    for text in (
        b"(" * 100_000,
        b'"' * 100_001,
        b"a@b," * 50_000,
        b"<" * 100_000,
        b"\\" * 100_000,
        b" a" * 50_000,
    ):
        try:
            addresses(text)
        except BadAddresses:
            continue


def test_a_letter_that_is_sent_again_goes_to_its_new_recipients_only() -> None:
    """RFC 5322 3.6.6."""
    fields, _ = divided(b"To: old@x\r\nResent-To: new@x\r\nResent-Bcc: hidden@x\r\n\r\n")
    assert [b"new@x", b"hidden@x"] == named_in(fields)
    assert b"To: old@x\r\nResent-To: new@x\r\n" in letter(fields, b"\r\n", b"me@x")


def test_fields_that_are_never_sent_on() -> None:
    """Folded and oddly written too."""
    fields, body = divided(
        b"BCC : a@x,\r\n b@x\r\nReturn-path: <y>\r\nTo: t@x\r\nX: Bcc: no\r\n\r\nBcc: body\r\n"
    )
    assert b"From: me@x\r\nTo: t@x\r\nX: Bcc: no\r\n\r\nBcc: body\r\n" == letter(fields, body, b"me@x")


@pytest.mark.parametrize(
    ("text", "names", "body"),
    [
        (b"", [], b"\r\n"),
        (b"words\n", [], b"\r\nwords\r\n"),
        (b"\nTo: body\n", [], b"\r\nTo: body\r\n"),
        (b"To: a\n\tb\nX : y\nwords\n", [b"to", b"x"], b"\r\nwords\r\n"),
        (b"From bob Mon\nTo: a\n\nwords", [b"to"], b"\r\nwords\r\n"),
        (b"To: a", [b"to"], b"\r\n"),
        (b" folded: no\n", [], b"\r\n folded: no\r\n"),
    ],
)
def test_where_the_head_ends(text: bytes, names: list[bytes], body: bytes) -> None:
    """At an empty line, or at the first line that is no field."""
    fields, rest = divided(wire_lines(text, dot_ends=False))
    assert (names, body) == ([name for name, _ in fields], rest)


@pytest.mark.parametrize(
    ("text", "typed", "kept"),
    [
        (b"a\n.\nb\n", b"a\r\n", b"a\r\n.\r\nb\r\n"),
        (b".\nb", b"", b".\r\nb\r\n"),
        (b"a\r\n.\r\nb", b"a\r\n", b"a\r\n.\r\nb\r\n"),
        (b"a\n..\n.x\n", b"a\r\n..\r\n.x\r\n", b"a\r\n..\r\n.x\r\n"),
        (b"a\rb\r\n\rc\n", b"a\r\nb\r\n\r\nc\r\n", b"a\r\nb\r\n\r\nc\r\n"),
        (b"a.", b"a.\r\n", b"a.\r\n"),
    ],
)
def test_ends_of_lines_and_the_typed_dot(text: bytes, typed: bytes, kept: bytes) -> None:
    """Every end becomes CRLF; a dot alone ends the letter unless -i was said."""
    assert (typed, kept) == (wire_lines(text, dot_ends=True), wire_lines(text, dot_ends=False))


@given(st.lists(st.sampled_from([b"", b".", b"..", b"x", b".x"]), max_size=8))
def test_dots_are_stuffed_so_that_any_server_reads_them(lines: list[bytes]) -> None:
    """The only line of one dot is the last."""
    wire = b"".join(line + b"\r\n" for line in lines)
    sent = stuffed(wire).split(b"\r\n")
    assert b"" == sent.pop() and b"." == sent.pop() and b"." not in sent
    assert [*lines] == [line[1:] if line.startswith(b".") else line for line in sent]
