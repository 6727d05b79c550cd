"""`sekisho-sendmail` in the place of sendmail(1), against a real server on its local socket."""

import contextlib
import getpass
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from covers import covers
from e2e.running import Installation

ME = getpass.getuser()
LETTER = b"To: bob@example.com\nSubject: x\n\nwords\n"
HELD_S = 5
NOWHERE = 'hosts = { "example.net" = "[127.0.0.1]:1" }'
"""Nobody listens there: mail for it waits."""


class Desk:
    """A server with a local listener, and the program that brings mail to it."""

    def __init__(self, folder: Path, sendmail: str = "", *, processes: str = "one", limits: str = "") -> None:
        self.socket = folder / "sendmail"
        listener = f'[listen.sendmail]\naddress = "unix:{self.socket}"\nprotocol = "local"\n'
        self.site = Installation(
            folder / "site", extra=listener + sendmail, processes=processes, outbound=NOWHERE
        )
        text = self.site.settings.read_text()
        self.site.settings.write_text(text.replace("[limits]\n", f"[limits]\n{limits}"))
        for name in ("anna", "bob"):
            self.site.add_account(f"{name}@example.com")

    def start(self, *words: str, **environment: str) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "sekisho.cli.sendmail", *words]
        settings = {
            "SEKISHO_SOCKET": str(self.socket),
            "SEKISHO_CONFIG": str(self.site.settings),
            "LC_ALL": "C",
        }
        pipe = subprocess.PIPE
        return subprocess.Popen(
            command, stdin=pipe, stdout=pipe, stderr=pipe, env={**os.environ, **settings, **environment}
        )

    def __call__(self, *words: str, text: bytes = LETTER, **environment: str) -> tuple[int, str]:
        """Exit code, and what was said."""
        process = self.start(*words, **environment)
        out, err = process.communicate(text, timeout=120)
        assert b"Traceback" not in err, err.decode()
        return process.returncode, (out + err).decode()

    def letter(self, name: str = "bob", count: int = 1) -> bytes:
        return self.site.wait_for_letters(f"{name}@example.com", count)[-1]


@contextmanager
def desk(sendmail: str = "", *, processes: str = "one", limits: str = "") -> Iterator[Desk]:
    """In a folder with a short path: that of a socket has at most 107 characters."""
    with tempfile.TemporaryDirectory(prefix="sekisho-") as folder:
        made = Desk(Path(folder), sendmail, processes=processes, limits=limits)
        with made.site.serving():
            yield made


@covers("Q-14")
@pytest.mark.parametrize("processes", ["one", "split"])
def test_a_letter_with_its_recipients_in_the_head(processes: str) -> None:
    """`-f a@b -oi -t`: that is the envelope's sender; To, Cc and Bcc are its recipients, Bcc is not seen."""
    with desk(processes=processes) as sendmail:
        text = (
            b"To: =?utf-8?Q?Bob?= <bob@example.com>\nBcc: anna@example.com,\n  Anna <anna@example.com>\n"
            b"From: a@b.example\nSubject: x\n\nfirst\n.\n..\nlast\n"
        )
        assert (0, "") == sendmail("-f", "a@b.example", "-oi", "-t", text=text)
        bobs, annas = sendmail.letter("bob"), sendmail.letter("anna")
    for letter in (bobs, annas):
        assert letter.startswith(b"Return-Path: <a@b.example>\n")
        assert letter.endswith(b"\n\nfirst\n.\n..\nlast\n")
        assert b"bcc" not in letter.lower() and b"\nTo: =?utf-8?Q?Bob?= <bob@example.com>\n" in letter
        assert 1 == letter.count(b"\nFrom: ") and b"\nDate: " in letter and b"\nMessage-ID: <" in letter


