"""`sekisho trace`: what happened to this mail."""

import click

from sekisho.cli import speech
from sekisho.cli.where import archive, config_option, dated, json_option, settings, when
from sekisho.model.phrase import phrase
from sekisho.model.text import printable
from sekisho.service import tracing
from sekisho.service.telling import sentence


@click.command("trace")
@click.argument("key")
@config_option
@json_option
def command(key: str, path: str, as_json: bool) -> int:
    """What happened to a mail, from the login that sent it to the last reply.

    KEY is a message id, a Message-ID, a delivery, a session, an address that sent or received it, or a token.

    Example: sekisho trace hello@example.com
    """
    if not key.strip("<> "):
        speech.fail(phrase("say what is looked for"), speech.USAGE)
    config = settings(path)
    events = tracing.trace(archive(config), key)
    if as_json:
        for event in events:
            speech.emit(dated(event, config))
    else:
        for event in events:
            speech.tell(f"{when(event.at, config)}  {speech.texts().say(sentence(event))}")
    if not events:
        speech.fail(phrase("nothing is known of {key}", key=printable(key)))
    return 0
