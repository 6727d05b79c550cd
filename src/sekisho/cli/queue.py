"""`sekisho queue`: what waits, and what an operator does about it: hold, release, retry, bounce, purge,
restore.

With a server running it is asked over the control socket, while mail flows. Without one the command takes
each spool's lock and is its owner for that moment.
"""

import asyncio
import os
from collections.abc import Callable
from typing import Any

import click
import msgspec
from msgspec import Struct
from msgspec.structs import replace

from sekisho.cli import speech
from sekisho.cli.queue_place import Place, placed
from sekisho.cli.where import json_option, when
from sekisho.host import HostChance, HostClock
from sekisho.model.config import Config
from sekisho.model.delivery import State
from sekisho.model.ident import make_id
from sekisho.model.incident import Incident
from sekisho.model.phrase import Phrase, Value, phrase, phrases
from sekisho.model.queue_row import QueueRow
from sekisho.model.selector import Cause, Selector
from sekisho.model.text import printable
from sekisho.service.channel import NotDone
from sekisho.service.control import call
from sekisho.service.messages import IncidentAnswer, IncidentAsk, QueueAnswer, QueueAsk, QueueVerb
from sekisho.store.spool_patterns import BadPattern, check
from sekisho.store.spool_select import BY

Command = Callable[..., Any]

TIMES = frozenset(("accepted_at", "next_at", "expires_at", "oldest_at", "at"))
"""Fields of records whose values are times."""

SECONDS_MAX = 1_000_000_000
LINES_MAX = 1_000_000

SELECTORS = (
    ("--id", "ids", "A message or a delivery; may be given again."),
    ("--sender", "sender", "Envelope sender: an address, @domain, or a pattern with *."),
    ("--recipient", "recipient", "Recipient: an address, @domain, or a pattern with *."),
    ("--account", "account", "The account whose login brought the message."),
    ("--address", "address", "The client's address, or a network as in 192.0.2.0/24."),
    (
        "--subject",
        "subject",
        'Words of the subject; here as elsewhere "re:..." is a regular expression (RE2).',
    ),
    ("--body", "body", "Words of the message as it stands in the queue."),
    ("--header", "header", 'Words of one header field, as in "X-Mailer: Bat".'),
    ("--reply", "reply", "Words of the last reply of a remote host."),
    ("--incident", "incident", "Held by the actions of this incident, and bounces that its mail caused."),
    ("--held-by", "held_by", "Held by this action."),
    ("--bounces-of", "bounces_of", "Bounces that report on this message; with --on also: to this account."),
)


def selecting(command: Command) -> Command:
    """The options that say which deliveries are meant; all that are given must match."""
    for name, field, text in reversed(SELECTORS):
        command = click.option(name, field, multiple=field == "ids", default=None, help=text)(command)
    return click.option(
        "--older",
        "older_s",
        type=click.IntRange(0, SECONDS_MAX),
        default=0,
        help="Accepted more than this many seconds ago.",
    )(command)


def deciding(command: Command) -> Command:
    """The options of verbs that change something."""
    command = click.option("--yes", is_flag=True, help="Do not ask.")(command)
    return click.option("--dry-run", is_flag=True, help="Say what would be done, and stop.")(command)


@click.group("queue")
def command() -> None:
    """Look at the queue and change what waits in it.

    Example: sekisho queue list --account hello@example.com
    """


@command.command("list")
@placed
@json_option
@click.option(
    "--limit", type=click.IntRange(1, LINES_MAX), default=1000, show_default=True, help="Most lines."
)
@click.option("--by", type=click.Choice(tuple(BY)), default=None, help="Sum up instead, the most first.")
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice(("waiting", "trying", "failed", "purged")),
    help="Only these; purged ones are shown only so.",
)
@selecting
def list_(
    place: Place, as_json: bool, limit: int, by: str | None, states: tuple[str, ...], **wanted: Any
) -> int:
    """One line a delivery, the oldest message first; or one a group, the largest first.

    Example: sekisho queue list --sender @example.com --older 3600

    Example: sekisho queue list --by domain
    """
    config = place.config
    selector = replace(chosen(config, wanted), states=tuple(State(state) for state in states))
    answer = ask(place, QueueAsk("list", selector, limit=limit, by=by or ""))
    for group in answer.groups:
        if as_json:
            speech.emit(_timed(group, config))
        else:
            oldest = when(group.oldest_at, config)
            speech.tell(f"{group.deliveries:9}  {group.bytes:13}  {oldest}  {group.name or '-'}")
    for row in answer.rows:
        if as_json:
            speech.emit(_timed(row, config))
        else:
            speech.tell(_line(row, config))
    if not as_json:
        speech.tell(_total(answer))
    return 0