@covers("Q-14")
def test_exit_codes() -> None:
    """Of sysexits: 64 for what no address is, 67 for nobody, 65 and 69 for letters that cannot be, and 75
    once the server has stopped. Whatever is not 0 has sent nothing."""
    with desk(limits="message_bytes = 2000000\n") as sendmail:
        assert 64 == sendmail("a b@example.com")[0]
        assert 64 == sendmail("bob@example..com")[0]
        assert 64 == sendmail("-t", text=b"Subject: nobody\n\n")[0]
        assert 64 == sendmail("-t", text=b'To: "unclosed <bob@example.com>\n\n')[0]
        assert 64 == sendmail("-k", "bob")[0] == sendmail("-bd")[0] == sendmail("-f")[0]
        assert 64 == sendmail("-f", "a@b>\r\nRCPT TO:<bob@example.com", "bob")[0]
        code, said = sendmail("bob@example.com", "nobody.here@example.com")
        assert 67 == code and "550 5.1.1" in said and "nobody.here@example.com" in said
        assert 65 == sendmail("bob", text=b"a NUL \0 in it\n")[0]
        lines = b"x" * 70 + b"\n"
        assert 69 == sendmail("bob", text=lines * 28_500)[0]
        code, said = sendmail("bob", text=lines * 500_000)
        assert 69 == code and "2000000" in said
        assert 0 == sendmail("-i", "-d0.1", "bob")[0]
        assert b"words" in sendmail.letter()
    began = time.monotonic()
    code, said = sendmail("bob")
    assert 75 == code and "does not answer" in said and time.monotonic() - began < HELD_S + 60


def test_standard_input_that_is_closed_is_no_letter() -> None:
    """As daemons and cron may start it: 74 and a sentence; what needs no input works."""
    for words, code in ((("bob@example.com",), 74), (("-bs",), 74), (("-bi",), 0)):
        command = ["sh", "-c", 'exec "$@" <&-', "sh", sys.executable, "-m", "sekisho.cli.sendmail", *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        assert code == done.returncode and "Traceback" not in done.stderr
        assert bool(code) == done.stderr.startswith("sekisho: ")


def test_what_is_not_there_is_added() -> None:
    """A body without head, typed until its dot; sender, From with the name of -F, names without a domain."""
    with desk() as sendmail:
        code, said = sendmail("-v", "-F", 'Böb "B" \x1b', "bob", text=b"just: words\nno field\n.\nnot this\n")
        assert 0 == code and re.fullmatch(r"250 2\.6\.0 queued as \w+\n", said)
        first = sendmail.letter()
        assert 0 == sendmail("-f", "<>", "bob", text=b"no field\r\nprogress\rbar", NAME='A "B"')[0]
        (second,) = [one for one in sendmail.site.wait_for_letters("bob@example.com", 2) if one != first]
    assert f"Return-Path: <{ME}@example.com>\n".encode() in first
    assert f"\nFrom: =?utf-8?B?QsO2YiAiQiI=?= <{ME}@example.com>\n".encode() in first
    assert first.endswith(b"\njust: words\n\nno field\n")
    assert second.startswith(b"Return-Path: <>\n") and second.endswith(b"\n\nno field\nprogress\nbar\n")
    assert f'\nFrom: "A \\"B\\"" <{ME}@example.com>\n'.encode() in second


def test_who_is_not_trusted_writes_as_himself() -> None:
    """Or as nobody, or as the account that is his; else 77. The queue knows the mail by that account."""
    with desk(f'[sendmail]\ntrusted = []\n[sendmail.accounts]\n"{ME}" = "anna@example.com"\n') as sendmail:
        code, said = sendmail("-f", "bob@example.com", "bob")
        assert 77 == code and "553 5.7.1" in said
        for sender in (f"{ME}@example.com", "anna@example.com", "anna+x@example.com", "<>"):
            assert (0, "") == sendmail("-f", sender, "bob"), sender
        assert 4 == len(sendmail.site.wait_for_letters("bob@example.com", 4))
        assert (0, "") == sendmail("far@example.net")
        listed = sendmail.site.run("queue", "list", "--account", "anna@example.com")
        assert "far@example.net" in listed
        assert "far@example.net" in sendmail("-bp")[1]


class Script:
    """A server of a few words: what it is told, and what it says to each verb instead of 250."""

    def __init__(self, path: Path, answers: dict[str, bytes]) -> None:
        self.told: list[str] = []
        self.answers = {"DATA": b"354 go on", "QUIT": b"221 bye", **answers}
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen()
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def serve(self) -> None:
        line, _ = self.listener.accept()
        with contextlib.suppress(OSError), line, line.makefile("rwb") as file:
            file.write(b"220 mx.example.com ESMTP example.com\r\n")
            file.flush()
            while sent := file.readline().decode().rstrip("\r\n"):
                self.told.append(sent)
                answer = self.answers.get(sent[:4], b"250 ok")
                if sent == "DATA" and answer.startswith(b"3"):
                    file.write(answer + b"\r\n")
                    file.flush()
                    while file.readline() != b".\r\n":
                        pass
                    answer = self.answers.get("end", b"250 ok")
                if not answer:
                    return
                file.write(answer + b"\r\n")
                file.flush()

    def close(self) -> None:
        self.listener.close()
        self.thread.join(20)


@contextmanager
def script(**answers: bytes) -> Iterator[tuple[Callable[..., tuple[int, str]], Script]]:
    with tempfile.TemporaryDirectory(prefix="sekisho-") as folder:
        server = Script(Path(folder) / "s", answers)
        try:
            yield partial(ended, str(Path(folder) / "s")), server
        finally:
            server.close()


def ended(socket_path: str, *words: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "sekisho.cli.sendmail", *words],
        input=LETTER,
        env={**os.environ, "SEKISHO_SOCKET": socket_path, "LC_ALL": "C"},
        capture_output=True,
        check=False,
        timeout=60,
    )
    return done.returncode, done.stderr.decode()


