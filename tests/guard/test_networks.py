"""Whose an address is: the packed table, CSV, the built-in table's size and speed of loading."""

import ipaddress
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from sekisho.guard.network_csv import BadRow, read_rows
from sekisho.guard.networks import NetworkTable, number_of
from sekisho.guard.packing import MAGIC, BadTable, Row, pack
from sekisho.store import networktable
from sekisho.store.networktable import BUILT_IN, built_in


def table(text: str) -> NetworkTable:
    return NetworkTable(pack(read_rows(text.splitlines())))


def test_the_built_in_table_knows_the_source_documents_addresses() -> None:
    """Addresses of the botnet that the source document lists lie in these networks."""
    find = built_in().find
    assert (6697, "BY") == (find("93.85.128.230").asn, find("93.85.128.230").country)
    assert find("178.125.185.161").key == "AS6697/BY"
    assert find("46.118.66.80").key == "AS15895/UA"
    assert find("95.42.37.153").key == "AS8866/BG"
    assert "Beltelecom" in find("93.85.128.230").name


def test_the_built_in_table_is_small_and_named() -> None:
    """At most 6 MB, and it says what it was made from."""
    assert BUILT_IN.stat().st_size <= 6_000_000
    assert "ip-location-db-asn" in built_in().made


def test_hosting_is_shared_per_24_and_per_48() -> None:
    """Rented servers, VPN exits and relays, by number and by name."""
    find = built_in().find
    for address in ("5.161.1.1", "104.28.1.1", "2a02:26f7::1"):
        network = find(address)
        assert network.shared
        assert network.key.endswith(("/24", "/48"))
    assert not find("178.125.185.161").shared


PRIVATE = """127.0.0.1 127.9.9.9 10.1.2.3 172.31.0.1 192.168.0.1 169.254.1.1 100.64.0.1 0.0.0.0
::1 :: fc00::1 fd12::1 fe80::1 ::ffff:10.0.0.1 localhost"""


def test_loopback_and_private_addresses_are_no_place() -> None:
    """Nor is what is no address at all."""
    find = built_in().find
    for address in [*PRIVATE.split(), "", "1.2.3", "1.2.3.999", "1.2.3.4.5", "x::1", "1.2.3.٤"]:
        assert not find(address).place, address


def test_documentation_addresses_are_places() -> None:
    """Logs that were made presentable are full of them."""
    for address in ("192.0.2.1", "198.51.100.1", "203.0.113.1", "198.18.0.1"):
        assert NetworkTable().find(address).place


def test_ipv4_in_ipv6_dress_is_ipv4() -> None:
    """As Courier and dual-stack sockets write it."""
    find = built_in().find
    assert find("::ffff:95.42.37.153") == find("95.42.37.153") == find("[95.42.37.153]")


def test_csv_with_addresses_cidr_and_both_families() -> None:
    """The operator's own table: ranges, CIDR, gaps, a heading, comments, quotes."""
    found = table(
        'start,end,asn,country,name\n# ours\n\n198.51.100.0,198.51.100.127,64500,jp,"Our, Net"\n'
        "198.51.100.128/25,,AS64501,DE,Other\n2001:db8::/32,,64502,,Six\n"
    ).find
    assert ("AS64500/JP", "Our, Net") == (found("198.51.100.127").key, found("198.51.100.127").name)
    assert found("198.51.100.128").key == "AS64501/DE"
    assert found("198.51.99.255").key == "198.51.99.0/24"
    assert found("198.51.101.0").key == "198.51.101.0/24"
    assert (64502, "") == (found("2001:db8:ffff::1").asn, found("2001:db8:ffff::1").country)
    assert found("2001:db9::1").asn == 0


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("1.2.3.4,1.2.3.3,1,JP,x", "no range"),
        ("1.2.3.0,2001:db8::,1,JP,x", "no range"),
        ("1.2.3.0/33,,1,JP,x", ""),
        ("nonsense,,1,JP,x", "no range"),
        ("1.2.3.0/24,,many,JP,x", ""),
        ("1.2.3.0/24,,4294967296,JP,x", "no AS number"),
        ("1.2.3.0/24,,1,Japan,x", "no country"),
    ],
)
def test_a_bad_row_is_named(line: str, why: str) -> None:
    """With its line and a reason."""
    with pytest.raises(BadRow, match=f"line 2: .*{why}"):
        list(read_rows(["9.9.9.0/24,,9,US,fine", line]))