@command.command("show")
@placed
@json_option
@click.argument("ident", metavar="ID")
def show(place: Place, as_json: bool, ident: str) -> int:
    """A message: its deliveries, and the beginning of its text.

    Example: sekisho queue show 1k0zt57sgk6d4kkh5
    """
    config = place.config
    answer = ask(place, QueueAsk("show", Selector(ids=(ident,))))
    if not answer.rows:
        speech.fail(phrase("nothing in the queue is called {ident}", ident=ident))
    if as_json:
        rows = [_timed(row, config) for row in answer.rows]
        speech.emit(msgspec.to_builtins(answer) | {"rows": rows})
        return 0
    for row in answer.rows:
        speech.tell(_line(row, config))
    speech.tell("\n" + answer.head)
    return 0


def _verb(name: QueueVerb, plan: Phrase, done: Phrase, text: str) -> None:
    """Adds a verb that shows its plan with counts, asks, and does it."""

    @placed
    @json_option
    @selecting
    @deciding
    def run(place: Place, as_json: bool, dry_run: bool, yes: bool, **wanted: Any) -> int:
        selector = chosen(place.config, wanted, name)
        if selector == Selector():
            speech.fail(phrase("say which: at least one selector is needed"), speech.USAGE)
        if as_json:
            return _change_plainly(place, QueueAsk(name, selector), dry_run, yes)
        return _change(place, QueueAsk(name, selector), (plan, done), dry_run, yes)

    command.command(name, help=text)(run)


def _change(place: Place, wish: QueueAsk, said: tuple[Phrase, Phrase], dry_run: bool, yes: bool) -> int:
    preview = _preview(place, wish)
    plan = Phrase(said[0].pattern, {"total": _total(preview)})
    if preview.matched == 0:
        return _nothing()
    if not speech.confirm(plan, yes, dry_run):
        return 0
    done = _done(place, wish).performed
    action = done.action if done else ""
    speech.tell(
        Phrase(said[1].pattern, {"changed": _deliveries(done.count if done else 0), "action": action})
    )
    if done and done.already_on_the_wire:
        speech.tell(phrase("already on the wire: {count}", count=done.already_on_the_wire))
    return 0


def _change_plainly(place: Place, wish: QueueAsk, dry_run: bool, yes: bool) -> int:
    """For programs: one object, and nobody to ask."""
    if not (dry_run or yes):
        speech.fail(
            phrase("--json cannot ask: say --yes, or --dry-run to see what would be done"), speech.USAGE
        )
    answer = _preview(place, wish)
    if yes and not dry_run and answer.matched:
        answer = _done(place, wish)
    done = {"performed": _timed(answer.performed, place.config)} if answer.performed else {}
    speech.emit(msgspec.to_builtins(answer) | done)
    return 0


def _preview(place: Place, wish: QueueAsk) -> QueueAnswer:
    return ask(place, QueueAsk("count", wish.selector, preview=wish.verb))


def _done(place: Place, wish: QueueAsk) -> QueueAnswer:
    return ask(place, replace(wish, action=make_id(HostClock().now(), HostChance().bits(30))))


def _timed(record: Struct, config: Config) -> dict[str, Any]:
    """A record for programs, its times in RFC 3339."""
    told: dict[str, Any] = msgspec.to_builtins(record)
    return {
        name: (when(value, config) if value else None) if name in TIMES else value
        for name, value in told.items()
    }


def _nothing() -> int:
    speech.tell(phrase("nothing in the queue matches"))
    return 1


_verb(
    "hold",
    phrase("hold {total}"),
    phrase("{changed} held by {action}"),
    "Stop deliveries until they are released.\n\nExample: sekisho queue hold --account hello@example.com",
)
_verb(
    "release",
    phrase("release {total}"),
    phrase("{changed} released ({action})"),
    "Let held deliveries go.\n\nExample: sekisho queue release --held-by 1k0zt57sgk6d4kkh5",
)
_verb(
    "retry",
    phrase("try at once {total}"),
    phrase("{changed} due now ({action})"),
    "Try waiting deliveries now.\n\nExample: sekisho queue retry --recipient @example.net",
)
_verb(
    "bounce",
    phrase("return to sender {total}"),
    phrase("{changed} given up and reported ({action})"),
    "Give deliveries up and tell their senders.\n\nExample: sekisho queue bounce --id 1k0zt57sgk6d4kkh5",
)
_verb(
    "purge",
    phrase("purge (restorable for some days) {total}"),
    phrase("{changed} purged; sekisho queue restore --held-by {action} brings them back, held"),
    "Take deliveries out and tell nobody.\n\nExample: sekisho queue purge --bounces-of 1k0zt57sgk6d4kkh5",
)
_verb(
    "restore",
    phrase("restore, held, {total}"),
    phrase("{changed} restored and held ({action})"),
    "Bring purged deliveries back, held.\n\nExample: sekisho queue restore --id 1k0zt57sgk6d4kkh5",
)


