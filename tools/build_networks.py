"""Builds the network table that ships with sekisho, from two npm data packages.

    npm pack @ip-location-db/asn @ip-location-db/geo-whois-asn-country   # in an empty folder
    python tools/build_networks.py FOLDER src/sekisho/store/networks.table

Owners come from the first package, countries from the second. The result is the same, byte for byte, for the
same packages.
"""

import csv
import io
import sys
import tarfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from sekisho.guard.network_csv import NAME_LIMIT
from sekisho.guard.packing import Row, pack
from sekisho.model.text import printable

OWNERS, COUNTRIES = "ip-location-db-asn-*.tgz", "ip-location-db-geo-whois-asn-country-*.tgz"
FAMILIES = {"ipv4": 32, "ipv6": 128}
MOST_BYTES = 6_000_000

Range = tuple[int, int, str, str]
NOTHING: Range = (0, 0, "", "")


def main(folder: str, target: str) -> None:
    owners, countries = _package(folder, OWNERS), _package(folder, COUNTRIES)
    rows: list[Row] = []
    for family, bits in FAMILIES.items():
        rows += _crossed(
            list(_ranges(owners, f"package/asn-{family}-num.csv")),
            list(_ranges(countries, f"package/geo-whois-asn-country-{family}-num.csv")),
            bits,
        )
    made = " and ".join(path.name.removesuffix(".tgz") for path in (owners, countries))
    data = pack(rows, made)
    if len(data) > MOST_BYTES:
        sys.exit(f"the table has {len(data)} bytes, more than {MOST_BYTES}")
    Path(target).write_bytes(data)
    print(f"{target}: {len(data)} bytes from {len(rows)} ranges of {made}")


def _package(folder: str, pattern: str) -> Path:
    found = sorted(Path(folder).glob(pattern))
    if not found:
        sys.exit(f"no {pattern} in {folder}")
    return found[-1]


def _ranges(package: Path, name: str) -> Iterator[Range]:
    with tarfile.open(package) as archive:
        member = archive.extractfile(name)
        if member is None:
            sys.exit(f"no {name} in {package}")
        for fields in csv.reader(io.TextIOWrapper(member, "utf-8")):
            yield int(fields[0]), int(fields[1]), fields[2], fields[3] if len(fields) > 3 else ""


def _crossed(owners: list[Range], countries: list[Range], bits: int) -> Iterator[Row]:
    """The world cut at every change of owner or country. Both lists are sorted and do not overlap."""
    cuts = sorted({cut for first, last, *_ in owners + countries for cut in (first, last + 1)})
    owner = country = 0
    for first, after in pairwise(cuts):
        while owner < len(owners) and owners[owner][1] < first:
            owner += 1
        while country < len(countries) and countries[country][1] < first:
            country += 1
        _, _, asn, name = _at(owners, owner, first)
        _, _, where, _ = _at(countries, country, first)
        if asn or where:
            yield Row(first, after - 1, bits, int(asn or 0), where, printable(name, NAME_LIMIT))


def _at(ranges: list[Range], place: int, first: int) -> Range:
    found = ranges[place] if place < len(ranges) else NOTHING
    return found if found[0] <= first else NOTHING


if __name__ == "__main__":
    main(*sys.argv[1:3])
