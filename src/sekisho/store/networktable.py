"""The network table on disk: the one that ships with the program, or an operator's own."""

import mmap
from collections.abc import Iterable
from pathlib import Path

from sekisho.guard.network_csv import read_rows
from sekisho.guard.networks import NetworkTable
from sekisho.guard.packing import MAGIC, BadTable, pack
from sekisho.world import Unavailable

BUILT_IN = Path(__file__).with_name("networks.table")


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
    return pack(read_rows(lines), made)