def chosen(config: Config, wanted: dict[str, Any], verb: QueueVerb = "list") -> Selector:
    """The selector that the options mean. An incident is the action under which its mail is held, and for
    what looks, purges and restores the bounces that its mail caused too.
    """
    given = {name: value for name, value in wanted.items() if value}
    for word, name, _ in SELECTORS:  # an unset variable of a script must not widen what is meant
        if wanted[name] == "" or (name == "ids" and "" in wanted[name]):
            speech.fail(phrase("{option} is empty; the null sender is written <>", option=word), speech.USAGE)
    if incident := given.pop("incident", ""):
        wide = verb in ("list", "purge", "restore")
        given |= {"cause": _cause_of(config, incident)} if wide else {"held_by": _hold_of(config, incident)}
    selector = Selector(**given)
    try:
        check(selector)
    except BadPattern as error:
        option = phrase("--{option}: {why}", option=error.where, why=printable(error.why))
        speech.fail(option, speech.USAGE)
    return selector


def _cause_of(config: Config, ident: str) -> Cause:
    from sekisho.cli.incident import ask as ask_about
    from sekisho.service.causes import cause_of

    return cause_of(ask_about(config, IncidentAsk("show", ident)))


def _hold_of(config: Config, ident: str) -> str:
    from sekisho.cli.incident import ask as ask_about

    answer: IncidentAnswer = ask_about(config, IncidentAsk("show", ident))
    holds = [action.id for action in answer.actions if action.kind == "hold_queue"]
    if not holds:
        incident: Incident = answer.incidents[0]
        speech.fail(phrase("incident {incident} holds nothing", incident=incident.id))
    return holds[-1]


def ask(place: Place, wish: QueueAsk) -> QueueAnswer:
    """The server's answer, or the spools' own, or that of the other server's queue. A refusal ends the
    command."""
    config = place.config
    try:
        if place.foreign is not None:
            return place.foreign.answer(wish)
        answer = call(config.state, wish, QueueAnswer)
        return answer if answer is not None else asyncio.run(_at_rest(config, wish))
    except NotDone as refusal:
        speech.fail(Phrase("{why}", {"why": str(refusal)}))


async def _at_rest(config: Config, wish: QueueAsk) -> QueueAnswer:
    """No server runs: each front's spool is opened, asked and closed again. Raises Unavailable, NotDone."""
    from sekisho.service.addressing import Addressing
    from sekisho.service.desk import merged
    from sekisho.service.roles import real_world
    from sekisho.service.spool_owner import SpoolOwner
    from sekisho.service.sweeping import Sweeping
    from sekisho.store.directory import Directory
    from sekisho.store.spool import Spool

    world, folder = real_world(config), os.path.join(config.state, "spool")
    answers: list[QueueAnswer] = []
    sweep = Sweeping(world, config).sweep
    try:
        for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else ():
            spool = Spool.open(os.path.join(folder, name), world, config.queue)
            addressing = Addressing(world, Directory.open(config.state, world.clock), config)
            try:
                first = sweep if not answers else None
                answer = await SpoolOwner(world, spool, addressing, sweep=first).handle(wish)
            finally:
                spool.close()
            assert isinstance(answer, QueueAnswer)
            answers.append(answer)
    finally:
        await world.spawn.stop()
    return merged(answers, wish.limit) if answers else QueueAnswer(0)


def _line(row: QueueRow, config: Config) -> str:
    held = f"  held by {', '.join(row.held_by)}" if row.held_by else ""
    who = f"{row.account or '-'} {row.address}"
    held += f"  delayed by {row.delayed_by}" if row.delayed_by else ""
    reply = f"  {row.last_reply}" if row.last_reply else ""
    return (
        f"{row.message}  {when(row.accepted_at, config)}  {row.state}  <{row.sender}> -> <{row.recipient}>"
        f"  {who}  {row.size}  {row.tries}{held}{reply}"
    )


def _total(answer: QueueAnswer) -> Phrase:
    messages = phrases("{count} message", "{count} messages", answer.messages)
    values: dict[str, Value] = {
        "deliveries": _deliveries(answer.matched), "messages": messages, "bytes": answer.bytes,
        "arrived": answer.arrived,
    }  # fmt: skip
    if answer.arrived:
        return phrase("{deliveries} of {messages}, {bytes} bytes, {arrived} of them in mailboxes", **values)
    return phrase("{deliveries} of {messages}, {bytes} bytes", **values)


def _deliveries(count: int) -> Phrase:
    return phrases("{count} delivery", "{count} deliveries", count)
