"""Messages of every kind of enormity against a live server: an answer, bounded memory, and the next client is
served.
"""

import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from covers import covers
from e2e.running import Installation

MIB = 1024 * 1024
LIMIT = 50 * MIB
"""`limits.message_bytes` as it comes."""

MEMORY = 24 * MIB
"""Most that all processes of the server together may grow by, whatever is sent. A letter is in memory up to
256 KB and then in a file; the rest is buffers of the sockets and what Python keeps for itself."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    site = Installation(tmp_path_factory.mktemp("site"))
    site.add_account("bob@example.com")
    with site.serving():
        say(site, [b"Subject: warm\r\n\r\nx\r\n" * 20_000])
        yield site


def memory(site: Installation) -> int:
    """The most that the server's processes have ever had in memory, in bytes."""
    peaks = [Path(f"/proc/{pid}/status").read_text() for pid in site.processes()]
    return sum(int(re.search(r"VmHWM:\s+(\d+) kB", peak)[1]) for peak in peaks) * 1024  # type: ignore[index]


class Session:
    """A client that does not stop sending because the server has answered."""

    def __init__(self, site: Installation) -> None:
        self.sock = socket.create_connection(("127.0.0.1", site.mx), 300)
        self.file = self.sock.makefile("rb")
        self.reply()

    def reply(self) -> str:
        while line := self.file.readline():
            if line[3:4] == b" ":
                return line.decode().strip()
        return ""

    def say(self, line: str) -> str:
        self.sock.sendall(line.encode() + b"\r\n")
        return self.reply()

    def ready(self) -> None:
        for line in ("EHLO client.example", "MAIL FROM:<a@far.example>", "RCPT TO:<bob@example.com>"):
            assert self.say(line)[0] == "2"


def say(site: Installation, parts: list[bytes], times: int = 1) -> str:
    """The reply to a letter of these parts, each sent so often; the session must go on after it."""
    session = Session(site)
    session.ready()
    assert session.say("DATA").startswith("354")
    for part in parts[:-1]:
        session.sock.sendall(part)
    for _ in range(times):
        session.sock.sendall(parts[-1])
    session.sock.sendall(b"\r\n.\r\n")
    said = session.reply()
    assert session.say("NOOP").startswith("250")
    session.sock.close()
    return said


def served(site: Installation) -> None:
    """The next connection is, at once."""
    begun = time.monotonic()
    with site.client(timeout_s=30) as client:
        assert 250 == client.ehlo()[0]
    assert time.monotonic() - begun < 30


HEADER = b"Subject: big\r\n\r\n"
BOUNDARY = b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n'

PART = b"--b\r\nContent-Type: text/plain\r\n\r\nx\r\n"

ENORMITIES = {
    "a header line of 64 MiB": ([b"Subject: ", b"x" * MIB], 64, "552"),
    "2 GiB and a byte": ([HEADER, b"!", (b"x" * 1022 + b"\r\n") * 1024], 2048, "552"),
    "a million header fields": ([b"X-Field: y\r\n" * 10_000], 100, "552"),
    "a million folds of one field": ([b"X-Field: y\r\n", b"\tz\r\n" * 10_000], 100, "552"),
    "a hundred thousand parts": ([BOUNDARY, PART * 1000], 100, "250"),
    "parts within parts": ([b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\n' * 1000], 10, "250"),
    "a line of 1 MB": ([HEADER, b"x" * 1_000_000], 1, "500"),
    "fifty million dots": ([HEADER, b"..\r\n" * 10_000], 1000, "250"),
}


@covers("P-13", "Q-15")
@pytest.mark.parametrize("name", ENORMITIES)
def test_an_enormous_message_has_its_answer_in_bounded_memory(name: str, site: Installation) -> None:
    """5yz, or 250 where it is only odd; memory within its bound, the session and the next one go on."""
    parts, times, code = ENORMITIES[name]
    before = memory(site)
    said = say(site, parts, times)
    assert said.startswith(code), said
    assert memory(site) - before <= MEMORY, f"{(memory(site) - before) / MIB:.0f} MiB"
    served(site)


@covers("P-13")
def test_what_announces_itself_as_enormous_is_not_even_read(site: Installation) -> None:
    """SIZE beyond the limit, beyond 2^31, 2^63 and twenty digits: 552 or 501; a chunk as long closes."""
    before = memory(site)
    session = Session(site)
    session.say("EHLO client.example")
    for size in (LIMIT + 1, 2**31 + 1, 2**63, 10**19):
        assert session.say(f"MAIL FROM:<a@far.example> SIZE={size}").startswith("552"), size
    assert session.say("MAIL FROM:<a@far.example> SIZE=1" + "0" * 30).startswith("501")
    session.ready()
    assert session.say(f"BDAT {2**31 + 1} LAST").startswith("552")
    assert "" == session.reply()
    assert memory(site) - before <= MEMORY
    served(site)


@covers("P-13")
def test_a_chunk_of_two_gibibytes_is_read_and_forgotten(site: Installation) -> None:
    """BDAT of just 2 GiB: 552, and what follows it is a command again."""
    before = memory(site)
    session = Session(site)
    session.ready()
    session.sock.sendall(f"BDAT {2**31} LAST\r\n".encode())
    block = (b"x" * 1022 + b"\r\n") * 1024
    for _ in range(2048):
        session.sock.sendall(block)
    assert session.reply().startswith("552")
    assert session.say("NOOP").startswith("250")
    assert memory(site) - before <= MEMORY
    served(site)


@covers("P-13")
def test_an_argument_without_end(site: Installation) -> None:
    """64 MiB of one command, of an AUTH line, of a path: 500 at the limit of a line, and closed."""
    before = memory(site)
    for start in (b"EHLO ", b"MAIL FROM:<", b"NOOP ", b"\0", b"AUTH PLAIN "):
        session = Session(site)
        session.sock.sendall(start)
        with pytest.raises(OSError, match=r"reset|pipe|closed"):  # it has closed long before
            for _ in range(64):
                session.sock.sendall(b"x" * MIB)
    assert memory(site) - before <= MEMORY
    served(site)
