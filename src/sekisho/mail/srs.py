"""Return paths of forwarded letters: the Sender Rewriting Scheme, by which bounces find back through us.

A host that checks SPF refuses a letter that we forward under its writer's address: we are none of his hosts.
`SRS0=HASH=DAY=domain=local@ours` is an address of ours that leads back to him; `SRS1=...` stands for the
SRS0 address of another forwarder, so that no chain of them makes it longer. The hash is ours alone: nobody
makes us send mail to an address that we have not forwarded for, and the day ends its use.
"""

import hmac
import re
from collections.abc import Sequence

from sekisho.model.ident import ALPHABET

LOCAL_OCTETS = 64  # RFC 5321 4.5.3.1.1
HASH_LETTERS = 8
"""40 bits: each guess costs an RCPT."""

DAYS = 1024
DAY = 86_400 * 1_000_000

_SRS0 = re.compile(r"srs0[-+=]([^=]+)=([^=]+)=([^=@]+)=(.+)", re.IGNORECASE)
_SRS1 = re.compile(r"srs1[-+=]([^=]+)=([^=@]+)=([-+=].+)", re.IGNORECASE)


def looks_forwarded(address: str) -> bool:
    return address[:5].lower() in ("srs0=", "srs0+", "srs0-", "srs1=", "srs1+", "srs1-")


def forwarded(sender: str, domain: str, key: bytes, now: int) -> str:
    """The return path to tell other hosts, in `domain`; the sender itself where there is no room for it."""
    local, at, host = sender.rpartition("@")
    if not at or local.startswith('"') or host.startswith("["):
        return sender
    if (once := _SRS1.fullmatch(local)) is not None:
        path = _srs1(once[2].lower(), once[3], key)
    elif _SRS0.fullmatch(local) is not None:
        path = _srs1(host.lower(), local[4:], key)
    else:
        day = _day(now)
        said = f"{day}={host.lower()}={local}"
        path = f"SRS0={_hash(said, key)}={said}"
    return f"{path}@{domain}" if len(path.encode()) <= LOCAL_OCTETS else sender


def reversed_path(address: str, keys: Sequence[bytes], now: int, days: int) -> str:
    """The address that a bounce goes back to; "" for one that none of these keys has made in these days.

    Hosts on the way may have changed the case of all of it.
    """
    local = address.rpartition("@")[0]
    if (once := _SRS1.fullmatch(local)) is not None:
        host, rest = once[2], once[3]
        good = any(_same(once[1], _hash(f"1={host}={rest}", key)) for key in keys)
        return f"SRS0{rest}@{host}" if good else ""
    found = _SRS0.fullmatch(local)
    if found is None or not _recent(found[2], now, days):
        return ""
    said = f"{found[2]}={found[3]}={found[4]}"
    good = any(_same(found[1], _hash(said, key)) for key in keys)
    return f"{found[4]}@{found[3]}" if good else ""


def _srs1(host: str, rest: str, key: bytes) -> str:
    """`rest` begins with the separator behind the other host's "SRS0"."""
    return f"SRS1={_hash(f'1={host}={rest}', key)}={host}={rest}"


def _hash(said: str, key: bytes) -> str:
    digest = hmac.digest(key, b"forwarded 1 " + said.lower().encode("utf-8", "surrogateescape"), "sha256")
    number = int.from_bytes(digest[:5], "big")
    return "".join(ALPHABET[number >> 5 * place & 31] for place in range(HASH_LETTERS - 1, -1, -1))


def _same(given: str, ours: str) -> bool:
    return hmac.compare_digest(given.lower().encode("utf-8", "surrogateescape"), ours.encode())


def _day(now: int) -> str:
    number = now // DAY % DAYS
    return ALPHABET[number >> 5] + ALPHABET[number & 31]


def _recent(day: str, now: int, days: int) -> bool:
    letters = [ALPHABET.find(letter) for letter in day.lower()]
    if len(letters) != 2 or -1 in letters:
        return False
    age = (now // DAY - (letters[0] << 5 | letters[1])) % DAYS
    return age <= days or age == DAYS - 1  # another front's clock may be ahead of ours
