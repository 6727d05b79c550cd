"""`make powercut`: the power goes right after the last 250; every letter that was acknowledged must be there.

Each trial: a fresh file system on a loop device, a server on it, letters over several sessions, half of them
for a mailbox of ours, half for a host that is not reachable; then the file system is shut down without a
flush of its log (the GOINGDOWN ioctl: what was not synced never reaches the disk), the server is killed, and
what is left is mounted again and read. A file that was written and not synced is the control: when it
survives, the power did not go. Needs root and loop devices.
"""

import argparse
import contextlib
import fcntl
import json
import os
import shutil
import signal
import smtplib
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from bench import exim, machine, peers

GOINGDOWN = 0x8004587D
NO_LOG_FLUSH = 2
IMAGE_MB = 400
SESSIONS = 8
PART_BESIDE = 4
"""Other servers get one of so many trials."""

LETTERS = 8
"""Of each session."""

SETTINGS = """\
hostname = "bench.test"
trusted = ["127.0.0.0/8"]
[listen.mx]
address = "127.0.0.1:{port}"
protocol = "smtp"
[outbound.smarthost]
host = "[127.0.0.1]:9"
"""

Found = dict[str, bytes]
"""What is left, by queue id."""


def obstacle() -> str:
    """Why it cannot be done here; "" if it can."""
    if os.geteuid() != 0:
        return "needs root"
    if not Path("/dev/loop-control").exists():
        return "needs loop devices"
    if not shutil.which("mkfs.ext4"):
        return "needs mkfs.ext4"
    probe = subprocess.run(["losetup", "-f"], capture_output=True, check=False)
    return "" if probe.returncode == 0 else "needs a free loop device"


class Image:
    """A file system in a file."""

    def __init__(self, base: Path, kind: str) -> None:
        self.mount = base / "disk"
        self.mount.mkdir()
        image = base / "disk.img"
        with open(image, "wb") as file:
            file.truncate(IMAGE_MB * 1024 * 1024)
        force = ["-q", "-F"] if kind == "ext4" else ["-q", "-f"]
        subprocess.run([f"mkfs.{kind}", *force, image], check=True)
        found = ["losetup", "-f", "--show", image]
        self._device = subprocess.run(found, check=True, capture_output=True, text=True).stdout.strip()
        self.attach()

    def attach(self) -> None:
        subprocess.run(["mount", self._device, self.mount], check=True)

    def cut(self) -> None:
        handle = os.open(self.mount, os.O_RDONLY)
        try:
            fcntl.ioctl(handle, GOINGDOWN, struct.pack("I", NO_LOG_FLUSH))
        finally:
            os.close(handle)

    def detach(self) -> None:
        subprocess.run(["umount", self.mount], check=True)

    def end(self) -> None:
        subprocess.run(["umount", "-q", self.mount], check=False)
        subprocess.run(["losetup", "-d", self._device], check=False)


def text_of(session: int, number: int) -> bytes:
    """Every letter is another one, and long enough to need several pages now and then."""
    mark = f"letter {session}-{number}"
    return f"Subject: {mark}\r\n\r\n".encode() + f"{mark}\r\n".encode() * (20 << number % 8) + b"end\r\n"


