"""The network table's bytes: how ranges and names are packed into blocks, and how a block is opened
again.

Magic line, length and zlib of a msgpack head, then the blocks. A block of ranges holds the steps between
first addresses, the AS numbers and the country numbers, each as byte planes: neighbours resemble each
other, and planes of like bytes compress to half. A block of names holds lines "ASN NAME". `cuts[i]` is
where block i begins in the body.
"""

import zlib
from array import array
from collections.abc import Iterable, Sequence
from itertools import pairwise

import msgspec
from msgspec import Struct

from sekisho.guard.hosting import sounds_shared

MAGIC = b"sekisho networks 1\n"
RANGES_IN_BLOCK = 512
"""A cold look-up opens one block: 512 ranges cost about 40 microseconds, and compress within 5 % of
larger blocks."""
NAMES_IN_BLOCK = 128
_HEAD_LIMIT = 4 * 1024 * 1024

Ranges = tuple["array[int]", "array[int]", "array[int]"]
"""First addresses, AS numbers, country numbers of one block."""


class BadTable(Exception):
    """The bytes are no network table, or a damaged one."""


class Row(Struct, frozen=True):
    """One range of addresses, first and last included, as numbers of `bits` (32 or 128)."""

    first: int
    last: int
    bits: int
    asn: int
    country: str
    name: str = ""


class Directory(Struct):
    """Of one kind of block: `firsts[i]` the first key in block i, `cuts` one longer than the number of
    blocks."""

    firsts: "array[int]"
    cuts: "array[int]"

    def block(self, body: bytes | memoryview, number: int) -> bytes:
        try:
            return zlib.decompress(body[self.cuts[number] : self.cuts[number + 1]])
        except zlib.error as error:
            raise BadTable("damaged network table") from error


class Opened(Struct):
    countries: tuple[str, ...]
    shared: frozenset[int]
    v4: Directory
    v6: Directory
    names: Directory
    body: bytes | memoryview
    made: str


class _Head(Struct):
    countries: tuple[str, ...]
    shared: bytes
    v4: tuple[bytes, bytes]
    v6: tuple[bytes, bytes]
    names: tuple[bytes, bytes]
    made: str
    v: int = 1


def pack(rows: Iterable[Row], made: str = "") -> bytes:
    """The table of ranges in any order; where two overlap, the one that begins later counts, then the
    shorter."""
    known = sorted(rows, key=lambda row: (row.first, -row.last))
    countries = tuple(sorted({row.country for row in known} | {""}))
    numbers = {country: number for number, country in enumerate(countries)}
    names = {row.asn: row.name for row in known if row.asn and row.name}
    parts: list[bytes] = []
    head = _Head(
        countries=countries,
        shared=array("I", sorted(asn for asn, name in names.items() if sounds_shared(name))).tobytes(),
        v4=_pack_ranges("I", [row for row in known if row.bits == 32], numbers, parts),
        v6=_pack_ranges("Q", [row for row in known if row.bits == 128], numbers, parts),
        names=_pack_names(sorted(names.items()), parts),
        made=made,
    )
    front = zlib.compress(msgspec.msgpack.encode(head), 9)
    return b"".join([MAGIC, len(front).to_bytes(4, "little"), front, *parts])


def unpack(data: bytes | memoryview) -> Opened:
    if not data:
        nothing = Directory(array("I"), array("Q", [0]))
        return Opened(("",), frozenset(), nothing, nothing, nothing, b"", "")
    start = len(MAGIC) + 4
    if bytes(data[: len(MAGIC)]) != MAGIC:
        raise BadTable("not a network table")
    size = int.from_bytes(bytes(data[len(MAGIC) : start]), "little")
    try:
        raw = zlib.decompressobj().decompress(data[start : start + size], _HEAD_LIMIT)
        head = msgspec.msgpack.decode(raw, type=_Head)
        return Opened(
            countries=head.countries,
            shared=frozenset(_numbers("I", head.shared)),
            v4=Directory(_numbers("I", head.v4[0]), _numbers("Q", head.v4[1])),
            v6=Directory(_numbers("Q", head.v6[0]), _numbers("Q", head.v6[1])),
            names=Directory(_numbers("I", head.names[0]), _numbers("Q", head.names[1])),
            body=data[start + size :],
            made=head.made,
        )
    except (zlib.error, msgspec.DecodeError, ValueError) as error:
        raise BadTable("damaged network table") from error


