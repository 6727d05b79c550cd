"""The `sekisho` command: finds the verb's file, and turns what went wrong into one sentence and an exit
code."""

import contextlib
import importlib
import inspect
import os
import signal
import sys
from collections.abc import Iterator
from copy import copy

import click

from sekisho.cli import clicks, speech
from sekisho.model.phrase import Phrase, phrase
from sekisho.store.texts import Texts
from sekisho.world import Unavailable

VERBS = (
    "init", "serve", "demo", "domain", "account", "alias", "scan", "incident", "queue", "trace", "explain",
    "config", "configure", "certificate", "networks", "newlines", "simulate", "route", "status", "watch",
    "campaign", "dkim", "dns",
)  # fmt: skip


def in_language(command: click.Command, texts: Texts) -> click.Command:
    """A copy of the command whose help and options' help are in that language; they are sentences too."""
    if texts.language == "en":
        return command
    spoken = copy(command)
    if command.help:
        spoken.help = texts.say(Phrase(inspect.cleandoc(command.help)))
    spoken.params = [_option_in_language(parameter, texts) for parameter in command.params]
    if isinstance(spoken, click.Group):
        spoken.commands = {name: in_language(inner, texts) for name, inner in spoken.commands.items()}
    return spoken


def _option_in_language(parameter: click.Parameter, texts: Texts) -> click.Parameter:
    spoken = copy(parameter)
    if isinstance(spoken, click.Option) and spoken.help:
        spoken.help = texts.say(Phrase(spoken.help))
    return spoken


class Verbs(click.Group):
    """Loads only the file of the verb that was asked for: start-up time is part of the interface."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        command = importlib.import_module(f"sekisho.cli.{cmd_name}").command
        assert isinstance(command, click.Command)
        return in_language(command, speech.texts())


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="sekisho")
def sekisho() -> None:
    """A mail system that notices a stolen password after the first stray message."""


def run() -> None:
    """Exit codes: 0 done, 1 finding or refusal, 64 usage, 69 unavailable, 75 try again, 78 configuration."""
    with _hangups_waiting():
        _run()


@contextlib.contextmanager
def _hangups_waiting() -> Iterator[None]:
    """A SIGHUP to a server that starts would end it: it waits, from before anything else is loaded until
    `cli/serve.py` hears it.
    """
    if sys.argv[1:2] != ["serve"]:
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _run() -> None:
    try:
        clicks.speak()
        spoken = in_language(sekisho, speech.texts())
        code = spoken.main(standalone_mode=False) or 0
        sys.stdout.flush()  # here, where a full disk can still be told
        sys.exit(code)
    except speech.Failure as failure:
        speech.complain(failure.sentence)
        sys.exit(failure.code)
    except click.UsageError as mistake:
        mistake.show()
        sys.exit(64)
    except click.exceptions.Exit as end:
        sys.exit(end.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except Unavailable as trouble:
        speech.complain(phrase("{door} is not available: {why}", door=trouble.door, why=trouble.why))
        sys.exit(69)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
    except OSError as error:  # a full disk under our own output
        speech.complain(phrase("{why}", why=error.strerror or str(error)))
        _drop_output()
        sys.exit(speech.UNAVAILABLE)


def _drop_output() -> None:
    """What is still in the buffer goes nowhere: the interpreter would try to write it once more."""
    with contextlib.suppress(OSError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
