"""What to type to put sekisho beside qmail, which asks nobody: its log is followed, its queue worked in."""

from collections.abc import Mapping

SETUP = """\
# qmail asks nobody: sekisho follows its log, and holds and purges in its queue. Run these lines as root, with
# SEKISHO_CONFIG set; a second time they change nothing. docs/beside.md and docs/hands.md say what follows.
settings=${SEKISHO_CONFIG:?the path of sekisho.toml}
queue=${QMAIL_QUEUE:-/var/qmail/queue}
logs=${QMAIL_LOGS:-/var/log/qmail}
service=${QMAIL_SERVICE:-/service}/sekisho-watch
grep -q '^\\[hands\\.' "$settings" || cat >> "$settings" <<END

[hands.qmail]
program = "qmail"
queue = "$queue"
END
mkdir -p "$service"
cat > "$service/run.new" <<END
#!/bin/sh
exec 2>&1
exec sekisho watch -c $settings $logs
END
chmod 755 "$service/run.new"
mv "$service/run.new" "$service/run"
"""


def text(_: Mapping[str, str]) -> str:
    return SETUP
