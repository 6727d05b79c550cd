"""Names in the state folder: where a mailbox is, and how a file is called towards SQLite."""

import re

from sekisho.model.account import split
from sekisho.queue.aliases import names_of

DELIMITERS = "+-=_."
"""Every character that a domain may have chosen to end its users' names."""

_HARMLESS = re.compile(r"[a-z0-9._=+-]")


def mailbox_folder(key: str) -> str:
    """`mail/DOMAIN/USER/Maildir`, relative to the state folder: another for every address, none outside."""
    local, domain = split(key)
    return f"mail/{_component(domain)}/{_component(local)}/Maildir"


def divided(key: str, mailbox: str) -> tuple[str, str]:
    """The account whose mailbox folder this is, and the extension by which it was written to."""
    for name in names_of(key, DELIMITERS):
        if mailbox_folder(name) == mailbox:
            return name, split(key)[0][len(split(name)[0]) + 1 :]
    return key, ""


def _component(text: str) -> str:
    """One name in a path. Whatever is not plain becomes %XX of its UTF-8, as does a first dot or hyphen."""
    name = "".join(char if _HARMLESS.fullmatch(char) else _escaped(char) for char in text)
    return _escaped(name[0]) + name[1:] if name[:1] in (".", "-") else name or "%"


def _escaped(char: str) -> str:
    return "".join(f"%{byte:02x}" for byte in char.encode("utf-8", "surrogatepass"))


def uri(path: str) -> str:
    """SQLite's URI of a file, in which %, ? and # mean something; it is not created."""
    quoted = path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    return f"file:{quoted}?mode=rw"
