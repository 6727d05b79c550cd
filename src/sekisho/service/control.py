"""The control socket: how the command line speaks to a running server. Blocking, one question a connection.

The socket is STATE/run/control, 0600, and answers only its own user and root. Where no server runs, `call`
returns None, and the command does the work itself or says that a server is needed.
"""

import os
import socket
from typing import TypeVar

from msgspec import Struct

from sekisho.service.channel import NotDone
from sekisho.service.frames import BrokenFrame, Codec, Frames, Kind, decode_answer, frame
from sekisho.service.messages import Problem, Request
from sekisho.world import Unavailable

Answered = TypeVar("Answered", bound=Struct)


def run_folder(state: str) -> str:
    return os.path.join(state, "run")


def control_path(state: str) -> str:
    return os.path.join(run_folder(state), "control")


def role_path(state: str, role: str) -> str:
    """The socket of a role that is a process of its own, in a folder where only that role can make one."""
    return os.path.join(run_folder(state), role, "socket")


def call(state: str, request: Request, answer: type[Answered], timeout_s: float = 60) -> Answered | None:
    """The server's answer, or None if none is running for this state folder. Raises Unavailable, NotDone."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        line.settimeout(timeout_s)
        try:
            line.connect(control_path(state))
        except (FileNotFoundError, ConnectionRefusedError):
            return None
        except OSError as error:
            raise Unavailable("the control socket", error.strerror or str(error)) from error
        kind, payload = _exchange(line, Codec().encode(request))
    if kind is Kind.PROBLEM:
        problem = decode_answer(payload, Problem)
        raise Unavailable("the server", problem.why) if problem.unavailable else NotDone(problem.why)
    return decode_answer(payload, answer)  # type: ignore[no-any-return]


def _exchange(line: socket.socket, payload: bytes) -> tuple[Kind, bytes]:
    frames = Frames()
    try:
        line.sendall(frame(Kind.ASKED, 1, payload))
        while data := line.recv(65536):
            for kind, _, answer in frames.receive(data):
                return kind, answer
    except (OSError, BrokenFrame) as error:
        raise Unavailable("the server", str(error)) from error
    raise Unavailable("the server", "it closed the connection without an answer")
