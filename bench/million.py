"""A million queued messages, and what an operator does with them: start, look, count, purge 900,000."""

import asyncio
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from bench import machine

MESSAGES = 1_000_000
BOUNCES = 900_000
BODY = b"Subject: x\r\n\r\n" + b"y" * 200 + b"\r\n"
TOGETHER = 1000


def run() -> dict[str, object]:
    with machine.journaled_disk() as disk:
        folder = disk / "spool"
        folder.mkdir()
        rows = {}
        for step in ("fill", "start", "work"):
            words = [sys.executable, "-m", "bench.million", str(folder), step]
            done = subprocess.run(words, check=True, capture_output=True, text=True)
            rows[step] = json.loads(done.stdout)
        return {"machine": machine.description(disk), "messages": MESSAGES, "results": rows}


async def _play(folder: str, step: str) -> dict[str, Any]:
    from sekisho.host import HostClock, HostDisk, HostSpawn
    from sekisho.model.config import Queue
    from sekisho.store.spool import Doors, Spool

    spawn, begin = HostSpawn(), time.perf_counter()
    spool = Spool.open(folder, Doors(HostClock(), HostDisk(), spawn), Queue())
    found: dict[str, Any] = {"open_s": round(time.perf_counter() - begin, 3)}
    match step:
        case "fill":
            found |= await _fill(spool)
        case "work":
            found |= await _work(spool)
    found["rss_mb"] = _rss_mb()
    spool.close()
    await spawn.stop()
    return found


async def _fill(spool: Any) -> dict[str, Any]:
    begin, cpu = time.perf_counter(), time.process_time()
    for start in range(0, MESSAGES, TOGETHER):
        await asyncio.gather(*(spool.submit(_draft(n), (BODY,)) for n in range(start, start + TOGETHER)))
    await spool.lanes()
    spent = time.process_time() - cpu
    return {"fill_s": round(time.perf_counter() - begin, 1), "cpu_us": round(spent / MESSAGES * 1e6, 1)}


async def _work(spool: Any) -> dict[str, Any]:
    from sekisho.host import HostClock
    from sekisho.model.selector import Selector
    from sekisho.store.spool import Want
    from sekisho.store.spool_actions import Order

    found: dict[str, Any] = {}

    async def timed(name: str, work: Any) -> Any:
        begin = time.perf_counter()
        result = await work
        found[f"{name}_ms"] = round((time.perf_counter() - begin) * 1000, 2)
        return result

    spool.taker = Taker()
    await timed("lanes", spool.lanes())
    await timed("first_due_100", _wait(spool.due(HostClock().now(), [Want("mx:d7.test", 100)])))
    await timed("next_due_100", _wait(spool.due(HostClock().now(), [Want("mx:d8.test", 100)])))
    census = await timed("count_by_sender", spool.count(Selector(sender="u77@bench.test")))
    found["count_by_sender_found"] = census.deliveries
    await timed("list_20", spool.select(Selector(sender="u78@bench.test"), 20))
    done = await timed("purge_bounces", spool.perform(Order("purge-bounces", "purge", Selector(sender="<>"))))
    found["purged"] = done.count
    return found


async def _wait(promise: Any) -> None:
    await promise


class Taker:
    def found(self, due: Any) -> None:
        assert due.deliveries


def _draft(number: int) -> Any:
    from sekisho.model.delivery import Delivery, Kind, Route
    from sekisho.model.envelope import Envelope, Message, Origin
    from sekisho.model.ident import make_id
    from sekisho.model.letter import Draft

    now = time.time_ns() // 1000
    message, delivery = make_id(now, number), make_id(now + 1, number)
    domain = f"d{number % 5000}.test"
    sender = None if number % 10 < 10 * BOUNCES // MESSAGES else f"u{number // 10 % 1000}@bench.test"
    recipient = f"b{number}@{domain}"
    route = Route(Kind.MX, domain, f"mx:{domain}")
    due = Delivery(delivery, message, recipient, route, 0, now, now + 5 * 86400 * 1_000_000)
    envelope = Envelope(sender, (recipient,), Origin(message, "mx", now, "192.0.2.7"))
    return Draft(envelope, Message(message, len(BODY), "0" * 64), b"Received: x\r\n", (due,), "x")


def _rss_mb() -> int:
    lines = Path("/proc/self/status").read_text().split("\n")
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) // 1024


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_play(*sys.argv[1:]))))
