"""The systemd units: systemd finds nothing wrong with them, and each role does its work as the unit's user
with the unit's capabilities and nothing more.

What the kernel would do on systemd's behalf (mounts, system call filters) needs a systemd that runs, and is
not tested here.
"""

import os
import re
import signal
import socket
import stat
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from conftest import program
from covers import covers
from e2e.running import Installation
from e2e.test_users import FRONT, GROUP, LOCAL, VAULT, WATCH, owner_of, split_house

UNITS = Path(__file__).parent.parent.parent / "packaging" / "systemd"
SERVICES = sorted(UNITS.glob("*.service"))
ROLES = ("vault", "watch", "local", "front")
UIDS = {"front": FRONT, "vault": VAULT, "watch": WATCH, "local": LOCAL}
EXPOSURE_MOST = 2.0
PATIENCE_S = 60


def values(unit: Path, key: str) -> list[str]:
    return re.findall(rf"^{key}=(.*)$", unit.read_text(), re.MULTILINE)


@covers("Q-10", partly="the package on an image of another distribution")
@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.stem)
def test_systemd_finds_a_unit_right_and_safe(unit: Path, tmp_path: Path) -> None:
    """`verify` says nothing, `security` an exposure of at most 2.0."""
    analyze = program("systemd-analyze")
    for other in (*SERVICES, *UNITS.glob("*.timer")):  # verify wants the program to be there
        text = other.read_text().replace("/usr/bin/sekisho", "/bin/true")
        (tmp_path / other.name).write_text(text)
    here = tmp_path / unit.name
    done = subprocess.run([analyze, "verify", str(here)], capture_output=True, text=True, timeout=60)
    assert (0, "") == (done.returncode, done.stdout + done.stderr)
    done = subprocess.run(
        [analyze, "security", "--offline=yes", f"--threshold={int(EXPOSURE_MOST * 10)}", str(here)],
        capture_output=True, text=True, timeout=60, env={**os.environ, "LC_ALL": "C.UTF-8"},
    )  # fmt: skip
    found = re.search(r"exposure level for \S+: ([\d.]+)", done.stdout)
    assert found and float(found[1]) <= EXPOSURE_MOST, done.stdout + done.stderr
    assert 0 == done.returncode


def test_units_and_users_fit_together() -> None:
    """Each role's user is made by sysusers.d, none is root, and only the front has a network."""
    users = set(re.findall(r"^u (\S+)", (UNITS / "sekisho.sysusers").read_text(), re.MULTILINE))
    for role in ROLES:
        unit = UNITS / f"sekisho-{role}.service"
        assert [f"sekisho-{role}"] == values(unit, "User") and f"sekisho-{role}" in users
        families = values(unit, "RestrictAddressFamilies")
        assert ("AF_INET" in families[0]) == (role == "front")
    assert {f"sekisho-{role}" for role in ROLES} == users


def test_users_and_folders_are_made(tmp_path: Path) -> None:
    """By systemd itself, in a root of its own: four users, their group, and the folder of the state."""
    for folder in ("etc", "var/lib"):
        (tmp_path / folder).mkdir(parents=True)
    if os.geteuid() != 0:
        pytest.skip("only root can make users")
    made = [program("systemd-sysusers"), f"--root={tmp_path}", str(UNITS / "sekisho.sysusers")]
    done = subprocess.run(made, capture_output=True, text=True)
    assert 0 == done.returncode, done.stderr
    lines = [line.split(":") for line in (tmp_path / "etc" / "passwd").read_text().splitlines()]
    assert {f"sekisho-{role}" for role in ROLES} == {line[0] for line in lines}
    assert all(line[6].endswith("nologin") for line in lines)
    (group,) = [
        line for line in (tmp_path / "etc" / "group").read_text().splitlines() if line.startswith("sekisho:")
    ]
    assert {f"sekisho-{role}" for role in ROLES} == set(group.rpartition(":")[2].split(","))
    made = [program("systemd-tmpfiles"), "--create", f"--root={tmp_path}", str(UNITS / "sekisho.tmpfiles")]
    done = subprocess.run(made, capture_output=True, text=True)
    assert 0 == done.returncode, done.stderr
    assert 0o1771 == stat.S_IMODE((tmp_path / "var" / "lib" / "sekisho").stat().st_mode)


