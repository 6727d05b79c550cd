"""saslauthd and PAM, which judge passwords for a mail server: who was wrong, mostly without an address.

    saslauthd[88]: do_auth : auth failure: [user=a] [service=smtp] [realm=example.com] [mech=pam] [reason=...]
    dovecot-auth: pam_unix(dovecot:auth): authentication failure; ... rhost=192.0.2.61 user=a

Both are second witnesses: where the mail server tells the same failure, with its address, only that counts.
"""

import re

from sekisho.logs.books import Books
from sekisho.logs.facts import Login, ip_address
from sekisho.logs.saying import Saying
from sekisho.model.address import normal
from sekisho.model.text import printable

NAME = "saslauthd"
MAIL = {
    "smtp": "smtp", "imap": "imap", "imaps": "imaps", "pop": "pop3", "pop3": "pop3", "pop3s": "pop3s",
    "sieve": "managesieve",
    "dovecot": "imap", "dovecot-auth": "imap", "auth": "imap", "cyrus": "imap", "courier": "imap",
    "exim": "smtp",
    "exim4": "smtp", "sendmail": "smtp", "postfix": "smtp", "saslauthd": "smtp", "smtpd": "smtp",
    "mail": "imap",
}  # fmt: skip

_FAILURE = re.compile(
    r"(?:do_auth +: |DEBUG: |: )?auth failure: \[user=(.*)\] \[service=([\w./-]*)\] \[realm=(.*)\]"
    r" \[mech=\w*\]"
    r" \[reason=.*\]",
    re.DOTALL,
)
_PAM = re.compile(
    r"(?:pam_unix(?:\(([\w.-]+)(?::auth)?\))?: |\(pam_unix\) "
    r"|)authentication failure; logname=\S* uid=\d* euid=\d*"
    r" tty=(\S*) ruser=(.*?) rhost=(\S*)(?: +user=(.*))? ?",
    re.DOTALL,
)
_TAGGED = re.compile(r"([\w.-]+)\(pam_unix\)")
_ABOUT = re.compile(
    r"do_auth|do_request|auth_|detach_tty|ipc_|server_exit|master|pam_unix|\(pam_unix\)|authentication "
)


class Saslauthd:
    name = NAME
    programs = frozenset({"saslauthd", *MAIL})

    def __init__(self, books: Books) -> None:
        self._books = books

    def claims(self, text: str) -> bool:
        return text.startswith(
            ("pam_unix", "(pam_unix)", "authentication failure; ", "do_", "auth_", "detach_")
        )

    def hear(self, said: Saying) -> bool:
        if match := _FAILURE.fullmatch(said.text):
            return self._failed(said, match)
        if match := _PAM.fullmatch(said.text):
            service = MAIL.get(match[1] or match[2].rpartition("/")[2] or said.program) or MAIL.get(
                said.program
            )
            if service:
                account = normal(printable(match[5] or match[3]))
                self._books.witness(
                    said, Login(service, False, account, ip_address(match[4]), "pam", "password")
                )
            return True
        return _ABOUT.match(said.text) is not None

    def _failed(self, said: Saying, match: "re.Match[str]") -> bool:
        service = MAIL.get(match[2])
        if service:
            user, realm = printable(match[1]), printable(match[3])
            account = normal(f"{user}@{realm}" if realm and "@" not in user else user)
            self._books.witness(said, Login(service, False, account, "", "", "password"))
        return True