def push(port: int, domain: str) -> dict[str, bytes]:
    """Letters over several sessions at once; returns those that got 250, by queue id."""
    kept: dict[str, bytes] = {}

    def session(which: int) -> None:
        with smtplib.SMTP("127.0.0.1", port, "bench.test", timeout=60) as client:
            client.ehlo()
            for number in range(LETTERS):
                client.mail("a@bench.test")
                client.rcpt(f"bob@{domain}" if number % 2 else "far@elsewhere.test")
                code, answer = client.data(text_of(which, number))
                if code == 250:
                    kept[answer.split()[-1].decode().removeprefix("id=")] = text_of(which, number)
            client.close()

    threads = [threading.Thread(target=session, args=(which,)) for which in range(SESSIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return kept


class Sekisho:
    """Ours: half of the letters go to a mailbox at once."""

    name = "sekisho"
    domain = "bench.test"

    def __init__(self, base: Path) -> None:
        self._state = base / "template"
        self._program = str(Path(sys.executable).parent / "sekisho")
        subprocess.run(
            [self._program, "init", self._state, "--domain", self.domain], check=True, capture_output=True
        )
        environment = {**os.environ, "SEKISHO_CONFIG": str(self._state / "sekisho.toml")}
        word = b"a password for nobody\n"
        add = [self._program, "account", "add", f"bob@{self.domain}"]
        subprocess.run(add, input=word, env=environment, check=True, capture_output=True)

    @contextlib.contextmanager
    def serving(self, disk: Path) -> Iterator[int]:
        """On a port; killed at the end."""
        state, port = disk / "state", peers.free_port()
        shutil.copytree(self._state, state)
        (state / "sekisho.toml").write_text(SETTINGS.format(port=port))
        os.sync()  # the house stands before the storm
        words = [self._program, "serve", "-c", state / "sekisho.toml"]
        server = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            peers.wait_for(port)
            yield port
        finally:
            server.send_signal(signal.SIGKILL)
            server.wait(30)

    def left(self, disk: Path) -> Found:
        """In the mailbox, or in the spool as its next start finds it. Our line above each is taken off."""
        found: Found = {}
        for path in (disk / "state" / "mail").rglob("new/*"):
            head, _, text = path.read_bytes().replace(b"\n", b"\r\n").partition(b"Subject: ")
            ident = head.partition(b" id ")[2].split()[:1] or [path.name.encode()]
            found[ident[0].rstrip(b";").decode()] = b"Subject: " + text if text else b""
        words = [sys.executable, "-m", "bench.powercut", "--read", disk / "state" / "spool" / "1"]
        spool = subprocess.run(words, capture_output=True, check=True, text=True).stdout
        return found | {ident: bytes.fromhex(text) for ident, text in json.loads(spool).items()}


class Postfix:
    """Beside it, as Debian makes it; everything waits, since its next hop is not reachable."""

    name = "postfix"
    domain = "bench.test"

    @contextlib.contextmanager
    def serving(self, disk: Path) -> Iterator[int]:
        with peers.postfix(disk) as server:
            os.sync()
            try:
                yield server.port
            finally:  # its own stop reads files that are gone
                for pid in (server.pid, *machine.descendants(server.pid)):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                time.sleep(0.3)

    def left(self, disk: Path) -> Found:
        found: Found = {}
        queue = disk / "postfix" / "queue"
        for folder in ("incoming", "active", "deferred", "hold"):
            for path in (path for path in (queue / folder).rglob("*") if path.is_file()):
                done = subprocess.run(["postcat", "-hb", path], capture_output=True, check=False)
                head, _, body = done.stdout.partition(b"\n\n")  # it adds fields of its own to the head
                subject = [line for line in head.split(b"\n") if line.startswith(b"Subject: ")]
                found[path.name] = b"\n".join([*subject, b"", body]).replace(b"\n", b"\r\n")
        return found


Server = Sekisho | Postfix | exim.Exim


def trial(server: Server, kind: str, base: Path) -> Counter[str]:
    folder = Path(tempfile.mkdtemp(dir=base))
    folder.chmod(0o755)
    image = Image(folder, kind)
    try:
        with contextlib.suppress(subprocess.CalledProcessError), server.serving(image.mount) as port:
            kept = push(port, server.domain)
            with open(image.mount / "control", "w") as control:
                control.write("never synced")
            image.cut()
        image.detach()
        image.attach()
        seen = judge(kept, server.left(image.mount))
        control = image.mount / "control"  # its name may have gone along with somebody's sync
        seen["control survived"] = int(control.exists() and control.stat().st_size > 0)
        return seen
    finally:
        image.end()
        shutil.rmtree(folder, ignore_errors=True)


def judge(kept: dict[str, bytes], left: Found) -> Counter[str]:
    seen = Counter({"trials": 1, "acknowledged": len(kept), "lost": 0, "empty": 0, "unreadable": 0})
    for ident, text in kept.items():
        found = left.get(ident)
        if found is None:
            seen["lost"] += 1
        elif not found:
            seen["empty"] += 1
        elif found != text:
            seen["unreadable"] += 1
    return seen


def run(trials: dict[str, int], beside: bool, say: Callable[[str], None] = print) -> dict[str, object]:
    rows = []
    with tempfile.TemporaryDirectory(prefix="sekisho-powercut-") as name:
        base = Path(name)
        base.chmod(0o755)
        servers: list[Server] = [Sekisho(base)]
        if beside and shutil.which("postfix"):
            servers.append(Postfix())
        if beside and (program := exim.unpacked(base / "exim")):
            servers.append(exim.Exim(program))
        for server in servers:
            for kind, count in trials.items():
                if not count:
                    continue
                if not shutil.which(f"mkfs.{kind}"):
                    say(f"{kind}: skipped, there is no mkfs.{kind}")
                    continue
                seen: Counter[str] = Counter()
                for _ in range(count if server is servers[0] else -(-count // PART_BESIDE)):
                    seen.update(trial(server, kind, base))
                rows.append({"server": server.name, "file_system": kind, **seen})
                say(json.dumps(rows[-1]))
        return {"machine": machine.description(base), "results": rows}


def _read(folder: str) -> None:
    """For a process of its own: every letter of a spool, as the next start finds it."""
    import asyncio

    from sekisho.host import HostClock, HostDisk, HostSpawn
    from sekisho.model.config import Queue
    from sekisho.model.selector import Selector
    from sekisho.store.bodies import parts_of
    from sekisho.store.spool import Doors, Spool

    async def look() -> Found:
        spawn, disk = HostSpawn(), HostDisk()
        spool = Spool.open(folder, Doors(HostClock(), disk, spawn), Queue())
        rows = await spool.select(Selector(), 100_000)
        letters = [await spool.letter(row.message) for row in rows]
        found = {letter.message.id: b"".join(parts_of(letter, disk)) for letter in letters}
        spool.close()
        await spawn.stop()
        return found

    print(json.dumps({ident: text.hex() for ident, text in asyncio.run(look()).items()}))


def main() -> int:
    parser = argparse.ArgumentParser(description="Power cuts right after the last 250.")
    parser.add_argument("--ext4", type=int, default=200, help="trials on ext4")
    parser.add_argument("--xfs", type=int, default=50, help="trials on xfs")
    parser.add_argument("--alone", action="store_true", help="without Postfix and Exim beside it")
    parser.add_argument("--dry", action="store_true", help="write no result")
    parser.add_argument("--read", help=argparse.SUPPRESS)
    words = parser.parse_args()
    if words.read:
        _read(words.read)
        return 0
    if why := obstacle():
        print(f"skipped: {why}")
        return 0
    result = run({"ext4": words.ext4, "xfs": words.xfs}, not words.alone)
    path = Path(__file__).parent / "results" / "powercut.json"
    if not words.dry:
        path.write_text(json.dumps(result, indent=2) + "\n")
    ours = [row for row in result["results"] if row["server"] == "sekisho"]  # type: ignore[attr-defined]
    return int(any(row[flaw] for row in ours for flaw in ("lost", "empty", "unreadable")))


if __name__ == "__main__":
    sys.exit(main())
