"""Signed return paths: whole, of one address, silent to others; nothing else is ever taken for one."""

from hypothesis import given
from hypothesis import strategies as st

from sekisho.mail.return_path import LETTERS, TAG, Seal, looks_signed, mark_of, opened, owner_of, signed
from sekisho.model.ident import make_id

KEY, OTHER = bytes(range(32)), bytes(32)
HELLO = "hello@example.com"
SEAL = Seal(make_id(1_700_000_000_000_000, 12345), mark_of("AS64500/JP"), owner_of(HELLO))


def test_what_is_signed_is_read_back() -> None:
    """Also when a host on the way has changed the case of letters (RFC 5321 2.4 forbids it, hosts do it)."""
    path = signed(HELLO, SEAL, KEY)
    assert path.endswith("=hello@example.com") and path.startswith(TAG)
    assert (HELLO, SEAL) == opened(path, [OTHER, KEY])
    assert ("HELLO@EXAMPLE.COM", SEAL) == opened(path.upper(), [KEY])


def test_it_tells_others_nothing() -> None:
    """Of the message, the account and the network nothing stands in it; two messages share no letters more
    than by chance.
    """
    second = Seal(make_id(1_700_000_000_000_001, 12345), SEAL.mark, SEAL.owner)
    one, two = (signed(HELLO, seal, KEY)[len(TAG) :][:LETTERS] for seal in (SEAL, second))
    assert SEAL.message not in one and SEAL.message[:6] not in one
    assert sum(a == b for a, b in zip(one, two, strict=True)) < LETTERS // 3


def test_it_fits_one_address_only() -> None:
    """Moved to a neighbour or another domain it is nothing."""
    path = signed(HELLO, SEAL, KEY)
    assert opened(path.replace("=hello@", "=boss@"), [KEY]) is None
    assert opened(path.replace("example.com", "example.net"), [KEY]) is None
    assert opened(path, [OTHER]) is None and opened(path, []) is None


def test_every_changed_letter_is_noticed() -> None:
    """Of the 32, each, to its neighbour in the alphabet."""
    path = signed(HELLO, SEAL, KEY)
    for place in range(len(TAG), len(TAG) + LETTERS):
        changed = "0" if path[place] != "0" else "1"
        assert opened(path[:place] + changed + path[place + 1 :], [KEY]) is None


def test_what_has_no_room_stays_plain() -> None:
    """The local part has at most 64 octets (RFC 5321 4.5.3.1.1); never signed twice."""
    longest = "x" * (64 - len(TAG) - LETTERS - 1) + "@example.com"
    assert 64 == signed(longest, SEAL, KEY).index("@")
    for address in ("x" + longest, '"a b"@example.com', signed(HELLO, SEAL, KEY), "nobody"):
        assert address == signed(address, SEAL, KEY)


@given(st.one_of(st.text(max_size=90), st.text("0123456789abcdefghjkmnpqrstvwxyz=@PRVS", max_size=80)))
def test_nothing_else_is_one(text: str) -> None:
    """Any text, with the tag before it or without."""
    assert opened(text, [KEY]) is None
    assert opened(TAG + text, [KEY]) is None
    assert looks_signed(TAG + text)


@given(st.integers(0, (1 << 55) - 1), st.integers(0, (1 << 30) - 1), st.sampled_from("aZé.+-="))
def test_any_message_and_name(at: int, chance: int, letter: str) -> None:
    """Whatever the id and the local part, it comes back as it was."""
    seal = Seal(make_id(at, chance), mark_of(""), owner_of(letter))
    address = f"x{letter}y@example.com"
    assert (address, seal) == opened(signed(address, seal, KEY), [KEY])
