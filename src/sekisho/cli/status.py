"""`sekisho status`: how the running server is, and what it has counted since it started."""

import click

from sekisho.cli import speech
from sekisho.cli.where import config_option, json_option, settings
from sekisho.model.phrase import Phrase, phrase
from sekisho.service.channel import NotDone
from sekisho.service.control import call
from sekisho.service.messages import StatusAnswer, StatusAsk

COUNTS = (
    ("sessions", phrase("sessions open")),
    ("trying", phrase("deliveries being tried")),
    ("double_bounces_dropped", phrase("bounces that could not be delivered, dropped")),
    ("restarts", phrase("roles started again")),
    ("files", phrase("logs followed")),
    ("lines", phrase("lines read in them")),
    ("events", phrase("events told to the guard")),
    ("dropped", phrase("syslog messages that came too fast, dropped")),
    ("not_understood", phrase("lines that no dialect knows")),
)
"""What each count is called; those of several roles are one sum here and apart in JSON."""


@click.command("status")
@config_option
@json_option
def command(path: str, as_json: bool) -> int:
    """How the running server is: where it listens, what it has counted since it started, who does not answer.

    Exit code 1 when a part of it does not answer, 69 when no server runs.

    Example: sekisho status --json
    """
    config = settings(path)
    try:
        answer = call(config.state, StatusAsk(), StatusAnswer)
    except NotDone as refusal:
        speech.fail(phrase("{why}", why=str(refusal)))
    if answer is None:
        speech.fail(phrase("no server runs for {state}", state=config.state), speech.UNAVAILABLE)
    if as_json:
        speech.emit(answer)
    else:
        _tell(answer)
    return 0 if answer.ready else 1


def _tell(answer: StatusAnswer) -> None:
    speech.tell(phrase("the server runs, process {pid}", pid=str(answer.pid)))
    for name, address in sorted(answer.listening.items()):
        speech.tell(phrase("listening on {address} ({name})", address=address, name=name))
    for name, meaning in COUNTS:
        found = [count for key, count in answer.counts.items() if key.rpartition(".")[2] == name]
        if found:
            speech.tell(f"{sum(found):9}  {_said(meaning)}")
    for alarm in answer.alarms:
        speech.tell(alarm)
    for role in answer.silent:
        speech.tell(phrase("{role} does not answer", role=role))


def _said(sentence: Phrase) -> str:
    return speech.texts().say(sentence)
