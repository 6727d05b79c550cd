"""The doors to the outside, as Protocols. Services get one World; the core gets values and never sees it.

A door that cannot answer raises `Unavailable`, which becomes *defer* at one place. The real doors stand in
`host`, `net` and `store`; fakes of all of them in `testing`.
"""

from collections.abc import Awaitable, Callable, Coroutine, Generator, Sequence
from types import TracebackType
from typing import Any, Literal, Protocol, Self

from msgspec import Struct

from sekisho.mail.tlsa import Pins, Tlsa


class Unavailable(Exception):
    """The world did not answer: a resolver, a disk, a database, a peer. Says which, and what to tell the
    operator."""

    def __init__(self, door: str, why: str) -> None:
        super().__init__(f"{door}: {why}")
        self.door = door
        self.why = why


class Clock(Protocol):
    def now(self) -> int:
        """Microseconds since the epoch; may jump."""

    def ticks(self) -> int:
        """Microseconds of a clock that never goes backwards."""

    async def sleep(self, seconds: float) -> None: ...


class Chance(Protocol):
    def bits(self, count: int) -> int: ...

    def data(self, count: int) -> bytes: ...

    def between(self, low: float, high: float) -> float: ...


class MxHost(Struct, frozen=True):
    preference: int
    name: str


class Dns(Protocol):
    """Answers are empty for "exists without such a record" and NotFound for "no such name"; else
    Unavailable."""

    async def mx(self, domain: str) -> Sequence[MxHost]: ...

    async def addresses(self, name: str, family: int = 0) -> Sequence[str]:
        """`family` is 4 or 6; 0 is both, IPv4 first."""

    async def txt(self, name: str) -> Sequence[bytes]: ...

    async def ptr(self, address: str) -> Sequence[str]: ...

    async def validates(self) -> str:
        """ "" when the answers below may be believed: somebody validates DNSSEC for us, which has been tried
        out. Else why not.
        """

    async def proof(self, kind: Literal["mx", "addresses"], name: str) -> "Proof":
        """How sure the answer to that question is."""

    async def tlsa(self, name: str) -> Sequence[Tlsa]:
        """Empty for "none, validated" and for "not signed"; Unavailable when the answer is forged."""


class Proof(Struct, frozen=True):
    """`secure`: every record of the answer, and every alias on the way, was validated (RFC 4035 AD).
    `canonical` is the name behind all aliases.
    """

    secure: bool
    canonical: str


class NoTls(Unavailable):
    """No encryption as it was wanted. `result` is the name that RFC 8460 4.3 has for it."""

    def __init__(self, door: str, why: str, result: str) -> None:
        super().__init__(door, why)
        self.result = result


class NotFound(Exception):
    """The name does not exist (NXDOMAIN): the one certain no that DNS can give."""


class Stream(Protocol):
    """A connection that we opened. Every call raises Unavailable on reset, end or deadline."""

    async def read(self) -> bytes:
        """What has arrived, at least one byte; b"" at end of stream."""

    async def write(self, data: bytes) -> None: ...

    async def start_tls(self, name: str, verify: bool, pins: Pins | None = None) -> str:
        """Handshake; returns a description such as "TLSv1.3 TLS_AES_256_GCM_SHA384".

        `verify`: the certificate is valid for `name`; with `pins` these decide instead. Raises NoTls.
        """

    def close(self) -> None: ...


class Net(Protocol):
    async def dial(self, address: str, port: int, timeout_s: float, source: str = "") -> Stream:
        """`address` is that of a host, or the absolute path of a unix socket."""


Buffer = bytes | bytearray | memoryview


