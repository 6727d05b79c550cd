"""`sekisho incident`: what the guard found, what was done about it, and taking it back.

With a server running it is asked over the control socket. Without one the same book is opened here, and
what is to be done is written down for the next start.
"""

import asyncio
import sys
from collections.abc import Callable

import click
from msgspec.structs import replace

from sekisho.cli import speech
from sekisho.cli.casefile import FORMATS, masked, render
from sekisho.cli.household import hands
from sekisho.cli.where import config_option, json_option, settings, when
from sekisho.model.config import Config
from sekisho.model.incident import Incident
from sekisho.model.phrase import Phrase, phrase
from sekisho.service.channel import NotDone
from sekisho.service.control import call
from sekisho.service.messages import IncidentAnswer, IncidentAsk
from sekisho.service.notices import state_name


@click.group("incident")
def command() -> None:
    """List, show and act on incidents.

    Example: sekisho incident list -c /srv/mail/sekisho.toml
    """


@command.command("list")
@config_option
@json_option
@click.option("--open", "open_only", is_flag=True, help="Only those that are not closed.")
def list_(path: str, as_json: bool, open_only: bool) -> int:
    """The newest first; watches that nobody noticed are among them.

    Example: sekisho incident list --open
    """
    config = settings(path)
    answer = ask(config, IncidentAsk("list"))
    for incident in answer.incidents:
        if open_only and incident.closed:
            continue
        if as_json:
            speech.emit(incident)
        else:
            speech.tell(_line(incident, config))
    return 0


@command.command("show")
@config_option
@json_option
@click.argument("ident", metavar="ID|ACCOUNT")
def show(path: str, as_json: bool, ident: str) -> int:
    """Sentence, evidence, actions and counters of one incident.

    Example: sekisho incident show 01jx2v5k9qd4m8s3t
    """
    config = settings(path)
    answer = ask(config, IncidentAsk("show", ident))
    if as_json:
        speech.emit(answer)
    else:
        click.echo(render(answer, "text", speech.texts(), lambda at: when(at, config)), nl=False)
    return 0


@command.command("export")
@config_option
@click.argument("ident", metavar="ID|ACCOUNT")
@click.option("--format", "form", type=click.Choice(FORMATS), default="json", show_default=True)
@click.option("--mask", is_flag=True, help="Hide local parts of addresses, for sharing.")
def export(path: str, ident: str, form: str, mask: bool) -> int:
    """One incident as JSON, CSV, Markdown or HTML on standard output.

    Example: sekisho incident export hello@example.com --format md --mask
    """
    config = settings(path)
    answer = ask(config, IncidentAsk("show", ident))
    if mask:
        answer = masked(answer)
    sys.stdout.write(render(answer, form, speech.texts(), lambda at: when(at, config)))
    return 0


Change = Callable[..., int]


def _options(change: Change) -> Change:
    change = click.option("--yes", is_flag=True, help="Do not ask.")(change)
    change = click.option("--dry-run", is_flag=True, help="Only say what would be done.")(change)
    return config_option(change)


@command.command("contain")
@_options
@click.argument("ident", metavar="ACCOUNT|ID")
def contain(path: str, ident: str, dry_run: bool, yes: bool) -> int:
    """Hold an account's mail from unfamiliar networks, end their sessions and refuse their logins.

    Example: sekisho incident contain hello@example.com --yes
    """
    return _change(path, IncidentAsk("contain", ident, hands().by), dry_run, yes)


@command.command("release")
@_options
@click.argument("ident", metavar="ID|ACCOUNT")
@click.option(
    "--teach", is_flag=True, help="The unfamiliar networks were the owner's: know them from now on."
)
@click.option(
    "--keep-password", is_flag=True, help="Release although the password is the same as when the case opened."
)
def release(path: str, ident: str, dry_run: bool, yes: bool, **more: bool) -> int:
    """Let the held mail go and allow logins again. After a theft, purge the held mail first.

    After a theft the password must have been changed, or --teach says that it was the owner.

    Example: sekisho incident release hello@example.com --teach --yes
    """
    wish = IncidentAsk("release", ident, hands().by, **more)
    return _change(path, wish, dry_run, yes)


@command.command("undo")
@_options
@click.argument("ident", metavar="ACTION")
def undo(path: str, ident: str, dry_run: bool, yes: bool) -> int:
    """Take one action back, as far as its effect is still there. Sessions that were ended stay so.

    Example: sekisho incident undo 01jx2v5k9qd4m8s3t --yes
    """
    return _change(path, IncidentAsk("undo", ident, hands().by), dry_run, yes)


def _change(path: str, wish: IncidentAsk, dry_run: bool, yes: bool) -> int:
    """Plan, question, deed."""
    config = settings(path)
    planned = ask(config, replace(wish, dry_run=True))
    if planned.blocked is not None:
        speech.fail(planned.blocked)
    if not planned.plan:
        speech.tell(phrase("nothing to do: {sentence}", sentence=planned.incidents[0].sentence))
        return 0
    for step in planned.plan[:-1]:
        speech.tell(step)
    if not speech.confirm(planned.plan[-1], yes, dry_run):
        return 0
    answer = ask(config, wish)
    if answer.complete:
        speech.tell(phrase("done: {id}", id=answer.incidents[0].id))
    else:
        speech.tell(
            phrase(
                "planned: {id}; it is done when the server runs and has answered", id=answer.incidents[0].id
            )
        )
    return 0


def ask(config: Config, wish: IncidentAsk) -> IncidentAnswer:
    """The server's answer, or the house's own. A refusal ends the command."""
    try:
        answer = call(config.state, wish, IncidentAnswer)
        return answer if answer is not None else asyncio.run(_without_server(config, wish))
    except NotDone as refusal:
        speech.fail(Phrase("{why}", {"why": str(refusal)}))


async def _without_server(config: Config, wish: IncidentAsk) -> IncidentAnswer:
    """SQLAlchemy and the guard are loaded only here."""
    from sekisho.service.resthouse import answer_at_rest

    return await answer_at_rest(config, wish)


def _line(incident: Incident, config: Config) -> str:
    state = state_name(incident)
    say = speech.texts().say
    return f"{incident.id}  {when(incident.opened, config)}  {say(state)}  {say(incident.sentence)}"
