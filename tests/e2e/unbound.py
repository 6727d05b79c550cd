"""Debian's unbound on loopback, validating signed zones that the tests make up."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dns.dnssec
import dns.zone
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from ports import free_port

PROGRAM = shutil.which("unbound", path=os.environ.get("PATH", "") + ":/usr/sbin")
DAY_S = 86400

CONFIG = """
server:
  interface: 127.0.0.1@{port}
  access-control: 127.0.0.0/8 allow
  do-daemonize: no
  use-syslog: no
  chroot: ""
  username: ""
  directory: "{folder}"
  pidfile: ""
  do-not-query-localhost: no
  module-config: "validator iterator"
  local-zone: "test." nodefault
  num-threads: 1
remote-control:
  control-enable: no
"""

ZONE = """  {anchor}
auth-zone:
  name: "{name}"
  zonefile: "{name}.zone"
  for-downstream: no
  for-upstream: yes
  fallback-enabled: no
"""


class Signed:
    """A zone with a key of its own. `trusted` False: unbound is given another zone's key for it (bogus)."""

    def __init__(self, name: str, records: str, *, signed: bool = True, trusted: bool = True) -> None:
        self.name = name
        head = f"@ 60 IN SOA ns.{name}. root.{name}. 1 60 60 600 30\n@ 60 IN NS ns.{name}.\n"
        head += "ns 60 IN A 127.0.0.1\n"
        self._zone = dns.zone.from_text(head + records, origin=name)
        self.anchor = ""
        if signed:
            key = _sign(self._zone)
            self.anchor = key if trusted else _sign(dns.zone.from_text(head, origin=name))

    def write(self, folder: Path) -> None:
        self._zone.to_file(str(folder / f"{self.name}.zone"), relativize=False)


def _sign(zone: dns.zone.Zone) -> str:
    """Signs it and returns its key, as unbound's trust anchor."""
    private = ec.generate_private_key(ec.SECP256R1())
    key = dns.dnssec.make_dnskey(private.public_key(), dns.dnssec.Algorithm.ECDSAP256SHA256, flags=257)
    now = time.time()
    dns.dnssec.sign_zone(
        zone,
        keys=[(private, key)],
        inception=now - DAY_S,
        expiration=now + DAY_S,
        dnskey_ttl=60,
        add_dnskey=True,
    )
    return f"{zone.origin} 60 IN DNSKEY {key}"


@contextmanager
def resolving(folder: Path, *zones: Signed) -> Iterator[str]:
    """The address of a resolver that validates these zones."""
    if PROGRAM is None:
        if os.environ.get("CI"):
            pytest.fail("unbound is not installed")
        pytest.skip("unbound is not installed")
    port = free_port()
    server, rest = CONFIG.format(port=port, folder=folder).split("remote-control:")
    anchors = "".join(f'  trust-anchor: "{zone.anchor}"\n' for zone in zones if zone.anchor)
    text = server + anchors + "remote-control:" + rest
    for zone in zones:
        zone.write(folder)
        text += ZONE.format(name=zone.name, anchor="")
    (folder / "unbound.conf").write_text(text)
    with (folder / "unbound.log").open("wb") as log:
        process = subprocess.Popen([PROGRAM, "-d", "-p", "-c", str(folder / "unbound.conf")], stderr=log)
    try:
        _wait(port, process, folder)
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(60)


def _wait(port: int, process: "subprocess.Popen[bytes]", folder: Path) -> None:
    for _ in range(1200):
        assert process.poll() is None, (folder / "unbound.log").read_text()
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError("unbound does not answer")
