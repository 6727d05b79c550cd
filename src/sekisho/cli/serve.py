"""`sekisho serve`: the server in the foreground, until a signal."""

import asyncio
import contextlib
import gc
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

import click

from sekisho.cli import speech
from sekisho.cli.where import config_option, settings
from sekisho.model.config import Config
from sekisho.model.phrase import Phrase, phrase
from sekisho.net.manager import Manager, manager_of
from sekisho.service.supervise import watch_lifeline
from sekisho.world import Unavailable

GC_THRESHOLD = 50_000
"""Objects made before the collector looks: a front makes many that die young by themselves."""


class Runs(Protocol):
    """A server, a supervisor or one role."""

    async def start(self) -> dict[str, str]: ...

    async def stop(self) -> None: ...


@click.command("serve")
@config_option
@click.option("--check", is_flag=True, help="Stop after binding.")
@click.option(
    "--role", hidden=True, default="", help="One role of a split server; its supervisor says which."
)
def command(path: str, check: bool, role: str) -> int:
    """Run the server in the foreground. SIGTERM ends it, SIGHUP reads the settings again.

    Example: sekisho serve -c /srv/mail/sekisho.toml
    """
    config = settings(path)
    with contextlib.suppress(ImportError):
        import uvloop

        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    gc.set_threshold(GC_THRESHOLD, 20, 50)
    asyncio.run(_until_told(config, path, check=check, role=role))
    return 0


async def _until_told(config: Config, path: str, *, check: bool, role: str) -> None:
    manager = manager_of(os.environ, _missed)
    server, reload = _server(config, path, role)
    told, hung_up = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    loop.add_signal_handler(signal.SIGHUP, hung_up.set)
    if role:
        watch_lifeline(told.set)
    listening = await server.start()
    try:
        gc.freeze()
        if not role:
            _say_where(listening)
        serving = _serving(listening)
        reloading = loop.create_task(_reload_when(hung_up, reload, manager, serving), name="reloads")
        alive = loop.create_task(manager.keep_alive(), name="watchdog")
        manager.ready(_said(serving))
        if not check:
            await told.wait()
        reloading.cancel()
        manager.stopping(_said(phrase("finishing what is under way")))
    finally:
        await server.stop()
    alive.cancel()


def _server(config: Config, path: str, role: str) -> tuple[Runs, Callable[[], Coroutine[Any, Any, None]]]:
    """Imported here: a vault needs no SQL library, a supervisor no queue."""
    if role:
        from sekisho.service.serving import Post

        return Post(config, role, path), _nothing
    if config.processes == "split":
        from sekisho.service.supervise import Supervisor

        supervisor = Supervisor(config, path, _complain)
        return supervisor, supervisor.reload
    from sekisho.service.serving import Server

    server = Server(config, settings=path)
    return server, server.reload


async def _nothing() -> None:
    """A role is told to read its settings over its socket."""


async def _reload_when(
    hung_up: asyncio.Event, reload: Callable[[], Coroutine[Any, Any, None]], manager: Manager, serving: Phrase
) -> None:
    """One reading for each SIGHUP or more of them; one that came while we started is not forgotten."""
    while True:
        await hung_up.wait()
        hung_up.clear()
        manager.reloading(_said(phrase("reading the settings again")))
        task = asyncio.get_running_loop().create_task(reload(), name="reload")
        await asyncio.wait((task,))
        trouble = _trouble(task)
        if trouble is not None:
            speech.complain(trouble)
        manager.ready(_said(trouble or serving))


def _trouble(task: "asyncio.Task[None]") -> Phrase | None:
    if task.cancelled() or (error := task.exception()) is None:
        return None
    return phrase("the settings were not read again: {why}", why=str(error))


def _serving(listening: dict[str, str]) -> Phrase:
    """What the service manager shows of us; a role without listeners has no more to say."""
    if not listening:
        return phrase("ready")
    return phrase("serving mail on {addresses}", addresses=", ".join(sorted(listening.values())))


def _missed(trouble: Unavailable) -> None:
    speech.complain(phrase("the service manager was not told how we are: {why}", why=str(trouble)))


def _said(sentence: Phrase) -> str:
    return speech.texts().say(sentence)


def _say_where(listening: dict[str, str]) -> None:
    for name, address in sorted(listening.items()):
        speech.tell(phrase("listening on {address} ({name})", address=address, name=name))
    sys.stdout.flush()


def _complain(what: str, about: str, trace: str) -> None:
    speech.complain(phrase("trouble in {what} {about}: {trace}", what=what, about=about, trace=trace))