def test_wishes_for_reports_are_passed_on() -> None:
    """-N, -R and -V (RFC 3461); options that mean nothing here are let pass."""
    with script() as (sendmail, server):
        assert 64 == sendmail("-N", "sometimes", "bob")[0] == sendmail("-R", "half", "bob")[0]
        words = [
            "-N",
            "never",
            "-R",
            "hdrs",
            "-V",
            "a=b +c",
            "-O",
            "X=y",
            "-oem",
            "-B8BITMIME",
            "-G",
            "-f",
            "a@x",
        ]
        assert (0, "") == sendmail(*words, "--", "bob", "bob", "anna@x.example")
    size = len(LETTER.replace(b"\n", b"\r\n")) + len(b"From: a@x\r\n") + 3
    assert [
        "EHLO localhost",
        f"MAIL FROM:<a@x> SIZE={size} RET=HDRS ENVID=a+3Db+20+2Bc",
        "RCPT TO:<bob@example.com> NOTIFY=NEVER",
        "RCPT TO:<anna@x.example> NOTIFY=NEVER",
        "DATA",
        "QUIT",
    ] == server.told


@pytest.mark.parametrize(
    ("answers", "code", "words"),
    [
        ({"MAIL": b"452 4.3.1 queue stopped"}, 75, "4.3.1"),
        ({"MAIL": b"553 5.7.1 not yours"}, 77, "5.7.1"),
        ({"MAIL": b"501 5.1.7 what?"}, 64, "5.1.7"),
        ({"RCPT": b"450 4.2.0 later"}, 75, "4.2.0"),
        ({"RCPT": b"550 5.1.1 nobody"}, 67, "bob@example.com"),
        ({"RCPT": b"550 5.7.1 no"}, 77, "5.7.1"),
        ({"RCPT": b"552 5.2.2 full"}, 69, "5.2.2"),
        ({"DATA": b"451 4.3.0 later"}, 75, "4.3.0"),
        ({"end": b"451 4.3.0 later"}, 75, "4.3.0"),
        ({"end": b"550 5.6.0 what is this?"}, 65, "5.6.0"),
        ({"end": b"554 5.4.6 loop"}, 69, "5.4.6"),
        ({"end": b"354 what?"}, 75, "354"),
        ({"end": b"garbage"}, 75, "garbage"),
        ({"end": b""}, 75, "it may have"),
        ({"EHLO": b""}, 75, "broke"),
        ({"RCPT": b""}, 75, "broke"),
    ],
)
def test_no_reply_but_the_last_250_is_success(answers: dict[str, bytes], code: int, words: str) -> None:
    """Every other end of the dialogue, at every place, has its exit code and says why."""
    with script(**answers) as (sendmail, _):
        given, said = sendmail("bob")
    assert (code, True) == (given, words in said), said


