"""Where dialogues are played: on the server machine, with a postmaster who answers, or on a live server."""

import contextlib
import socket
import ssl
from typing import Self

from msgspec import Struct

from sekisho.model.verdict import Reply
from sekisho.testing.dialogue import Dialogue, NotPlayable, play
from sekisho.wire import scram
from sekisho.wire.smtp_server import ServerSettings, SmtpServer
from sekisho.wire.steps import (
    BodyEnd,
    Data,
    Hello,
    Help,
    Login,
    Mail,
    Noop,
    Opened,
    Quit,
    Rcpt,
    Refused,
    Reset,
    ScramBegun,
    ScramProof,
    StartTls,
    Step,
    Verify,
    Violated,
    XClient,
)

HOSTNAME = "mx.example.com"
PEOPLE = ("alice@example.com", "bob@example.com", "postmaster@example.com", "postmaster")
PASSWORD = b"correct horse"


class Letter(Struct, frozen=True):
    sender: str
    recipients: tuple[str, ...]
    content: bytes


class Postmaster:
    """Answers each step as a small honest server would, and keeps the letters it took."""

    def __init__(self) -> None:
        self.letters: list[Letter] = []
        self.steps: list[Step] = []
        self._known = False
        self._sender = ""
        self._recipients: list[str] = []
        self._parts: list[bytes] = []

    def answer(self, step: Step) -> Reply | None:
        """None for steps that owe nothing."""
        self.steps.append(step)
        match step:
            case bytes():
                self._parts.append(step)
            case Refused() | Violated():
                return None
            case Opened() | XClient():
                return Reply(220, "", f"{HOSTNAME} ESMTP")
            case Hello():
                self._forget()
                return Reply(250, "", HOSTNAME)
            case StartTls():
                self._known = False
                return Reply(220, "2.0.0", "go ahead")
            case Login():
                return self._login(step)
            case ScramBegun():
                return Reply(334, "", scram.server_first(step.nonce, "3rfc", b"salt", 4096))
            case ScramProof():
                return Reply(535, "5.7.8", "wrong name or password")
            case _:
                return self._transaction(step)
        return None

    def _transaction(self, step: Step) -> Reply:
        match step:
            case Mail():
                self._forget()
                self._sender = step.path
                return Reply(250, "2.1.0", "ok")
            case Rcpt():
                return self._rcpt(step.path)
            case Data():
                self._parts = []
                return Reply(354, "", "end with a dot")
            case BodyEnd():
                return self._end(step)
            case Reset():
                self._forget()
            case Verify():
                return Reply(252, "2.5.0", "send it and see")
            case Help():
                return Reply(214, "2.0.0", "see RFC 5321")
            case Quit():
                return Reply(221, "2.0.0", "bye")
            case Noop():
                pass
        return Reply(250, "2.0.0", "ok")

    def _login(self, step: Login) -> Reply:
        self._known = step.identity in PEOPLE and step.password.reveal() == PASSWORD
        if self._known:
            return Reply(235, "2.7.0", "welcome")
        return Reply(535, "5.7.8", "wrong name or password")

    def _rcpt(self, path: str) -> Reply:
        if not self._known and not path.endswith("@example.com") and path != "postmaster":
            return Reply(550, "5.7.1", "we do not relay for you")
        if path.endswith("@example.com") and path not in PEOPLE:
            return Reply(550, "5.1.1", "no such mailbox here")
        self._recipients.append(path)
        return Reply(250, "2.1.5", "ok")

    def _end(self, step: BodyEnd) -> Reply:
        letter = Letter(self._sender, tuple(self._recipients), b"".join(self._parts))
        self._forget()
        if step.flaw is not None:
            return step.flaw
        self.letters.append(letter)
        return Reply(250, "2.6.0", f"queued as {len(self.letters)}")

    def _forget(self) -> None:
        self._sender, self._recipients, self._parts = "", [], []


