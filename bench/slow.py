"""A normal session beside a thousand clients that say one byte in ten seconds."""

import asyncio
import contextlib

from bench import machine, peers
from bench.idle import Stream, beside, greeted, latencies

CLIENTS = 1000
PER_ADDRESS = 100
EVERY_S = 10.0
SETTLING_S = 3.0
WORDS = b"EHLO a-client-that-has-all-the-time-in-the-world.example\r\n"


def run() -> dict[str, object]:
    with machine.journaled_disk() as disk, peers.sekisho(disk) as server:
        where = machine.description(disk)
        return {"machine": where, "clients": CLIENTS, "results": asyncio.run(_measured(server.port))}


async def _measured(port: int) -> dict[str, object]:
    alone = await latencies(port)
    streams = [await greeted(port, f"127.0.2.{n // PER_ADDRESS + 1}") for n in range(CLIENTS)]
    drips = [asyncio.create_task(_drip(stream, n)) for n, stream in enumerate(streams)]
    await asyncio.sleep(SETTLING_S)
    crowded = await latencies(port)
    for drip in drips:
        drip.cancel()
    return beside(alone, crowded)


async def _drip(stream: Stream, number: int) -> None:
    """Each at its own moment of the ten seconds."""
    await asyncio.sleep(EVERY_S * number / CLIENTS)
    with contextlib.suppress(ConnectionError):
        for byte in WORDS:
            stream[1].write(bytes((byte,)))
            await asyncio.sleep(EVERY_S)
