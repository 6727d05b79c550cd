"""`sekisho dns`: the records of a domain, word for word, and whether they are there."""

import asyncio

import click

from sekisho.cli import speech
from sekisho.cli.household import refusals
from sekisho.cli.records import print_records
from sekisho.cli.where import config_option, json_option, settings
from sekisho.host import HostDisk
from sekisho.model.config import Config
from sekisho.model.phrase import Phrase, phrase
from sekisho.model.text import printable
from sekisho.net.resolver import Resolver
from sekisho.service.dns_advice import Advice, Examiner, Finding, advised, policy_text
from sekisho.service.founding import dkim_folder
from sekisho.service.names import domain_name
from sekisho.service.roles import real_world
from sekisho.store.dkim_files import KeyFiles


@click.group("dns")
def command() -> None:
    """The DNS records by which mail arrives here and is believed elsewhere.

    Example: sekisho dns check example.com
    """


@command.command("records")
@click.argument("domain")
@config_option
@json_option
def records(domain: str, path: str, as_json: bool) -> None:
    """Everything to publish for a domain, as lines of a zone file.

    Example: sekisho dns records example.com
    """
    config = settings(path)
    wanted = _advised(config, domain)
    if as_json:
        for each in wanted:
            speech.emit(_row(each))
        return
    print_records(each.record for each in wanted if each.record.name)
    speech.tell(
        phrase(
            "The PTR record of its address must say {hostname}. The policy of MTA-STS, to be served as "
            "https://mta-sts.{domain}/.well-known/mta-sts.txt:",
            hostname=config.hostname,
            domain=printable(domain),
        )
    )
    for line in policy_text(config.hostname).splitlines():
        speech.tell(f"  {line}")


@command.command("check")
@click.argument("domain")
@config_option
@json_option
def check(domain: str, path: str, as_json: bool) -> int:
    """What of it the DNS has, asked as others would; exit code 1 if something that mail needs is wrong.

    Example: sekisho dns check example.com
    """
    config = settings(path)
    found = asyncio.run(_examined(config, domain_name(domain), _advised(config, domain)))
    for each in found:
        if as_json:
            speech.emit(_row(each.advice) | {"verdict": each.verdict, "found": printable(each.found)})
        else:
            _tell(each)
    return 1 if any(each.verdict != "right" and each.advice.wanted for each in found) else 0


def _advised(config: Config, domain: str) -> list[Advice]:
    with refusals():
        name = domain_name(domain)
    keys = [
        each
        for each in KeyFiles(HostDisk(), dkim_folder(config.state, name)).all()
        if each.state != "retired"
    ]
    return advised(config, name, keys)


async def _examined(config: Config, domain: str, wanted: list[Advice]) -> list[Finding]:
    world = real_world(config)
    assert isinstance(world.dns, Resolver), "a real world has a real resolver"
    examiner = Examiner(world, world.dns, config, domain)
    return [await examiner.examine(each) for each in wanted]


def _tell(found: Finding) -> None:
    about, name = found.advice.about, found.advice.record.name.rstrip(".") or "-"
    speech.tell(
        phrase(
            "{about} {name}: {verdict}", about=about, name=name, verdict=speech.texts().say(_verdict(found))
        )
    )
    if found.verdict in ("missing", "wrong") and found.advice.record.value:
        record = found.advice.record
        speech.tell(f"  {record.name or '<address>'} IN {record.kind} {record.value}")


def _verdict(found: Finding) -> Phrase:
    match found.verdict:
        case "right":
            return phrase("right")
        case "unknown":
            return phrase("the DNS does not answer: {why}", why=printable(found.found))
        case "wrong":
            return phrase("it says {found}", found=printable(found.found, 200))
        case _ if found.advice.wanted:
            return phrase("missing")
        case _:
            return phrase("not there, and not needed for mail to work")


def _row(advice: Advice) -> dict[str, object]:
    record = advice.record
    return {
        "about": advice.about,
        "name": record.name,
        "type": record.kind,
        "value": record.value,
        "wanted": advice.wanted,
    }
