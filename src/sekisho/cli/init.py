"""`sekisho init`: everything a server needs before its first start."""

import os
import shlex

import click

from sekisho.cli import speech
from sekisho.cli.household import hands, refusals
from sekisho.cli.records import print_records
from sekisho.cli.where import json_option
from sekisho.host import HostDisk
from sekisho.model.phrase import phrase
from sekisho.service.founding import HIGH_PORTS, PORTS, Plan, found, records
from sekisho.service.names import Refusal, domain_name
from sekisho.store.plausible import is_address
from sekisho.store.settings import FILE, load


@click.command("init")
@click.argument("folder", type=click.Path(file_okay=False))
@click.option("--domain", required=True, help="The first domain whose mail is taken here.")
@click.option("--hostname", default="", help="This server's own name.  [default: mx.DOMAIN]")
@click.option("--address", default="0.0.0.0", show_default=True, help="Where the listeners are bound.")
@json_option
def command(folder: str, domain: str, hostname: str, address: str, as_json: bool) -> None:
    """Make settings, databases, keys and a certificate, and say what to publish in the DNS.

    Listens on ports 25, 587 and 465 when made by root, else on 2525, 2587 and 2465.

    Example: sekisho init /etc/sekisho --domain example.com
    """
    with refusals():
        plan = _plan(folder, domain, hostname, address)
        found(plan, HostDisk(), hands())
    path = os.path.join(plan.folder, FILE)
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
        listening = {name: f"{address}:{port}" for name, port in plan.ports.items()}
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


def _plan(folder: str, domain: str, hostname: str, address: str) -> Plan:
    name = domain_name(domain)
    if not is_address(address):
        raise Refusal(phrase("{value} is not an IP address", value=address))
    ports = PORTS if os.geteuid() == 0 else HIGH_PORTS
    return Plan(os.path.abspath(folder), name, domain_name(hostname or f"mx.{name}"), address, ports)
