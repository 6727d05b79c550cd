"""Settings of routing that cannot work: hosts that are none, patterns for nobody, ways that lead back."""

from collections.abc import Iterator

from sekisho.model.address import BadAddress, parse_path
from sekisho.model.config import Config
from sekisho.model.phrase import Phrase, phrase
from sekisho.model.text import printable
from sekisho.queue.hops import parse_hop
from sekisho.queue.routing import ALL, BARE, LOCAL, MX, OURS, REFUSE, SMARTHOST, USUAL
from sekisho.queue.sendmail import next_hop

Place = tuple[str, ...]
SMTP = 25


def contradictions(config: Config) -> Iterator[tuple[Place, Phrase]]:
    """With the place of each."""
    terms = config.routing.sendmail
    for name, rule in config.routing.rules.items():
        place = ("routing", "rules", name)
        if why := _not_a_way(rule.to, config):
            yield (*place, "to"), why
        if rule.address != "keep" and not _is_pattern(f"x{rule.address}"):
            yield (*place, "address"), phrase('this must be "keep" or as in "@example.net"')
        if not rule.recipients:
            yield (*place, "recipients"), phrase("the rule is for nobody")
        for pattern in rule.recipients:
            if pattern not in (OURS, BARE, ALL) and not _is_pattern(pattern):
                yield (*place, "recipients"), _no_pattern(pattern)
        for pattern in rule.senders:
            if not _is_pattern(pattern):
                yield (*place, "senders"), _no_pattern(pattern)
    for name, smarthost in config.outbound.smarthosts.items():
        if why := _not_a_way(smarthost.host, config):
            yield ("outbound", "smarthosts", name, "host"), why
    for key, text in (("local_relay", terms.local_relay), ("mail_hub", terms.mail_hub)):
        if text and (why := _not_a_way(next_hop(text), config)):
            yield ("routing", "sendmail", key), why
    for name in terms.local_user:
        if not _is_pattern(f"{name}@"):
            yield ("routing", "sendmail", "local_user"), phrase("{name} is no user's name", name=_shown(name))
    for name in config.routing.own_names:
        if not _is_pattern(f"x@{name}"):
            yield ("routing", "own_names"), phrase("{name} is not a name of a host", name=_shown(name))


def _not_a_way(to: str, config: Config) -> Phrase | None:
    if to in (LOCAL, REFUSE, USUAL):
        return None
    if to.startswith(f"{SMARTHOST}:"):
        name = to.partition(":")[2]
        known = name in config.outbound.smarthosts
        return None if known else phrase("there is no outbound.smarthosts.{name}", name=_shown(name))
    if to == SMARTHOST:
        return None if config.outbound.smarthost else phrase("there is no outbound.smarthost")
    name = to.removeprefix(MX)
    hop = parse_hop(name, SMTP)
    if (
        hop is None
        or (to.startswith(MX) and (":" in name or hop.is_address))
        or not _is_pattern(f"x@{hop.host}" if not hop.is_address else "x@")
    ):
        return phrase(
            '{value} is not a host such as "mx.example.net:25" or "[192.0.2.1]:25", nor "mx:example.net"',
            value=_shown(to),
        )
    doors = {each.address for each in config.listen.values()}
    if not to.startswith(MX) and (f"{hop.host}:{hop.port}" in doors or f"[{hop.host}]:{hop.port}" in doors):
        return phrase("{value} is this server itself: mail would go round in circles", value=_shown(to))
    if hop.host == config.hostname.lower() and hop.port == SMTP:
        return phrase("{value} is this server itself: mail would go round in circles", value=_shown(to))
    return None


def _is_pattern(pattern: str) -> bool:
    """A * before the @ is any text, "*." behind it any name below; either side may be left out."""
    local, at, domain = pattern.rpartition("@")
    if not at or not pattern.strip("@"):
        return False
    probe = f"{local.replace('*', 'x') or 'x'}@{domain.removeprefix('*.') or 'x.example'}"
    try:
        mailbox = parse_path(probe.encode(), smtputf8=True)
    except UnicodeEncodeError:
        return False
    return mailbox is not None and not isinstance(mailbox, BadAddress) and bool(mailbox.domain)


def _no_pattern(pattern: str) -> Phrase:
    return phrase('{value} is not a pattern such as "@example.com", "user@" or "ours"', value=_shown(pattern))


def _shown(text: str) -> str:
    return printable(text, 100)
