"""`sekisho account`: who has a mailbox here, who may send, and whose door is locked."""

from typing import Any

import click
from msgspec.structs import replace

from sekisho.cli import speech
from sekisho.cli.app_password import app_password
from sekisho.cli.autoreply import autoreply
from sekisho.cli.household import Household, ask_password, ask_token, household
from sekisho.cli.instructions import instructions
from sekisho.cli.logins import logins
from sekisho.cli.where import config_option, json_option, when
from sekisho.model.account import Account, split
from sekisho.model.phrase import phrase, phrases
from sekisho.model.quota import NONE
from sekisho.service.accounts import kept_quota
from sekisho.service.channel import NotDone
from sekisho.service.ending import end_sessions
from sekisho.service.names import alias_address
from sekisho.store.paths import mailbox_folder
from sekisho.store.texts import LANGUAGES
from sekisho.world import Unavailable

language_option = click.option(
    "--language", type=click.Choice(LANGUAGES), default=None, help="Of notices to the owner."
)

AS_DOMAIN = "domain"


@click.group("account")
def command() -> None:
    """People and programs that have a mailbox here, or send mail through it.

    Example: sekisho account add hello@example.com
    """


command.add_command(app_password)
command.add_command(logins)
command.add_command(autoreply)
command.add_command(instructions)


@command.command("add")
@click.argument("address")
@click.option("--no-password", is_flag=True, help="Nobody can log in; mail arrives all the same.")
@language_option
@config_option
def add(address: str, no_password: bool, language: str | None, path: str) -> None:
    """Add an account. The password comes from a prompt, or is the first line of standard input.

    Example: sekisho account add hello@example.com < password.txt
    """
    with household(path) as home:
        home.accounts.new_address(address)
        password = None if no_password else ask_password()
        account = home.accounts.add(address, password, language or "")
        speech.tell(phrase("{name} is here from now on; mail goes to {mailbox}.", name=account.address,
                           mailbox=mailbox_folder(account.address)))  # fmt: skip


@command.command("list")
@click.argument("domain", default="")
@config_option
@json_option
def list_(domain: str, path: str, as_json: bool) -> None:
    """All accounts, or those of a domain.

    Example: sekisho account list example.com
    """
    with household(path) as home:
        name = home.accounts.domain(domain).name if domain else ""
        for account in home.house.accounts(name):
            if as_json:
                speech.emit(_row(account, home))
            else:
                state = "" if account.active and not account.locked else speech.texts().say(_state(account))
                speech.tell(f"{account.address}  {state}".rstrip())


@command.command("show")
@click.argument("address")
@config_option
@json_option
def show(address: str, path: str, as_json: bool) -> None:
    """Everything about one account but its password.

    Example: sekisho account show hello@example.com --json
    """
    with household(path) as home:
        row = _row(home.accounts.account(address), home)
        row["aliases"] = home.aliases.leading_to(row["address"])
        if as_json:
            speech.emit(row)
            return
        for key, value in row.items():
            speech.tell(f"{key}: {_plain(value)}")


@command.command("set")
@click.argument("address")
@language_option
@click.option("--active/--inactive", default=None, help="Whether others can see that the account exists.")
@click.option("--sends/--no-sends", default=None, help="Whether it may log in to send.")
@click.option("--receives/--no-receives", default=None, help="Whether its mailbox takes mail.")
@click.option(
    "--quota", default=None, help='Of its mailbox: 500M, "2G,10000" (messages), none, or domain (as there).'
)
@click.option("--send-as", multiple=True, help='Another address, or "@domain", that it may write as.')
@click.option("--no-send-as", multiple=True, help="Takes that back.")
@config_option
def set_(
    address: str, path: str, send_as: tuple[str, ...], no_send_as: tuple[str, ...], **given: Any
) -> None:
    """Change an account.

    Example: sekisho account set hello@example.com --language ja --send-as sales@example.com
    """
    with household(path) as home:
        before = home.accounts.account(address)
        wanted = {name: value for name, value in given.items() if value is not None}
        if "quota" in wanted:
            wanted["quota"] = "" if wanted["quota"] == AS_DOMAIN else kept_quota(wanted["quota"])
        kept = set(before.send_as) - {alias_address(name) for name in no_send_as}
        names = tuple(sorted(kept | {alias_address(name) for name in send_as}))
        changed = [f"{name}={value}" for name, value in wanted.items()] + [f"send_as={','.join(names)}"]
        after = home.accounts.save(replace(before, **wanted, send_as=names), " ".join(changed))
        speech.tell(phrase("{name} is changed.", name=after.address))