def test_hostile_names_are_one_printable_line() -> None:
    """A provider's name from somebody's file cannot steer a terminal."""
    (row,) = read_rows(['1.2.3.0/24,,1,JP,"a\x1b]0;x\u202eb"'])
    assert row.name == "a\\x1b]0;x\\u202eb"


@pytest.mark.parametrize(
    "data", [b"x", MAGIC, MAGIC + b"\xff\xff\xff\xff", MAGIC + b"\x03\x00\x00\x00abc", b"\x00" * 99]
)
def test_damaged_tables_are_refused(data: bytes) -> None:
    """Never a traceback, never a guess."""
    with pytest.raises(BadTable):
        NetworkTable(data)


def test_a_truncated_body_is_noticed_when_asked() -> None:
    """The block that is gone raises; what is there answers."""
    rows = [
        Row(number << 16, (number << 16) + 255, 32, number, "JP", f"n{number}") for number in range(256, 3000)
    ]
    whole = pack(rows)
    cut = NetworkTable(whole[: len(whole) // 2])
    assert cut.find("1.0.0.1").asn == 256
    with pytest.raises(BadTable):
        cut.find("11.183.0.1")


ADDRESS = some.integers(0, 2**32 - 1)


@given(
    some.lists(some.tuples(ADDRESS, some.integers(0, 2**20), some.integers(1, 9)), max_size=40),
    some.lists(ADDRESS, max_size=40),
)
def test_the_packed_table_answers_like_a_list(ranges: list[tuple[int, int, int]], asked: list[int]) -> None:
    """Where ranges overlap the one that begins later counts, among those the shorter."""
    rows = [Row(first, min(first + size, 2**32 - 1), 32, asn, "JP") for first, size, asn in ranges]
    rows = list({(row.first, row.last): row for row in rows}.values())
    packed = NetworkTable(pack(rows))
    edges = [
        edge
        for row in rows
        for edge in (row.first - 1, row.first, row.last, row.last + 1)
        if 0 <= edge < 2**32
    ]
    for number in [*asked, *edges]:
        covering = [row for row in rows if row.first <= number <= row.last]
        expected = max(covering, key=lambda row: (row.first, -row.last)).asn if covering else 0
        address = str(ipaddress.IPv4Address(number))
        network = packed.find(address)
        if network.place:
            assert expected == network.asn, address


def test_many_blocks_and_families() -> None:
    """Ten thousand ranges of both families, each end asked."""
    rng = random.Random(5)
    rows = []
    for bits, step in ((32, 2**18), (128, 2**110)):
        for number in range(1, 5000):
            first = (number + 4096) * step if bits == 32 else (0x2000 << 112) + number * step
            rows.append(
                Row(first, first + step // 2 - 1, bits, number, rng.choice(("JP", "FR", "")), f"n{number}")
            )
    packed = NetworkTable(pack(rows))
    for row in rng.sample(rows, 400):
        address = ipaddress.ip_address(row.first if row.bits == 32 else int(row.first))
        for number in (row.first, row.last):
            text = str(ipaddress.IPv4Address(number) if row.bits == 32 else ipaddress.IPv6Address(number))
            network = packed.find(text)
            if network.place:
                assert (row.asn, row.country, row.name) == (network.asn, network.country, network.name), (
                    address
                )


@given(some.text(max_size=60))
def test_garbage_is_no_address(text: str) -> None:
    """Whatever a log line holds, the answer is a network or no place."""
    number, bits = number_of(text)
    assert bits in (0, 32, 128)
    assert 0 <= number < 2**bits or bits == 0
    assert NetworkTable().find(text).place in (True, False)


def test_a_table_file_and_a_csv_load_alike(tmp_path: Path) -> None:
    """`load` takes both; what is neither is refused."""
    text = "198.51.100.0/24,,64500,JP,Ours\n"
    (tmp_path / "t.csv").write_text(text)
    packed = networktable.compiled(tmp_path / "t.csv")
    (tmp_path / "t.table").write_bytes(packed)
    for name in ("t.csv", "t.table"):
        assert networktable.load(tmp_path / name).find("198.51.100.9").key == "AS64500/JP"
    (tmp_path / "t.bin").write_bytes(b"\xff\xfe\x00garbage")
    with pytest.raises(BadTable):
        networktable.load(tmp_path / "t.bin")
    assert networktable.compiled(tmp_path / "t.table") == packed
