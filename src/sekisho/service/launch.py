"""Run as a script of its own, never imported: lowers what a program may use, then becomes that program.

A thread-ridden parent cannot do this between fork and exec without risking a deadlock, so a fresh
interpreter does (`python -I -S launch.py CPU MEMORY FILE UID GID FOLDER PROGRAM WORDS...`).
"""

import os
import resource
import signal
import sys

FILES = 64
TRY_AGAIN = 75


def main(words: list[str]) -> None:
    cpu_s, memory, file, uid, gid = (int(word) for word in words[:5])
    folder, program = words[5], words[6:]
    limits = {
        resource.RLIMIT_CPU: cpu_s,
        resource.RLIMIT_AS: memory,
        resource.RLIMIT_FSIZE: file,
        resource.RLIMIT_NOFILE: FILES,
        resource.RLIMIT_CORE: 0,
    }
    for name, limit in limits.items():
        _, hard = resource.getrlimit(name)
        limit = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        resource.setrlimit(name, (limit, limit))
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them, and that would be inherited
        signal.signal(number, signal.SIG_DFL)
    os.umask(0o077)
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
    try:
        os.chdir(folder)
    except OSError:
        os.chdir("/")
    os.execve(program[0], program, os.environ)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except OSError as error:
        sys.stderr.write(f"4.3.5 {sys.argv[7]}: {error.strerror}\n")
        sys.exit(TRY_AGAIN)
