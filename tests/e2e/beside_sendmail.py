"""A real sendmail with a queue of its own, unpacked from Debian: passwords are right (saslauthd is ours), and
mail is only queued.
"""

import contextlib
import os
import shutil
import signal
import smtplib
import socket
import struct
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

from debian import complete, unpacked, with_users
from ports import free_port
from waiting import until

MC = """\
divert(-1)dnl
define(`_CF_DIR_', `{cf}/')dnl
include(`{cf}/m4/cf.m4')dnl
divert(0)dnl
OSTYPE(`linux')dnl
define(`ALIAS_FILE', `')dnl
define(`QUEUE_DIR', `{base}/mqueue')dnl
define(`STATUS_FILE', `{base}/statistics')dnl
define(`confPID_FILE', `{base}/pid')dnl
define(`confTO_IDENT', `0')dnl
define(`confAUTH_MECHANISMS', `PLAIN LOGIN')dnl
define(`confDELIVERY_MODE', `queueonly')dnl
define(`confDOMAIN_NAME', `mx.theirs.example')dnl
TRUST_AUTH_MECH(`PLAIN LOGIN')dnl
FEATURE(`promiscuous_relay')dnl
FEATURE(`accept_unresolvable_domains')dnl
FEATURE(`nocanonify')dnl
DAEMON_OPTIONS(`Name=MTA, Addr=127.0.0.1, Port={port}')dnl
define(`SMART_HOST', `[127.0.0.1]')dnl
define(`RELAY_MAILER_ARGS', `TCP $h 9')dnl
define(`SMTP_MAILER_ARGS', `TCP $h 9')dnl
MAILER(`smtp')dnl
"""
MAKEFILE = """\
sendmail.cf: sendmail.mc
\tLD_LIBRARY_PATH={libraries} {m4} sendmail.mc > sendmail.cf
"""
SASL = """\
pwcheck_method: saslauthd
saslauthd_path: {base}/mux
mech_list: PLAIN LOGIN
"""


class WaitingSendmail:
    def __init__(self, base: Path, root: Path) -> None:
        self.base, self.port, self.config = base, free_port(), base / "sendmail.cf"
        for folder in ("mqueue", "sasl"):
            (base / folder).mkdir()
        (libraries,) = (root / "usr" / "lib").glob("*-linux-gnu")
        m4 = complete(root / "usr" / "bin" / "m4", libraries)
        cf = root / "usr" / "share" / "sendmail" / "cf"
        (base / "sendmail.mc").write_text(MC.format(base=base, cf=cf, port=self.port))
        (base / "Makefile").write_text(MAKEFILE.format(m4=m4, libraries=libraries))
        (base / "sasl" / "Sendmail.conf").write_text(SASL.format(base=base))
        (base / "hosts").write_text(f"127.0.0.1 mx.theirs.example localhost {socket.gethostname()}\n")
        (base / "nsswitch.conf").write_text("hosts: files\npasswd: files\ngroup: files\n")
        over = {base / name: f"/etc/{name}" for name in ("hosts", "nsswitch.conf")}
        program = complete(root / "usr" / "libexec" / "sendmail" / "sendmail")
        names = ("smmta", "smmsp")
        self.program = with_users(base, program, *names, over=over | {base / "sasl": "/usr/lib/sasl2"})

    def apply(self, setup: str) -> None:
        """Runs what `sekisho configure` has printed, as an operator pastes it."""
        where = {"SENDMAIL_MC": str(self.base / "sendmail.mc"), "SENDMAIL_PID": str(self.base / "pid")}
        done = subprocess.run(
            ["sh", "-e"], input=setup, env=os.environ | where, capture_output=True, text=True, check=False
        )
        assert 0 == done.returncode, done.stdout + done.stderr

    @contextlib.contextmanager
    def serving(self) -> Iterator[None]:
        with _saslauthd(self.base / "mux"):
            server = subprocess.Popen(
                [self.program, f"-C{self.config}", "-bD"],
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
            try:
                until(lambda: self.client())[0].close()
                yield
            finally:
                os.killpg(server.pid, signal.SIGKILL)
                server.wait(60)

    def client(self) -> list[smtplib.SMTP]:
        with contextlib.suppress(OSError):
            return [smtplib.SMTP("127.0.0.1", self.port, "client.example", timeout=60)]
        return []

    def send(self, sender: str, recipients: list[str], letter: str, *, login: str = "") -> str:
        """The queue id."""
        (client,) = self.client()
        with client:
            client.ehlo()
            if login:
                client.login(login, "x")
            client.mail(sender)
            for recipient in recipients:
                assert 250 == client.rcpt(recipient)[0]
            code, said = client.data(letter)
            assert 250 == code, said
            return said.decode().split()[1]

    def names(self) -> set[str]:
        return {path.name for path in (self.base / "mqueue").iterdir()}


@contextlib.contextmanager
def _saslauthd(path: Path) -> Iterator[None]:
    """Every password is right."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    path.chmod(0o777)
    listener.listen(10)

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                peer, _ = listener.accept()
                with peer:
                    peer.recv(4096)
                    peer.sendall(struct.pack(">H", 2) + b"OK")

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(10)


@contextlib.contextmanager
def waiting_sendmail(setup: str) -> Iterator[WaitingSendmail]:
    """With what `sekisho configure sendmail` has printed, applied twice."""
    with tempfile.TemporaryDirectory(prefix="sendmail-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        assert shutil.which("make")
        root = unpacked(folder, "sendmail-bin", "sendmail-cf", "m4", "libsigsegv2")
        server = WaitingSendmail(folder, root)
        server.apply(setup)
        server.apply(setup)
        with server.serving():
            yield server
