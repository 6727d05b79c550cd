"""What to type so that sendmail asks at our milter booth, and remembers who brought a letter."""

from collections.abc import Mapping

SETUP = """\
# sendmail (8.14 or newer) has sekisho look at each letter of whoever has logged in, and keeps login and
# address in its queue, so that `sekisho queue --on sendmail --account` finds them. Run these lines as root; a
# second time they change nothing. docs/beside.md says what follows. When sekisho is down, mail goes on.
mc=${{SENDMAIL_MC:-/etc/mail/sendmail.mc}}
grep -q 'C{{persistentMacros}}{{auth_authen}}' "$mc" || cat >> "$mc" <<'END'
INPUT_MAIL_FILTER(`sekisho', `S={where}, T=C:10s;S:10s;R:10s;E:30s')dnl
LOCAL_CONFIG
C{{persistentMacros}}{{auth_authen}} {{client_addr}}
END
make -C "$(dirname "$mc")"
pid=${{SENDMAIL_PID:-/var/run/sendmail/mta/sendmail.pid}}
if [ -e "$pid" ]; then kill -HUP "$(head -1 "$pid")"; fi
"""


def text(listening: Mapping[str, str]) -> str:
    return SETUP.format(where=place(listening["milter"]))


def place(address: str) -> str:
    """As sendmail writes it."""
    if address.startswith("unix:"):
        return "local:" + address.removeprefix("unix:")
    host, _, port = address.rpartition(":")
    return f"inet6:{port}@{host[1:-1]}" if host.startswith("[") else f"inet:{port}@{host}"
