"""Help is prose too: every command speaks the user's language, and what is typed stays as it is."""

import click
import pytest

from sekisho.cli.main import VERBS, Verbs, in_language, sekisho
from sekisho.store.texts import Texts


@pytest.mark.parametrize("verb", VERBS)
def test_help_is_in_the_users_language(verb: str) -> None:
    """The command, those below it and their options; the names of options do not change."""
    assert isinstance(sekisho, Verbs)
    command = sekisho.get_command(click.Context(sekisho), verb)
    assert command is not None
    before = [parameter.opts for parameter in command.params]
    helps = {
        inner: (inner.help, [getattr(p, "help", None) for p in inner.params]) for inner in family(command)
    }
    try:
        for inner in family(in_language(command, Texts.of("ja"))):
            spoken = [inner.help, *(getattr(parameter, "help", None) for parameter in inner.params)]
            assert [] == [text for text in spoken if text and text.isascii()]
        assert before == [parameter.opts for parameter in command.params]
    finally:
        restore(helps)


def family(command: click.Command) -> list[click.Command]:
    inner = list(getattr(command, "commands", {}).values())
    return [command, *(one for each in inner for one in family(each))]


def restore(helps: dict[click.Command, tuple[str | None, list[str | None]]]) -> None:
    for command, (text, options) in helps.items():
        command.help = text
        for parameter, option in zip(command.params, options, strict=True):
            if isinstance(parameter, click.Option):
                parameter.help = option