def test_smtp_on_standard_input() -> None:
    """-bs: the dialogue is passed through, and its words come out."""
    with desk() as sendmail:
        process = sendmail.start("-bs")
        assert process.stdin is not None and process.stdout is not None
        said = [process.stdout.readline()]
        for line in ("HELO x", "MAIL FROM:<>", "RCPT TO:<bob@example.com>", "DATA", "words\r\n.", "QUIT"):
            process.stdin.write(line.encode() + b"\r\n")
            process.stdin.flush()
            said.append(process.stdout.readline())
        assert [b"220", b"250", b"250", b"250", b"354", b"250", b"221"] == [line[:3] for line in said]
        assert 0 == process.wait(30)
        assert sendmail.letter().endswith(b"words\n")


def test_nothing_with_exit_0_is_lost_by_kill_9() -> None:
    """The server is killed under load, with letters at every stage: what ended with 0 arrives, the rest
    says 75, and each arrives at most once."""
    with tempfile.TemporaryDirectory(prefix="sekisho-") as folder:
        sendmail = Desk(Path(folder))
        sendmail.site.start()
        codes: dict[str, int] = {}
        ended = threading.Event()

        def push(who: int) -> None:
            number = 0
            while not ended.is_set():
                name = f"mark-{who}-{number}-"
                codes[name] = sendmail("bob", text=b"\n" + name.encode() + b"\n" + b"y" * 70 + b"\n")[0]
                number += 1

        clients = [threading.Thread(target=push, args=(who,)) for who in range(4)]
        for client in clients:
            client.start()
        while sum(code == 0 for code in list(codes.values())) < 40:
            time.sleep(0.05)
        sendmail.site.kill()
        ended.set()
        for client in clients:
            client.join(60)
        assert {0, 75} >= set(codes.values())
        sent = {name for name, code in codes.items() if code == 0}
        with sendmail.site.serving():
            deadline = time.monotonic() + 60
            while sent - (found := marks(sendmail)).keys() and time.monotonic() < deadline:
                time.sleep(0.2)
        assert set() == sent - found.keys()
        assert {1} == set(found.values())


def marks(sendmail: Desk) -> dict[str, int]:
    found: dict[str, int] = {}
    for letter in sendmail.site.letters("bob@example.com"):
        for name in re.findall(rb"mark-\d+-\d+-", letter):
            found[name.decode()] = found.get(name.decode(), 0) + 1
    return found


def test_a_letter_is_whole_or_not_sent() -> None:
    """Whoever writes it is killed in the middle, and so is sendmail: no half letter arrives."""
    with desk() as sendmail:
        process = sendmail.start("bob")
        assert process.stdin is not None
        process.stdin.write(b"Subject: half\n\nhalf")
        process.stdin.flush()
        time.sleep(0.5)
        process.kill()
        process.wait(60)
        assert 0 == sendmail("bob")[0]
        assert b"half" not in sendmail.letter()


def test_it_starts_at_once() -> None:
    """Started for every letter: it imports none of the heavy libraries, and little besides."""
    code = "import sys; old = set(sys.modules); import sekisho.cli.sendmail; print(*set(sys.modules) - old)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert not {"msgspec", "click", "asyncio", "email", "typing_extensions", "ssl"} & set(loaded.split())
    texts = ("pass", "import sekisho.cli.sendmail")
    rounds = [[took([sys.executable, "-c", text]) for text in texts] for _ in range(7)]
    empty, ours = map(min, zip(*rounds, strict=True))  # whatever else the machine does, it did least then
    assert ours < empty * 2 + 0.1


def took(command: list[str]) -> float:
    began = time.monotonic()
    subprocess.run(command, check=True)
    return time.monotonic() - began
