"""`sekisho certificate`: a certificate from an authority that speaks ACME, renewed in time."""

import asyncio

import click

from sekisho.cli import speech
from sekisho.cli.where import config_option, settings, when
from sekisho.model.config import Config
from sekisho.model.phrase import phrase
from sekisho.service.certifying import Certifier, Issue, names_of
from sekisho.service.roles import real_world
from sekisho.world import Unavailable


@click.group("certificate")
def command() -> None:
    """The certificate that clients are shown."""


@command.command("renew")
@config_option
@click.option("--force", is_flag=True, help="Now, even if it is good for long.")
def renew(path: str, force: bool) -> int:
    """Get a new certificate by ACME if two thirds of the old one's life are over.

    To be run every hour or so; a running server takes the new certificate by itself.

    Example: sekisho certificate renew -c /srv/mail/sekisho.toml
    """
    config = settings(path)
    if not config.acme.directory:
        speech.fail(phrase("no authority is named in [acme] directory"), speech.CONFIG)
    return asyncio.run(_renewed(config, force=force))


async def _renewed(config: Config, *, force: bool) -> int:
    world = real_world(config)
    certifier = Certifier(world, config, _issuer(config))
    if not force and (at := certifier.next_at()) > world.clock.now():
        speech.tell(phrase("nothing to do before {time}", time=when(at, config)))
        return 0
    try:
        ends = certifier.renew()
    except Unavailable as trouble:
        why = phrase(
            "no new certificate, and the old one stays: {door}: {why}", door=trouble.door, why=trouble.why
        )
        speech.fail(why, speech.TRY_AGAIN)
    names = ", ".join(names_of(config))
    speech.tell(phrase("a new certificate for {names}, until {time}", names=names, time=when(ends, config)))
    return 0


def _issuer(config: Config) -> Issue:
    """The library is asked for only here."""
    try:
        from sekisho.net.acme import Authority, Wish, issue
    except ImportError:
        speech.fail(phrase("ACME wants a library: pip install 'sekisho[acme]'"), speech.UNAVAILABLE)
    acme = config.acme
    authority = Authority(acme.directory, acme.contact, acme.roots)
    return lambda key, request: issue(authority, Wish(key, request, acme.listen))
