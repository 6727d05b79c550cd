"""`sekisho account app-password`: one password for each program of an account, to be taken back alone."""

import click

from sekisho.cli import speech
from sekisho.cli.household import Household, household
from sekisho.cli.where import config_option, json_option, when
from sekisho.model.phrase import phrase
from sekisho.service.app_passwords import SERVICES, AppPasswords
from sekisho.store.app_passwords import AppPassword


@click.group("app-password")
def app_password() -> None:
    """Passwords for single programs; a containment revokes them all.

    Example: sekisho account app-password add hello@example.com --name printer
    """


def _of(home: Household) -> AppPasswords:
    return AppPasswords(home.accounts, home.hands, home.config.vault.scram_rounds)


@app_password.command("add")
@click.argument("address")
@click.option("--name", required=True, help="What it is for; shown in lists.")
@click.option(
    "--service",
    "services",
    multiple=True,
    type=click.Choice(SERVICES),
    help="Where it opens; else everywhere.",
)
@config_option
def add(address: str, name: str, services: tuple[str, ...], path: str) -> None:
    """Make one and show it, once: only its hash is kept.

    Example: sekisho account app-password add hello@example.com --name printer --service submission
    """
    with household(path) as home:
        _, shown = _of(home).add(address, name, services)
        speech.tell(shown)


@app_password.command("list")
@click.argument("address")
@config_option
@json_option
def list_(address: str, path: str, as_json: bool) -> None:
    """Names, services, and which are revoked.

    Example: sekisho account app-password list hello@example.com
    """
    with household(path) as home:
        for one in _of(home).list(address):
            row = {
                "id": one.ident,
                "name": one.name,
                "services": one.services,
                "created_at": when(one.at, home.config),
                "revoked_at": when(one.revoked, home.config) if one.revoked else None,
                "revoked_by": one.revoked_by,
            }
            if as_json:
                speech.emit(row)
            else:
                speech.tell(_line(one, home))


@app_password.command("remove")
@click.argument("address")
@click.argument("name", metavar="NAME|ID")
@config_option
def remove(address: str, name: str, path: str) -> None:
    """It opens nothing from now on.

    Example: sekisho account app-password remove hello@example.com printer
    """
    with household(path) as home:
        one = _of(home).remove(address, name)
        speech.tell(
            phrase("the app password {name} of {address} is removed", name=one.name, address=one.address)
        )


def _line(one: AppPassword, home: Household) -> str:
    say = speech.texts().say
    where = " ".join(one.services) or say(phrase("everywhere"))
    state = ""
    if one.revoked:
        state = say(phrase("revoked at {time} by {action}", time=when(one.revoked, home.config),
                           action=one.revoked_by))  # fmt: skip
    return f"{one.ident}  {one.name}  {where}  {state}".rstrip()