class NewFile(Protocol):
    """A file being written part by part. As a context manager it is removed unless `finish` was reached."""

    def write(self, data: bytes) -> None: ...

    def finish(self) -> None:
        """fsync and close. The name is durable only after `Disk.sync_folder`."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class FixedFile(Protocol):
    """A file that never grows: its blocks stood on the disk before it was used, so that to sync it is to sync
    data only."""

    def write(self, offset: int, data: Buffer) -> None:
        """Durable only after `sync`. When either fails, nothing is known of these bytes: use another file."""

    def sync(self) -> None: ...

    def read(self, offset: int, size: int) -> bytes: ...

    def close(self) -> None: ...


class Folder(Protocol):
    """A folder held open, for what others can write into too: no symbolic link in it is followed, and names
    are single names. All calls block. A context manager, closed at its end.
    """

    def enter(self, name: str) -> "Folder":
        """Opens the folder of this name; FileNotFoundError when there is none."""

    def make(self, name: str) -> None:
        """A folder, if there is none of this name. When it returns the name is durable."""

    def create(self, name: str) -> NewFile: ...

    def move(self, name: str, to: "Folder", new: str) -> None:
        """Rename. Durable only after `to.sync`."""

    def unlink(self, name: str) -> None: ...

    def names(self) -> Sequence[str]: ...

    def start(self, name: str, size: int) -> bytes:
        """At most the first `size` bytes of a file; b"" of what is no plain file."""

    def size(self, name: str) -> int: ...

    def read(self, name: str, most: int) -> bytes:
        """The first bytes of a plain file that has this one name only; Unavailable if it is anything else."""

    def append(self, name: str, data: bytes) -> None:
        """One write at the end of such a file."""

    def changed_at(self, name: str) -> int:
        """When the file, or anything about it, was changed, in microseconds: a time that its owner cannot
        set."""

    def sync(self) -> None: ...

    def close(self) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Disk(Protocol):
    """The file operations whose order decides whether mail survives. Paths are strings; all calls block."""

    def write_new(self, path: str, parts: Sequence[bytes]) -> None:
        """Create exclusively, write, fsync the file. The name is durable only after sync_folder."""

    def create(self, path: str) -> NewFile:
        """Create exclusively, to be written part by part."""

    def fixed(self, path: str, size: int) -> FixedFile:
        """Opens `path`; when there is none of this size, it is made anew, filled with zeros and synced. The
        name is durable only after sync_folder."""

    def sync_folder(self, path: str) -> None: ...

    def rename(self, old: str, new: str) -> None: ...

    def link(self, old: str, new: str) -> None: ...

    def unlink(self, path: str) -> None: ...

    def folder(self, path: str) -> Folder:
        """Opened as any path is, links followed; FileNotFoundError when there is none."""

    def read(self, path: str) -> bytes: ...

    def read_part(self, path: str, offset: int, size: int) -> bytes:
        """At most `size` bytes from `offset`; b"" at the end."""

    def lock(self, path: str) -> Callable[[], None]:
        """Make this process the one that owns `path`; Unavailable if another does. Returns how to give it
        up."""

    def exists(self, path: str) -> bool: ...

    def list(self, path: str) -> Sequence[str]: ...

    def make_folders(self, path: str) -> None:
        """With all folders above it. When it returns their names are durable."""

    def free_bytes(self, path: str) -> int: ...


class Promise(Protocol):
    """An answer that another thread owes: awaited or watched, on the loop's thread only."""

    def set_result(self, result: Any, /) -> None: ...

    def set_exception(self, exception: BaseException, /) -> None: ...

    def done(self) -> bool: ...

    def result(self) -> Any: ...

    def add_done_callback(self, fn: Callable[[Any], object], /) -> None: ...

    def __await__(self) -> Generator[Any, None, Any]: ...


class Bell(Protocol):
    """How a thread tells the loop something: promises are made and kept on the loop, one ring a batch."""

    def promise(self) -> Promise: ...

    def ring(self, call: Callable[[], None]) -> None:
        """Run `call` soon on the loop's thread. May be called from any thread."""


class Worker(Protocol):
    """One thread that takes turns when it is poked; pokes while a turn is owed cost nothing."""

    def poke(self) -> None: ...

    def stop(self) -> None:
        """Returns when the last turn has ended."""


class Spawn(Protocol):
    """Work beside the caller."""

    def task(self, name: str, work: Coroutine[Any, Any, None]) -> None: ...

    async def thread(self, work: Callable[[], Any]) -> Any:
        """Run blocking work in the bounded pool."""

    async def stop(self) -> None:
        """Ends tasks that still run and waits for the threads."""

    def bell(self) -> Bell:
        """A bell of the running loop."""

    def worker(self, name: str, turn: Callable[[], float]) -> Worker:
        """`turn` returns the seconds after which it wants another turn unasked; 0 for never."""


class World(Struct, frozen=True):
    clock: Clock
    chance: Chance
    dns: Dns
    net: Net
    disk: Disk
    spawn: Spawn
    database: Callable[[str], Any] | None = None


Later = Awaitable[None]
