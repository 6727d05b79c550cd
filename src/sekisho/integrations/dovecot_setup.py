"""What goes into Dovecot's settings so that its authentication asks our wforce booth: one file to put beside
the others.

Checking before authentication is switched off: only then does every question mean that the password was
right, and nobody without it can find out whether an account is locked.
"""

import hashlib
from base64 import b64encode
from collections.abc import Mapping

COMMON = """\
auth_policy_server_url = http://{where}/
auth_policy_server_api_header = {header}
auth_policy_hash_nonce = {nonce}
auth_policy_check_before_auth = no
auth_policy_check_after_auth = yes
auth_policy_report_after_auth = yes
auth_policy_reject_on_fail = no
"""

HEAD = """\
# /etc/dovecot/conf.d/99-sekisho.conf: Dovecot {version} asks about right passwords and reports logins.
# There is a password in it: keep it to root (chmod 0600). docs/beside.md says what follows from it.
"""

ENDS = {
    "2.3": "auth_policy_server_timeout_msecs = 2000\nimap_id_retain = yes\n",
    "2.4": "auth_policy {\n  http_client_request_absolute_timeout = 2s\n}\nimap_id_retain = yes\n",
}
"""When sekisho is down, logins go on after this time."""


def text(listening: Mapping[str, str]) -> str:
    return _text("2.3", listening)


def text_24(listening: Mapping[str, str]) -> str:
    return _text("2.4", listening)


def _text(version: str, listening: Mapping[str, str]) -> str:
    word = listening["password"]
    header = "Authorization: Basic " + b64encode(f"sekisho:{word}".encode()).decode("ascii")
    nonce = hashlib.sha256(f"auth_policy_hash_nonce {word}".encode()).hexdigest()[:32]
    settings = COMMON.format(where=listening["wforce"], header=header, nonce=nonce)
    return HEAD.format(version=version) + settings + ENDS[version]
