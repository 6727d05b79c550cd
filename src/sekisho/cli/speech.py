"""How the commands speak: sentences in the user's language, JSON on request, exit codes with a reason."""

import os
import sys
from typing import Any, NoReturn

import click
import msgspec

from sekisho.model.phrase import Phrase
from sekisho.store.texts import Texts

USAGE, UNAVAILABLE, TRY_AGAIN, CONFIG = 64, 69, 75, 78


class Failure(Exception):
    """Ends the command with one sentence and an exit code (sysexits)."""

    def __init__(self, sentence: Phrase, code: int = 1) -> None:
        super().__init__(str(sentence))
        self.sentence = sentence
        self.code = code


def fail(sentence: Phrase, code: int = 1) -> NoReturn:
    raise Failure(sentence, code)


def texts() -> Texts:
    """The language of the environment, as gettext programs choose it: LANGUAGE, LC_ALL, LC_MESSAGES, LANG."""
    for name in ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        if value := os.environ.get(name):
            return Texts.of(value.split(":")[0][:2])
    return Texts.of("en")


def tell(sentence: Phrase | str) -> None:
    """One line to standard output. A str is data, not prose: it has been through `printable`."""
    click.echo(texts().say(sentence) if isinstance(sentence, Phrase) else sentence)


def complain(sentence: Phrase) -> None:
    click.echo("sekisho: " + texts().say(sentence), err=True)


def emit(value: Any) -> None:
    """One JSON document on one line."""
    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")


def confirm(plan: Phrase, yes: bool, dry_run: bool) -> bool:
    """Shows what would be done; True when it may be. `--dry-run` stops here, `--yes` does not ask."""
    tell(plan)
    if dry_run:
        return False
    return yes or click.confirm(texts().say(Phrase("Go on?")), default=False)
