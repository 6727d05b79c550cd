"""`sekisho domain`: the domains whose mail is taken here."""

from typing import Any

import click

from sekisho.cli import speech
from sekisho.cli.household import household
from sekisho.cli.records import make_keys, print_records
from sekisho.cli.where import config_option, json_option, when
from sekisho.host import HostDisk
from sekisho.model.account import Domain
from sekisho.model.config import Config
from sekisho.model.phrase import phrase, phrases
from sekisho.model.quota import NONE
from sekisho.service.founding import records


@click.group("domain")
def command() -> None:
    """Domains whose mail is taken here.

    Example: sekisho domain add example.com
    """


@command.command("add")
@click.argument("name")
@click.option("--delimiters", default="+-", show_default=True, help="Characters that end a user's name.")
@click.option("--postmaster", default="", help="Who gets the mail of postmaster, abuse and the like.")
@config_option
def add(name: str, delimiters: str, postmaster: str, path: str) -> None:
    """Take mail for a domain, and make its DKIM keys.

    Example: sekisho domain add example.com --postmaster hello@example.com
    """
    with household(path) as home:
        domain = home.accounts.add_domain(name, delimiters, postmaster)
        make_keys(home.config, domain.name)
        speech.tell(phrase("Mail for {name} is taken from now on. Publish in the DNS:", name=domain.name))
        print_records(records(HostDisk(), home.config.state, domain.name, home.config.hostname))


@command.command("list")
@config_option
@json_option
def list_(path: str, as_json: bool) -> None:
    """All domains, with the number of their accounts and aliases.

    Example: sekisho domain list --json
    """
    with household(path) as home:
        for domain in home.house.domains():
            accounts, aliases = home.house.count(domain.name)
            if as_json:
                speech.emit(_row(domain, home.config) | {"accounts": accounts, "aliases": aliases})
            else:
                people = phrases("{count} account", "{count} accounts", accounts)
                names = phrases("{count} alias", "{count} aliases", aliases)
                speech.tell(phrase("{name}: {people}, {names}", name=domain.name, people=people, names=names))


@command.command("show")
@click.argument("name")
@config_option
@json_option
def show(name: str, path: str, as_json: bool) -> None:
    """One domain, and the DNS records to publish for it.

    Example: sekisho domain show example.com
    """
    with household(path) as home:
        domain = home.accounts.domain(name)
        wanted = records(HostDisk(), home.config.state, domain.name, home.config.hostname)
        if as_json:
            published = [{"name": one.name, "type": one.kind, "value": one.value} for one in wanted]
            speech.emit(_row(domain, home.config) | {"records": published})
            return
        for key, value in _row(domain, home.config).items():
            speech.tell(f"{key}: {value}")
        print_records(wanted)


@command.command("set")
@click.argument("name")
@click.option("--delimiters", default=None, help='Characters that end a user\'s name; "" for none.')
@click.option(
    "--postmaster", default=None, help='Who gets the mail of postmaster and the like; "" for nobody else.'
)
@click.option(
    "--quota", default=None, help='Of mailboxes without their own: 500M, "2G,10000" (messages), none.'
)
@config_option
def set_(name: str, delimiters: str | None, postmaster: str | None, quota: str | None, path: str) -> None:
    """Change a domain.

    Example: sekisho domain set example.com --delimiters +
    """
    with household(path) as home:
        domain = home.accounts.set_domain(name, delimiters, postmaster, quota)
        speech.tell(phrase("{name} is changed.", name=domain.name))


@command.command("remove")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@config_option
def remove(name: str, yes: bool, dry_run: bool, path: str) -> None:
    """Take no more mail for a domain; its accounts and aliases go with it, delivered mail stays.

    Example: sekisho domain remove example.com --dry-run
    """
    with household(path) as home:
        domain = home.accounts.domain(name)
        accounts, aliases = home.house.count(domain.name)
        plan = phrase(
            "Removes {name}, {people} and {names}. Mail that was delivered stays on the disk.",
            name=domain.name,
            people=phrases("{count} account", "{count} accounts", accounts),
            names=phrases("{count} alias", "{count} aliases", aliases),
        )
        if speech.confirm(plan, yes, dry_run):
            home.accounts.remove_domain(domain.name)
            speech.tell(phrase("{name} is removed.", name=domain.name))


def _row(domain: Domain, config: Config) -> dict[str, Any]:
    return {
        "name": domain.name,
        "delimiters": domain.delimiters,
        "postmaster": domain.postmaster or f"postmaster@{domain.name}",
        "quota": domain.quota or NONE,
        "created_at": when(domain.created_at, config),
    }
