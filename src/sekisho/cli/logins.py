"""`sekisho account logins`: who has used this account's password, from where, and with what success."""

import os

import click

from sekisho.cli import speech
from sekisho.cli.household import refusals
from sekisho.cli.where import config_option, dated, json_option, settings, when
from sekisho.host import HostClock
from sekisho.model.event import LoginTried
from sekisho.model.phrase import phrase
from sekisho.service.names import account_address
from sekisho.service.telling import sentence
from sekisho.store.events import read_events

DAY_US = 86_400_000_000


@click.command("logins")
@click.argument("address")
@click.option("--days", default=30, show_default=True, type=click.IntRange(1, 3660), help="How far back.")
@config_option
@json_option
def logins(address: str, days: int, path: str, as_json: bool) -> None:
    """Every attempt to log in, the oldest first.

    Example: sekisho account logins hello@example.com --days 7
    """
    with refusals():
        key = account_address(address)
    config = settings(path)
    since = HostClock().now() - days * DAY_US
    count = 0
    for event in read_events(os.path.join(config.state, "events"), since):
        if isinstance(event, LoginTried) and event.account == key:
            count += 1
            if as_json:
                speech.emit(dated(event, config))
            else:
                speech.tell(f"{when(event.at, config)}  {speech.texts().say(sentence(event))}")
    if not count and not as_json:
        speech.tell(phrase("No attempt is known of {name} in the last {days} days.", name=key, days=days))
