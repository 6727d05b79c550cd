"""The connection to the server: SMTP over its unix socket, blocking, one letter."""

import contextlib
import select
import socket
import time
from types import TracebackType
from typing import BinaryIO, Self

from sekisho.cli.sendmail_options import Options

LIMIT_ASKED = 1024 * 1024
"""A letter larger than this is measured while it is read; smaller ones cost no question."""

PATIENCE_S = 5.0
"""How long to try again while the server restarts, or has too many of our connections."""

REPLY_S, FINAL_S = 300, 600  # RFC 5321 4.5.3.2
AT_ONCE = 50
"""Recipients sent ahead of their replies: more could fill both directions, and nobody would read."""

BLOCK_BYTES = 65536


class Told(Exception):
    """It did not work. `kind` says at what; `code` and `text`: the reply, or 0 and what the system says."""

    def __init__(self, kind: str, code: int, text: str) -> None:
        super().__init__(kind, code, text)
        self.kind = kind
        self.code = code
        self.text = text


class Line:
    """Connected and greeted; `domain` is what names without one belong to. Raises Told."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._unread = b""
        self.receipt = ""
        self._sock, greeting = self._greeted()
        self.domain = greeting.split()[-1].encode()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._sock.close()

    def size_limit(self) -> int:
        """Most bytes of a letter."""
        with self:
            for line in self._hello():
                if line[4:].startswith("SIZE "):
                    return int(line[9:])
        return 1 << 62

    def submit(self, sender: bytes, recipients: list[bytes], letter: bytes, options: Options) -> None:
        """All recipients are taken, or nothing is sent."""
        self._hello()
        plain = sender.isascii() and all(recipient.isascii() for recipient in recipients)
        self._say(_mail(sender, letter, options, plain=plain))
        self._expect("sender")
        notify = f" NOTIFY={options.notify}" if options.notify else ""
        for start in range(0, len(recipients), AT_ONCE):
            some = recipients[start : start + AT_ONCE]
            self._say(b"".join(b"RCPT TO:<%s>%s\r\n" % (one, notify.encode()) for one in some))
            for one in some:
                self._expect("recipient", about=one)
        self._say(b"DATA\r\n")
        self._expect("letter", positive="3")
        self._say(letter)
        self._sock.settimeout(FINAL_S)
        self.receipt = self._expect("letter", late=True)
        with contextlib.suppress(OSError):
            self._sock.sendall(b"QUIT\r\n")

    def pass_through(self, source: BinaryIO, sink: BinaryIO) -> None:
        """Somebody else speaks SMTP (-bs)."""
        sink.write(self._greeting)
        sink.flush()
        open_ends: list[BinaryIO | socket.socket] = [source, self._sock]
        while self._sock in open_ends:
            ready, _, _ = select.select(open_ends, [], [])
            if self._sock in ready:
                data = self._sock.recv(BLOCK_BYTES)
                if not data:
                    return
                sink.write(data)
                sink.flush()
            elif source in ready:
                data = source.read1(BLOCK_BYTES)  # type: ignore[attr-defined]
                if not data:
                    self._sock.shutdown(socket.SHUT_WR)
                    open_ends.remove(source)
                with contextlib.suppress(OSError):  # it has gone: its last words come next
                    self._sock.sendall(data)

    def _greeted(self) -> tuple[socket.socket, str]:
        until = time.monotonic() + PATIENCE_S
        while True:
            try:
                return self._connected()
            except Told as told:
                if told.code >= 500 or time.monotonic() >= until:
                    raise
            time.sleep(0.1)

    def _connected(self) -> tuple[socket.socket, str]:
        sock = self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.settimeout(REPLY_S)
        try:
            sock.connect(self._path)
            greeting = self._expect("greeting")
        except OSError as error:
            sock.close()
            raise Told("gone", 0, f"{self._path}: {error.strerror or error}") from error
        except Told:
            sock.close()
            raise
        self._greeting = greeting.encode() + b"\r\n"
        return sock, greeting

    def _hello(self) -> list[str]:
        self._say(b"EHLO localhost\r\n")
        return self._expect("greeting").split("\n")

    def _say(self, data: bytes) -> None:
        try:
            self._sock.sendall(data)
        except OSError as error:
            # Its last words may say why: what was too much, who is not wanted.
            self._expect("letter", positive="")
            raise Told("lost", 0, error.strerror or str(error)) from error

    def _expect(self, kind: str, *, positive: str = "2", late: bool = False, about: bytes = b"") -> str:
        """The next reply, its lines as they came. Raises Told for any but a positive one."""
        lines = []
        while True:
            line = self._line(late=late)
            lines.append(line)
            if line[3:4] != "-":
                break
        if not positive or not line.startswith(positive):
            name = f"{about.decode('utf-8', 'replace')}: " if about else ""
            code = int(line[:3]) if line[:3].isdigit() else 0
            raise Told(kind, code, line) if not name else Told(kind, code, f"{line} <{name[:-2]}>")
        return "\n".join(lines)

    def _line(self, *, late: bool) -> str:
        while b"\r\n" not in self._unread:
            try:
                data = self._sock.recv(BLOCK_BYTES)
            except TimeoutError as error:
                raise Told("silent", 0, "") from error
            except OSError as error:
                raise Told("unsure" if late else "lost", 0, error.strerror or str(error)) from error
            if not data:
                raise Told("unsure" if late else "lost", 0, "")
            self._unread += data
        line, _, self._unread = self._unread.partition(b"\r\n")
        return line.decode("utf-8", "replace")


def _mail(sender: bytes, letter: bytes, options: Options, *, plain: bool) -> bytes:
    words = [b"MAIL FROM:<%s> SIZE=%d" % (sender, len(letter))]
    if not letter.isascii():
        words.append(b"BODY=8BITMIME")
    if not plain:
        words.append(b"SMTPUTF8")
    if options.ret:
        words.append(b"RET=" + options.ret.encode())
    if options.envid:
        words.append(b"ENVID=" + options.envid.encode())
    return b" ".join(words) + b"\r\n"
