"""Values of the right type that cannot work, found at the start and not at night: addresses, names, zones."""

import ipaddress
import re
import zoneinfo
from collections.abc import Callable
from datetime import date
from typing import Any

from sekisho.model.account import key_of, split
from sekisho.model.phrase import Phrase, phrase
from sekisho.model.text import printable

_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_HOSTNAME = re.compile(rf"(?i:{_LABEL}(\.{_LABEL})*)")
_ENDPOINT = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^:\[\]]+):([0-9]{1,5})")

WIDEST_IPV4, WIDEST_IPV6 = 8, 20
"""Nobody has a larger network of his own than 10.0.0.0/8, nor than the largest that registries gave away."""

PRIVATE_IPV6 = ipaddress.IPv6Network("fc00::/7")

ANY = "*"
"""Stands for a name that the user chose."""

Place = tuple[str, ...]
Rule = Callable[[Any], Phrase | None]


def implausible(place: Place, value: Any) -> Phrase | None:
    """Why this value cannot be meant, or None."""
    for known, rule in _rules().items():
        if len(known) == len(place) and all(
            name in (ANY, said) for name, said in zip(known, place, strict=True)
        ):
            return rule(value)
    return None


def not_a_limited_name(text: str) -> Phrase | None:
    """Names in `queue.limits`: a host or domain, "*", "*.NAME", an address or a network."""
    name = text.removeprefix("*.") if text != "*" else "x"
    if is_hostname(name.lower()) and not is_address(name):
        return None
    try:
        ipaddress.ip_network(text)
    except ValueError:
        return phrase(
            '{value} is not a name such as "example.net" or "*.example.net", nor an address or network',
            value=printable(text, 100),
        )
    return None


def is_hostname(text: str) -> bool:
    """A name of at most 253 characters in labels of letters, digits and hyphens (RFC 1123 2.1)."""
    return len(text) <= 253 and _HOSTNAME.fullmatch(text) is not None


def _rules() -> dict[Place, Rule]:
    return {
        ("hostname",): _hostname,
        ("trusted",): _believed,
        ("zone",): _zone,
        ("listen", ANY, "address"): _listening,
        ("listen", ANY, "proxy_from"): _believed_peers,
        ("listen", ANY, "xclient_from"): _believed_peers,
        ("listen", ANY, "bare_lf_from"): _proxies,
        ("listen", ANY, "peers"): _believed_peers,
        ("listen", ANY, "domain"): _hostname_or_none,
        ("outbound", "smarthost", "host"): _endpoint,
        ("outbound", "smarthosts", ANY, "host"): _endpoint,
        ("outbound", "hosts", ANY): _endpoint,
        ("outbound", "helo"): _hostname_or_none,
        ("outbound", "source"): _address_or_none,
        ("outbound", "own_addresses"): _networks,
        ("outbound", "resolver"): _resolvers,
        ("source", ANY, "addresses"): _addresses,
        ("source", ANY, "helo"): _hostname_or_none,
        ("guard", "webmail"): _networks,
        ("guard", "blocklists"): _domains,
        ("guard", "allow", ANY, "networks"): _networks,
        ("guard", "allow", ANY, "accounts"): _accounts,
        ("guard", "allow", ANY, "until"): _day,
        ("oauth", "jwks"): _https,
        ("oauth", "introspection"): _https,
        ("notify", "webhooks", ANY, "url"): _https_needed,
        ("returns", "plain"): _domains,
        ("sendmail", "domain"): _hostname_or_none,
        ("sendmail", "accounts", ANY): _account,
    }


def _hostname(value: str) -> Phrase | None:
    return None if is_hostname(value) else phrase("{value} is not a host name", value=printable(value, 100))


def _hostname_or_none(value: str) -> Phrase | None:
    return _hostname(value) if value else None


def _networks(value: list[str]) -> Phrase | None:
    for text in value:
        try:
            ipaddress.ip_network(text)
        except ValueError:
            return phrase("{value} is not a network such as 192.0.2.0/24", value=printable(text, 100))
    return None


