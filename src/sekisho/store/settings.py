"""Reads sekisho.toml into the one tree of settings, and says of every mistake where it stands.

An unknown key is an error that names the file, the table, the key and the nearest known key. Folders and
files in the result are absolute: `state` is relative to the file, everything else to the state folder.
"""

import difflib
import os
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Struct, inspect
from msgspec.structs import replace

from sekisho.checks import registry
from sekisho.model.config import Config, Listen
from sekisho.model.config_guard import Allow
from sekisho.model.config_oauth import OAuth
from sekisho.model.phrase import Phrase, phrase
from sekisho.model.text import printable
from sekisho.store.plausible import implausible, not_a_limited_name
from sekisho.store.plausible_proof import contradictions as proof_contradictions
from sekisho.store.plausible_routing import contradictions as routing_contradictions
from sekisho.store.schema import Field, Place, all_fields, dotted, entry_of, fields_of, literal
from sekisho.store.scram_keys import ROUNDS_MIN
from sekisho.store.tomllines import lines_of

FILE = "sekisho.toml"

FILE_BYTES = 1024 * 1024
"""Largest settings file."""

PREFACE = """# Settings

Made by `make docs` from the descriptions in `src/sekisho/model/config.py`. One TOML file; a key that is not
listed here is an error. `sekisho config describe` prints the same, `sekisho config show --effective` what is
in force and where it was said. NAME is a name of your choice. Durations are in seconds, sizes in bytes.

"""


class Mistake(Struct, frozen=True):
    """One thing wrong with the settings. `place` is the dotted key; `line` 0: nowhere in particular."""

    place: str
    why: Phrase
    line: int = 0


class ConfigError(Exception):
    """The settings cannot be used; `mistakes` has everything that is wrong, `place` and `why` the first."""

    def __init__(self, path: str, mistakes: list[Mistake]) -> None:
        self.path = path
        self.mistakes = tuple(mistakes)
        self.place = self.place_of(mistakes[0])
        self.why = mistakes[0].why
        super().__init__(*(f"{self.place_of(mistake)}: {mistake.why}" for mistake in mistakes))

    def place_of(self, mistake: Mistake) -> str:
        """As in "sekisho.toml:12 limits.recipients"."""
        line = f":{mistake.line}" if mistake.line else ""
        return f"{self.path}{line} {mistake.place}".rstrip()


class Loaded(Struct, frozen=True):
    """The settings, what the file itself says, and on which line each key stands."""

    config: Config
    path: str
    given: dict[str, Any]
    lines: dict[Place, int]


def load(path: str) -> Config:
    """Raises ConfigError."""
    return read(path).config


def read(path: str) -> Loaded:
    """Raises ConfigError."""
    text = _text(path)
    try:
        given = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(path, [Mistake("", phrase("this is not TOML: {why}", why=str(error)))]) from error
    lines = lines_of(text)
    mistakes = list(_mistakes(given, inspect.type_info(Config), ()))
    if not mistakes:
        config = msgspec.convert(given, Config)
        mistakes = list(_contradictions(config))
    if mistakes:
        raise ConfigError(path, [Mistake(dotted(place), why, lines.get(place, 0)) for place, why in mistakes])
    return Loaded(_resolved(config, path), path, given, lines)


def describe_markdown() -> str:
    """docs/config.md: every setting with its kind, default and description."""
    text = PREFACE
    for field in all_fields():
        about = f"{field.about} ({field.kind}"
        if field.table is not None:
            text = text.rstrip() + f"\n\n## `[{dotted(field.head)}]`\n\n{about})\n\n"
        else:
            default = "required" if field.required else f"default `{literal(field.default)}`"
            text += f"- `{field.place[-1]}`: {about}; {default})\n"
    return text


