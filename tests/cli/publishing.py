"""A name server for a house, and what is published in it."""

import asyncio
import contextlib
import json
import threading
from collections.abc import Iterator
from pathlib import Path

from mailhome import MailHome

from nameserver import NameServer
from sekisho.host import HostDisk
from sekisho.store.keys import make_dkim_keys


@contextlib.contextmanager
def name_server() -> Iterator[NameServer]:
    """In a thread of its own; its `port` is set."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    server = NameServer({})
    server.port = asyncio.run_coroutine_threadsafe(server.start(), loop).result(60)  # type: ignore[attr-defined]
    yield server
    loop.call_soon_threadsafe(server.stop)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(60)


def keyed_house(folder: Path, server: NameServer) -> MailHome:
    """With keys of November 2023, asking this server."""
    keyed = MailHome(folder)
    settings = Path(keyed.path)
    port = server.port  # type: ignore[attr-defined]
    settings.write_text(settings.read_text() + f'\n[outbound]\nresolver = ["127.0.0.1:{port}"]\n')
    make_dkim_keys(HostDisk(), str(folder / "keys" / "dkim" / "example.com"), 1_700_000_000_000_000)
    return keyed


def rows(home: MailHome) -> dict[str, tuple[str, str]]:
    said = [json.loads(line) for line in home("dkim", "keys", "example.com", "--json").out.splitlines()]
    return {row["selector"]: (row["state"], row["value"]) for row in said}


def publish(server: NameServer, home: MailHome, *selectors: str) -> None:
    for selector in selectors:
        text = rows(home)[selector][1]
        server.zone[f"{selector}._domainkey.example.com", "TXT"] = [f'"{text[:200]}" "{text[200:]}"']
