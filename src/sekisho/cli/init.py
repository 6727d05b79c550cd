"""`sekisho init`: everything a server needs before its first start."""

import os
import re
import shlex

import click
from msgspec.structs import replace

from sekisho.cli import speech
from sekisho.cli.household import hands, refusals
from sekisho.cli.records import print_records
from sekisho.cli.where import json_option
from sekisho.host import HostDisk
from sekisho.model.phrase import phrase
from sekisho.model.text import printable
from sekisho.service.founding import HIGH_PORTS, PORTS, Plan, found, records
from sekisho.service.names import Misspelt, domain_name
from sekisho.store.plausible import is_address
from sekisho.store.settings import load

USER_NAME = re.compile("[a-z_][a-z0-9_-]{0,24}")


@click.command("init")
@click.argument("folder", type=click.Path(file_okay=False))
@click.option("--domain", required=True, help="The first domain whose mail is taken here.")
@click.option("--hostname", default="", help="This server's own name.  [default: mx.DOMAIN]")
@click.option("--address", default="0.0.0.0", show_default=True, help="Where the listeners are bound.")
@click.option("--settings", default="", help="Where the settings file goes.  [default: FOLDER/sekisho.toml]")
@click.option("--users", default="", help="Roles run as NAME-front, NAME-vault, NAME-watch and NAME-local.")
@json_option
def command(folder: str, domain: str, as_json: bool, **place: str) -> None:
    """Make settings, databases, keys and a certificate, and say what to publish in the DNS.

    Listens on ports 25, 587 and 465 when made by root, else on 2525, 2587 and 2465.

    Example: sekisho init /etc/sekisho --domain example.com
    """
    if not folder:
        speech.fail(phrase("FOLDER is empty; the current folder is written ."), speech.USAGE)
    with refusals():
        plan = _plan(folder, domain, place["hostname"], place["address"])
        plan = replace(plan, users=_user_name(place["users"]))
        if place["settings"]:
            plan = replace(plan, settings=os.path.abspath(place["settings"]))
        found(plan, HostDisk(), hands())
    path = plan.settings_path
    load(path)
    wanted = records(HostDisk(), plan.folder, plan.domain, plan.hostname)
    named = shlex.quote(path)
    steps = [
        f"sekisho account add hello@{plan.domain} -c {named}",
        f"sekisho serve -c {named}",
        f"sekisho incident list -c {named}",
    ]
    if as_json:
        published = [{"name": record.name, "type": record.kind, "value": record.value} for record in wanted]
        listening = {name: f"{plan.address}:{port}" for name, port in plan.ports.items()}
        speech.emit({"config": path, "listen": listening, "records": published, "next": steps})
        return
    ports = ", ".join(str(port) for port in plan.ports.values())
    speech.tell(
        phrase(
            "{path} is written; {host} will listen on {ports}.", path=path, host=plan.hostname, ports=ports
        )
    )
    speech.tell(phrase("Publish in the DNS:"))
    print_records(wanted)
    speech.tell(phrase("Then:"))
    for step in steps:
        speech.tell(f"  {step}")


def _user_name(name: str) -> str:
    if name and not USER_NAME.fullmatch(name):
        raise Misspelt(phrase("{value} is not the name of a user", value=printable(name, 100)))
    return name


def _plan(folder: str, domain: str, hostname: str, address: str) -> Plan:
    name = domain_name(domain)
    if not is_address(address):
        raise Misspelt(phrase("{value} is not an IP address", value=address))
    ports = PORTS if os.geteuid() == 0 else HIGH_PORTS
    return Plan(os.path.abspath(folder), name, domain_name(hostname or f"mx.{name}"), address, ports)