class OnMachine:
    """The peer is a machine in this process. Bytes reach it in pieces of `piece` octets; 0: as sent."""

    def __init__(self, settings: ServerSettings, piece: int = 0) -> None:
        self.machine = SmtpServer(settings)
        self.postmaster = Postmaster()
        self.piece = piece
        self._lines: list[bytes] = []
        self._greeted = False
        for step in self.machine.receive(b""):  # the postmaster waits a moment before he says 220
            assert isinstance(step, Opened)

    def send(self, data: bytes) -> None:
        size = self.piece or len(data) or 1
        for start in range(0, len(data), size):
            self._feed(data[start : start + size])

    def line(self) -> bytes | None:
        if not self._greeted:
            self._greeted = True
            self._reply(Opened())
            self._feed(b"")
        return self._lines.pop(0) if self._lines else None

    def closed(self) -> bool:
        return self.machine.closed and not self._lines

    def quiet(self) -> bool:
        return not self._lines

    def start_tls(self) -> None:
        assert self.machine.tls_wanted, "the machine does not want TLS"
        self.machine.tls_started("TLSv1.3")

    def silence(self) -> None:
        self.machine.expire()
        self._collect()

    def _feed(self, data: bytes) -> None:
        for step in self.machine.receive(data):
            self._reply(step)
        self._collect()

    def _reply(self, step: Step) -> None:
        reply = self.postmaster.answer(step)
        if reply is not None:
            self.machine.reply(reply)

    def _collect(self) -> None:
        self._lines += self.machine.take().splitlines()


class OnServer:
    """The peer is a server at the end of a TCP connection. It is our own: its certificate is not examined."""

    def __init__(self, host: str, port: int, dialogue: Dialogue, timeout_s: float = 10.0) -> None:
        self._context = ssl.create_default_context()
        self._context.check_hostname = False
        self._context.verify_mode = ssl.CERT_NONE
        self._stream = socket.create_connection((host, port), timeout_s)
        self._timeout_s = timeout_s
        self._read = b""
        self._ended = False
        if dialogue.listener == "submissions":
            self.start_tls()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *ignored: object) -> None:
        self._stream.close()

    def send(self, data: bytes) -> None:
        with contextlib.suppress(OSError):  # it may close before it has read everything; its last words count
            self._stream.sendall(data)

    def line(self) -> bytes | None:
        while b"\r\n" not in self._read and self._more(self._timeout_s):
            pass
        line, end, rest = self._read.partition(b"\r\n")
        self._read = rest if end else self._read
        return line if end else None

    def closed(self) -> bool:
        while not self._ended and not self._read and self._more(self._timeout_s):
            pass
        return self._ended and not self._read

    def quiet(self) -> bool:
        return not self._read and not self._more(QUIET_S)

    def start_tls(self) -> None:
        self._stream = self._context.wrap_socket(self._stream)

    def silence(self) -> None:
        raise NotPlayable("nobody waits for a live server's patience to end")

    def _more(self, wait_s: float) -> bool:
        """Reads once; False at the end of the stream or of the patience."""
        self._stream.settimeout(wait_s)
        try:
            got = self._stream.recv(65536)
        except TimeoutError:
            return False
        except OSError:
            got = b""
        self._ended = not got
        self._read += got
        return bool(got)


QUIET_S = 0.3


def settings_for(dialogue: Dialogue) -> ServerSettings:
    """The machine behind the dialogue's listener."""
    return ServerSettings(
        hostname=HOSTNAME,
        size_limit=dialogue.size_limit,
        starttls=dialogue.listener != "submissions",
        auth=dialogue.listener.startswith("submission"),
        implicit_tls=dialogue.listener == "submissions",
        lmtp=dialogue.listener == "lmtp",
        speaks="qmail" if dialogue.listener == "qmail" else "sekisho",
    )


def play_on_machine(dialogue: Dialogue, piece: int = 0) -> OnMachine:
    """Plays it and returns the peer, whose postmaster has the letters."""
    peer = OnMachine(settings_for(dialogue), piece)
    play(dialogue, peer)
    assert peer.quiet(), f"{dialogue.name}: the server said more: {peer.line()!r}"
    return peer


def play_on_server(dialogue: Dialogue, host: str, port: int) -> str:
    """Plays it on a live server that serves the cast of all dialogues; returns the transcript. It blocks."""
    with OnServer(host, port, dialogue) as peer:
        return play(dialogue, peer)
