"""`sekisho serve`: the server in the foreground, until a signal."""

import asyncio
import contextlib
import gc
import os
import signal
import sys
from typing import Protocol

import click

from sekisho.cli import speech
from sekisho.cli.where import config_option, settings
from sekisho.model.config import Config
from sekisho.model.phrase import Phrase, phrase
from sekisho.net.manager import Manager, manager_of
from sekisho.service.channel import NotDone
from sekisho.service.control import call
from sekisho.service.estate import Estate
from sekisho.service.messages import FOLLOWED, StatusAnswer, StatusAsk
from sekisho.service.supervise import watch_lifeline
from sekisho.world import Unavailable

WATCH_ANSWERS_S = 5.0
"""A watch that does not answer in this time is no reason not to serve."""
GC_THRESHOLD = 50_000
"""Objects made before the collector looks: a front makes many that die young by themselves."""


class Runs(Protocol):
    """A server, a supervisor or one role."""

    async def start(self) -> dict[str, str]: ...

    async def reload(self) -> tuple[str, ...]: ...

    def well(self) -> bool: ...

    async def stop(self) -> None: ...


@click.command("serve")
@config_option
@click.option("--check", is_flag=True, help="Stop after binding.")
@click.option("--arrange", is_flag=True, help="Give the files of the state folder to [users], and stop.")
@click.option(
    "--role", hidden=True, default="", help="One role of a split server; its supervisor says which."
)
def command(path: str, check: bool, arrange: bool, role: str) -> int:
    """Run the server in the foreground. SIGTERM ends it, SIGHUP reads the settings again.

    Example: sekisho serve -c /srv/mail/sekisho.toml
    """
    config = settings(path)
    if arrange:
        Estate(config, path).arrange()
        return 0
    if not role:
        _refuse_beside_a_watch(config)
    with contextlib.suppress(ImportError):
        import uvloop

        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    gc.set_threshold(GC_THRESHOLD, 20, 50)
    asyncio.run(_until_told(config, path, check=check, role=role))
    return 0


def _refuse_beside_a_watch(config: Config) -> None:
    """One guard writes in a house: a `sekisho watch` that runs alone has it, and would lose its socket."""
    with contextlib.suppress(Unavailable, NotDone):
        answer = call(config.state, StatusAsk(), StatusAnswer, timeout_s=WATCH_ANSWERS_S)
        if answer is not None and FOLLOWED in answer.counts:
            speech.fail(
                phrase(
                    "sekisho watch runs alone on {state}: stop it, and start it after the server",
                    state=config.state,
                ),
                speech.UNAVAILABLE,
            )


async def _until_told(config: Config, path: str, *, check: bool, role: str) -> None:
    manager = manager_of(os.environ, _missed)
    server = _server(config, path, role)
    told, hung_up = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    loop.add_signal_handler(signal.SIGHUP, hung_up.set)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})  # cli/main.py has let it wait
    if role:
        watch_lifeline(told.set)
    listening = await server.start()
    try:
        gc.freeze()
        if not role:
            _say_where(listening)
        serving = _serving(listening)
        reloading = loop.create_task(_reload_when(hung_up, server, manager, serving), name="reloads")
        alive = loop.create_task(manager.keep_alive(server.well), name="watchdog")
        manager.ready(_said(serving))
        if not check:
            await told.wait()
        reloading.cancel()
        manager.stopping(_said(phrase("finishing what is under way")))
    finally:
        await server.stop()
    alive.cancel()


def _server(config: Config, path: str, role: str) -> Runs:
    """Imported here: a vault needs no SQL library, a supervisor no queue."""
    if role:
        from sekisho.service.serving import Post

        return Post(config, role, path)
    if config.processes == "split":
        from sekisho.service.supervise import Supervisor

        return Supervisor(config, path, _complain)
    from sekisho.service.serving import Server

    return Server(config, settings=path)


async def _reload_when(hung_up: asyncio.Event, server: Runs, manager: Manager, serving: Phrase) -> None:
    """One reading for each SIGHUP or more of them; one that came while we started is not forgotten."""
    while True:
        await hung_up.wait()
        hung_up.clear()
        manager.reloading(_said(phrase("reading the settings again")))
        task = asyncio.get_running_loop().create_task(server.reload(), name="reload")
        await asyncio.wait((task,))
        trouble = _trouble(task)
        speech.complain(trouble or phrase("the settings were read again"))
        manager.ready(_said(trouble or serving))


def _trouble(task: "asyncio.Task[tuple[str, ...]]") -> Phrase | None:
    """What the operator must hear of a reading: why there was none, or what it could not change."""
    if task.cancelled():
        return None
    if (error := task.exception()) is not None:
        return phrase("the settings were not read again: {why}", why=str(error))
    if names := task.result():
        return phrase("read again, but these count only after a restart: {keys}", keys=", ".join(names))
    return None


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
