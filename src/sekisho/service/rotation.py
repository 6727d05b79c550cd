"""What is looked after every hour as long as a process runs: the keys of return paths, made and read anew."""

import asyncio
from collections.abc import Callable

from sekisho.service.boundary import Record, boundary
from sekisho.world import Unavailable

HOUR_S = 3600.0


async def hourly(look: Callable[[], None], about: str, record: Record) -> None:
    """Until cancelled. What cannot be done now is told, and tried again in an hour."""
    while True:
        await asyncio.sleep(HOUR_S)
        try:
            with boundary(record, about):
                look()
        except Unavailable as trouble:
            record(about, trouble.door, trouble.why)
