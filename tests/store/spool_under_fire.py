"""A process for `test_broken_disk`: keeps letters one after another, and says of each whether it was kept.

Run under strace, which makes system calls of its choice fail.
"""

import asyncio
import contextlib
import sys

from mailbag import BODY, Mailbag
from sekisho.host import HostChance, HostClock, HostDisk, HostSpawn
from sekisho.model.config import Queue
from sekisho.model.selector import Selector
from sekisho.store.spool import Doors, Spool
from sekisho.testing.world import fakes
from sekisho.world import Unavailable

LETTERS = 12
async def keep(spool: Spool, mailbag: Mailbag, number: int) -> bool:
    draft = mailbag.draft(subject=f"letter {number}")
    try:
        await spool.submit(draft, (BODY,))
    except Unavailable:
        print("refused", draft.message.id, flush=True)
        return False
    print("kept", draft.message.id, flush=True)
    return True


async def look(spool: Spool) -> None:
    """For which everything moves into the table."""
    with contextlib.suppress(Unavailable):
        await spool.count(Selector())


async def main(folder: str, patience_s: float) -> None:
    """A stopped spool must find out within `patience_s` that its disk works again: it looks each second."""
    spawn = HostSpawn()
    spool = Spool.open(folder, Doors(HostClock(), HostDisk(), spawn), Queue())
    mailbag = Mailbag(fakes(now=HostClock().now(), seed=HostChance().bits(32)))
    print("open", flush=True)
    for number in range(LETTERS):
        await keep(spool, mailbag, number)
        if number % 4 == 1:
            await look(spool)
    async with asyncio.timeout(patience_s):
        while not await keep(spool, mailbag, LETTERS):
            await asyncio.sleep(0.2)
    spool.close()
    await spawn.stop()
    print("closed", flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], float(sys.argv[2])))
