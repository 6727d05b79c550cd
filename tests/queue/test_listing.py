"""Files that aliases include: what is an address, and what is not even looked at."""

from hypothesis import given
from hypothesis import strategies as st

from sekisho.queue.listing import BAD_KEPT, Listing, parse


def test_addresses_stand_on_lines_or_apart_by_commas() -> None:
    """CRLF, blanks, comments, angle brackets; each once, in order."""
    text = b"# us\r\nbob@example.net ,\tMary@Example.NET\r\n\r\n#x\n<hello@example.com>, bob@example.net\n"
    listing = Listing(("bob@example.net", "Mary@example.net", "hello@example.com"))
    assert listing == parse(text)


def test_a_list_of_people_runs_nothing() -> None:
    """Programs, files, further lists, names without a domain: said with their line, never followed."""
    text = b'a@example.com\n|/bin/sh\n"|/bin/sh"\n/etc/passwd\n:include:/etc/aliases\nroot\n\\bob\n'
    listing = parse(text)
    assert ("a@example.com",) == listing.addresses
    assert 6 == len(listing.bad)
    assert "line 2: |/bin/sh" == listing.bad[0]


@given(st.binary(max_size=300))
def test_any_bytes_are_read(data: bytes) -> None:
    """Whatever stands in it: addresses in our spelling, a bounded number of harmless lines."""
    listing = parse(data)
    assert all("@" in address and "\n" not in address for address in listing.addresses)
    assert len(listing.bad) <= BAD_KEPT
