"""`sekisho route`: where mail for an address would go, step by step."""

import asyncio
from typing import Any

import click

from sekisho.cli import speech
from sekisho.cli.where import config_option, json_option, settings
from sekisho.model.config import Config
from sekisho.model.delivery import Kind, Route
from sekisho.model.phrase import Phrase, phrase
from sekisho.model.text import printable
from sekisho.service.course import ALIAS, REFUSED, SPELLING, UNKNOWN, End, Step
from sekisho.service.prospect import Prospect, Prospects, address_of
from sekisho.service.roles import real_world


@click.group("route")
def command() -> None:
    """Where mail goes.

    Example: sekisho route test hello@example.com
    """


@command.command("test")
@click.argument("addresses", nargs=-1, required=True)
@click.option("--from", "sender", default="", help="Whose mail it is: an account of ours, or a sender.")
@click.option("--dns", is_flag=True, help="Ask DNS too which hosts would be called.")
@config_option
@json_option
def test(addresses: tuple[str, ...], sender: str, dns: bool, path: str, as_json: bool) -> int:
    """Each step from the address to the next host, with the rule that decided. Without --dns nobody is asked.

    Exit code 1 when an address would be refused.

    Example: sekisho route test info@example.com --from hello@example.com
    """
    config = settings(path)
    asked = [_address(each, config) for each in addresses]
    found = asyncio.run(_found(config, asked, sender, dns))
    for each in found:
        if as_json:
            speech.emit(_row(each))
        else:
            _tell(each)
    return 0 if all(end.route is not None for each in found for end in each.course.ends) else 1


def _address(typed: str, config: Config) -> str:
    address = address_of(typed, config)
    if address is None:
        speech.fail(phrase("{name} is not a mail address", name=printable(typed, 100)), speech.USAGE)
    return address


async def _found(config: Config, addresses: list[str], sender: str, dns: bool) -> list[Prospect]:
    world = real_world(config)
    all_of_them = Prospects(world, config, sender)
    try:
        found = all_of_them.find(addresses)
        return [await all_of_them.ask(each) for each in found] if dns else found
    finally:
        all_of_them.close()
        await world.spawn.stop()


def _tell(found: Prospect) -> None:
    speech.tell(printable(found.asked))
    for step in found.course.steps:
        speech.tell(_step(step))
    for place, end in enumerate(found.course.ends):
        speech.tell(_end(end, found.course.address))
        if end.verify:
            speech.tell(phrase("    asked at RCPT whether it knows the recipient"))
        for host in found.hosts[place] if found.hosts else ():
            speech.tell(phrase("    host: {host}", host=printable(host)))
        if end.route is not None and found.way.name and end.route.kind in (Kind.MX, Kind.RELAY):
            addresses = ", ".join(found.way.addresses)
            speech.tell(phrase("    from: {name} {addresses}", name=found.way.name, addresses=addresses))


def _step(step: Step) -> Phrase:
    became = printable(", ".join(step.became) or "-", 1000)
    if step.by == SPELLING:
        return phrase("  means {address}", address=became)
    assert step.by == ALIAS
    return phrase("  alias: {name} leads to {targets}", name=printable(step.address), targets=became)


def _end(end: End, address: str) -> Phrase:
    recipient = printable(end.recipient)
    if end.route is not None:
        by = f"[{end.by}] " if end.by else ""
        return phrase("  {by}{recipient} -> {road}", by=by, recipient=recipient, road=_road(end.route))
    if end.by == UNKNOWN:
        return phrase("  {recipient} is refused: nobody is here of that name", recipient=recipient)
    if end.by == REFUSED:
        return phrase("  {recipient} is refused: an alias or its account says so", recipient=recipient)
    return phrase("  {recipient} is refused by the rule {rule}", recipient=recipient, rule=end.by)


def _road(route: Route) -> Phrase:
    host = printable(route.host)
    match route.kind:
        case Kind.MAILDIR:
            return phrase("the mailbox {folder}", folder=host)
        case Kind.LMTP:
            return phrase("the LMTP server {host}", host=host)
        case Kind.MX:
            return phrase("the mail servers (MX) of {host}", host=host)
        case Kind.RELAY if route.credentials:
            return phrase("the smarthost {host}, with a login", host=host)
        case Kind.RELAY:
            return phrase("the host {host}", host=host)
        case Kind.LIST:
            return phrase("all of the list {name}, whose owner gets the bounces", name=host)
        case Kind.PIPE:
            return phrase("the program {host}", host=host)
    return phrase("nowhere: {why}", why=host)


def _row(found: Prospect) -> dict[str, Any]:
    course = found.course
    return {
        "asked": found.asked,
        "address": course.address,
        "steps": [{"by": step.by, "from": step.address, "to": step.became} for step in course.steps],
        "ends": [_end_row(found, place) for place in range(len(course.ends))],
    }


def _end_row(found: Prospect, place: int) -> dict[str, Any]:
    end = found.course.ends[place]
    route = end.route
    row = {"recipient": end.recipient, "refused": route is None, "rule": end.by}
    if route is None:
        return row
    row |= {"kind": route.kind, "host": route.host, "tls": route.tls, "login": bool(route.credentials)}
    row["verify"] = end.verify
    if route.kind in (Kind.MX, Kind.RELAY):
        row |= {"source": found.way.addresses, "helo": found.way.helo}
    return row | ({"hosts": found.hosts[place]} if found.hosts else {})
