"""On which line of a TOML file each key stands: the parser does not say, and an error should.

Every line is given to the parser alone, as a table's head or as a key with a nought for its value. What it
does not understand (the inside of long values) is passed over; a wrong guess costs a wrong line number only.
"""

import tomllib
from typing import Any

Place = tuple[str, ...]


def lines_of(text: str) -> dict[Place, int]:
    """The first line of each table and key, counted from 1."""
    found: dict[Place, int] = {}
    table: Place = ()
    for number, line in enumerate(text.splitlines(), 1):
        bare = line.strip()
        if bare.startswith("["):
            place = _place(bare)
            table = place or table
        else:
            key = _place(bare.partition("=")[0] + " = 0") if "=" in bare else ()
            place = (*table, *key) if key else ()
        if place:
            found.setdefault(place, number)
    return found


def _place(line: str) -> Place:
    try:
        data: Any = tomllib.loads(line)
    except tomllib.TOMLDecodeError:
        return ()
    place: Place = ()
    while isinstance(data, dict) and len(data) == 1:
        name, data = next(iter(data.items()))
        place = (*place, name)
    return place
