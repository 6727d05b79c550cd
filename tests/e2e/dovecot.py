"""A real Dovecot on a private configuration, as another user would run it: LMTP on a unix socket."""

import contextlib
import grp
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

PROGRAM = shutil.which("dovecot") or "/usr/sbin/dovecot"
LMTP = Path("/usr/lib/dovecot/lmtp")
START_S = 60
NOBODY = 65534
"""Whose mailboxes they are when root runs the tests: Dovecot opens none of root's."""

SETTINGS = """\
base_dir = {run}
state_dir = {run}
log_path = {folder}/log
protocols = lmtp
ssl = no
mail_location = maildir:~/Maildir
first_valid_uid = 0
first_valid_gid = 0
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
auth_username_format = %Lu
passdb {{
  driver = passwd-file
  args = {folder}/users
}}
userdb {{
  driver = passwd-file
  args = {folder}/users
}}
service lmtp {{
  chroot =
  unix_listener {folder}/lmtp {{
    mode = 0600
  }}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
"""

QUOTAS = """\
mail_plugins = quota
protocol lmtp {{
  mail_plugins = quota
}}
plugin {{
  quota = maildir:User quota
  quota_rule = *:bytes={size}
  quota_exceeded_message = Nothing more fits in here
}}
lmtp_rcpt_check_quota = {early}
quota_full_tempfail = {later}
"""
"""`early`: a full mailbox is answered at RCPT; `later`: with 452 4.2.2 instead of 552 5.2.2."""


class Dovecot:
    def __init__(self, folder: Path, users: tuple[str, ...], extra: str = "") -> None:
        self.folder = folder
        self.socket = folder / "lmtp"
        (folder / "mail").mkdir()
        uid, gid = owner = (os.getuid(), os.getgid()) if os.getuid() else (NOBODY, NOBODY)
        folder.chmod(0o755)
        os.chown(folder / "mail", *owner)
        homes = ((user, folder / "mail" / user.partition("@")[0]) for user in users)
        (folder / "users").write_text(
            "".join(f"{user}:{{PLAIN}}x:{uid}:{gid}::{home}::\n" for user, home in homes)
        )
        settings = SETTINGS.format(
            folder=folder, run=folder / "run",
            user=pwd.getpwuid(os.getuid()).pw_name, group=grp.getgrgid(os.getgid()).gr_name,
        )  # fmt: skip
        (folder / "dovecot.conf").write_text(settings + extra)

    @contextlib.contextmanager
    def serving(self) -> Iterator[None]:
        with open(self.folder / "out", "wb") as out:
            server = subprocess.Popen(
                [PROGRAM, "-F", "-c", str(self.folder / "dovecot.conf")], stdout=out, stderr=out
            )
        try:
            deadline = time.monotonic() + START_S
            while not self.socket.exists():
                assert server.poll() is None and time.monotonic() < deadline, self.log()
                time.sleep(0.05)
            yield
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(60)

    def letters(self, name: str) -> list[bytes]:
        new = self.folder / "mail" / name / "Maildir" / "new"
        return [path.read_bytes() for path in sorted(new.iterdir())] if new.exists() else []

    def log(self) -> str:
        parts = [self.folder / "out", self.folder / "log"]
        return "\n".join(part.read_text(errors="replace") for part in parts if part.exists())


@contextlib.contextmanager
def dovecot(*users: str, extra: str = "") -> Iterator[Dovecot]:
    """In a folder that its users can enter. Skips with a reason where there is none; fails in CI."""
    if not (Path(PROGRAM).exists() and LMTP.exists()):
        assert not os.environ.get("CI"), "Dovecot with LMTP has to be there"
        pytest.skip("Dovecot with LMTP is not installed")
    with tempfile.TemporaryDirectory(prefix="dovecot-") as name:
        keeper = Dovecot(Path(name), users, extra)
        with keeper.serving():
            yield keeper
