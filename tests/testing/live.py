"""A live server for one dialogue: the machine and its postmaster behind a real socket, with real TLS."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator

from sekisho.testing.dialogue import Dialogue
from sekisho.testing.stage import Postmaster, settings_for
from sekisho.wire.smtp_server import SmtpServer

PATIENCE_S = 60.0


@contextlib.contextmanager
def serving(dialogue: Dialogue, context: ssl.SSLContext) -> Iterator[int]:
    """The port of a server that serves one connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE_S)
        thread = threading.Thread(target=_serve, args=(listener, dialogue, context))
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            thread.join()


def _serve(listener: socket.socket, dialogue: Dialogue, context: ssl.SSLContext) -> None:
    stream, _ = listener.accept()
    stream.settimeout(PATIENCE_S)
    machine, postmaster = SmtpServer(settings_for(dialogue)), Postmaster()
    with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
        if dialogue.listener == "submissions":
            stream = context.wrap_socket(stream, server_side=True)
        stack.callback(lambda: stream.close())
        data: bytes | None = b""
        while data is not None:
            for step in machine.receive(data):
                if (reply := postmaster.answer(step)) is not None:
                    machine.reply(reply)
            stream.sendall(machine.take())
            if machine.tls_wanted:
                stream = context.wrap_socket(stream, server_side=True)
                machine.tls_started(str(stream.version()))
            data = None if machine.closed else stream.recv(65536) or None
        _leave(stream)


def _leave(stream: socket.socket) -> None:
    """Our end first, then wait for the client's: what we said last must not be lost to a reset."""
    stream.shutdown(socket.SHUT_WR)
    while stream.recv(65536):
        pass
