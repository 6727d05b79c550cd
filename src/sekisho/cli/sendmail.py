"""`sekisho-sendmail`, to stand in the place of sendmail(1): programs of this machine hand it their mail.

It runs as whoever calls it and needs no rights: it speaks SMTP over a unix socket, whose server learns from
the kernel who it is. It says 0 only when the server has said that the letter is safe. It imports little, for
it is started anew for every letter.
"""

import errno
import os
import pwd
import sys
from collections.abc import Callable, Mapping
from typing import BinaryIO

from sekisho.cli.sendmail_line import LIMIT_ASKED, Line, Told
from sekisho.cli.sendmail_options import Options, Usage, parse
from sekisho.mail.submitted import (
    BadAddresses,
    addresses,
    divided,
    letter,
    named_in,
    stuffed,
    wire_lines,
)

OK, USAGE, DATA, NO_USER, UNAVAILABLE, IO, TEMPORARY, NO_PERMISSION = 0, 64, 65, 67, 69, 74, 75, 77
"""Exit codes of sysexits.h."""

SOCKET = "/run/sekisho/sendmail"
SETTINGS = "/etc/sekisho/sekisho.toml"

BLOCK_BYTES = 256 * 1024

PROGRAMS = {"mailq": "-bp", "newaliases": "-bi"}
"""Other names that sendmail is called by, and what they ask for."""


def run() -> None:
    try:
        code = ended(sys.argv, os.environ, sys.stdin.buffer if sys.stdin else None)
    except KeyboardInterrupt:
        code = 130
    sys.exit(code)


def ended(words: list[str], environment: Mapping[str, str], source: BinaryIO | None) -> int:
    """The exit code; what is wrong is said on standard error. No `source`: standard input is closed."""
    asked = [PROGRAMS[name]] if (name := os.path.basename(words[0])) in PROGRAMS else []
    try:
        options = parse([*asked, *words[1:]])
        socket = environment.get("SEKISHO_SOCKET") or SOCKET
        match options.mode:
            case "i":
                return OK  # aliases need no rebuilding
            case "p":
                return _queue(("queue", "list"), environment)
            case "q":
                return _queue(("queue", "retry", "--recipient", "*", "--yes"), environment)
        if source is None:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        if options.mode == "s":
            Line(socket).pass_through(source, sys.stdout.buffer)
            return OK
        return _send(options, socket, environment, source)
    except Usage as mistake:
        return _complain(USAGE, mistake.kind, mistake.word)
    except BadAddresses as mistake:
        return _complain(USAGE, "address", mistake.text.decode("utf-8", "replace"))
    except Told as told:
        return _complain(_code(told), told.kind, told.text)
    except OSError as error:
        return _complain(IO, "reading", error.strerror or str(error))


def _queue(words: tuple[str, ...], environment: Mapping[str, str]) -> int:
    """What `sekisho queue` does, for those who may. An empty queue is no failure here."""
    settings = environment.get("SEKISHO_CONFIG") or SETTINGS
    command = [sys.executable, "-m", "sekisho", *words, "-c", settings]
    code = os.spawnve(os.P_WAIT, sys.executable, command, dict(environment))
    return OK if code == 1 else code


def _send(options: Options, socket: str, environment: Mapping[str, str], source: BinaryIO) -> int:
    text = _read(source, lambda: Line(socket).size_limit(), dot_ends=options.dot_ends)
    fields, body = divided(wire_lines(text, dot_ends=options.dot_ends))
    given = [address for word in options.recipients for address in addresses(os.fsencode(word))]
    if options.from_head:
        given += named_in(fields)
    if not given:
        raise Usage("nobody")
    with Line(socket) as line:
        sender = _sender(options.sender, line.domain)
        author = _author(options.name or environment.get("NAME", ""), sender or _own(line.domain))
        wire = letter(fields, body, author)
        recipients = list(dict.fromkeys(_completed(address, line.domain) for address in given))
        line.submit(sender, recipients, stuffed(wire), options)
    if options.verbose:
        sys.stdout.write(line.receipt + "\n")
    return OK


def _read(source: BinaryIO, limit: Callable[[], int], *, dot_ends: bool) -> bytes:
    """All of it. What is larger than a letter may be is not gathered: the server is asked in time."""
    found, size, most = [], 0, 0
    while block := source.read1(BLOCK_BYTES):  # type: ignore[attr-defined]
        found.append(block)
        size += len(block)
        if dot_ends and _is_dot(b"".join(found[-2:])):  # typed at a terminal, line by line
            break
        if size > LIMIT_ASKED:
            most = most or limit()
            if size > most:
                raise Told("size", 552, f"{most}")
    return b"".join(found)


def _is_dot(end: bytes) -> bool:
    return end in (b".\n", b".\r\n") or end.endswith((b"\n.\n", b"\n.\r\n"))


def _own(domain: bytes) -> bytes:
    uid = os.getuid()
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        name = f"uid{uid}"
    return os.fsencode(name) + b"@" + domain


def _sender(given: str | None, domain: bytes) -> bytes:
    """ "" is no return path: what `-f "<>"` asks for."""
    if given is None:
        return _own(domain)
    found = addresses(os.fsencode(given))
    if len(found) > 1:
        raise BadAddresses(os.fsencode(given))
    return _completed(found[0], domain) if found else b""


def _completed(address: bytes, domain: bytes) -> bytes:
    """Controls would end the command; a name alone is of this domain. The server reads the rest strictly."""
    if any(byte < 32 or byte == 127 for byte in address):
        raise BadAddresses(address)
    quoted_end = address.rfind(b'"')
    return address if b"@" in address[quoted_end + 1 :] else address + b"@" + domain


def _author(name: str, address: bytes) -> bytes:
    """The value of From (RFC 5322 3.4)."""
    name = "".join(char for char in name if char.isprintable()).strip()
    if not name:
        return address
    if not name.isascii():
        from binascii import b2a_base64

        word = b2a_base64(name.encode("utf-8", "replace"), newline=False)
        return b"=?utf-8?B?" + word + b"?= <" + address + b">"  # RFC 2047 4.1
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    return b'"' + quoted.encode() + b'" <' + address + b">"


def _code(told: Told) -> int:
    """Of a reply of the server, or of what became of the connection."""
    status = told.text[4:9]
    match told.kind, told.code:
        case (("gone" | "silent" | "lost" | "unsure"), _):
            return TEMPORARY
        case _, code if code < 500:
            return TEMPORARY
        case "recipient", 501 | 553 if not status.startswith("5.7"):
            return USAGE
        case "recipient", 550 if status.startswith("5.1"):
            return NO_USER
        case _, 501 | 555:
            return USAGE
    if status.startswith("5.7"):
        return NO_PERMISSION
    return DATA if told.kind == "letter" and status.startswith("5.6") else UNAVAILABLE


def _complain(code: int, kind: str, text: str) -> int:
    """In the user's language. Imported only now: a letter that is taken does not pay for it."""
    from sekisho.cli.sendmail_words import complain

    complain(kind, text)
    return code


if __name__ == "__main__":
    run()
