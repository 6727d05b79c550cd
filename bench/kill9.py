"""kill -9 of every process of the server under load, round after round: what got its 250 arrives, and how
much arrives twice.

    python -m bench kill9            KILL_ROUNDS=1000 in the environment for more than a hundred rounds
"""

import contextlib
import os
import random
import re
import shutil
import signal
import smtplib
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

from bench import machine, peers

ROUNDS = int(os.environ.get("KILL_ROUNDS", "100"))
CLIENTS = 8
BODY = b"Subject: x\r\n\r\n" + b"y" * 1500 + b"\r\n"
STILL_S = 60
"""Nothing more arrives: so long nothing did."""
SEED = 1

SETTINGS = """\
hostname = "mx.bench.test"
processes = "split"
[listen.mx]
address = "127.0.0.1:{port}"
protocol = "smtp"
"""


class House:
    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, peers.free_port()
        self.program = str(Path(sys.executable).parent / "sekisho")
        self.found: dict[str, str] = {}
        """Our id of the letter in each file of the mailbox that was read."""
        self._run("init", str(folder), "--domain", "bench.test")
        (folder / "sekisho.toml").write_text(SETTINGS.format(port=self.port))
        self._run("account", "add", "bob@bench.test", "-c", str(folder / "sekisho.toml"))

    def _run(self, *words: str) -> None:
        password = b"only for a moment of a bench\n"
        subprocess.run([self.program, *words], input=password, check=True, capture_output=True)

    def start(self) -> subprocess.Popen[bytes]:
        with open(self.folder / "server.log", "ab") as log:
            words = [self.program, "serve", "-c", str(self.folder / "sekisho.toml")]
            server = subprocess.Popen(words, stdout=log, stderr=log, start_new_session=True)
        peers.wait_for(self.port)
        return server

    def arrived(self) -> Counter[str]:
        """Our ids of the letters in the mailbox, from the topmost Received field."""
        new = self.folder / "mail" / "bench.test" / "bob" / "Maildir" / "new"
        for name in set(os.listdir(new)) - self.found.keys() if new.exists() else ():
            match = re.search(rb"\bid (\w{17})\b", (new / name).read_bytes()[:400])
            self.found[name] = match[1].decode() if match else ""
        return Counter(self.found.values())

    def last_arrival(self, kept: set[str]) -> Counter[str]:
        """As `arrived`, once all of them are there, or nothing has come for a while."""
        found, since = self.arrived(), time.monotonic()
        while kept - set(found) and time.monotonic() - since < STILL_S:
            time.sleep(1)
            before, found = found.total(), self.arrived()
            since = time.monotonic() if found.total() > before else since
        return found


def run() -> dict[str, object]:
    with machine.journaled_disk() as disk:
        house, kept = House(disk / "house"), list[str]()
        chance = random.Random(SEED)
        for _ in range(ROUNDS):
            _round(house, kept, chance.uniform(0.3, 1.5))
        server = house.start()
        found = house.last_arrival(set(kept))
        server.send_signal(signal.SIGTERM)
        server.wait(60)
        shutil.rmtree(house.folder)
        results = {
            "rounds": ROUNDS,
            "acknowledged": len(kept),
            "lost": len(set(kept) - set(found)),
            "twice": sum(times - 1 for times in found.values()),
        }
        return {"machine": machine.description(disk), "seed": SEED, "results": results}


def _round(house: House, kept: list[str], seconds: float) -> None:
    server, ended = house.start(), threading.Event()
    clients = [threading.Thread(target=_push, args=(house.port, kept, ended)) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    time.sleep(seconds)
    os.killpg(server.pid, signal.SIGKILL)
    server.wait(10)
    ended.set()
    for client in clients:
        client.join()


def _push(port: int, kept: list[str], ended: threading.Event) -> None:
    """One letter after another over one session, until the server dies."""
    with contextlib.suppress(OSError, smtplib.SMTPException):
        client = smtplib.SMTP("127.0.0.1", port, "client.test", timeout=20)
        client.ehlo()
        while not ended.is_set():
            client.mail("a@elsewhere.test")
            client.rcpt("bob@bench.test")
            code, text = client.data(BODY)
            if code == 250:
                kept.append(text.decode().split()[-1])
