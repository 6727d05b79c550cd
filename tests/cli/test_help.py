"""Help is prose too: every command speaks the user's language, and what is typed stays as it is."""

import click
import pytest

from sekisho.cli.main import VERBS, in_language, sekisho
from sekisho.store.texts import Texts


@pytest.mark.parametrize("verb", VERBS)
def test_help_is_in_the_users_language(verb: str) -> None:
    """The command, those below it and their options; names of options, and the English original, stay."""
    assert isinstance(sekisho, click.Group)
    command = sekisho.get_command(click.Context(sekisho), verb)
    assert command is not None
    before = [helps(inner) for inner in family(command)]
    spoken = in_language(command, Texts.of("ja"))
    for inner in family(spoken):
        assert [] == [text for text in helps(inner) if text and text.isascii()]
    assert [parameter.opts for parameter in command.params] == [each.opts for each in spoken.params]
    assert before == [helps(inner) for inner in family(command)]


def family(command: click.Command) -> list[click.Command]:
    inner = list(getattr(command, "commands", {}).values())
    return [command, *(one for each in inner for one in family(each))]


def helps(command: click.Command) -> list[str | None]:
    return [command.help, *(getattr(parameter, "help", None) for parameter in command.params)]
