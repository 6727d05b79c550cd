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
    config = settings(path)
    listening = _listening(config)
    setup = SETUPS[server]
    if setup.needs and not set(setup.needs) & set(listening):
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
    if "wforce" in setup.needs:
        listening["password"] = _password(config)
    click.echo(setup.text(listening), nl=False)


def _password(config: Config) -> str:
    """The one that the other side has to show."""
    names = [each.password_file for each in config.listen.values() if each.protocol == "wforce"]
    path = os.path.join(config.state, names[0])
    try:
        with open(path, encoding="utf-8") as file:
            word = file.read().strip()
    except (OSError, UnicodeDecodeError):
        word = ""
    if not word:
        speech.fail(phrase("there is no password in {file}: put a long random word there", file=path), 78)
    return word


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
