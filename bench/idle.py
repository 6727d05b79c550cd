"""What an idle connection costs: ten thousand of them, plain and under TLS, and a normal session beside them.

Each client comes from one of a hundred loopback addresses. Memory is the resident set of the server before
and after, divided by the connections.
"""

import asyncio
import contextlib
import ssl
import statistics
import time
from pathlib import Path

from bench import machine, peers

CONNECTIONS = 10_000
TOGETHER = 100
LETTERS = 200
BODY = b"Subject: x\r\n\r\nx\r\n.\r\n"

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def run() -> dict[str, object]:
    with machine.journaled_disk() as disk, contextlib.ExitStack() as stack:
        tls_port = peers.free_port()
        more = f'[listen.submissions]\naddress = "127.0.0.1:{tls_port}"\nprotocol = "submissions"\n'
        server = stack.enter_context(peers.sekisho(disk, more=more))
        where = machine.description(disk)
        rows = [
            asyncio.run(_filled(server, "plain", server.port, None)),
            asyncio.run(_filled(server, "tls", tls_port, _context())),
        ]
        return {"machine": where, "connections": CONNECTIONS, "results": rows}


def _context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


async def _filled(
    server: peers.Running, kind: str, port: int, context: ssl.SSLContext | None
) -> dict[str, object]:
    alone = await latencies(server.port)
    before, open_streams = resident_kb(server.pid), []
    for start in range(0, CONNECTIONS, TOGETHER):
        coming = (greeted(port, f"127.0.1.{start // TOGETHER + 1}", context) for _ in range(TOGETHER))
        open_streams += await asyncio.gather(*coming)
    after, crowded = resident_kb(server.pid), await latencies(server.port)
    for _, writer in open_streams:
        writer.transport.abort()
    await asyncio.sleep(2)
    return {
        "kind": kind,
        "kb_each": round((after - before) / CONNECTIONS, 2),
        "rss_mb_before": before // 1024,
        "rss_mb": after // 1024,
        **beside(alone, crowded),
    }


async def greeted(port: int, source: str, context: ssl.SSLContext | None = None) -> Stream:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, local_addr=(source, 0))
    greeting = await reader.readline()
    if not greeting.startswith(b"220"):
        raise RuntimeError(f"the server says {greeting!r}")
    return reader, writer


def resident_kb(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().split("\n")
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1])


async def latencies(port: int) -> list[float]:
    """Milliseconds of whole sessions, one after another: connect, a letter, its 250, QUIT."""
    found = []
    for _ in range(LETTERS):
        begin = time.perf_counter()
        await session(port)
        found.append((time.perf_counter() - begin) * 1000)
    return found


async def session(port: int) -> None:
    reader, writer = await greeted(port, "127.0.0.1")
    for line in (b"HELO c.test", b"MAIL FROM:<a@bench.test>", b"RCPT TO:<b@elsewhere.test>", b"DATA"):
        await _said(reader, writer, line + b"\r\n")
    await _said(reader, writer, BODY)
    await _said(reader, writer, b"QUIT\r\n")
    writer.close()


async def _said(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, line: bytes) -> None:
    writer.write(line)
    reply = await reader.readline()
    if reply[:1] not in b"23":
        raise RuntimeError(f"{line!r}: {reply!r}")


def beside(alone: list[float], crowded: list[float]) -> dict[str, object]:
    return {
        "alone_ms_p50": round(statistics.median(alone), 2),
        "alone_ms_p99": round(statistics.quantiles(alone, n=100)[98], 2),
        "beside_ms_p50": round(statistics.median(crowded), 2),
        "beside_ms_p99": round(statistics.quantiles(crowded, n=100)[98], 2),
    }
