"""Whose queue a `sekisho queue` verb means: our own, or with --on that of another server on this machine."""

import functools
import os
from collections.abc import Callable
from typing import Any, get_args

import click
from msgspec import Struct
from msgspec.structs import replace

from sekisho.cli import speech
from sekisho.cli.where import settings
from sekisho.model.config import Config, Hand
from sekisho.model.config_hands import Program
from sekisho.model.phrase import phrase
from sekisho.service.foreign_desk import ForeignDesk

Command = Callable[..., Any]

STATE = "/var/lib/sekisho"
"""Where is kept what was taken from another server's queue, when there are no settings of ours."""

PROGRAMS = get_args(Program)


class Place(Struct, frozen=True):
    """`foreign` None: our own queue."""

    config: Config
    foreign: ForeignDesk | None = None


def placed(command: Command) -> Command:
    """Options that say whose queue is meant; the command gets a Place instead."""

    @functools.wraps(command)
    def run(paths: tuple[str, ...], on: str, queue: str, programs: str, **rest: Any) -> Any:
        return command(place=_place(paths, on, (queue, programs)), **rest)

    for option in (
        click.option("--programs", default="", metavar="DIR", help="With --on: their programs' folder."),
        click.option("--queue", default="", metavar="DIR", help="With --on: their queue's folder."),
        click.option(
            "--on", default="", metavar="NAME",
            help="Another server's queue: postfix, exim, sendmail, qmail, or a table [hands.NAME].",
        ),
        click.option(
            "-c", "--config", "paths", multiple=True,
            help="The settings file; with --on and without the ending .toml: their settings.  "
            "[default: $SEKISHO_CONFIG or ./sekisho.toml]",
        ),
    ):  # fmt: skip
        run = option(run)
    return run


def _place(paths: tuple[str, ...], on: str, folders: tuple[str, str]) -> Place:
    ours = [path for path in paths if not on or path.endswith(".toml")]
    path = ours[-1] if ours else os.environ.get("SEKISHO_CONFIG", "sekisho.toml")
    if not on:
        if any(folders):
            speech.fail(phrase("--queue and --programs need --on"), speech.USAGE)
        return Place(settings(path))
    if ours or os.path.exists(path):
        config = settings(path)
    else:
        config = Config(hostname="localhost", state=os.environ.get("SEKISHO_STATE", STATE))
    theirs = [path for path in paths if path not in ours]
    return Place(config, _desk(config, _hand(config, on, (theirs[-1] if theirs else "", *folders))))


def _hand(config: Config, on: str, given: tuple[str, str, str]) -> Hand:
    known = config.hands.get(on)
    if known is None and on not in PROGRAMS:
        names = ", ".join((*PROGRAMS, *config.hands))
        speech.fail(phrase("--on {name}: known are {names}", name=on, names=names), speech.USAGE)
    hand = known or Hand(program=on)  # type: ignore[arg-type]
    said = (hand.config, hand.queue, hand.tools)
    both = zip(given, said, strict=True)
    theirs, queue, programs = (os.path.abspath(new) if new else old for new, old in both)
    return replace(hand, config=theirs, queue=queue, tools=programs)


def _desk(config: Config, hand: Hand) -> ForeignDesk:
    from sekisho.guard.networks import NetworkTable
    from sekisho.host import HostClock, HostDisk
    from sekisho.service.foreign_queues import desk_of
    from sekisho.store import networktable

    @functools.cache
    def table() -> NetworkTable:
        return networktable.of(config)

    return desk_of(config, hand, HostDisk(), HostClock().now, lambda address: table().find(address).key)
