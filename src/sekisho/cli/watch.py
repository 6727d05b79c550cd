"""`sekisho watch`: the guard beside another mail server, by its logs, as they are written."""

import asyncio
import contextlib
import os
import signal
import sys
import tempfile
from collections.abc import Iterator

import click

from sekisho.cli import speech
from sekisho.cli.where import json_option, settings, when
from sekisho.model.config import Config
from sekisho.model.config_listen import heard
from sekisho.model.incident import Finding, Grade, Incident
from sekisho.model.phrase import Phrase, phrase
from sekisho.service.lookout import Lookout
from sekisho.store.house import House


@click.command("watch")
@click.argument("paths", metavar="PATH...", nargs=-1)
@click.option("-c", "--config", "path", default="", help="The settings file; without it nothing is kept.")
@click.option("--once", is_flag=True, help="Read what there is, and stop.")
@json_option
def command(paths: tuple[str, ...], path: str, once: bool, as_json: bool) -> int:
    """Follow the logs of another mail server: files, folders, patterns, or - for standard input.

    Rotated logs beside them are read once, to learn what is usual. With -c it goes on after a restart where
    it was, keeps its cases for `sekisho incident`, and acts through what is configured.

    What is sent to its listeners of protocol syslog is heard besides.

    Example: sekisho watch -c /srv/mail/sekisho.toml /var/log/maillog
    """
    with _config(path) as config:
        if not paths and (once or not heard(config.listen)):
            speech.fail(phrase("name a log to follow, or a listener of protocol syslog"), speech.USAGE)
        return asyncio.run(_follow(config, paths, Voice(config, as_json), keeps=bool(path), once=once))


@contextlib.contextmanager
def _config(path: str) -> Iterator[Config]:
    """The settings, or those of a house for this one run."""
    path = path or os.environ.get("SEKISHO_CONFIG", "")
    if path:
        yield settings(path)
        return
    with tempfile.TemporaryDirectory(prefix="sekisho-") as folder:
        House.create(folder).close()
        yield Config(hostname="localhost", state=folder)


class Voice:
    """Tells each finding that an operator should hear of, once."""

    def __init__(self, config: Config, as_json: bool) -> None:
        self._config = config
        self._json = as_json
        self._told: set[tuple[str, Grade]] = set()
        self.found = False

    def __call__(self, incident: Incident, finding: Finding) -> None:
        loud = finding.grade >= Grade.CONTAIN or finding.kind == "volume" or finding.trust == "open"
        if not loud or (incident.id, finding.grade) in self._told:
            return
        self._told.add((incident.id, finding.grade))
        self.found = True
        self._say(incident, finding.at, finding.sentence)

    def _say(self, incident: Incident, at: int, sentence: Phrase) -> None:
        if self._json:
            speech.emit(incident)
        else:
            speech.tell(f"{when(at, self._config)} {incident.id} {speech.texts().say(sentence)}")
        sys.stdout.flush()

    def alarmed(self, incident: Incident) -> None:
        """Of the failure rate: once for each jump."""
        self.found = True
        self._say(incident, incident.opened, incident.sentence)


async def _follow(config: Config, paths: tuple[str, ...], voice: Voice, *, keeps: bool, once: bool) -> int:
    lookout = Lookout(config, paths, keeps=keeps)
    loop = asyncio.get_running_loop()
    alone = await lookout.start(voice, voice.alarmed)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, lookout.end)
    loop.add_signal_handler(signal.SIGHUP, lookout.look_around)
    try:
        if not alone:
            speech.complain(phrase("a server runs for {state}: its guard is told", state=config.state))
        for name, address in sorted(lookout.listening.items()):
            speech.complain(phrase("listening on {address} ({name})", address=address, name=name))
        await lookout.run(once=once)
    finally:
        await lookout.stop()
    man = lookout.watchman
    if not voice.found or not once:
        speech.complain(
            phrase(
                "{lines} lines read, {events} events, {unknown} lines not understood",
                lines=man.lines, events=man.events, unknown=man.unparsed(),
            )
        )  # fmt: skip
    return 1 if voice.found and once else 0
