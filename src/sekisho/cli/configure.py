"""`sekisho configure`: prints the set-up that puts sekisho beside another mail server."""

import os

import click

from sekisho.cli import speech
from sekisho.cli.where import config_option, settings
from sekisho.integrations.setups import EXAMPLES, SETUPS
from sekisho.model.config import BOOTHS, Config
from sekisho.model.phrase import phrase
from sekisho.net.listen import UNIX, unix_path


@click.command("configure")
@click.argument("server", type=click.Choice(sorted(SETUPS)))
@config_option
def command(server: str, path: str) -> None:
    """What to type so that another mail server asks this one; see docs/beside.md.

    It names the listeners of the settings. Nothing is changed here: read it, then run it there.

    Example: sekisho configure postfix -c /srv/mail/sekisho.toml | ssh root@mx sh
    """
    listening = _listening(settings(path))
    setup = SETUPS[server]
    if not set(setup.needs) & set(listening):
        protocol = setup.needs[0]
        speech.fail(
            phrase(
                "{server} asks at a listener of protocol {protocol}, and there is none: add to {file}\n"
                '[listen.{protocol}]\naddress = "{address}"\nprotocol = "{protocol}"',
                server=server,
                protocol=protocol,
                file=path,
                address=EXAMPLES[protocol],
            ),
            78,
        )
    click.echo(setup.text(listening), nl=False)


def _listening(config: Config) -> dict[str, str]:
    """The first listener of each protocol at which others ask."""
    found: dict[str, str] = {}
    for listener in config.listen.values():
        if listener.protocol in BOOTHS:
            found.setdefault(listener.protocol, _absolute(listener.address, config.state))
    return found


def _absolute(address: str, folder: str) -> str:
    if not address.startswith(UNIX):
        return address
    return UNIX + os.path.abspath(unix_path(address, folder))
