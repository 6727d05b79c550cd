"""`sekisho networks`: whose an address is as known now, and replacing the table."""

import os
import tempfile
from ipaddress import ip_address

import click
import msgspec

from sekisho.cli import speech
from sekisho.cli.where import config_option, json_option, settings
from sekisho.guard.network_csv import BadRow
from sekisho.guard.packing import BadTable
from sekisho.model.envelope import Network
from sekisho.model.phrase import phrase
from sekisho.model.text import printable
from sekisho.service.control import call
from sekisho.service.messages import Reload, StatusAnswer
from sekisho.store import networktable
from sekisho.world import Unavailable


@click.group("networks")
def command() -> None:
    """Show or replace the table of networks.

    Example: sekisho networks show 192.0.2.1
    """


@command.command("show")
@config_option
@json_option
@click.argument("addresses", metavar="ADDRESS...", nargs=-1, required=True)
def show(path: str, as_json: bool, addresses: tuple[str, ...]) -> int:
    """AS number, country and name of an address, and the key by which the guard compares it.

    Example: sekisho networks show 8.8.8.8 2001:db8::1
    """
    for address in addresses:
        if not _is_address(address):
            speech.fail(phrase("{address} is no IP address", address=printable(address, 100)), speech.USAGE)
    table = networktable.of(settings(path)) if os.path.exists(path) else networktable.built_in()
    for address in addresses:
        network = table.find(address)
        if as_json:
            speech.emit({"address": address, **msgspec.to_builtins(network)})
        else:
            speech.tell(f"{address}  {_described(network)}")
    return 0


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _described(network: Network) -> str:
    say = speech.texts().say
    if not network.place:
        return say(phrase("no place: loopback, private, or no address"))
    owner = f"AS{network.asn} {network.name}" if network.asn else say(phrase("unknown owner"))
    country = network.country or say(phrase("unknown country"))
    shared = say(phrase("hosting, VPN or relay")) if network.shared else ""
    return "  ".join(part for part in (network.key, country, owner, shared) if part)


@command.command("update")
@config_option
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
def update(path: str, file: str) -> int:
    """Replace the table with a CSV (start,end,asn,country,name; CIDR in start, end empty) or a packed table.

    Example: sekisho networks update ranges.csv
    """
    config = settings(path)
    try:
        data = networktable.compiled(file)
    except BadRow as error:
        speech.fail(
            phrase("{file}, line {line}: {why}", file=file, line=error.line, why=error.why), speech.USAGE
        )
    except BadTable as error:
        speech.fail(phrase("{file}: {why}", file=file, why=str(error)), speech.USAGE)
    target = networktable.own(config)
    _replace(target, data)
    running = call(config.state, Reload(), StatusAnswer) is not None
    told = (
        phrase("the server uses it")
        if running
        else phrase("no server runs; it is used from the next start on")
    )
    speech.tell(phrase("{target}: {size} bytes; {told}", target=target, size=len(data), told=told))
    return 0


def _replace(target: str, data: bytes) -> None:
    """In one step: a reader finds the old table or the new one."""
    handle, name = tempfile.mkstemp(dir=os.path.dirname(target))
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, target)
    except OSError as error:
        os.unlink(name)
        raise Unavailable(target, error.strerror or str(error)) from error
