"""`sekisho-checkpassword REAL PROGRAM...`: a checkpassword program around another, so that the guard hears of
each login and has the last word.

REAL runs below us and reads name and password as always. If they are right it becomes this program once
more (`--passed`), which asks us above: we have the rights that REAL has given up by then, and alone know the
guard's password. Then it becomes PROGRAM, whose exit code is ours. A guard that is silent keeps nobody out.
"""

import contextlib
import hashlib
import http.client
import json
import os
import shutil
import signal
import socket
import sys
from base64 import b64encode
from collections.abc import Mapping
from typing import NamedTuple, NoReturn

from sekisho.model.text import printable

BAD, MISUSED, LATER = 1, 2, 111
"""Exit codes of the checkpassword interface."""

GIVEN = 3
"""The descriptor on which name, password and timestamp come."""

GIVEN_OCTETS = 8192
"""The interface says 512; patched servers send more."""

GUARD, WORD = "127.0.0.1:8084", "/etc/sekisho/guard"
"""Where a listener of protocol wforce is, and the file with its password, unless SEKISHO_GUARD and
SEKISHO_GUARD_PASSWORD say otherwise."""

PATIENCE_S = 2.0
"""Longest wait for one answer of the guard."""

WAITED_S = 3 * PATIENCE_S
"""Longest wait for who asks it, twice."""

DOOR = "SEKISHO_DOOR"
ADDRESSES = ("AUTH_REMOTE_IP", "AUTH_RIP", "TCPREMOTEIP")
"""Where the client's address stands: Dovecot's names, and tcpserver's."""

SERVICES = {
    "25": "smtp", "110": "pop3", "143": "imap", "465": "smtps", "587": "submission",
    "993": "imaps", "995": "pop3s",
}  # fmt: skip
"""By the port that the client has come to, as vchkpw names them."""


class Login(NamedTuple):
    """`mark` tells one wrong password from another, and nothing else of it."""

    name: str
    address: str
    service: str
    mark: str


def run() -> None:
    words = sys.argv[1:]
    if not words:
        _end(MISUSED, "sekisho-checkpassword REAL PROGRAM...")
    if words[0] == "--passed":
        _passed(words[1:])
    _begin(words)


def _begin(words: list[str]) -> None:
    """REAL may have words of its own, if they end with `--`."""
    own = words.index("--") + 1 if "--" in words else 1
    try:
        given = _read_given()
    except OSError as error:
        _end(MISUSED, f"descriptor {GIVEN}: {error.strerror}")
    try:
        ours, theirs = socket.socketpair()
        child = os.fork()
    except OSError as error:
        _end(LATER, f"{error.strerror}")
    if not child:
        ours.close()
        theirs.set_inheritable(True)
        _feed(given)
        itself = shutil.which(sys.argv[0]) or os.path.abspath(sys.argv[0])
        _become([*words[:own], itself, "--passed", *words[own:]], {**os.environ, DOOR: str(theirs.detach())})
    theirs.close()
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, lambda number, _: os.kill(child, number))
    _attend(ours, child, login_of(given, os.environ), os.environ)


def _attend(line: socket.socket, child: int, login: Login, environment: Mapping[str, str]) -> None:
    """Answers who asks, and ends as the child ends. Without a question it was refused, if it says so."""
    asked = line.recv(1) == b"?"
    if asked:
        answer = b"n" if _is_refused(login, environment) else b"y"
        with contextlib.suppress(OSError):
            line.sendall(answer)
    _let_go()
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if not asked and code == BAD:
        _ask("report", login, environment, success=False)
    sys.exit(code if code >= 0 else LATER)


def _let_go() -> None:
    """The client's connection is not ours to hold open."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, GIVEN):
        os.dup2(nothing, number)


def _passed(words: list[str]) -> None:
    """The password was right. Without anybody to ask, or without an answer, PROGRAM begins."""
    environment = dict(os.environ)
    number = environment.pop(DOOR, "")
    with contextlib.suppress(OSError, ValueError), socket.socket(fileno=int(number)) as door:
        door.settimeout(WAITED_S)
        door.sendall(b"?")
        if door.recv(1) == b"n":
            sys.exit(BAD)
    if words:
        _become(words, environment)
    sys.exit(0)


def _read_given() -> bytes:
    given = b""
    while len(given) <= GIVEN_OCTETS and (data := os.read(GIVEN, GIVEN_OCTETS)):
        given += data
    return given[:GIVEN_OCTETS]


def _feed(given: bytes) -> None:
    """A pipe holds all of it, so that nobody has to write while REAL reads."""
    reader, writer = os.pipe()
    os.write(writer, given)
    os.close(writer)
    if reader != GIVEN:
        os.dup2(reader, GIVEN)
        os.close(reader)
    os.set_inheritable(GIVEN, True)


def login_of(given: bytes, environment: Mapping[str, str]) -> Login:
    """A response to a challenge is another one each time: it bears no mark."""
    name, password, stamp = (*given.split(b"\0"), b"", b"", b"")[:3]
    login = printable(name, 320)
    known = hashlib.sha256(_word(environment) + b"\0" + name + b"\0" + password).hexdigest()[:3]
    address = next((environment[key] for key in ADDRESSES if environment.get(key)), "")
    port = environment.get("AUTH_LOCAL_PORT") or environment.get("TCPLOCALPORT", "")
    service = environment.get("AUTH_SERVICE") or SERVICES.get(port, "smtp")
    return Login(login, address, service, "" if stamp.startswith(b"<") else known)


def _is_refused(login: Login, environment: Mapping[str, str]) -> bool:
    """The login counts first, so that it is part of what is judged."""
    if _ask("report", login, environment, success=True) is None:
        return False
    said = _ask("allow", login, environment)
    status = said.get("status") if said is not None else 0
    return isinstance(status, int) and status < 0


Said = dict[str, object]


def _ask(command: str, login: Login, environment: Mapping[str, str], **more: bool) -> Said | None:
    """None when the guard does not answer as it should."""
    told = {"login": login.name, "remote": login.address, "protocol": login.service, "pwhash": login.mark}
    basic = b64encode(b"sekisho-checkpassword:" + _word(environment)).decode("ascii")
    fields = {"Authorization": f"Basic {basic}", "Content-Type": "application/json"}
    guard = http.client.HTTPConnection(environment.get("SEKISHO_GUARD") or GUARD, timeout=PATIENCE_S)
    try:
        guard.request("POST", f"/command/{command}", json.dumps(told | more).encode(), fields)
        answer = guard.getresponse()
        said = json.loads(answer.read(65536)) if answer.status == 200 else None
    except (OSError, ValueError, http.client.HTTPException):
        return None
    finally:
        guard.close()
    return said if isinstance(said, dict) else None


def _word(environment: Mapping[str, str]) -> bytes:
    try:
        with open(environment.get("SEKISHO_GUARD_PASSWORD") or WORD, "rb") as file:
            return file.read(1024).strip()
    except OSError:
        return b""


def _become(words: list[str], environment: Mapping[str, str]) -> None:
    try:
        os.execvpe(words[0], words, environment)
    except OSError as error:
        _end(LATER, f"{words[0]}: {error.strerror}")


def _end(code: int, text: str) -> NoReturn:
    print(f"sekisho-checkpassword: {printable(text)}", file=sys.stderr)
    sys.exit(code)
