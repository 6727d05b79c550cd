"""What a service manager hears of a server that is not well."""

import asyncio
import contextlib
import socket
from pathlib import Path

from sekisho.net.manager import Manager


def test_a_server_that_is_not_well_is_not_said_to_live(tmp_path: Path) -> None:
    """WATCHDOG=1 while all is well, none while it is not, and soon again once it is."""
    asyncio.run(story(tmp_path))


async def story(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.bind(str(tmp_path / "notify"))
        line.setblocking(False)
        well = [True]
        manager = Manager(str(tmp_path / "notify"), 0.2, lambda trouble: None)
        task = asyncio.create_task(manager.keep_alive(lambda: well[0]))
        await asyncio.sleep(0.5)
        assert heard(line)
        well[0] = False
        await asyncio.sleep(0.15)
        heard(line)
        await asyncio.sleep(0.5)
        assert not heard(line)
        well[0] = True
        await asyncio.sleep(0.5)
        assert heard(line)
        task.cancel()


def heard(line: socket.socket) -> list[bytes]:
    found = []
    with contextlib.suppress(BlockingIOError):
        while True:
            found.append(line.recv(4096))
    return found