def _believed(value: list[str]) -> Phrase | None:
    """Networks whose word is taken, to relay or to say whose connection it is: with too much of the internet
    among them this would be an open relay.
    """
    if flaw := _networks(value):
        return flaw
    for text in value:
        if _is_wide(ipaddress.ip_network(text)):
            return phrase(
                "{value} is so much of the internet that this would be an open relay; name your own networks",
                value=text,
            )
    return None


def _believed_peers(value: list[str]) -> Phrase | None:
    return _believed(_without_unix(value))


def _is_wide(network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> bool:
    if isinstance(network, ipaddress.IPv4Network):
        return network.prefixlen < WIDEST_IPV4
    return network.prefixlen < WIDEST_IPV6 and not network.subnet_of(PRIVATE_IPV6)


def _domains(value: list[str]) -> Phrase | None:
    return next((_hostname(text) for text in value if not is_hostname(text.removeprefix("*."))), None)


def _account(value: str) -> Phrase | None:
    if split(key_of(value))[1]:
        return None
    return phrase("{value} is not the address of an account", value=printable(value, 100))


def _https(value: str) -> Phrase | None:
    if not value or re.fullmatch(r"https://[A-Za-z0-9.-]{1,253}(:[0-9]{1,5})?(/[!-~]*)?", value):
        return None
    return phrase("{value} is not a URL such as https://login.example.com/keys", value=printable(value, 100))


def _https_needed(value: str) -> Phrase | None:
    return _https(value or "-")


def _accounts(value: list[str]) -> Phrase | None:
    return next((flaw for text in value if (flaw := _account(text)) is not None), None)


def _day(value: str) -> Phrase | None:
    try:
        date.fromisoformat(value)
    except ValueError:
        return phrase("{value} is not a day such as 2027-03-31", value=printable(value, 100))
    return None


def _proxies(value: list[str]) -> Phrase | None:
    return _networks(_without_unix(value))


def _without_unix(value: list[str]) -> list[str]:
    """The word stands for a unix socket."""
    return [text for text in value if text != "unix"]


def _address_or_none(value: str) -> Phrase | None:
    return None if not value or is_address(value) else _not_address(value)


def _addresses(value: list[str]) -> Phrase | None:
    return next((_not_address(text) for text in value if not is_address(text)), None)


def _resolvers(value: list[str]) -> Phrase | None:
    return next((_not_address(text) for text in value if not _is_resolver(text)), None)


def _zone(value: str) -> Phrase | None:
    try:
        if value:
            zoneinfo.ZoneInfo(value)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return phrase("there is no time zone {value} on this system", value=printable(value, 100))
    return None


def _listening(value: str) -> Phrase | None:
    if value.startswith("unix:") and value != "unix:":
        return None
    match = _ENDPOINT.fullmatch(value)
    if match is None or not _is_port(match[2]):
        return phrase(
            '{value} is not an address to listen on, such as "0.0.0.0:25", "[::]:25" or "unix:smtp.sock"',
            value=printable(value, 100),
        )
    return None if is_address(match[1].strip("[]")) else _not_address(match[1])


def _endpoint(value: str) -> Phrase | None:
    match = _ENDPOINT.fullmatch(value)
    host = match[1] if match is not None and _is_port(match[2]) else ""
    if host.startswith("[") and is_address(host.strip("[]")):
        return None
    if host and not host.startswith("[") and is_hostname(host):
        return None
    return phrase(
        '{value} is not a host such as "mx.example.net:25" or "[192.0.2.1]:25"', value=printable(value, 100)
    )


def _not_address(value: str) -> Phrase:
    return phrase("{value} is not an IP address", value=printable(value, 100))


def is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _is_resolver(text: str) -> bool:
    match = _ENDPOINT.fullmatch(text)
    if match is not None and _is_port(match[2]):
        return is_address(match[1].strip("[]"))
    return is_address(text)


def _is_port(text: str) -> bool:
    return 0 <= int(text) <= 65535
