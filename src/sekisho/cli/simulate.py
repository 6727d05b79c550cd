"""`sekisho simulate`: seeded traffic and attacks against the guard, and what came of it."""

from collections.abc import Callable, Mapping
from functools import partial
from math import isnan
from types import MappingProxyType
from typing import Any

import click

from sekisho.cli import speech
from sekisho.cli.gate import GuardGate
from sekisho.cli.where import json_option
from sekisho.guard.guard import Guard
from sekisho.guard.networks import NetworkTable
from sekisho.lab.attacks import KINDS, Pace
from sekisho.lab.baselines import Fail2ban, Mox, Postfwd
from sekisho.lab.scoring import KindReport
from sekisho.lab.simulation import EACH, Keeper, Order, Result, simulate
from sekisho.lab.traffic import Scale
from sekisho.model.config import Guard as Settings
from sekisho.model.phrase import Phrase, phrase, phrases
from sekisho.store.networktable import built_in

NONE = "none"
OURS = "guard"
POLICIES: Mapping[str, Callable[[dict[str, int]], Keeper]] = MappingProxyType(
    {"fail2ban": Fail2ban, "mox": Mox, "postfwd": Postfwd}
)
"""What others ship, for comparison on the same traffic."""
WORLD = 0.05, 20.0
"""The slowest and the fastest that an attack may be played."""


def _finite(ctx: click.Context, parameter: click.Parameter, value: float) -> float:
    """Not a number lies within every range."""
    if isnan(value):
        raise click.BadParameter(speech.texts().say(phrase("this must be a number")), ctx, parameter)
    return value


@click.command("simulate")
@click.option("--seed", default=1, show_default=True, help="The same seed plays the same traffic.")
@click.option("--accounts", default=300, show_default=True, type=click.IntRange(10, 100_000))
@click.option("--days", default=30, show_default=True, type=click.IntRange(1, 366), help="Days counted.")
@click.option("--learning", default=14, show_default=True, type=click.IntRange(0, 366), help="Days before.")
@click.option("--attack", "kinds", multiple=True, type=click.Choice((*KINDS, NONE)), help="[default: all]")
@click.option("--each", default=0, type=click.IntRange(0, 10_000), help=f"[default: one for {EACH} accounts]")
@click.option(
    "--pace",
    default=1.0,
    show_default=True,
    type=click.FloatRange(*WORLD),
    callback=_finite,
    help="Attacks' speed.",
)
@click.option(
    "--refused",
    default=0.3,
    show_default=True,
    type=click.FloatRange(0, 1),
    callback=_finite,
    help="Dead share.",
)
@click.option(
    "--policy", default=OURS, type=click.Choice((OURS, *POLICIES)), help="Whose rules.  [default: guard]"
)
@click.option("--no-table", is_flag=True, help="The gate sees addresses by their /24 (/48) only.")
@json_option
def command(kinds: tuple[str, ...], policy: str, no_table: bool, as_json: bool, **numbers: Any) -> None:
    """Play a mail host's traffic and attacks against the guard, and count leaks and false alarms.

    The traffic is invented (docs/generator.md): the figures compare settings, they promise nothing.

    Example: sekisho simulate --seed 3 --attack botnet --attack residential
    """
    order = Order(
        seed=numbers["seed"],
        scale=Scale(numbers["accounts"], numbers["learning"], numbers["days"]),
        kinds=tuple(kind for kind in dict.fromkeys(kinds or KINDS) if kind != NONE),
        each=numbers["each"],
        pace=Pace(numbers["pace"], numbers["refused"]),
    )
    table = built_in()
    seen = NetworkTable() if no_table else table
    result = simulate(order, _hire(policy, seen), table.find, seen.find)
    if as_json:
        speech.emit(result)
        return
    for sentence in report(result):
        speech.tell(sentence)


def _hire(policy: str, table: NetworkTable) -> Callable[[dict[str, int]], Keeper]:
    return POLICIES.get(policy) or partial(GuardGate, Guard(Settings(), table))


def report(result: Result) -> list[Phrase]:
    """The whole result in sentences."""
    scale = result.order.scale
    return [
        phrase(
            "Seed {seed}: {accounts} accounts, most of them in {country}, {days} days counted after "
            "{learning} days of learning, {events} events.",
            seed=result.order.seed,
            accounts=scale.accounts,
            country=result.country,
            days=scale.days,
            learning=scale.learning,
            events=result.events,
        ),
        *(sentence for one in result.attacks for sentence in _attack(one)),
        *_honest(result),
        phrase(
            "{rate} events per second, generator and guard together; the guard keeps {median} bytes per "
            "account (90 %: {p90}).",
            rate=result.events_per_s,
            median=round(result.bytes_per_account.median),
            p90=round(result.bytes_per_account.p90),
        ),
    ]


def _attack(one: KindReport) -> list[Phrase]:
    """Two sentences: how soon it was stopped, and what it cost the owner."""
    return [
        phrase(
            "{kind}: {detected} of {attacks} contained, after {messages} messages (90 %: {messages_p90}) to "
            "{recipients} recipients ({recipients_p90}), {minutes} min ({minutes_p90}).",
            kind=one.kind,
            detected=one.detected,
            attacks=one.attacks,
            messages=one.messages.median,
            messages_p90=one.messages.p90,
            recipients=one.recipients.median,
            recipients_p90=one.recipients.p90,
            minutes=one.minutes.median,
            minutes_p90=one.minutes.p90,
        ),
        phrase(
            "  {left} messages (90 %: {left_p90}) left the house; of the owners' own {soon} messages until a "
            "day after containment {soon_bothered} were held or refused, of {owner} to the end {bothered}.",
            left=one.left_messages.median,
            left_p90=one.left_messages.p90,
            soon=one.soon_messages,
            soon_bothered=one.soon_bothered,
            owner=one.owner_messages,
            bothered=one.owner_bothered,
        ),
    ]


def _honest(result: Result) -> list[Phrase]:
    honest, letters = result.honest, result.newsletters
    return [
        phrase(
            "Honest account-days: {days}; of a thousand, {contained} were contained, {visible} had mail held "
            "or a login refused, {delayed} had mail that waited, {watched} were only watched.",
            days=honest.account_days,
            contained=honest.contained_per_1000,
            visible=honest.visible_per_1000,
            delayed=honest.delayed_per_1000,
            watched=honest.watched_per_1000,
        ),
        phrases(
            "Of {count} newsletter {hit} had a letter held, {delayed} one that waited.",
            "Of {count} newsletters {hit} had a letter held, {delayed} one that waited.",
            letters.accounts,
            hit=letters.hit,
            delayed=letters.delayed,
        ),
    ]
