"""sendmail's terms as rules: LOCAL_RELAY, MAIL_HUB, LOCAL_USER and FEATURE(stickyhost), as sendmail 8.17
routes; and its ways of spelling an address.
"""

from collections.abc import Iterator

from sekisho.model.address import BadAddress, parse_path
from sekisho.model.config_routing import Rule, SendmailTerms
from sekisho.queue.hops import parse_hop

Item = tuple[str, Rule]

USER, HUB, RELAY = "sendmail.local_user", "sendmail.mail_hub", "sendmail.local_relay"

_MAILERS = ("smtp:", "esmtp:", "relay:")


def rules_of(terms: SendmailTerms) -> list[Item]:
    """In the order in which sendmail asks; a hub comes before a relay."""
    return [*_users(terms), *_hub(terms), *_relay(terms)]


def _users(terms: SendmailTerms) -> Iterator[Item]:
    names = tuple(f"{name}@" for name in terms.local_user)
    if not names:
        return
    if not terms.exact:  # else, as measured, a sticky hub takes root@ours all the same
        yield USER, Rule(recipients=names, to="local", aliases="before")
    yield USER, Rule(recipients=names, to="local")


def _hub(terms: SendmailTerms) -> Iterator[Item]:
    if not terms.mail_hub:
        return
    to, moved = next_hop(terms.mail_hub), _moved(terms, terms.mail_hub)
    if not terms.stickyhost:
        yield HUB, Rule(recipients=("ours",), to=to, address=moved, verify=terms.verify)
        return
    yield HUB, Rule(recipients=("ours",), to=to, aliases="before", verify=terms.verify)
    yield HUB, Rule(recipients=("bare",), to=to, address=moved, verify=terms.verify)


def _relay(terms: SendmailTerms) -> Iterator[Item]:
    if not terms.local_relay:
        return
    to, moved = next_hop(terms.local_relay), _moved(terms, terms.local_relay)
    if not terms.stickyhost:
        recipients: tuple[str, ...] = ("ours",)
    elif terms.exact:
        recipients = ("bare", "*+*@")  # measured: a name with an extension loses its domain, and so its host
    else:
        recipients = ("bare",)
    yield RELAY, Rule(recipients=recipients, to=to, address=moved, verify=terms.verify)


def next_hop(text: str) -> str:
    """`smtp:NAME` goes to the mail servers of NAME, `smtp:[NAME]` to that very host."""
    for mailer in _MAILERS:
        text = text.removeprefix(mailer)
    if not text.startswith("["):
        return f"mx:{text}"
    name, _, port = text[1:].partition("]")
    inside = f"[{name}]" if ":" in name or name.replace(".", "").isdigit() else name
    return inside + port


def _moved(terms: SendmailTerms, text: str) -> str:
    if not terms.exact:
        return "keep"
    hop = parse_hop(next_hop(text).removeprefix("mx:"), 25)
    if hop is None:
        return "keep"  # the settings' check has told of it
    literal = f"[IPv6:{hop.host}]" if ":" in hop.host else f"[{hop.host}]"
    return "@" + (literal if hop.is_address else hop.host)


def unfolded(local: str) -> str | None:
    """`user%host` as `user@host`; None where there is no such host (RFC 1123 5.2.16 lets a host do so)."""
    user, percent, host = local.rpartition("%")
    if not percent or not user:
        return None
    mailbox = parse_path(f"{user}@{host}".encode())
    return None if mailbox is None or isinstance(mailbox, BadAddress) or not mailbox.domain else str(mailbox)
