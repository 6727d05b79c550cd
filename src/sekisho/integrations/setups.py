"""For each mail server beside which sekisho can stand: at which booths it asks, and how to set it up."""

from collections.abc import Callable, Mapping

from msgspec import Struct

from sekisho.integrations import dovecot_setup, exim_setup, postfix_setup, qmail_setup, sendmail_setup

Listening = Mapping[str, str]
"""Protocol of a booth -> its address, as the settings have it; `password`: what clients of wforce show."""


class Setup(Struct, frozen=True):
    """`needs`: without one of these protocols there is nothing to set up; () where nobody asks us."""

    needs: tuple[str, ...]
    text: Callable[[Listening], str]


SETUPS: Mapping[str, Setup] = {
    "dovecot": Setup(("wforce",), dovecot_setup.text),
    "dovecot-2.4": Setup(("wforce",), dovecot_setup.text_24),
    "exim": Setup(("policy", "sasl"), exim_setup.text),
    "qmail": Setup((), qmail_setup.text),
    "sendmail": Setup(("milter",), sendmail_setup.text),
    "postfix": Setup(("policy", "sasl", "milter"), postfix_setup.text),
}

EXAMPLES: Mapping[str, str] = {
    "milter": "127.0.0.1:10032",
    "policy": "127.0.0.1:10031",
    "sasl": "127.0.0.1:12345",
    "wforce": "127.0.0.1:8084",
}
"""An address for each, where the settings have none yet."""
