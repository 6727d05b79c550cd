"""The demo's own mail client, against a server that answers from a list."""

import asyncio
from collections.abc import Iterable
from pathlib import Path
from ssl import PROTOCOL_TLS_SERVER, SSLContext

from sekisho.host import HostDisk
from sekisho.lab.player import Call, Caller, Doorway, Paper, call
from sekisho.model.secret import Secret
from sekisho.store.keys import make_certificate

PAPER = Paper(
    "letter-1@demo.example", "a@example.com", ("b@host1.example", "c@host2.example"), "Hello", "One\n.\n..two"
)
CALLER = Caller("198.51.100.7", "client.example", "a@example.com", Secret(b"secret"))


class Server:
    """Says the given replies one after another; keeps what it heard. STARTTLS is real."""

    def __init__(self, folder: Path, replies: Iterable[str]) -> None:
        self.path = str(folder / "door")
        self._replies = iter(replies)
        self.heard: list[str] = []
        certificate, key = str(folder / "cert.pem"), str(folder / "key.pem")
        make_certificate(HostDisk(), "mx.example.com", certificate, key, 1_790_000_000_000_000)
        self._context = SSLContext(PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate, key)
        self.door = Doorway(path=self.path, hostname="mx.example.com", authority=certificate)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.heard.append((await reader.readline()).decode())
        writer.write(b"220 here\r\n")
        in_body = False
        while line := (await reader.readline()).decode():
            self.heard.append(line)
            if in_body and line != ".\r\n":
                continue
            reply = next(self._replies, "")
            if not reply:
                break
            in_body = reply.startswith("354")
            writer.write(reply.encode() + b"\r\n")
            if line == "STARTTLS\r\n":
                await writer.start_tls(self._context)
        writer.close()

    async def answer(self, caller: Caller, *papers: Paper) -> Call:
        server = await asyncio.start_unix_server(self._serve, self.path)
        async with server:
            return await call(self.door, caller, papers)


IN, OK, QUEUED = "235 2.7.0 ok", "250 2.1.0 ok", "250 2.6.0 queued as 0abc"
START = ("250-here\r\n250 STARTTLS", "220 go", "250-here\r\n250 AUTH PLAIN")


def play(folder: Path, *replies: str) -> tuple[Call, list[str]]:
    server = Server(folder, (*START, *replies))
    return asyncio.run(server.answer(CALLER, PAPER)), server.heard


def test_a_letter_goes_through_tls_login_and_data(tmp_path: Path) -> None:
    """The address is claimed first, dots are doubled, and the server's message id is kept."""
    told, heard = play(tmp_path, IN, OK, OK, OK, "354 go", QUEUED, "221 bye")
    assert told.ending == "sent" and told.accepted == {PAPER.token: "0abc"} and not told.refused
    assert heard[0] == "PROXY TCP4 198.51.100.7 192.0.2.25 40000 587\r\n"
    assert "AUTH PLAIN AGFAZXhhbXBsZS5jb20Ac2VjcmV0\r\n" in heard
    assert heard[-6:-1] == ["\r\n", "One\r\n", "..\r\n", "...two\r\n", ".\r\n"]
    assert "Message-ID: <letter-1@demo.example>\r\n" in heard


def test_a_refused_login_is_noted_and_nothing_is_sent(tmp_path: Path) -> None:
    """With the reply that a person would read."""
    told, heard = play(tmp_path, "535 5.7.8 no")
    assert told.ending == "login refused"
    assert str(told.login) == "535 5.7.8 no"
    assert not [line for line in heard if line.startswith("MAIL")]


def test_a_refused_recipient_is_noted_and_the_others_get_the_letter(tmp_path: Path) -> None:
    """The letter counts as accepted."""
    told, _ = play(tmp_path, IN, OK, "550 5.1.1 unknown", OK, "354 go", QUEUED, "221 bye")
    assert [(recipient, reply.code) for recipient, reply in told.refused] == [("b@host1.example", 550)]
    assert told.accepted == {PAPER.token: "0abc"}


def test_a_server_that_hangs_up_is_no_error_of_ours(tmp_path: Path) -> None:
    """Also 421 ends the call."""
    told, _ = play(tmp_path, IN, "421 4.3.2 closing")
    assert told.ending == "cut off" and not told.accepted


def test_a_certificate_of_somebody_else_is_not_trusted(tmp_path: Path) -> None:
    """The password is not said."""
    server = Server(tmp_path, START)
    other = tmp_path / "other.pem"
    make_certificate(
        HostDisk(), "mx.example.com", str(other), str(tmp_path / "other.key"), 1_790_000_000_000_000
    )
    server.door = Doorway(path=server.path, hostname="mx.example.com", authority=str(other))
    told = asyncio.run(server.answer(CALLER, PAPER))
    assert told.ending == "cut off"
    assert not [line for line in server.heard if line.startswith("AUTH")]


def test_nobody_at_the_door(tmp_path: Path) -> None:
    """Is a call that was cut off."""
    told = asyncio.run(call(Doorway(path=str(tmp_path / "none")), CALLER, (PAPER,)))
    assert told.ending == "cut off"
