"""Options that several commands share, and how a command finds its state folder and the event archive."""

import os
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click
import msgspec

from sekisho.cli import speech
from sekisho.model.config import Config
from sekisho.model.event import Event
from sekisho.model.phrase import phrase
from sekisho.store.events import read_events
from sekisho.store.settings import ConfigError, load

Command = TypeVar("Command", bound=Callable[..., Any])


def config_option(command: Command) -> Command:
    return click.option(
        "-c",
        "--config",
        "path",
        default=lambda: os.environ.get("SEKISHO_CONFIG", "sekisho.toml"),
        show_default="$SEKISHO_CONFIG or ./sekisho.toml",
        help="The settings file.",
    )(command)


def json_option(command: Command) -> Command:
    return click.option("--json", "as_json", is_flag=True, help="JSON instead of sentences.")(command)


def settings(path: str) -> Config:
    """The settings, or the command ends with what is wrong in them (exit code 78)."""
    try:
        return load(path)
    except ConfigError as error:
        speech.fail(phrase("{place}: {why}", place=error.place, why=error.why), speech.CONFIG)


def archive(config: Config) -> Callable[[], Iterable[Event]]:
    return lambda: read_events(os.path.join(config.state, "events"))


def dated(event: Event, config: Config) -> dict[str, Any]:
    """An event for programs."""
    told: dict[str, Any] = msgspec.to_builtins(event)
    return told | {"at": when(event.at, config)}


def when(at: int, config: Config) -> str:
    """RFC 3339 with the offset of the configured zone."""
    try:
        zone = ZoneInfo(config.zone) if config.zone else None
    except (ZoneInfoNotFoundError, ValueError):
        zone = None
    return datetime.fromtimestamp(at / 1e6, zone).astimezone(zone).isoformat(timespec="milliseconds")