def _text(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return file.read(FILE_BYTES).decode()
    except UnicodeDecodeError as error:
        raise ConfigError(path, [Mistake("", phrase("this is not text in UTF-8"))]) from error
    except OSError as error:
        why = phrase("cannot be read: {why}", why=error.strerror or str(error))
        raise ConfigError(path, [Mistake("", why)]) from error


def _mistakes(given: dict[str, Any], table: inspect.Type, place: Place) -> Iterator[tuple[Place, Phrase]]:
    """In the order of the file; what is missing last."""
    known = fields_of(table, place)
    for name, value in given.items():
        if name in known:
            yield from _value_mistakes(known[name], value)
        else:
            yield (*place, name), _unknown(name, known, place)
    for name, field in known.items():
        if field.required and name not in given:
            yield (*place, name), phrase("this is missing, and has no default")


def _unknown(name: str, known: dict[str, Field], place: Place) -> Phrase:
    nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    table = dotted(place) or FILE
    if nearest:
        return phrase(
            "there is no key {key} in {table}; the nearest is {nearest}",
            key=printable(name, 100), table=table, nearest=nearest[0],
        )  # fmt: skip
    return phrase("there is no key {key} in {table}", key=printable(name, 100), table=table)


def _value_mistakes(field: Field, value: Any) -> Iterator[tuple[Place, Phrase]]:
    if field.table is None:
        yield from _plain_mistakes(field, value)
    elif not isinstance(value, dict):
        yield field.place, _unfit(field.kind, value)
    elif isinstance(field.table, inspect.StructType):
        yield from _mistakes(value, field.table, field.place)
    else:
        for name, inner in value.items():
            yield from _value_mistakes(entry_of(field, name), inner)


def _plain_mistakes(field: Field, value: Any) -> Iterator[tuple[Place, Phrase]]:
    try:
        msgspec.convert(value, field.hint)
    except msgspec.ValidationError:
        yield field.place, _unfit(field.kind, value)
        return
    why = implausible(field.place, value)
    if why is not None:
        yield field.place, why


def _unfit(kind: Phrase, value: Any) -> Phrase:
    return phrase("this must be {kind}, not {value}", kind=kind, value=printable(literal(value), 100))


def _contradictions(config: Config) -> Iterator[tuple[Place, Phrase]]:
    """Settings that are right one by one and cannot be meant together."""
    guard = config.guard
    if not guard.watch <= guard.contain <= guard.whole_account:
        yield ("guard", "contain"), phrase("this must not be below watch nor above whole_account")
    yield from _allow_contradictions(config.guard.allow)
    if config.queue.first_retry_s > config.queue.longest_retry_s:
        yield ("queue", "first_retry_s"), phrase("this must not be above longest_retry_s")
    for name in config.queue.limits:
        if why := not_a_limited_name(name):
            yield ("queue", "limits", name), why
    if 0 < config.vault.scram_rounds < ROUNDS_MIN:
        yield ("vault", "scram_rounds"), phrase("this must be 0, or {low} or more", low=ROUNDS_MIN)
    yield from routing_contradictions(config)
    yield from proof_contradictions(config)
    yield from _token_contradictions(config.oauth)
    yield from _listener_contradictions(config.listen)
    if config.local.lmtp and config.local.instructions != "none":
        why = phrase("with lmtp the server that keeps the mailboxes must do this, as with Sieve")
        yield ("local", "instructions"), why
    if config.acme.directory and not config.acme.directory.startswith("https://"):
        yield ("acme", "directory"), phrase("this must begin with https://")
    if config.acme.directory and not config.acme.terms_agreed:
        yield ("acme", "terms_agreed"), phrase("an authority is asked only after you agreed to its terms")
    if config.notify.operator and "@" not in config.notify.operator:
        yield ("notify", "operator"), phrase("this must be an address, as in postmaster@example.com")
    if not config.guard.help_url.isascii() or not config.guard.help_url.isprintable():
        yield ("guard", "help_url"), phrase("this stands in replies: one line of ASCII")
    if config.returns.unsigned == "refuse" and config.returns.sign != "always":
        why = phrase('"refuse" needs sign = "always": without it bounces of ours bear no signature')
        yield ("returns", "unsigned"), why
    for why in registry.mistakes(config.checks, config.soften):
        yield ("checks",), why


def _allow_contradictions(allowed: Mapping[str, Allow]) -> Iterator[tuple[Place, Phrase]]:
    for name, allow in allowed.items():
        if not allow.accounts and all(text.endswith("/0") for text in allow.networks):
            yield ("guard", "allow", name), phrase("networks or accounts must say where the guard looks away")


def _token_contradictions(oauth: OAuth) -> Iterator[tuple[Place, Phrase]]:
    if oauth.jwks and oauth.introspection:
        yield ("oauth", "introspection"), phrase("this and jwks exclude each other")
    if oauth.jwks and not (oauth.issuer and oauth.audience):
        yield ("oauth", "jwks"), phrase("issuer and audience must say whose tokens count, and for whom")


def _listener_contradictions(listeners: Mapping[str, Listen]) -> Iterator[tuple[Place, Phrase]]:
    taken: set[str] = set()
    for name, listener in listeners.items():
        if listener.proxy_from and not listener.requires_proxy:
            yield ("listen", name, "proxy_from"), phrase("this is of use only with requires_proxy = true")
        if listener.requires_proxy and not listener.proxy_from:
            yield ("listen", name, "requires_proxy"), phrase("proxy_from must say who may send the header")
        if listener.xclient_from and not listener.requires_xclient:
            yield ("listen", name, "xclient_from"), phrase("this is of use only with requires_xclient = true")
        if listener.requires_xclient and not listener.xclient_from:
            why = phrase("xclient_from must say whose XCLIENT is believed")
            yield ("listen", name, "requires_xclient"), why
        if listener.requires_xclient and listener.requires_proxy:
            yield ("listen", name, "requires_xclient"), phrase("this and requires_proxy exclude each other")
        if listener.protocol == "local":
            yield from _local_contradictions(("listen", name), listener)
        if listener.protocol == "lmtp" and listener.speaks != "sekisho":
            yield ("listen", name, "speaks"), phrase("LMTP has no other words")
        if listener.protocol == "wforce" and not listener.password_file:
            yield ("listen", name, "password_file"), phrase("wforce needs one, with a long random word")
        if listener.protocol == "wforce" and listener.address.startswith("unix:"):
            yield ("listen", name, "address"), phrase("those who ask wforce know no unix sockets")
        if listener.address in taken and not listener.address.endswith(":0"):
            yield ("listen", name, "address"), phrase("another listener has this address")
        taken.add(listener.address)


def _local_contradictions(place: Place, listener: Listen) -> Iterator[tuple[Place, Phrase]]:
    if not listener.address.startswith("unix:"):
        yield (*place, "address"), phrase("system users are known on a unix socket only: unix:PATH")
    if listener.requires_proxy or listener.requires_xclient or listener.speaks != "sekisho":
        yield (*place, "protocol"), phrase("local goes with no PROXY, no XCLIENT and no other words")


def _resolved(config: Config, path: str) -> Config:
    state = os.path.abspath(os.path.join(os.path.dirname(path), config.state))

    def under(name: str) -> str:
        return os.path.join(state, name) if name else ""

    smarthost = config.outbound.smarthost
    if smarthost is not None:
        smarthost = replace(smarthost, password_file=under(smarthost.password_file))
    named = {
        name: replace(each, password_file=under(each.password_file))
        for name, each in config.outbound.smarthosts.items()
    }
    webhooks = {
        name: replace(each, secret_file=under(each.secret_file))
        for name, each in config.notify.webhooks.items()
    }
    return replace(
        config,
        state=state,
        certificate=under(config.certificate),
        key=under(config.key),
        acme=replace(config.acme, roots=under(config.acme.roots)),
        outbound=replace(config.outbound, smarthost=smarthost, smarthosts=named),
        oauth=replace(config.oauth, secret_file=under(config.oauth.secret_file)),
        notify=replace(config.notify, webhooks=webhooks),
        guard=replace(config.guard, networks=under(config.guard.networks)),
    )