class Manager:
    """As much of systemd as starts a unit's command: user, groups, capabilities, NOTIFY_SOCKET."""

    def __init__(self, site: Installation) -> None:
        self.site = site
        self.log = open(site.folder / "server.log", "ab")  # noqa: SIM115
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.address = site.folder.parent / "notify"
        self.socket.bind(str(self.address))
        self.address.chmod(0o777)
        self.socket.settimeout(PATIENCE_S)
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def command(self, unit: Path, key: str = "ExecStart") -> list[str]:
        (line,) = [line for line in values(unit, key) if "--arrange" in line or key == "ExecStart"]
        words = line.replace("/etc/sekisho/sekisho.toml", str(self.site.settings)).split()
        return [*self.site.program, *words[1:]]

    def confined(self, unit: Path, role: str) -> list[str]:
        bounding = self._capabilities(unit, "CapabilityBoundingSet")
        ambient = self._capabilities(unit, "AmbientCapabilities")
        limits = [f"--bounding-set={bounding}", f"--inh-caps={ambient}", f"--ambient-caps={ambient}"]
        if role:
            uid = UIDS[role]
            both = "sekisho-watch" in values(unit, "SupplementaryGroups")[0]
            groups = f"{GROUP},{WATCH}" if both else GROUP
            limits += [f"--reuid={uid}", f"--regid={uid}", f"--groups={groups}"]
        return [program("setpriv"), "--no-new-privs", *limits]

    def _capabilities(self, unit: Path, key: str) -> str:
        names = " ".join(values(unit, key)).split()
        return ",".join(["-all", *("+" + name.removeprefix("CAP_").lower() for name in names)])

    def arrange(self) -> None:
        unit = UNITS / "sekisho.service"
        subprocess.run([*self.confined(unit, ""), *self.command(unit)], check=True, timeout=PATIENCE_S)

    @contextmanager
    def role(self, role: str) -> Iterator[None]:
        unit = UNITS / f"sekisho-{role}.service"
        process = subprocess.Popen(
            [*self.confined(unit, role), *self.command(unit)],
            stdout=self.log,
            stderr=self.log,
            env={**os.environ, "NOTIFY_SOCKET": str(self.address)},
            cwd="/",
            umask=int(values(unit, "UMask")[0], 8),
        )
        self.running[role] = process
        try:
            while b"READY=1" not in self.socket.recv(4096):
                pass
            yield
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                assert 0 == process.wait(PATIENCE_S), self.site.log()


@pytest.fixture
def manager(monkeypatch: pytest.MonkeyPatch) -> Iterator[Manager]:
    with split_house(monkeypatch) as site, ExitStack() as stack:
        manager = Manager(site)
        stack.callback(manager.log.close)
        stack.callback(manager.socket.close)
        manager.arrange()
        for role in ROLES:
            stack.enter_context(manager.role(role))
        yield manager


def test_the_roles_work_together_as_units(manager: Manager) -> None:
    """Mail in, a login, mail of one's own, a large letter, queue and guard by command, and a reload."""
    site = manager.site
    with site.client() as client:
        client.sendmail("a@far.example", ["bob@example.com"], "Subject: in\r\n\r\nx\r\n")
        large = "Subject: large\r\n\r\n" + ("y" * 70 + "\r\n") * 8000
        client.sendmail("a@far.example", ["bob@example.com"], large)
    with site.signed_in("bob@example.com") as client:
        client.sendmail("bob@example.com", ["bob@example.com"], "Subject: own\r\n\r\nx\r\n")
    site.wait_for_letters("bob@example.com", 3)
    assert "Traceback" not in site.run("queue", "list")
    site.run("incident", "contain", "bob@example.com", "--yes")
    assert "contained by" in site.run("incident", "show", "bob@example.com")
    site.run("incident", "release", "bob@example.com", "--keep-password", "--yes")
    assert {role: UIDS[role] for role in ROLES} == {
        role: owner_of(process.pid) for role, process in manager.running.items()
    }
    text = site.settings.read_text()
    site.settings.write_text(text.replace("[limits]", "[limits]\nmessage_bytes = 4096"))
    for process in manager.running.values():
        process.send_signal(signal.SIGHUP)
    heard = [manager.socket.recv(4096) for _ in range(2 * len(ROLES))]
    assert len(ROLES) == sum(b"RELOADING=1" in each for each in heard)
    assert not [each for each in heard if b"not read again" in each]
    with site.client() as client:
        client.ehlo()
        assert "4096" == client.esmtp_features["size"]


def test_root_may_renew_a_certificate_without_any_capability(manager: Manager) -> None:
    """As the certificate's unit: the new file is root's to write and the front's to read, nobody else's."""
    unit, keys = UNITS / "sekisho-certificate.service", manager.site.folder / "keys"
    copy = "import sys; from sekisho.host import HostDisk; from sekisho.store.certificates import exchange;"
    copy += "p = sys.argv[1]; exchange(HostDisk(), p, open(p, 'rb').read())"
    before = (keys / "cert.pem").stat()
    words = [*manager.confined(unit, ""), manager.site.program[0], "-c", copy, str(keys / "cert.pem")]
    subprocess.run(words, check=True, umask=0o077, timeout=PATIENCE_S)
    after = (keys / "cert.pem").stat()
    assert before.st_ino != after.st_ino
    assert (0, FRONT, 0o640) == (after.st_uid, after.st_gid, stat.S_IMODE(after.st_mode))


def test_a_unit_that_dies_takes_nobody_along(manager: Manager) -> None:
    """The vault is killed and started again: logins work again, and mail was taken all the while."""
    site = manager.site
    vault = manager.running["vault"]
    vault.kill()
    vault.wait(60)
    with site.client() as client:
        client.sendmail("a@far.example", ["bob@example.com"], "Subject: in\r\n\r\nx\r\n")
    with manager.role("vault"), site.signed_in("bob@example.com") as client:
        assert 250 == client.noop()[0]
    site.wait_for_letters("bob@example.com", 1)
