"""The `.qmail` and `.forward` files of an account: which one speaks for an address, and what it says.

They stand in the account's folder, `mail/DOMAIN/USER/` below the state folder, beside its Maildir. They
belong to root or to the folder's owner, nobody else may write them, and none is a link.
"""

import os

from msgspec import Struct

from sekisho.queue.instructions import FILE_BYTES, Format, Instructions, names, parse
from sekisho.store import guarded
from sekisho.store.paths import mailbox_folder


class Orders(Struct, frozen=True):
    """`file` is "" where there is none, and the letter goes into the mailbox. `owner`: a file beside it says
    that bounces of what is forwarded go to an address of its own."""

    file: str
    instructions: Instructions
    owner: bool = False


def read(state: str, account: str, extension: str, style: Format) -> Orders | None:
    """None when no file speaks for it. Raises Unavailable for a file that must not be believed: the letter
    waits, for the file may say that it goes elsewhere."""
    folder = os.path.dirname(mailbox_folder(account))
    try:
        handle = os.open(f"{state}/{folder}", os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:  # before the first letter there is no folder
        return None
    try:
        for name in names(extension, style):
            text = guarded.read(name, FILE_BYTES, handle)
            if text is not None:
                owner = style == "qmail" and guarded.read(f"{name}-owner", FILE_BYTES, handle) is not None
                return Orders(f"{folder}/{name}", parse(text.data, style, account), owner)
    finally:
        os.close(handle)
    return None
