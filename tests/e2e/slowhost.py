"""A mail server that takes its time over every letter, in a thread of its own, and counts connections."""

import asyncio
import threading
import time


class SlowHost:
    """`takes_s` from the final dot to its reply, longer while it is `held`. `most` connections were open at
    once. It does not know recipients that are called "nobody"."""

    def __init__(self, takes_s: float) -> None:
        self.takes_s = takes_s
        self.taken: list[str] = []
        self.names: list[str] = []
        self.open = 0
        self.most = 0
        self.held = False
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def start(self, host: str, port: int = 0) -> int:
        self._thread.start()
        starting = asyncio.start_server(self._serve, host, port, backlog=1024)
        self._server = asyncio.run_coroutine_threadsafe(_awaited(starting), self._loop).result(60)
        return int(self._server.sockets[0].getsockname()[1])

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(60)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(60)
        self._loop.close()

    async def _end(self) -> None:
        self._server.close()
        sessions = asyncio.all_tasks() - {asyncio.current_task()}
        for session in sessions:
            session.cancel()
        await asyncio.gather(*sessions, return_exceptions=True)

    def wait_for(self, count: int, within_s: float) -> float:
        """Seconds until so many letters have been taken."""
        began = time.monotonic()
        while len(self.taken) < count:
            assert time.monotonic() - began < within_s, f"{len(self.taken)} of {count} in {within_s} s"
            time.sleep(0.02)
        return time.monotonic() - began

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        self.most = max(self.most, self.open)
        try:
            writer.write(b"220 slow\r\n")
            while line := await reader.readline():
                verb = line[:4].upper()
                if verb == b"EHLO":
                    self.names.append(line[5:].decode().strip())
                if verb == b"RCPT":
                    recipient = line.decode().strip()[len("RCPT TO:<") :].partition(">")[0]
                    if recipient.startswith("nobody@"):
                        writer.write(b"550 5.1.1 who?\r\n")
                        continue
                if verb == b"DATA":
                    writer.write(b"354 go\r\n")
                    await reader.readuntil(b"\r\n.\r\n")
                    await asyncio.sleep(self.takes_s)
                    while self.held:
                        await asyncio.sleep(0.02)
                    self.taken.append(recipient)
                writer.write(b"250 ok\r\n")
                if verb == b"QUIT":
                    break
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the other side has gone, or we are stopped
        finally:
            self.open -= 1
            writer.close()


async def _awaited(starting: "asyncio.Future[asyncio.Server]") -> asyncio.Server:
    return await starting
