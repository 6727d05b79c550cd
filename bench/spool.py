"""The spool alone, without sockets: what keeping a letter costs, and what ending it costs.

Each cell runs in a process of its own on a journaled file system: `sessions` writers submit drafts, one after
another each. "kept": nobody takes them, so they move into the table; "delivered": each is done at once, the
usual case. CPU is of the whole process, in which the writers are cheap; "to the end" is with what moves into
the table when the spool is closed. Writes and their bytes are those of /proc/self/io.
"""

import asyncio
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from bench import machine

SIZES = (4_000, 40_000)
SESSIONS = (1, 20, 100)
COUNT = {1: 1000, 20: 5000, 100: 8000}
ENDS = ("kept", "delivered")
ROUNDS = 3


def run() -> dict[str, object]:
    with machine.journaled_disk() as disk:
        rows = []
        for size in SIZES:
            for sessions in SESSIONS:
                for end in ENDS:
                    found = [
                        _cell(disk / f"{size}-{sessions}-{end}-{turn}", size, sessions, end)
                        for turn in range(ROUNDS)
                    ]
                    rows.append(sorted(found, key=lambda row: row["cpu_us"])[len(found) // 2])
        return {"machine": machine.description(disk), "rounds": ROUNDS, "results": rows}


def _cell(folder: Path, size: int, sessions: int, end: str) -> dict[str, Any]:
    folder.mkdir()
    words = [str(folder), str(size), str(sessions), str(COUNT[sessions]), end]
    done = subprocess.run([sys.executable, "-m", "bench.spool", *words], check=True, capture_output=True)
    subprocess.run(["rm", "-rf", folder], check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


class Taker:
    """Ends what it is given at once."""

    def __init__(self, spool: Any) -> None:
        self._spool = spool

    def reserve(self, deliveries: Any, size: int, party: str) -> bool:
        return True

    def take(self, deliveries: Any, letter: Any) -> None:
        from sekisho.model.delivery import State
        from sekisho.model.letter import Settled

        self._spool.settle([Settled(each.id, each.message, State.DONE, None, 1) for each in deliveries])

    def waits(self, deliveries: Any) -> None:
        """They stay."""

    def found(self, due: Any) -> None:
        """Nothing is asked for."""

    def give_back(self, deliveries: Any) -> None:
        """They were refused."""


def _io() -> dict[str, int]:
    lines = Path("/proc/self/io").read_text().split("\n")
    return {name: int(value) for name, value in (line.split(": ") for line in lines if line)}


async def _play(folder: str, size: int, sessions: int, count: int, end: str) -> dict[str, Any]:
    from sekisho.host import HostClock, HostDisk, HostSpawn
    from sekisho.model.config import Queue
    from sekisho.store.spool import Doors, Spool

    spawn = HostSpawn()
    spool = Spool.open(folder, Doors(HostClock(), HostDisk(), spawn), Queue())
    if end == "delivered":
        spool.taker = Taker(spool)
    drafts = iter(_drafts(count, size))
    body = b"Subject: x\r\n\r\n" + b"y" * (size - 15) + b"\r\n"

    async def session() -> None:
        for draft in drafts:
            await spool.submit(draft, (body,))

    begin, cpu, before = time.perf_counter(), time.process_time(), _io()
    await asyncio.gather(*(session() for _ in range(sessions)))
    spent, used, after = time.perf_counter() - begin, time.process_time() - cpu, _io()
    spool.close()
    closed = time.process_time() - cpu
    await spawn.stop()
    return {
        "size_bytes": size,
        "sessions": sessions,
        "end": end,
        "per_s": round(count / spent),
        "cpu_us": round(used / count * 1e6, 1),
        "cpu_to_the_end_us": round(closed / count * 1e6, 1),
        "writes": round((after["syscw"] - before["syscw"]) / count, 2),
        "written_kb": round((after["wchar"] - before["wchar"]) / count / 1000, 1),
        "rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def _drafts(count: int, size: int) -> list[Any]:
    from sekisho.host import HostChance, HostClock
    from sekisho.model.delivery import Delivery, Kind, Route
    from sekisho.model.envelope import Envelope, Message, Origin
    from sekisho.model.ident import make_id
    from sekisho.model.letter import Draft

    clock, chance, drafts = HostClock(), HostChance(), []
    route = Route(Kind.MX, "elsewhere.test", "mx:elsewhere.test")
    for number in range(count):
        now = clock.now()
        message, delivery = make_id(now, chance.bits(30)), make_id(now, chance.bits(30))
        origin = Origin(message, "mx", now, "192.0.2.7", helo="client.test", network="AS64500/XX")
        recipient = f"b{number % 50}@elsewhere.test"
        envelope = Envelope("a@bench.test", (recipient,), origin)
        due = Delivery(delivery, message, recipient, route, 0, now, now + 5 * 86400 * 1_000_000)
        head = b"Received: from client.test (192.0.2.7) by mx.bench.test id %s; Tue, 24 Nov 2026\r\n"
        drafts.append(Draft(envelope, Message(message, size, "0" * 64), head % message.encode(), (due,), "x"))
    return drafts


def main() -> None:
    folder, size, sessions, count, end = sys.argv[1:]
    print(json.dumps(asyncio.run(_play(folder, int(size), int(sessions), int(count), end))))


if __name__ == "__main__":
    main()
