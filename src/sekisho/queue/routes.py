"""Over which road an address is reached: a mailbox of ours, a host named in the settings, the smarthost, or
MX.

Pure: whether the address is ours, and where its mailbox is, has been found out by the caller.
"""

from sekisho.model.config import Outbound
from sekisho.model.delivery import Kind, Route, Tls
from sekisho.queue.limits import ASIDE

LANE_MAX = 300
"""Longest name of a lane; longer domains do not exist (RFC 1035 2.3.4), longer folders share a lane."""

SMARTHOST = "smarthost"
"""Value of `Route.credentials` that stands for the user and password of the smarthost's settings; with
":NAME" for those of a named one.
"""


def route_for(address: str, mailbox: str, outbound: Outbound) -> Route:
    """`address` is final: aliases are behind us. `mailbox` is its folder, "" for addresses of other hosts."""
    if mailbox:
        return Route(Kind.MAILDIR, mailbox, _lane("maildir", mailbox), tls=Tls.NONE)
    _, at, domain = address.lower().rpartition("@")
    if not at or not domain:
        return refusing("5.1.3", "an address without a domain leads nowhere")
    if host := outbound.hosts.get(domain):
        return Route(Kind.RELAY, host, _lane("relay", host), outbound.source)
    return smarthost_route(outbound) or mx_route(domain, outbound)


def mx_route(domain: str, outbound: Outbound) -> Route:
    """As DNS says."""
    return Route(Kind.MX, domain, _lane("mx", domain), outbound.source)


def route_to(hop: str, outbound: Outbound) -> Route:
    """As a rule of the settings says it: a host, or "mx:NAME" for the mail servers of a name."""
    if hop.startswith("mx:"):
        return mx_route(hop.removeprefix("mx:").lower(), outbound)
    return Route(Kind.RELAY, hop, _lane("relay", hop), outbound.source)


def smarthost_route(outbound: Outbound, name: str = "") -> Route | None:
    """`name` is one of `outbound.smarthosts`, "" the one for everything; None when there is none."""
    smarthost = outbound.smarthosts.get(name) if name else outbound.smarthost
    if smarthost is None:
        return None
    mark = f"{SMARTHOST}:{name}" if name else SMARTHOST
    credentials = mark if smarthost.user else ""
    lane = _lane("relay", f"{smarthost.host}{ASIDE}{name}" if name else smarthost.host)
    return Route(Kind.RELAY, smarthost.host, lane, outbound.source, Tls(smarthost.tls), credentials)


def refusing(status: str, why: str) -> Route:
    """To nobody: the sender is told why."""
    return Route(Kind.REFUSE, f"{status} {why}", "refuse")


def list_route(name: str) -> Route:
    """To all behind an alias, as a letter of its owner's: `owner-NAME` gets the bounces."""
    return Route(Kind.LIST, name, _lane("list", name), tls=Tls.NONE)


def lmtp_route(server: str) -> Route:
    """To a server that keeps the mailboxes: "unix:/PATH", or a host as the settings write one."""
    return Route(Kind.LMTP, server, _lane("lmtp", server), tls=Tls.NONE)


def _lane(kind: str, name: str) -> str:
    return f"{kind}:{name}"[:LANE_MAX]
