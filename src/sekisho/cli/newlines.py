"""`sekisho newlines`: which clients end lines in LF alone, before they are refused for it."""

import os

import click

from sekisho.cli import speech
from sekisho.cli.where import config_option, json_option, settings, when
from sekisho.host import HostClock
from sekisho.model.phrase import phrase
from sekisho.service.newlines import clients
from sekisho.store.events import read_events

DAY_US = 86_400_000_000


@click.command("newlines")
@click.option("--days", default=30, show_default=True, type=click.IntRange(1, 3660), help="How far back.")
@config_option
@json_option
def command(days: int, path: str, as_json: bool) -> None:
    """Clients whose letters or commands have bare newlines, those that did it most first.

    With bare_lf = "observe" their letters are taken and counted here. Once nobody is left whom you want to
    hear, or those are named in bare_lf_from, set bare_lf = "refuse".

    Example: sekisho newlines --days 7
    """
    config = settings(path)
    since = HostClock().now() - days * DAY_US
    found = clients(read_events(os.path.join(config.state, "events"), since))
    for client in found:
        if as_json:
            speech.emit(client)
            continue
        values = {"address": client.address or "?", "hello": client.hello or "?", "sender": client.sender}
        told = phrase(
            "{address} (EHLO {hello}): {taken} letters taken, {refused} refusals, last {at} from <{sender}>",
            taken=client.taken, refused=client.refused, at=when(client.last_at, config), **values,
        )  # fmt: skip
        speech.tell(told)
    if not found and not as_json:
        speech.tell(phrase("No bare newline is known of the last {days} days.", days=days))
