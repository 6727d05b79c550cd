"""What to type so that Postfix asks at our booths: shell commands, to be read, run, and run again.

Nothing of the site's own is lost: our question is put in front of the restrictions that a service has.
"""

from collections.abc import Mapping

POLICY = """\
# Postfix (3.0 or newer) asks sekisho about each recipient and each letter of whoever has logged in.
# Run these lines as root; a second time they change nothing. docs/beside.md says what follows from them.
# timeout, try_limit, default_action: when sekisho is down, mail goes on after a moment.
postconf -e 'sekisho_ask = check_policy_service {{ {where}, timeout=5s, try_limit=1, default_action=DUNNO }}'
for service in $(postconf -M | awk '$2 == "inet" && $8 == "smtpd" {{ print $1 }}'); do
  login=$(postconf -P "$service/inet/smtpd_sasl_auth_enable" 2>/dev/null)
  case "${{login:-$(postconf smtpd_sasl_auth_enable)}}" in *yes) ;; *) continue ;; esac
  for list in smtpd_recipient_restrictions smtpd_end_of_data_restrictions; do
    had=$(postconf -P "$service/inet/$list" 2>/dev/null)
    had="${{had:-$(postconf "$list")}}"
    case "$had" in *sekisho_*) continue ;; esac
    name=sekisho_$(echo "${{service}}_$list" | tr -c 'a-zA-Z0-9\\n' _)
    postconf -e "$name=\\$sekisho_ask,${{had#*=}}"
    postconf -P "$service/inet/$list=\\$$name"
  done
done
"""

SASL = """\
# Postfix has sekisho judge passwords, those of the accounts that `sekisho account add` has made.
# A service with smtpd_sasl_path or smtpd_sasl_type of its own in master.cf keeps these.
postconf -e smtpd_sasl_type=dovecot 'smtpd_sasl_path={where}'
"""

MILTER = """\
# Postfix (3.0 or newer) asks sekisho as its filter about each letter of whoever has logged in.
# A service with smtpd_milters of its own in master.cf keeps these. When sekisho is down, mail goes on.
had=$(postconf -h smtpd_milters)
case "$had" in
  *'{where}'*) ;;
  *) postconf -e "smtpd_milters={{ {where}, default_action=accept }} $had" ;;
esac
"""

LAST = "postfix reload\n"


def text(listening: Mapping[str, str]) -> str:
    letters = ("policy", POLICY) if "policy" in listening else ("milter", MILTER)  # each would count a letter
    parts = [letters, ("sasl", SASL)]
    given = [part.format(where=place(listening[name])) for name, part in parts if name in listening]
    return "".join((*given, LAST))


def place(address: str) -> str:
    """As Postfix writes it."""
    return address if address.startswith("unix:") else f"inet:{address}"
