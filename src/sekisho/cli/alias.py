"""`sekisho alias`: addresses that lead elsewhere, catch-alls, and explicit refusals."""

from typing import Any

import click

from sekisho.cli import speech
from sekisho.cli.household import Household, household
from sekisho.cli.where import config_option, json_option, when
from sekisho.model.account import Alias
from sekisho.model.phrase import Phrase, phrase, phrases
from sekisho.service.aliasing import lead
from sekisho.service.names import Misspelt, alias_address

reject_option = click.option(
    "--reject", is_flag=True, help="Refuse mail to this address, whatever the catch-all says."
)


@click.group("alias")
def command() -> None:
    """Addresses that lead elsewhere.

    Example: sekisho alias add sales@example.com hello@example.com bob@example.net
    """


@command.command("add")
@click.argument("address")
@click.argument("targets", nargs=-1)
@reject_option
@config_option
def add(address: str, targets: tuple[str, ...], reject: bool, path: str) -> None:
    """Add an alias. "@example.com" is what nothing else matches; a target "@example.net" keeps the name.

    The address itself among the targets is its own mailbox: mail stays there and goes on. A target
    ":include:/path" is a file of addresses.

    Example: sekisho alias add @example.com hello@example.com
    """
    with household(path) as home:
        alias = home.aliases.add(address, _wanted(targets, reject))
        speech.tell(_sentence(alias))


@command.command("list")
@click.argument("domain", default="")
@config_option
@json_option
def list_(domain: str, path: str, as_json: bool) -> None:
    """All aliases, or those of a domain.

    Example: sekisho alias list example.com --json
    """
    with household(path) as home:
        name = home.accounts.domain(domain).name if domain else ""
        for alias in home.house.aliases(name):
            if as_json:
                speech.emit(_row(alias, home))
            else:
                speech.tell(_sentence(alias))


@command.command("show")
@click.argument("address")
@config_option
@json_option
def show(address: str, path: str, as_json: bool) -> None:
    """Where an address leads in the end, be it an alias, an account or only an extension of one.

    Example: sekisho alias show sales+web@example.com
    """
    with household(path) as home:
        key = alias_address(address)
        alias = home.house.alias(key)
        led = lead(home.house, key)
        if as_json:
            row = _row(alias, home) if alias else {"address": key}
            speech.emit(row | {"leads_to": led.targets, "loops": led.loops, "unknown": led.unknown})
            return
        if alias:
            speech.tell(_sentence(alias))
        for target in led.targets:
            speech.tell(f"  {target}")
        for loop in led.loops:
            speech.tell(phrase("  a circle: {name}", name=loop))
        for name in led.unknown:
            speech.tell(phrase("  nobody is here of the name {name}", name=name))
        if not led.targets:
            speech.fail(phrase("mail to {name} is refused", name=key))


@command.command("check")
@config_option
@json_option
def check(path: str, as_json: bool) -> None:
    """Find circles, targets that nobody has, and lists that cannot be read. Ends with 1 if there are any.

    Example: sekisho alias check
    """
    with household(path) as home:
        flaws = home.aliases.check()
        for flaw in flaws:
            if as_json:
                speech.emit({"flaw": speech.texts().say(flaw)})
            else:
                speech.tell(flaw)
        if flaws:
            count = phrases("{count} alias needs care", "{count} aliases need care", len(flaws))
            speech.fail(count)
        if not as_json:
            speech.tell(phrase("All aliases lead somewhere, and none in a circle."))


@command.command("set")
@click.argument("address")
@click.argument("targets", nargs=-1)
@reject_option
@config_option
def set_(address: str, targets: tuple[str, ...], reject: bool, path: str) -> None:
    """Give an alias other targets.

    Example: sekisho alias set sales@example.com bob@example.net
    """
    with household(path) as home:
        alias = home.aliases.set(address, _wanted(targets, reject))
        speech.tell(_sentence(alias))


@command.command("remove")
@click.argument("address")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@config_option
def remove(address: str, yes: bool, dry_run: bool, path: str) -> None:
    """Remove an alias or a refusal.

    Example: sekisho alias remove sales@example.com --dry-run
    """
    with household(path) as home:
        alias = home.aliases.get(address)
        plan = phrase("Removes an alias: {alias}. Queued mail keeps the way it has.", alias=_sentence(alias))
        if speech.confirm(plan, yes, dry_run):
            home.aliases.remove(alias.address)
            speech.tell(phrase("{name} is removed.", name=alias.address))


def _wanted(targets: tuple[str, ...], reject: bool) -> tuple[str, ...]:
    if reject == bool(targets):
        raise Misspelt(phrase("give either targets or --reject"))
    return targets


def _sentence(alias: Alias) -> Phrase:
    if alias.refuses:
        return phrase("{name} is refused", name=alias.address)
    return phrase("{name} leads to {targets}", name=alias.address, targets=", ".join(alias.targets))


def _row(alias: Alias, home: Household) -> dict[str, Any]:
    created_at = when(alias.created_at, home.config)
    return {
        "address": alias.address,
        "targets": alias.targets,
        "refuses": alias.refuses,
        "created_at": created_at,
    }
