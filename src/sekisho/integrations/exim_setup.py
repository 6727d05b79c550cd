"""What goes into Exim's configuration so that it asks at our booths: parts, each for one of its sections.

Exim has no policy delegation; `${readsocket` asks the same question in the same words.
"""

from collections.abc import Mapping

HEAD = """\
# Exim (4.92 or newer) asks sekisho. These are parts for sections of its configuration: copy each to its
# place, then `exim -bV && systemctl reload exim4`. docs/beside.md says what follows from them.
"""

MAIN = """\

# ---- main section. If you have an acl_smtp_data of your own, put the line "require acl = sekisho_data" at
# its head in place of this one; at the head of your acl_smtp_rcpt put "require acl = sekisho_rcpt".
acl_smtp_data = sekisho_data
SEKISHO_CLIENT = request=smtpd_access_policy\\nsasl_username=$authenticated_id\\n\\
  client_address=$sender_host_address\\nclient_port=$sender_host_port\\nserver_port=$received_port\\nsender=$sender_address\\n\\
  instance=$acl_m_sekisho_id\\nencryption_protocol=$tls_in_cipher\\n
"""

ACL = """\

# ---- behind "begin acl". 3s and action=DUNNO: when sekisho is down, mail goes on after a moment.
sekisho_rcpt:
  accept !authenticated = *
  warn condition = ${{if !def:acl_m_sekisho_id}}
       set acl_m_sekisho_id = $pid.$tod_epoch_l
  warn set acl_m_sekisho = ${{readsocket{{{where}}}{{SEKISHO_CLIENT\\
         protocol_state=RCPT\\nrecipient=$local_part@$domain\\n\\n}}{{3s}}{{}}{{action=DUNNO}}}}
  require acl = sekisho_obey
  accept

sekisho_data:
  accept !authenticated = *
  warn set acl_m_sekisho = ${{readsocket{{{where}}}{{SEKISHO_CLIENT\\
         protocol_state=END-OF-MESSAGE\\nqueue_id=$message_exim_id\\n\\
         recipient_count=$recipients_count\\nsize=$message_size\\n\\n}}{{3s}}{{}}{{action=DUNNO}}}}
  require acl = sekisho_obey
  accept

sekisho_obey:
  deny  condition = ${{if match{{$acl_m_sekisho}}{{^action=5}}}}
        message = ${{sg{{$acl_m_sekisho}}{{\\N^action=|\\n\\N}}{{}}}}
  defer condition = ${{if match{{$acl_m_sekisho}}{{^action=4}}}}
        message = ${{sg{{$acl_m_sekisho}}{{\\N^action=|\\n\\N}}{{}}}}
  warn  condition = ${{if match{{$acl_m_sekisho}}{{^action=HOLD}}}}
        log_message = ${{sg{{$acl_m_sekisho}}{{\\N^action=|\\n\\N}}{{}}}}
        control = freeze/no_tell
  accept
"""

SASL = """\

# ---- behind "begin authenticators". Passwords are those of the accounts that `sekisho account add` has made.
sekisho_plain:
  driver = dovecot
  public_name = PLAIN
  server_socket = {where}
  server_set_id = $auth1
.ifndef AUTH_SERVER_ALLOW_NOTLS_PASSWORDS
  server_advertise_condition = ${{if def:tls_in_cipher}}
.endif

sekisho_login:
  driver = dovecot
  public_name = LOGIN
  server_socket = {where}
  server_set_id = $auth1
.ifndef AUTH_SERVER_ALLOW_NOTLS_PASSWORDS
  server_advertise_condition = ${{if def:tls_in_cipher}}
.endif
"""


def text(listening: Mapping[str, str]) -> str:
    parts = [HEAD]
    if (policy := listening.get("policy")) is not None:
        where = policy.removeprefix("unix:") if policy.startswith("unix:") else f"inet:{policy}"
        parts += [MAIN, ACL.format(where=where)]
    if (sasl := listening.get("sasl")) is not None:
        host, _, port = sasl.rpartition(":")
        where = sasl.removeprefix("unix:") if sasl.startswith("unix:") else f"{host} {port}"
        parts.append(SASL.format(where=where))
    return "".join(parts)
