"""What is wrong with settings of SPF, DKIM and DMARC that are right as values."""

import ipaddress
from collections.abc import Iterator

from sekisho.mail.spf_macros import EXPLAINING, LETTERS, MacroError, compiled
from sekisho.mail.spf_record import SpfError, local_terms
from sekisho.model.config import Config
from sekisho.model.phrase import Phrase, phrase
from sekisho.model.text import printable
from sekisho.store.schema import Place


def contradictions(config: Config) -> Iterator[tuple[Place, Phrase]]:
    for network in config.spf.networks:
        try:
            ipaddress.ip_network(network)
        except ValueError:
            why = phrase("{value} is not a network such as 192.0.2.0/24", value=printable(network, 100))
            yield ("spf", "networks", network), why
    for name, text in (("rules", config.spf.rules), ("guess", config.spf.guess)):
        try:
            local_terms(text)
        except SpfError as error:
            yield ("spf", name), phrase("these are no mechanisms of SPF: {why}", why=printable(str(error)))
    try:
        for word in config.spf.explanation.split(" "):
            compiled(word, LETTERS + EXPLAINING)
    except MacroError as error:
        yield ("spf", "explanation"), phrase("SPF cannot read this: {why}", why=printable(str(error)))
