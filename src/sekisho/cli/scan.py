"""`sekisho scan`: forensics on anybody's mail log."""

import os
import sys
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click

from sekisho.cli import scan_html, scan_text, speech
from sekisho.cli.where import json_option
from sekisho.guard.network_csv import BadRow
from sekisho.guard.networks import NetworkTable
from sekisho.guard.packing import BadTable
from sekisho.host import HostClock
from sekisho.logs.detect import Circumstances
from sekisho.logs.reading import FORMATS
from sekisho.logs.stamp import fixed_zone, iso_offset
from sekisho.model.address import normal
from sekisho.model.phrase import phrase
from sekisho.service.scan_judging import investigate
from sekisho.service.scan_masking import mask
from sekisho.service.scan_report import Report, plain
from sekisho.service.scanning import Around, Wanted, read
from sekisho.store import logfiles, networktable
from sekisho.store.logfiles import LogFile

LOCAL_ZONE = "/etc/localtime"
PROGRESS_EVERY = 16 * 1024 * 1024
"""Bytes of text between two signs of life on a terminal."""


@click.command("scan")
@click.argument("paths", metavar="PATH...", nargs=-1, required=True)
@json_option
@click.option("--html", metavar="FILE", help="Write the report as one HTML file.")
@click.option(
    "--format", "formats", multiple=True, type=click.Choice(FORMATS), help="Read only these dialects."
)
@click.option(
    "--year", default=None, type=click.IntRange(1970, 9998), metavar="Y", help="Year of the first line."
)
@click.option("--zone", default="", help="Zone of the stamps: Asia/Tokyo, +09:00, UTC.")
@click.option("--since", default="", metavar="T", help="Only from this time on (2013-07-22, RFC 3339).")
@click.option("--until", default="", metavar="T", help="Only before this time.")
@click.option("--account", default="", help="Report this account, even if nothing is suspicious.")
@click.option(
    "--networks", default="", metavar="CSV", help="A network table to use instead of the built-in one."
)
@click.option(
    "--what-if", is_flag=True, help="When the guard would have acted, and whom it would have bothered."
)
@click.option("--mask", "masked", is_flag=True, help="Blur addresses and accounts, for showing to others.")
def command(paths: tuple[str, ...], as_json: bool, masked: bool, **options: Any) -> int:
    """Find stolen passwords in mail logs: files, folders or - ; rotated or packed, all dialects mixed.

    Exit code 1 means that an incident was found, 0 that none was.

    Example: sekisho scan --since 2013-07-01 /var/log/maillog*
    """
    zone = _zone(options["zone"])
    wanted = Wanted(
        account=normal(options["account"]),
        since=_moment(options["since"], zone, 0),
        until=_moment(options["until"], zone, 2**62),
        what_if=options["what_if"],
        formats=frozenset(options["formats"]),
    )
    table = _table(options["networks"])
    files = logfiles.find(paths)
    reading = read(files, _around(options["year"] or 0, zone), wanted, table, Ticker())
    report = investigate(reading, wanted)
    show(report, as_json, masked, options["html"])
    return 1 if any(case.kind != "nothing" for case in report.incidents) else 0


def show(report: Report, as_json: bool, masked: bool, html: str | None) -> None:
    told = plain(report, speech.texts().say)
    if masked:
        told = mask(told)
    if html:
        _write(html, scan_html.page(told))
    if as_json:
        speech.emit({**told, "files": [file["name"] for file in told["files"]], "notes": _notes(told)})
        return
    for line in scan_text.lines(told):
        speech.tell(line)


def _notes(told: dict[str, Any]) -> list[dict[str, str]]:
    """What was wrong with a file, by its name."""
    return [{"file": file["name"], "note": note} for file in told["files"] for note in file["notes"]]


def _write(path: str, text: str) -> None:
    try:
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        why = error.strerror or str(error)
        speech.fail(phrase("{file}: {why}", file=path, why=why), speech.UNAVAILABLE)


def _around(year: int, given: tzinfo | None) -> Around:
    now, local = HostClock().now(), _local_zone()

    def around(file: LogFile) -> Circumstances:
        return Circumstances(year, given, local, file.modified(now))

    return around


def _local_zone() -> tzinfo:
    """This computer's zone with its rules, so that old logs get the summer time of then."""
    name = os.environ.get("TZ", "").lstrip(":")
    try:
        if name:
            return ZoneInfo(name)
        with open(LOCAL_ZONE, "rb") as file:
            return ZoneInfo.from_file(file)
    except (OSError, ValueError, ZoneInfoNotFoundError):
        return datetime.now(UTC).astimezone().tzinfo or UTC


def _zone(text: str) -> tzinfo | None:
    if not text:
        return None
    if text[0] in "+-" and text[1:].replace(":", "").isdecimal() and len(text.replace(":", "")) == 5:
        offset = iso_offset(text.encode())
        if abs(offset) < timedelta(days=1).total_seconds():
            return fixed_zone(offset)
    try:
        return ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        speech.fail(phrase("{zone} is no time zone", zone=text), speech.USAGE)


def _moment(text: str, zone: tzinfo | None, otherwise: int) -> int:
    """RFC 3339, or a date or time without an offset, which is of the zone given, else of this computer."""
    if not text:
        return otherwise
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        speech.fail(
            phrase("{time} is no time; write 2013-07-22 or 2013-07-22T18:00:00+09:00", time=text),
            speech.USAGE,
        )
    if when.tzinfo is None:
        when = when.replace(tzinfo=zone or _local_zone())
    return int(when.timestamp() * 1_000_000)


def _table(path: str) -> NetworkTable:
    if not path:
        return networktable.built_in()
    try:
        return networktable.load(path)
    except BadRow as error:
        speech.fail(
            phrase("{file}, line {line}: {why}", file=path, line=error.line, why=error.why), speech.USAGE
        )
    except BadTable as error:
        speech.fail(phrase("{file}: {why}", file=path, why=str(error)), speech.USAGE)


class Ticker:
    """Says on a terminal how far the reading is; says nothing in a pipe."""

    def __init__(self) -> None:
        self._on = sys.stderr.isatty()
        self._next = PROGRESS_EVERY

    def __call__(self, name: str, done: int) -> None:
        if self._on and done >= self._next:
            self._next = done + PROGRESS_EVERY
            sys.stderr.write(f"\r{os.path.basename(name)}: {done >> 20} MB")
            sys.stderr.flush()
        elif done < self._next - PROGRESS_EVERY:
            self._next = PROGRESS_EVERY