def open_ranges(wide: str, first: int, raw: bytes) -> Ranges:
    """One block: `wide` is "I" for IPv4, "Q" for the upper half of IPv6; `first` its first address."""
    width = array(wide).itemsize
    count = len(raw) // (width + 6)
    starts = _unplaned(wide, raw[: count * width])
    for place, step in enumerate(starts):
        first += step
        starts[place] = first
    asns = _unplaned("I", raw[count * width : count * (width + 4)])
    return starts, asns, _unplaned("H", raw[count * (width + 4) :])


def open_names(raw: bytes) -> dict[int, str]:
    lines = raw.decode().split("\n")
    return {int(asn): name for asn, _, name in (line.partition(" ") for line in lines)}


def _pack_ranges(
    wide: str, rows: Sequence[Row], countries: dict[str, int], parts: list[bytes]
) -> tuple[bytes, bytes]:
    edges = _edges(rows, 0 if wide == "I" else 64, countries)
    firsts, cuts = array(wide), array("Q", [sum(map(len, parts))])
    for start in range(0, len(edges), RANGES_IN_BLOCK):
        block = edges[start : start + RANGES_IN_BLOCK]
        steps = array(wide, [0, *(after[0] - before[0] for before, after in pairwise(block))])
        asns, places = array("I", [edge[1] for edge in block]), array("H", [edge[2] for edge in block])
        parts.append(zlib.compress(_planes(steps) + _planes(asns) + _planes(places), 9))
        firsts.append(block[0][0])
        cuts.append(cuts[-1] + len(parts[-1]))
    return firsts.tobytes(), cuts.tobytes()


def _pack_names(names: Sequence[tuple[int, str]], parts: list[bytes]) -> tuple[bytes, bytes]:
    firsts, cuts = array("I"), array("Q", [sum(map(len, parts))])
    for start in range(0, len(names), NAMES_IN_BLOCK):
        block = names[start : start + NAMES_IN_BLOCK]
        parts.append(zlib.compress("\n".join(f"{asn} {name}" for asn, name in block).encode(), 9))
        firsts.append(block[0][0])
        cuts.append(cuts[-1] + len(parts[-1]))
    return firsts.tobytes(), cuts.tobytes()


Edge = tuple[int, int, int]
"""From this address on: this AS number, this country."""


def _edges(rows: Sequence[Row], shift: int, countries: dict[str, int]) -> list[Edge]:
    """Where each stretch begins: gaps have AS number 0 and no country, equal neighbours are joined."""
    edges: list[Edge] = []
    enclosing: list[Edge] = []  # rows begun and not ended, by their last address
    nothing = (0, 0, countries[""])

    def leave(until: int) -> None:
        while enclosing and enclosing[-1][0] < until:
            last = enclosing.pop()[0]
            if last + 1 > edges[-1][0]:
                outer = next((row for row in reversed(enclosing) if row[0] > last), nothing)
                edges.append((last + 1, outer[1], outer[2]))

    for row in rows:
        first, last = row.first >> shift, row.last >> shift
        leave(first)
        edges.append((first, row.asn, countries[row.country]))
        enclosing.append((last, row.asn, countries[row.country]))
    leave(1 << 65)
    limit = 1 << (32 if shift == 0 else 64)
    return [edge for edge in _joined(edges) if edge[0] < limit]


def _joined(edges: Iterable[Edge]) -> list[Edge]:
    joined: list[Edge] = []
    for edge in edges:
        if joined and joined[-1][0] == edge[0]:
            joined.pop()
        if not joined or joined[-1][1:] != edge[1:]:
            joined.append(edge)
    return joined


def _planes(numbers: "array[int]") -> bytes:
    raw = numbers.tobytes()
    return b"".join(raw[plane :: numbers.itemsize] for plane in range(numbers.itemsize))


def _unplaned(kind: str, raw: bytes) -> "array[int]":
    width = array(kind).itemsize
    count = len(raw) // width
    mixed = bytearray(count * width)
    for plane in range(width):
        mixed[plane::width] = raw[plane * count : (plane + 1) * count]
    return _numbers(kind, bytes(mixed))


def _numbers(kind: str, raw: bytes) -> "array[int]":
    numbers = array(kind)
    numbers.frombytes(raw)
    return numbers
