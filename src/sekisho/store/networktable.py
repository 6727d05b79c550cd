"""The network table on disk: the one that ships with the program, or an operator's own."""

import mmap
import os
from collections.abc import Iterable
from itertools import chain
from pathlib import Path

from sekisho.guard.network_csv import BadRow, read_rows
from sekisho.guard.networks import NetworkTable
from sekisho.guard.packing import MAGIC, BadTable, pack, unpack
from sekisho.model.config import Config
from sekisho.world import Unavailable

BUILT_IN = Path(__file__).with_name("networks.table")
OWN = "networks.table"
"""The operator's table, in the state folder."""
MOST_BYTES = 256 * 1024 * 1024
"""Largest file taken for a table."""


def built_in() -> NetworkTable:
    """The table that ships with sekisho (see NOTICE for its sources)."""
    return load(BUILT_IN)


def load(path: Path | str) -> NetworkTable:
    """A table file, mapped, or CSV as in `network_csv`. May raise BadTable, BadRow, Unavailable."""
    try:
        with open(path, "rb") as file:
            if file.read(len(MAGIC)) == MAGIC:
                return NetworkTable(memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)))
        with open(path, encoding="utf-8", newline="") as text:
            return NetworkTable(compile_csv(text, Path(path).name))
    except UnicodeDecodeError as error:
        raise BadTable("neither a network table nor CSV") from error
    except OSError as error:
        raise Unavailable(str(path), error.strerror or str(error)) from error


def compile_csv(lines: Iterable[str], made: str) -> bytes:
    """Raises BadTable when there is not one range: a download that was cut must not blind the guard."""
    rows = iter(read_rows(lines))
    first = next(rows, None)
    if first is None:
        raise BadTable("no range of addresses in it")
    return pack(chain((first,), rows), made)


def compiled(path: Path | str) -> bytes:
    """The bytes of a table file or of a CSV, ready to be put in place. Raises as `load` does."""
    with open(path, "rb") as file:
        data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise BadTable(f"larger than {MOST_BYTES} bytes")
    if data.startswith(MAGIC):
        unpack(data)
        return data
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadTable("neither a network table nor CSV") from error
    return compile_csv(text.splitlines(), Path(path).name)


def own(config: Config) -> str:
    """Where the operator's table is: as set, or in the state folder, where `sekisho networks update` puts
    it."""
    return config.guard.networks or os.path.join(config.state, OWN)


def of(config: Config) -> NetworkTable:
    """The operator's table if there is one, else the built-in one. Raises Unavailable."""
    path = own(config)
    if not config.guard.networks and not os.path.exists(path):
        return built_in()
    try:
        return load(path)
    except (BadTable, BadRow) as error:
        raise Unavailable(path, str(error)) from error
