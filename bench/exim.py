"""Debian's Exim beside the others: unpacked into a folder of its own, as its package would remove Postfix.

Its program looks for the user Debian-exim, who does not exist then: it runs in a mount namespace whose
/etc/passwd has him. Needs root, apt-get and dpkg.
"""

import contextlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from bench import machine, peers

PACKAGE = "exim4-daemon-light"
SETTINGS = """\
exim_user = nobody
exim_group = nogroup
spool_directory = {base}/spool
log_file_path = {base}/log/%slog
primary_hostname = bench.test
daemon_smtp_ports = {port}
local_interfaces = 127.0.0.1
queue_only
host_lookup =
rfc1413_query_timeout = 0s
tls_advertise_hosts =
smtp_accept_max = 1000
acl_smtp_rcpt = all
begin acl
all:
  accept
"""
WORDS = 'mount --bind "$1/passwd" /etc/passwd && mount --bind "$1/group" /etc/group && exec "$2" -C "$3" -bdf'


def unpacked(base: Path) -> Path | None:
    """The program, or None where the package cannot be had."""
    if not shutil.which("apt-get") or not shutil.which("unshare"):
        return None
    base.mkdir()
    try:
        subprocess.run(["apt-get", "download", "-q", PACKAGE], cwd=base, check=True, capture_output=True)
        (package,) = base.glob(f"{PACKAGE}_*.deb")
        subprocess.run(["dpkg", "-x", package, base / "root"], check=True, capture_output=True)
        program = base / "root" / "usr" / "sbin" / "exim4"
        missing = subprocess.run(["ldd", program], check=True, capture_output=True, text=True).stdout
    except (subprocess.CalledProcessError, ValueError):
        return None
    return None if "not found" in missing else program


class Exim:
    """It keeps everything: `queue_only`."""

    name = "exim"
    domain = "bench.test"

    def __init__(self, program: Path) -> None:
        self._program = program
        for name, line in (
            ("passwd", "Debian-exim:x:65534:65534::/:/bin/false"),
            ("group", "Debian-exim:x:65534:"),
        ):
            (program.parent / name).write_text(Path("/etc", name).read_text() + line + "\n")

    @contextlib.contextmanager
    def serving(self, disk: Path) -> Iterator[int]:
        """On a port; killed at the end."""
        base, port = disk / "exim", peers.free_port()
        for folder in ("spool", "log"):
            (base / folder).mkdir(parents=True)
            shutil.chown(base / folder, "nobody", "nogroup")
        config = base / "exim.conf"
        config.write_text(SETTINGS.format(base=base, port=port))
        words = ["unshare", "-m", "sh", "-c", WORDS, "sh", self._program.parent, self._program, config]
        server = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            peers.wait_for(port)
            yield port
        finally:
            for pid in machine.descendants(server.pid):
                subprocess.run(["kill", "-9", str(pid)], check=False, capture_output=True)
            server.kill()
            server.wait(30)

    def left(self, disk: Path) -> dict[str, bytes]:
        """By id: a letter is a file of fields and a file of its body, whose first line is its name."""
        found: dict[str, bytes] = {}
        for path in (disk / "exim" / "spool" / "input").rglob("*-D"):
            ident, fields = path.name.removesuffix("-D"), path.with_name(path.name.removesuffix("D") + "H")
            head = fields.read_bytes() if fields.exists() else b""
            subject = [line[line.index(b"Subject: ") :] for line in head.split(b"\n") if b"Subject: " in line]
            body = path.read_bytes().partition(b"\n")[2]
            whole = b"\n".join([*subject, b"", body]).replace(b"\n", b"\r\n")
            found[ident] = whole if head and body else b""
        return found
