#!/bin/sh
# `make debcheck`: a fresh Debian 12 in a folder, the package in it, no compiler: a server is made, takes a letter
# and a login, and is removed again. Needs root, debootstrap and a Debian mirror; uses 127.77.0.1.
set -eu
package=$(realpath "$1")
root=$(mktemp -d /tmp/sekisho-debcheck-XXXXXX)
chmod 755 "$root"
serving=""
clean() {
    [ -z "$serving" ] || kill "$serving" 2>/dev/null || true
    umount "$root/proc" 2>/dev/null || true
    rm -rf --one-file-system "$root"
}
trap clean EXIT
debootstrap --variant=minbase bookworm "$root" >/dev/null
mount -t proc proc "$root/proc"
cp "$package" "$root/root/sekisho.deb"
export DEBIAN_FRONTEND=noninteractive LC_ALL=C
chroot "$root" apt-get install -y -q --no-install-recommends /root/sekisho.deb >/dev/null
! chroot "$root" sh -c 'command -v gcc cc pip' || { echo "there is a compiler after all"; exit 1; }
chroot "$root" sekisho init /var/lib/sekisho --settings /etc/sekisho/sekisho.toml --users sekisho \
    --domain example.com --address 127.77.0.1 >/dev/null
echo correct-horse-battery | chroot "$root" sekisho account add bob@example.com
chroot "$root" sekisho serve >"$root/root/log" 2>&1 &
serving=$!
chroot "$root" /usr/bin/python3 - <<'PYTHON' || { cat "$root/root/log"; exit 1; }
import pathlib, smtplib, ssl, time

for _ in range(300):
    try:
        client = smtplib.SMTP("127.77.0.1", 25, timeout=10)
        break
    except OSError:
        time.sleep(0.2)
client.sendmail("a@example.net", ["bob@example.com"], "Subject: x\r\n\r\nx\r\n")
context = ssl.create_default_context()
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
with smtplib.SMTP_SSL("127.77.0.1", 465, context=context, timeout=10) as user:
    user.login("bob@example.com", "correct-horse-battery")
    user.sendmail("bob@example.com", ["bob@example.com"], "Subject: y\r\n\r\ny\r\n")
new = pathlib.Path("/var/lib/sekisho/mail/example.com/bob/Maildir/new")
for _ in range(100):
    if new.exists() and len(list(new.iterdir())) == 2:
        break
    time.sleep(0.2)
letters = list(new.iterdir())
assert len(letters) == 2 and all(letter.owner() == "sekisho-local" for letter in letters), letters
PYTHON
kill "$serving"
wait "$serving" || true
serving=""
chroot "$root" dpkg --purge sekisho >/dev/null
[ -d "$root/var/lib/sekisho/mail" ] || { echo "mail was removed"; exit 1; }
left=$(find "$root/usr/lib/sekisho" "$root/usr/bin/sekisho" 2>/dev/null || true)
[ -z "$left" ] || { echo "left behind: $left"; exit 1; }
echo "installed on a fresh Debian 12, served, purged: mail is still there"
