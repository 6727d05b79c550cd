"""`sekisho dkim`: the keys that sign the mail of a domain, and how new ones take over."""

import asyncio
import os

import click

from sekisho.cli import speech
from sekisho.cli.household import refusals
from sekisho.cli.records import owned
from sekisho.cli.where import config_option, json_option, settings
from sekisho.host import HostClock, HostDisk
from sekisho.mail.dkim_key import Key, key_of
from sekisho.mail.names import host_name
from sekisho.model.config import Config
from sekisho.model.phrase import Phrase, phrase
from sekisho.model.text import printable
from sekisho.service.founding import dkim_folder, txt_value
from sekisho.service.names import Refusal, domain_name
from sekisho.service.roles import real_world
from sekisho.store.dkim_files import OVERLAP_DAYS, BadKey, KeyFile, KeyFiles
from sekisho.world import NotFound, Unavailable, World


@click.group("dkim")
def command() -> None:
    """The keys that sign the mail of a domain.

    Example: sekisho dkim keys example.com
    """


@command.command("keys")
@click.argument("domain")
@config_option
@json_option
def keys(domain: str, path: str, as_json: bool) -> None:
    """All keys of a domain, what each does, and the record to publish for it.

    Example: sekisho dkim keys example.com
    """
    with refusals():
        name, files = _files(settings(path), domain)
    for each in files.all():
        if as_json:
            speech.emit(_row(name, each))
        else:
            speech.tell(
                phrase(
                    "{selector}: {algorithm}, {state}",
                    selector=each.selector,
                    algorithm=each.algorithm,
                    state=speech.texts().say(_state(each)),
                )
            )
            speech.tell(f"  {_record(name, each)}")


@command.command("rotate")
@click.argument("domain")
@config_option
def rotate(domain: str, path: str) -> int:
    """The next step to new keys: make them, then, once the DNS has them, sign with them.

    The first time it makes keys and prints their records; nothing else changes. Run it again when they are
    published: it looks, as others would, and only if all are there the new keys sign. The old records stay
    for some days, because mail that they signed is still on its way; run it once more then.

    Example: sekisho dkim rotate example.com
    """
    config = settings(path)
    with refusals():
        name, files = _files(config, domain)
        now = HostClock().now()
        over = files.forget(now)
        for gone in over:
            speech.tell(phrase("{selector} is forgotten; its record can be removed", selector=gone.selector))
        if over:
            return 0
        pending = [each for each in files.all() if each.state == "pending"]
        if not pending and any(each.state == "retired" for each in files.all()):
            speech.tell(phrase("The keys have just been changed: leave the old records where they are."))
            return 0
        if not pending:
            with owned(dkim_folder(config.state, name)):
                files.prepare(now)
            return _to_publish(name, [each for each in files.all() if each.state == "pending"])
        missing = [each for each, flaw in _looked_up(config, name, pending) if flaw is not None]
        if missing:
            return _to_publish(name, missing)
        files.switch(now)
    speech.tell(
        phrase(
            "The new keys of {domain} sign within a minute. Leave the old records where they are; "
            "in {days} days another rotate says which may go.",
            domain=name,
            days=OVERLAP_DAYS,
        )
    )
    return 0


@command.command("check")
@click.argument("domain")
@config_option
@json_option
def check(domain: str, path: str, as_json: bool) -> int:
    """Whether the DNS has the records of the keys that sign.

    Example: sekisho dkim check example.com
    """
    config = settings(path)
    with refusals():
        name, files = _files(config, domain)
    signing = [each for each in files.all() if each.state == "signs"]
    if not signing:
        speech.fail(phrase("{domain} has no key that signs", domain=name))
    found = _looked_up(config, name, signing)
    for each, flaw in found:
        if as_json:
            speech.emit(_row(name, each) | {"published": flaw is None, "why": str(flaw or "")})
        elif flaw is None:
            speech.tell(phrase("{selector}: published", selector=each.selector))
        else:
            speech.tell(phrase("{selector}: {why}", selector=each.selector, why=speech.texts().say(flaw)))
            speech.tell(f"  {_record(name, each)}")
    return 1 if any(flaw is not None for _, flaw in found) else 0


@command.command("import")
@click.argument("domain")
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
@click.option("--selector", default="", help="Its selector; without this, the name of the file.")
@config_option
def import_(domain: str, file: str, selector: str, path: str) -> None:
    """Sign with a key that is published already, such as one of qmail's DomainKeys patch.

    Example: sekisho dkim import example.com /var/qmail/domainkeys/example.com/default
    """
    config = settings(path)
    with refusals():
        name, files = _files(config, domain)
        chosen = (selector or os.path.basename(file)).lower()
        if host_name(f"{chosen}.{name}") != f"{chosen}.{name}":
            raise Refusal(phrase("{selector} is no selector", selector=printable(chosen, 100)))
        with open(file, "rb") as opened:
            pem = opened.read(64 * 1024)
        try:
            with owned(dkim_folder(config.state, name)):
                taken = files.take(chosen, pem, HostClock().now())
        except BadKey as error:
            raise Refusal(phrase("{file}: {why}", file=printable(file), why=str(error))) from error
        except FileExistsError as error:
            raise Refusal(phrase("there is a key {selector} already", selector=chosen)) from error
    speech.tell(
        phrase(
            "{domain} signs with {selector} from now on. Its record must be:", domain=name, selector=chosen
        )
    )
    speech.tell(f"  {_record(name, taken)}")


def _files(config: Config, domain: str) -> tuple[str, KeyFiles]:
    name = domain_name(domain)
    return name, KeyFiles(HostDisk(), dkim_folder(config.state, name))


def _to_publish(domain: str, files: list[KeyFile]) -> int:
    speech.tell(phrase("Publish in the DNS, and run this again:"))
    for each in files:
        speech.tell(f"  {_record(domain, each)}")
    return 1


def _record(domain: str, file: KeyFile) -> str:
    return f"{file.selector}._domainkey.{domain}. IN TXT {txt_value(file.record)}"


def _row(domain: str, file: KeyFile) -> dict[str, object]:
    return {
        "selector": file.selector,
        "state": file.state,
        "algorithm": file.algorithm,
        "name": f"{file.selector}._domainkey.{domain}.",
        "value": file.record,
    }


def _state(file: KeyFile) -> Phrase:
    match file.state:
        case "signs":
            return phrase("it signs")
        case "pending":
            return phrase("it is to be published before it signs")
        case _:
            return phrase("it signs no more; its record is still wanted")


def _looked_up(config: Config, domain: str, files: list[KeyFile]) -> list[tuple[KeyFile, Phrase | None]]:
    """Each with what is wrong with its record, None for nothing."""

    async def look() -> list[tuple[KeyFile, Phrase | None]]:
        world = real_world(config)
        return [(each, await _flaw(world, domain, each)) for each in files]

    return asyncio.run(look())


async def _flaw(world: World, domain: str, file: KeyFile) -> Phrase | None:
    try:
        texts = await world.dns.txt(f"{file.selector}._domainkey.{domain}")
    except NotFound:
        texts = ()
    except Unavailable as trouble:
        return phrase("the DNS does not answer: {why}", why=trouble.why)
    wanted = key_of(file.record.encode())
    found = [key_of(text) for text in texts]
    if not found:
        return phrase("nothing is published")
    if len(found) > 1:
        return phrase("more than one record is published")
    if isinstance(found[0], Key) and isinstance(wanted, Key) and found[0].public == wanted.public:
        return None
    return phrase("another key is published")
