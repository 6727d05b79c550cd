"""How the account commands open house and vault, name who is acting, and take a password."""

import contextlib
import getpass
import os
import sys
from collections.abc import Iterator

import click

from sekisho.cli import speech
from sekisho.cli.where import settings
from sekisho.host import HostChance, HostClock
from sekisho.model.config import Config
from sekisho.model.phrase import phrase
from sekisho.model.secret import Secret
from sekisho.model.text import printable
from sekisho.queue.routing import Table
from sekisho.service.accounts import Accounts, Hands
from sekisho.service.aliasing import Aliases
from sekisho.service.names import Misspelt, Refusal
from sekisho.store.hashing import PASSWORD_BYTES
from sekisho.store.house import House
from sekisho.store.vault import Vault


class Household:
    """What a command works on."""

    def __init__(self, config: Config, house: House, vault: Vault) -> None:
        self.config = config
        self.house = house
        self.vault = vault
        self.hands = hands()
        self.accounts = Accounts(house, vault, self.hands, config.vault.scram_rounds)
        self.aliases = Aliases(house, self.hands, Table(config).elsewhere)


@contextlib.contextmanager
def household(path: str) -> Iterator[Household]:
    """Opened for one command; a Refusal ends the command with its sentence."""
    config = settings(path)
    with contextlib.ExitStack() as opened:
        house = opened.enter_context(contextlib.closing(House.open(config.state)))
        vault = opened.enter_context(contextlib.closing(Vault.open(config.state)))
        opened.enter_context(refusals())
        yield Household(config, house, vault)


@contextlib.contextmanager
def refusals() -> Iterator[None]:
    try:
        yield
    except Refusal as refusal:
        speech.fail(refusal.sentence, speech.USAGE if isinstance(refusal, Misspelt) else 1)


def hands() -> Hands:
    """Who is named in the audit: the user behind sudo, where there is one."""
    try:
        name = os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):
        name = f"uid {os.getuid()}"
    return Hands(f"operator {printable(name, 100)}", HostClock(), HostChance())


def ask_password() -> Secret:
    """Typed twice at a terminal, or a line of standard input; never an argument, which others could see."""
    if sys.stdin.isatty():
        say = speech.texts().say
        typed = click.prompt(
            say(phrase("Password")), hide_input=True, confirmation_prompt=say(phrase("The same again"))
        )
        return Secret(str(typed).encode("utf-8", "surrogateescape"))
    line = sys.stdin.buffer.readline(PASSWORD_BYTES + 2)
    return Secret(line.rstrip(b"\r\n"))


def ask_token() -> str:
    """Of a one-time link: a line of standard input, or typed at a prompt that does not show it."""
    if sys.stdin.isatty():
        return str(click.prompt(speech.texts().say(phrase("Token")), hide_input=True))
    return sys.stdin.buffer.readline(PASSWORD_BYTES).decode("utf-8", "replace").strip()
