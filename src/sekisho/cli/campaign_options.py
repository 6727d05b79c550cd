"""What the verbs of `sekisho campaign` are given: mailboxes, and the day of letters without one."""

import contextlib
from collections.abc import Iterator
from datetime import date

import click

from sekisho.cli import speech
from sekisho.model.phrase import phrase
from sekisho.model.text import printable

received_option = click.option(
    "--received", metavar="DAY", help="The day the letters arrived (2013-06-08), where they do not say it."
)
mailboxes = click.argument(
    "paths", metavar="MAILBOX...", nargs=-1, required=True, type=click.Path(exists=True)
)


def the_day(received: str | None) -> date | None:
    try:
        return date.fromisoformat(received) if received else None
    except ValueError:
        speech.fail(
            phrase("{day} is no day; write it like 2013-06-08", day=printable(received or "", 40)),
            speech.USAGE,
        )


@contextlib.contextmanager
def readable_archives() -> Iterator[None]:
    """What cannot be read is told by its name; what was told before stands."""
    try:
        yield
    except OSError as error:
        path = printable(str(error.filename or ""), 200)
        speech.fail(
            phrase("{path} cannot be read: {why}", path=path, why=str(error.strerror)), speech.UNAVAILABLE
        )