@command.command("remove")
@click.argument("address")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@config_option
def remove(address: str, yes: bool, dry_run: bool, path: str) -> None:
    """Remove an account and its password. Mail that was delivered stays on the disk.

    Example: sekisho account remove hello@example.com --dry-run
    """
    with household(path) as home:
        key = home.accounts.account(address).address
        aliases = home.aliases.leading_to(key)
        plan = phrase(
            "Removes {name}. Its mail stays in {mailbox}. Aliases that name it: {aliases}.",
            name=key, mailbox=mailbox_folder(key), aliases=", ".join(aliases) or "-",
        )  # fmt: skip
        if speech.confirm(plan, yes, dry_run):
            home.accounts.remove(key)
            _end_sessions(home, key)
            speech.tell(phrase("{name} is removed.", name=key))


@command.command("reset-link")
@click.argument("address")
@click.option("--hours", default=24, show_default=True, type=click.IntRange(1, 168), help="Until it ends.")
@config_option
def reset_link(address: str, hours: int, path: str) -> None:
    """A token by which the owner sets a new password, once; do not send it to the mailbox that was stolen.

    Example: sekisho account reset-link hello@example.com --hours 2
    """
    with household(path) as home:
        speech.tell(home.accounts.make_link(address, hours))


@command.command("password")
@click.argument("address", default="")
@click.option("--token", "by_token", is_flag=True, help="By a reset-link: asks for it, then the password.")
@config_option
def password(address: str, by_token: bool, path: str) -> None:
    """Set a new password: from a prompt, or the first line of standard input; with --token from the second.

    Example: sekisho account password hello@example.com
    """
    if bool(address) == by_token:
        speech.fail(phrase("either an address or --token says whose password it is"))
    with household(path) as home:
        if by_token:
            key = home.accounts.redeem(ask_token(), ask_password())
        else:
            key = home.accounts.account(address).address
            home.accounts.set_password(key, ask_password())
        _end_sessions(home, key)
        speech.tell(phrase("{name} has a new password.", name=key))
        _tell_of_case(home, key)


@command.command("lock")
@click.argument("address")
@click.option("--why", default="", help="For the audit and for `account show`.")
@config_option
def lock(address: str, why: str, path: str) -> None:
    """Let nobody log in, from anywhere, and end the sessions under way. Mail arrives all the same.

    Example: sekisho account lock hello@example.com --why "password stolen"
    """
    with household(path) as home:
        account = home.accounts.lock(address, why)
        speech.tell(phrase("{name} is locked.", name=account.address))
        _end_sessions(home, account.address)


@command.command("unlock")
@click.argument("address")
@config_option
def unlock(address: str, path: str) -> None:
    """Let the owner log in again. What the guard holds is let go by `sekisho incident release`.

    Example: sekisho account unlock hello@example.com
    """
    with household(path) as home:
        account = home.accounts.unlock(address)
        speech.tell(phrase("{name} is unlocked.", name=account.address))


def _tell_of_case(home: Household, address: str) -> None:
    """A new password alone lets nothing go."""
    for case in home.house.incidents(open_only=True, subject=address):
        speech.tell(
            phrase(
                "Case {case} of {name} is open: purge what the thief left (sekisho queue purge --incident "
                "{case}), then release it (sekisho incident release {case}).",
                case=case.id,
                name=address,
            )
        )


def _end_sessions(home: Household, address: str) -> None:
    """A lock or a new password holds for new logins by itself; sessions under way must be ended."""
    try:
        count = end_sessions(home.config.state, address, home.hands)
    except (NotDone, Unavailable) as trouble:
        why = str(trouble)
        speech.complain(
            phrase("the server has not ended the sessions of {name}: {why}", name=address, why=why)
        )
        return
    if count:
        speech.tell(phrases("{count} session was ended.", "{count} sessions were ended.", count))


def _state(account: Account) -> Any:
    return phrase("(locked)") if account.locked else phrase("(inactive)")


def _row(account: Account, home: Household) -> dict[str, Any]:
    def time(at: int) -> str | None:
        return when(at, home.config) if at else None

    return {
        "address": account.address,
        "language": account.language or home.config.notify.language,
        "active": account.active,
        "sends": account.sends,
        "receives": account.receives,
        "locked_at": time(account.locked_at),
        "locked_why": account.locked_why,
        "send_as": account.send_as,
        "quota": account.quota or home.accounts.domain(split(account.address)[1]).quota or NONE,
        "created_at": time(account.created_at),
        "password_set_at": time(home.vault.changed_at(account.address)),
        "mailbox": mailbox_folder(account.address),
    }


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return speech.texts().say(phrase("yes") if value else phrase("no"))
    if isinstance(value, tuple | list):
        return ", ".join(value) or "-"
    return value or "-"
