"""A qmail queue written after its documented layout (INTERNALS): no program of qmail is in Debian.

`Qmail` writes what qmail-queue and qmail-send write, and can be the qmail-send that runs.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

SPLIT = 23
RECEIVED = """\
Received: (qmail 4711 invoked from network); 24 Nov 2026 18:55:02 -0000
Received: from unknown (HELO laptop) ({info}{address})
  by mx.theirs.example with ESMTPA; 24 Nov 2026 18:55:02 -0000
"""


class Qmail:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for kind in ("mess", "info", "local", "remote"):
            for number in range(SPLIT):
                (folder / kind / str(number)).mkdir(parents=True)
        for kind in ("todo", "intd", "bounce", "pid", "lock"):
            (folder / kind).mkdir()
        (folder / "lock" / "sendmutex").touch()
        os.mkfifo(folder / "lock" / "trigger")

    def path(self, kind: str, number: str) -> Path:
        return self.folder / kind / str(int(number) % SPLIT) / number

    def put(self, sender: str, text: str, *, login: str = "", born: int = 1795553061, **channels: str) -> str:
        """A letter that qmail-send has taken on. `local`, `remote`: "T a@b D c@d"."""
        number = self._message(text, login)
        self.path("info", number).write_bytes(f"F{sender}\0".encode())
        os.utime(self.path("info", number), (born, born))
        for channel, records in channels.items():
            words = records.split()
            pairs = zip(words[0::2], words[1::2], strict=True)
            self.path(channel, number).write_bytes("".join(f"{mark}{to}\0" for mark, to in pairs).encode())
        return number

    def arriving(self, sender: str, recipient: str, login: str = "") -> str:
        """A letter that qmail-queue has just put into todo/."""
        number = self._message("Subject: new\n\nx\n", login)
        (self.folder / "todo" / number).write_bytes(f"u7\0p9\0F{sender}\0T{recipient}\0".encode())
        return number

    def _message(self, text: str, login: str) -> str:
        written = self.folder / "pid" / "4711.1"
        info = f"{login}@" if login else ""
        written.write_text(RECEIVED.format(info=info, address="192.0.2.7") + text)
        number = str(written.stat().st_ino)
        written.rename(self.path("mess", number))
        return number

    def clean(self) -> None:
        """As qmail-send does at its next pass: who has reached everybody is gone."""
        for info in (self.folder / "info").glob("*/*"):
            number = info.name
            files = [self.path(channel, number) for channel in ("local", "remote")]
            if not any(b"T" in path.read_bytes() for path in files if path.exists()):
                for path in (*files, info, self.path("mess", number)):
                    path.unlink(missing_ok=True)

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Somebody holds the lock that qmail-send holds."""
        with open(self.folder / "lock" / "sendmutex", "ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def files(self) -> dict[str, bytes]:
        """All of it but our own folder, by path."""
        found = (path for path in self.folder.rglob("*") if path.is_file())
        return {
            str(path.relative_to(self.folder)): path.read_bytes()
            for path in found
            if "sekisho" not in path.parts
        }
