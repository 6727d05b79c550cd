"""Debian's pebble, an ACME authority for tests, on loopback; and its name server, which says that every name
is here."""

import json
import os
import socket
import ssl
import subprocess
import time
import urllib.request
from pathlib import Path

import trustme

from conftest import program
from ports import free_port

START_S = 60


class Pebble:
    """`http` is the port at which it looks for proofs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.port, self.http, names = free_port(), free_port(), free_port()
        authority = trustme.CA()
        issued = authority.issue_cert("localhost", "127.0.0.1")
        authority.cert_pem.write_to_path(str(folder / "roots.pem"))
        issued.cert_chain_pems[0].write_to_path(str(folder / "cert.pem"))
        issued.private_key_pem.write_to_path(str(folder / "key.pem"))
        settings = {
            "listenAddress": f"127.0.0.1:{self.port}",
            "managementListenAddress": f"127.0.0.1:{free_port()}",
            "certificate": str(folder / "cert.pem"),
            "privateKey": str(folder / "key.pem"),
            "httpPort": self.http,
            "tlsPort": free_port(),
        }
        (folder / "pebble.json").write_text(json.dumps({"pebble": settings}))
        silent = {"stdout": open(folder / "log", "ab"), "stderr": subprocess.STDOUT}  # noqa: SIM115
        off = ["-tlsalpn01", "", "-https01", "", "-http01", "", "-defaultIPv6", ""]
        resolver = f"127.0.0.1:{names}"
        self.processes = [
            subprocess.Popen(
                [program("pebble-challtestsrv"), *off, "-defaultIPv4", "127.0.0.1",
                 "-dns01", resolver, "-management", f"127.0.0.1:{free_port()}"],
                **silent,
            ),
            subprocess.Popen(
                [program("pebble"), "-config", str(folder / "pebble.json"), "-dnsserver", resolver],
                env={**os.environ, "PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0"},
                **silent,
            ),
        ]  # fmt: skip
        silent["stdout"].close()
        self._wait()

    @property
    def directory(self) -> str:
        return f"https://127.0.0.1:{self.port}/dir"

    def _wait(self) -> None:
        context = ssl.create_default_context(cafile=str(self.folder / "roots.pem"))
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            try:
                urllib.request.urlopen(self.directory, context=context, timeout=5).close()
                return
            except OSError:
                time.sleep(0.1)
        raise AssertionError((self.folder / "log").read_text())

    def stop(self) -> None:
        for process in self.processes:
            process.terminate()
            process.wait(60)


def is_free(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) != 0
