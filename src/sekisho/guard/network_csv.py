"""Network tables as people write them: `start,end,asn,country,name`, with addresses or a CIDR in `start`,
`end` empty."""

import csv
import ipaddress
from collections.abc import Iterable, Iterator

from sekisho.guard.networks import number_of
from sekisho.guard.packing import Row
from sekisho.model.text import printable

NAME_LIMIT = 100


class BadRow(Exception):
    """A line that is no range; says which and why."""

    def __init__(self, line: int, why: str) -> None:
        super().__init__(f"line {line}: {why}")
        self.line = line
        self.why = why


def read_rows(lines: Iterable[str]) -> Iterator[Row]:
    """Rows of the file; empty lines, comments (#) and a heading are passed over."""
    reader = csv.reader(lines)
    for fields in reader:
        first = fields[0].strip() if fields else ""
        if (
            not first
            or first.startswith("#")
            or (reader.line_num == 1 and not number_of(first.partition("/")[0])[1])
        ):
            continue
        try:
            yield _row(first, *[field.strip() for field in [*fields[1:5], "", "", "", ""][:4]])
        except ValueError as error:
            raise BadRow(reader.line_num, printable(str(error), 200)) from error


def _row(start: str, end: str, asn: str, country: str, name: str) -> Row:
    first, last, bits = _range(start, end)
    number = int(asn.upper().removeprefix("AS") or 0)
    if not 0 <= number < 2**32:
        raise ValueError(f"{asn} is no AS number")
    if country and not (len(country) == 2 and country.isascii() and country.isalpha()):
        raise ValueError(f"{country} is no country code")
    return Row(first, last, bits, number, country.upper(), printable(name, NAME_LIMIT))


def _range(start: str, end: str) -> tuple[int, int, int]:
    if "/" in start:
        net = ipaddress.ip_network(start, strict=False)
        return int(net.network_address), int(net.broadcast_address), net.max_prefixlen
    first, bits = number_of(start)
    last, bits_last = number_of(end) if end else (first, bits)
    if not bits or bits != bits_last or first > last:
        raise ValueError(f"{start} to {end} is no range of addresses")
    return first, last, bits
