"""Prints DNS records as lines of a zone file, each with its reason."""

import contextlib
import os
from collections.abc import Iterable, Iterator

from sekisho.cli import speech
from sekisho.host import HostClock, HostDisk
from sekisho.model.config import Config
from sekisho.model.phrase import phrase
from sekisho.service.founding import Record, dkim_folder
from sekisho.store.keys import make_dkim_keys


def print_records(records: Iterable[Record]) -> None:
    for record in records:
        speech.tell(f"  ; {speech.texts().say(record.why)}")
        value = record.value or speech.texts().say(phrase("<address>"))
        speech.tell(f"  {record.name} IN {record.kind} {value}")


def make_keys(config: Config, domain: str) -> None:
    """DKIM keys of a new domain; keys that are there from before stay."""
    disk, folder = HostDisk(), dkim_folder(config.state, domain)
    if not disk.exists(folder):
        with owned(folder):
            make_dkim_keys(disk, folder, HostClock().now())


@contextlib.contextmanager
def owned(folder: str) -> Iterator[None]:
    """What root makes in it belongs to the role that signs, as the folder above does."""
    yield
    if os.geteuid() != 0 or not os.path.isdir(folder):
        return
    above = os.stat(os.path.dirname(folder))
    for path in (folder, *(os.path.join(folder, name) for name in os.listdir(folder))):
        os.chown(path, above.st_uid, above.st_gid, follow_symlinks=False)
