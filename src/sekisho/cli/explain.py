"""`sekisho explain`: every check that a session was asked, what it answered, which verdict won."""

import click

from sekisho.cli import speech
from sekisho.cli.where import archive, config_option, dated, json_option, settings, when
from sekisho.model.event import Judged
from sekisho.model.phrase import phrase
from sekisho.model.text import printable
from sekisho.service import tracing
from sekisho.service.telling import sentence


@click.command("explain")
@click.argument("session")
@config_option
@json_option
def command(session: str, path: str, as_json: bool) -> int:
    """Every check that was asked in a session, what it answered, and which verdict won.

    Example: sekisho explain 1jph7f4f000000005
    """
    if not session.strip("<> "):
        speech.fail(phrase("say what is looked for"), speech.USAGE)
    config = settings(path)
    events = tracing.explain(archive(config), session)
    for event in events:
        if as_json:
            speech.emit(dated(event, config))
        else:
            won = "* " if isinstance(event, Judged) and event.won else "  "
            speech.tell(f"{when(event.at, config)} {won}{speech.texts().say(sentence(event))}")
    if not events:
        speech.fail(phrase("no session {session} is in the archive", session=printable(session)))
    return 0
