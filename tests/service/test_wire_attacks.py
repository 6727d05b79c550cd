"""The attack classes of the wire (by letter in docs/security.md), as a client sends them to a live server."""

import asyncio
import base64
import re
import ssl
import statistics
import time
from pathlib import Path

import pytest
from msgspec import Struct
from reception_stage import PASSWORD, Client, Stage, insecure, play
from test_scram_login import Vaulted, sign_in

from sekisho.host import HostSpawn
from sekisho.model import config
from sekisho.model.account import Account, Domain
from sekisho.model.event import LoginTried
from sekisho.model.secret import Secret
from sekisho.service.messages import Verified, VerifyPassword
from sekisho.service.vaulting import VaultRole
from sekisho.store.directory import Directory
from sekisho.store.hashes import Hashes
from sekisho.store.hashing import make_hash
from sekisho.store.house import Change, House
from sekisho.store.vault import Vault
from sekisho.testing.world import fakes
from sekisho.world import World

SOURCE = Path(__file__).parents[2] / "src" / "sekisho"
ENVELOPE = ("MAIL FROM:<a@far.example>", "RCPT TO:<bob@example.com>")


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


async def at_rcpt(stage: Stage, listener: str = "mx") -> Client:
    client = await stage.greeted(listener)
    for line in ENVELOPE:
        assert (await client.say(line)).startswith("250")
    return client


async def everything(client: Client) -> str:
    """All that the server says before it closes or has nothing more to say."""
    said = b""
    try:
        while got := await asyncio.wait_for(client.reader.read(65536), 1.0):
            said += got
    except TimeoutError:
        pass
    return said.decode()


# C. Other protocols.


@pytest.mark.parametrize("word", ["GET", "POST", "PUT", "HEAD", "OPTIONS", "CONNECT", "PRI", "Host:"])
def test_class_c_a_browser_is_sent_away_at_its_first_line(word: str, stage: Stage) -> None:
    """Whatever SMTP stands in its body is not read."""

    async def scene(stage: Stage) -> None:
        client = await stage.client()
        await client.reply()
        body = "EHLO x\r\nMAIL FROM:<a@far.example>\r\nRCPT TO:<bob@example.com>\r\nDATA\r\nx\r\n.\r\n"
        client.writer.write(f"{word} / HTTP/1.1\r\nHost: mx\r\n\r\n{body}".encode())
        said = await everything(client)
        assert said.startswith("554 5.5.1") and 1 == said.count("\r\n")
        assert [] == stage.spool.kept

    play(stage, scene)


def test_class_c_tls_for_another_protocol_gets_no_alpn(stage: Stage) -> None:
    """Who asks for h2 is not told that this is h2; what it says then is no SMTP."""

    async def scene(stage: Stage) -> None:
        context = insecure()
        context.set_alpn_protocols(["h2", "http/1.1"])
        host, _, port = stage.bound["submissions"].rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port), ssl=context)
        tls = writer.get_extra_info("ssl_object")
        assert isinstance(tls, ssl.SSLObject) and tls.selected_alpn_protocol() is None
        client = Client(reader, writer)
        assert (await client.reply()).startswith("220")
        assert (await client.raw(b"GET / HTTP/1.1\r\n")).startswith("554")
        client.close()

    play(stage, scene)


# D. Pipelining where a reply decides what the next bytes mean.


@pytest.mark.parametrize(
    ("before", "glued", "code"),
    [
        ((), b"EHLO a\r\nNOOP\r\n", "503"),
        ((), b"HELO a\r\nMAIL FROM:<a@far.example>\r\n", "503"),
        (("EHLO a", *ENVELOPE), b"DATA\r\nSubject: x\r\n\r\n.\r\n", "503"),
        (("EHLO a",), b"STARTTLS\r\nNOOP\r\n", "501"),
        (("EHLO a",), b"STARTTLS\r\n\x16\x03\x01", "501"),
    ],
)
def test_class_d_what_is_glued_to_a_turning_point_ends_the_session(
    before: tuple[str, ...], glued: bytes, code: str, stage: Stage
) -> None:
    """One refusal, closed, nothing of what followed done."""

    async def scene(stage: Stage) -> None:
        client = await stage.client()
        await client.reply()
        for line in before:
            assert (await client.say(line))[0] == "2"
        client.writer.write(glued)
        said = await everything(client)
        assert said.startswith(code) and 1 == said.count("\r\n"), said
        assert [] == stage.spool.kept

    play(stage, scene)


def test_class_d_what_follows_quit_or_an_exact_chunk(stage: Stage) -> None:
    """QUIT in the middle of a group ends it there; a chunk ends where its length says, and what follows is
    read as commands.
    """

    async def scene(stage: Stage) -> None:
        client = await stage.greeted()
        client.writer.write("\r\n".join((*ENVELOPE, "QUIT", "DATA", "x", ".", "")).encode())
        assert ["250", "250", "221"] == codes(await everything(client))
        client = await at_rcpt(stage)
        client.writer.write(b"BDAT 5 LAST\r\nx\r\n\r\nNOOP\r\nQUIT\r\n")
        assert ["250", "250", "221"] == codes(await everything(client))
        assert [b"x\r\n\r\n"] == [kept.content for kept in stage.spool.kept]

    play(stage, scene)


def codes(said: str) -> list[str]:
    return [line[:3] for line in said.splitlines() if line[3:4] == " "]


# E. Grammar.

GRAMMAR = {
    "MAIL FROM:<a\0b@far.example>": "50",
    "MAIL FROM:<a\x7fb@far.example>": "50",
    "MAIL FROM:<\xe9@far.example>": "553",
    "MAIL FROM:<a@far.example": "501",
    "MAIL FROM:a@far.example": "501",
    "MAIL FROM:<<a@far.example>>": "501",
    "MAIL FROM:<a@far.example> SIZE=-1": "501",
    "MAIL FROM:<a@far.example> SIZE=1" + "0" * 30: "501",
    "MAIL FROM:<a@far.example> SIZE=99999999999999999999": "552",
    "MAIL FROM:<a@far.example> SIZE=1 SIZE=2": "501",
    "MAIL FROM:<a@far.example> size=1 SIZE=1": "501",
    "MAIL FROM:<a@far.example> BODY=8BITMIME BODY=7BIT": "501",
    "MAIL FROM:<a@far.example> BODY=BINARYMIME": "501",
    "MAIL FROM:<a@far.example> FOO": "555",
    "MAIL FROM:<a@far.example> FOO=bar": "555",
    "MAIL FROM:<a@far.example> =": "501",
    "MAIL FROM:<a@far.example> SMTPUTF8=yes": "501",
    "MAIL FROM:<a@far.example> " + "SIZE=1 " * 21: "501",
    "RCPT TO:<bob@example.com>": "503",
    "EHLO": "501",
    "EHLO a b": "501",
    "NOOP\x0b": "500",
    "\xff\xfe": "500",
    "": "500",
    " MAIL FROM:<a@far.example>": "500",
    "MAIL\tFROM:<a@far.example>": "500",
}


@pytest.mark.parametrize("line", GRAMMAR, ids=lambda line: ascii(line)[:60])
def test_class_e_grammar_is_refused_and_never_repaired(line: str, stage: Stage) -> None:
    """Bytes that are none of a command's, parameters twice, unknown or out of range; the session goes on."""

    async def scene(stage: Stage) -> None:
        client = await stage.greeted()
        said = await client.say(line)
        assert said.startswith(GRAMMAR[line]), said
        assert (await client.say("NOOP")).startswith("250")
        assert (await client.say("RCPT TO:<bob@example.com>")).startswith("503")

    play(stage, scene)


@pytest.mark.parametrize(
    "sent", [b"NOOP\nNOOP\r\n", b"NOOP\rNOOP\r\n", b"NOOP\n", b"MAIL FROM:<a\rb@far.example>\r\n", b"\n"]
)
def test_class_e_a_bare_newline_between_commands_ends_the_session(sent: bytes, stage: Stage) -> None:
    """500, once, and closed."""

    async def scene(stage: Stage) -> None:
        client = await stage.greeted()
        client.writer.write(sent)
        assert ["500"] == codes(await everything(client))

    play(stage, scene)


@pytest.mark.parametrize("octets", [2049, 4096, 1_000_000])
def test_class_e_a_line_without_end_is_not_waited_for(octets: int, stage: Stage) -> None:
    """500 as soon as the limit is passed, though no CR LF has come."""

    async def scene(stage: Stage) -> None:
        client = await stage.greeted()
        client.writer.write(b"NOOP " + b"x" * octets)
        assert ["500"] == codes(await everything(client))

    play(stage, scene)


# F. BDAT.

LENGTHS = ["-1 LAST", "9" * 20, "9" * 24, "0x10", "1 FIRST", "1 LAST LAST", "", "+1", "1e3", "1 2"]


@pytest.mark.parametrize("length", LENGTHS)
def test_class_f_a_length_that_cannot_be_known_ends_the_session(length: str, stage: Stage) -> None:
    """501 or 552, closed: what follows would be read as commands."""

    async def scene(stage: Stage) -> None:
        client = await at_rcpt(stage)
        client.writer.write(f"BDAT {length}\r\nMAIL FROM:<e@far.example>\r\nQUIT\r\n".encode())
        (code,) = codes(await everything(client))
        assert code in ("501", "552")
        assert [] == stage.spool.kept

    play(stage, scene)


def test_class_f_chunks_out_of_place(stage: Stage) -> None:
    """Without RCPT, then DATA; after DATA's end; RSET between; an empty last one; a hundred thousand of one
    octet; a dot inside.
    """

    async def scene(stage: Stage) -> None:
        client = await stage.greeted()
        assert ["503", "503"] == codes(await said(client, b"BDAT 6\r\nNOOP\r\n", b"DATA\r\n"))
        assert (await client.say(ENVELOPE[0])).startswith("250")
        assert ["503"] == codes(await said(client, b"BDAT 14 LAST\r\nRSET\r\nQUIT\r\n\r\n"))
        assert (await client.say(ENVELOPE[1])).startswith("250")
        assert ["250", "503", "250"] == codes(await said(client, b"BDAT 2\r\nab", b"DATA\r\n", b"RSET\r\n"))
        assert ["503"] == codes(await said(client, b"BDAT 0 LAST\r\n"))
        client = await at_rcpt(stage)
        assert ["250"] == codes(await said(client, b"BDAT 0 LAST\r\n"))
        client = await at_rcpt(stage)
        line = b"BDAT 1\r\nx" * 1000 + b"BDAT 2\r\n\r\n"
        client.writer.write(line * 100 + b"BDAT 7 LAST\r\n\r\n.\r\n\r\n")
        for _ in range(100 * 1001):
            assert (await client.reply()).startswith("250")
        assert (await client.reply()).startswith("250 2.6.0")
        assert b"x" * 100 in stage.spool.kept[-1].content

    play(stage, scene)


async def said(client: Client, *parts: bytes) -> str:
    answers = []
    for part in parts:
        answers.append(await client.raw(part))
    return "\n".join(answers)


# G. The state after a refusal.


def test_class_g_a_refusal_at_the_end_forgets_sender_and_recipients(tmp_path: Path) -> None:
    """Too big, bare LF aside, too many hops, a spool in trouble: afterwards RCPT and DATA are 503."""
    stage = Stage(tmp_path, limits=config.Limits(message_bytes=2000))

    async def scene(stage: Stage) -> None:
        for text in ("x" * 990 + "\r\n", "Received: x\r\n" * 60, "z" * 3000 + "\r\n"):
            client = await stage.greeted()
            answer = await client.letter("a@far.example", "bob@example.com", text=text * 3)
            assert answer[0] == "5", answer
            assert (await client.say("RCPT TO:<bob@example.com>")).startswith("503")
            assert (await client.say("DATA")).startswith("503")
            assert (await client.say("VRFY \xe9")).startswith("252")
            assert (await client.letter("b@far.example", "bob@example.com")).startswith("250")
        assert {"b@far.example"} == {kept.draft.envelope.sender for kept in stage.spool.kept}

    play(stage, scene)


# H. Relaying.

RELAYS = [
    "user%far.example@example.com", "far.example!user@example.com", '"user@far.example"@example.com',
    "@example.com:user@far.example", "@far.example,@example.com:user@far.example",
    "user@far.example@example.com",
    "user@[127.0.0.1]", "user@[IPv6:::1]", "user@far.example", "user@far.example.", "user@localhost",
    '"user%far.example"@example.com', "user%far.example", "<>", "user@example.com@far.example",
    '"user"@far.example', "user@xn--far.example", "postmaster@far.example", "user@example.com.far.example",
]  # fmt: skip


@pytest.mark.parametrize("path", RELAYS)
def test_class_h_nothing_relays(path: str, stage: Stage) -> None:
    """From a stranger, from a local sender's name, from the null sender: 5yz, and nothing is in the spool."""

    async def scene(stage: Stage) -> None:
        for sender in ("a@far.example", "alice@example.com", ""):
            client = await stage.greeted()
            assert (await client.say(f"MAIL FROM:<{sender}>")).startswith("250")
            answer = await client.say(f"RCPT TO:<{path}>" if path != "<>" else "RCPT TO:<>")
            assert answer[0] == "5", answer
            assert (await client.say("DATA")).startswith("503")
        assert [] == stage.spool.kept

    play(stage, scene)


def test_class_h_the_postmaster_is_no_relay(stage: Stage) -> None:
    """RFC 5321 4.5.1: in any letters, to this house."""

    async def scene(stage: Stage) -> None:
        for path in ("postmaster", "PostMaster", "postmaster@example.com"):
            client = await stage.greeted()
            assert (await client.letter("a@far.example", path)).startswith("250")
        targets = {each for kept in stage.spool.kept for each in kept.draft.envelope.recipients}
        assert len(stage.spool.kept) == 3 and all("far" not in str(target) for target in targets)

    play(stage, scene)


# I. Local parts.

LOCAL_PARTS = [
    "../../etc/passwd", "a/../b", ".", "..", "-oX", "/etc/passwd", '"|/bin/sh"', '"/etc/passwd"',
    '":include:/etc/passwd"', "a\0b", "x" * 65, '"' + "x" * 300 + '"', "alice.", ".alice", "al..ice",
    "ａｌｉｃｅ", "alice\u0301", "alice ", "$HOME", "`id`", ";sleep 66;",
]  # fmt: skip


@pytest.mark.parametrize("local", LOCAL_PARTS, ids=lambda local: ascii(local)[:40])
def test_class_i_odd_local_parts_are_nobody(local: str, stage: Stage) -> None:
    """As a recipient 5yz; as a sender refused or only a name; the session goes on."""

    async def scene(stage: Stage) -> None:
        client = await stage.greeted()
        sender = await raw(client, f"MAIL FROM:<{local}@far.example>")
        assert sender[0] in "25", sender
        await client.say("RSET")
        assert (await client.say(ENVELOPE[0])).startswith("250")
        answer = await raw(client, f"RCPT TO:<{local}@example.com>")
        assert answer[0] == "5", answer
        assert (await client.say("NOOP")).startswith("250")

    play(stage, scene)


async def raw(client: Client, line: str) -> str:
    return await client.raw(line.encode() + b"\r\n")


# J. Headers, and our own fields above them.


HELLOS = [
    "x (y)", "a)b", "a;b", "x\\r\\nBcc:", "a" * 255, "[1.2.3.4", "<a@b>", "\u540d\u524d", "=?utf-8?q?x?=",
    "%s{0}",
]  # fmt: skip


@pytest.mark.parametrize("hello", HELLOS)
def test_class_j_a_hello_cannot_write_our_received_field(hello: str, stage: Stage) -> None:
    """Whatever it calls itself: one field, and no word of it that is not a name."""

    async def scene(stage: Stage) -> None:
        client = await stage.client()
        await client.reply()
        if (await raw(client, f"EHLO {hello}")).startswith("250"):
            assert (await client.letter("a@far.example", "bob@example.com")).startswith("250")
            head = stage.spool.kept[0].draft.head
            assert 1 == len(re.findall(rb"(?m)^[^\t\r\n]", head)), head
            first = rb"Received: from [A-Za-z0-9._-]+ \(\[127\.0\.0\.1\]\)\r\n"
            assert re.fullmatch(first + rb"(\t[ -~]+\r\n)+", head), head

    play(stage, scene)


@pytest.mark.parametrize(
    "field",
    [
        "Authentication-Results: mx.example.com; spf=pass",
        "AUTHENTICATION-RESULTS : MX.EXAMPLE.COM; dkim=pass",
        "Authentication-Results:\r\n mx.example.com;\r\n\tspf=pass",
        "Authentication-Results: (c) mx.example.com 1; spf=pass",
        'Authentication-Results: "mx.example.com"; spf=pass',
    ],
)
def test_class_j_results_in_our_name_are_taken_out(field: str, stage: Stage) -> None:
    """However they are folded or spelled; the rest of the letter is as it came."""

    async def scene(stage: Stage) -> None:
        client = await stage.greeted()
        text = f"From: a@far.example\r\n{field}\r\nFrom\t: b@far.example\r\nFrom:\r\n c\r\n\r\nx\r\n"
        assert (await client.letter("a@far.example", "bob@example.com", text=text)).startswith("250")
        assert text.replace(field + "\r\n", "").encode() == stage.spool.kept[0].content

    play(stage, scene)


def test_class_j_hops_lines_and_loops_are_counted(stage: Stage) -> None:
    """A hundred Received fields 554, fifty thousand lines of header 552, a line of a megabyte 500."""

    async def scene(stage: Stage) -> None:
        for text, code in (
            ("Received: x\r\n" * 100 + "\r\nx\r\n", "554 5.4.6"),
            ("X: y\r\n" * 50_000 + "\r\nx\r\n", "552"),
            ("Subject: " + "x" * 1_000_000 + "\r\n\r\nx\r\n", "500 5.6.0"),
        ):
            client = await stage.greeted()
            assert (await client.letter("a@far.example", "bob@example.com", text=text)).startswith(code)
        assert [] == stage.spool.kept

    play(stage, scene)


# Q. Logging in.


def encoded(text: str) -> str:
    return base64.b64encode(text.encode("latin-1")).decode()


LOGINS = {
    "AUTH PLAIN !!!!": "501",
    "AUTH PLAIN " + encoded("\0alice@example.com"): "501",
    "AUTH PLAIN " + encoded("\0\0\0\0"): "501",
    "AUTH PLAIN " + encoded("\0alice@example.com\0\xff\xfe"): "501",
    "AUTH PLAIN " + encoded("\0alice@example.com\0" + "x" * 2000): "501",
    "AUTH PLAIN " + encoded("\0alice\u00ad@example.com\0" + PASSWORD): "501",
    "AUTH PLAIN " + encoded("bob@example.com\0alice@example.com\0" + PASSWORD): "535",
    "AUTH PLAIN " + encoded("\0' OR 1=1--@example.com\0" + PASSWORD): "535",
    "AUTH PLAIN " + encoded("\0*)(uid=*\0" + PASSWORD): "535",
    "AUTH PLAIN " + encoded("\0nobody@example.com\0" + PASSWORD): "535",
    "AUTH PLAIN " + encoded("\0alice@example.com\0wrong"): "535",
    "AUTH CRAM-MD5": "504",
    "AUTH": "50",
    "AUTH PLAIN " + "A" * 13_000: "500",
}


@pytest.mark.parametrize("line", LOGINS, ids=lambda line: line[:50])
def test_class_q_what_is_no_login_is_none(line: str, tmp_path: Path) -> None:
    """Bad base64, NULs, no UTF-8, invisible letters, too long, for another, SQL, LDAP; unknown and wrong are
    told the same.
    """

    async def scene(stage: Stage) -> None:
        client = await stage.encrypted()
        answer = await client.say(line)
        assert answer.startswith(LOGINS[line]), answer
        if answer.startswith("535"):
            assert "535 5.7.8 Authentication credentials invalid" == answer
        if not line.endswith("A" * 100):
            assert (await client.say("MAIL FROM:<alice@example.com>")).startswith("530")

    play(Vaulted(tmp_path), scene)


def test_class_q_twice_within_a_transaction_and_without_tls(tmp_path: Path) -> None:
    """503, 503, 538; and on the mail exchanger's port 502."""

    async def scene(stage: Stage) -> None:
        client = await stage.logged_in()
        assert (await client.login()).startswith("503")
        await client.say("MAIL FROM:<alice@example.com>")
        assert (await client.login()).startswith("503")
        plain = await stage.greeted("submission")
        assert (await plain.login()).startswith("538")
        assert (await (await stage.greeted("mx")).login()).startswith("502")

    play(Vaulted(tmp_path), scene)


class Timed(Struct):
    unknown: list[float]
    wrong: list[float]


def test_class_q_unknown_and_wrong_take_one_time(tmp_path: Path) -> None:
    """200 of each with real argon2id, in turn: their medians, in time of the processor, differ by less than a
    twentieth of a hash.
    """
    house, vault = House.create(str(tmp_path)), Vault.create(str(tmp_path), b"k" * 32)
    change = Change(1, "test", "tested", "x")
    house.save_domain(Domain("example.com"), change)
    house.save_account(Account("hello@example.com"), change)
    vault.save("hello@example.com", make_hash(b"right", b"s" * 16), 1)

    async def scene() -> Timed:
        spawn, world, state = HostSpawn(1), fakes().world, str(tmp_path)
        real = World(world.clock, world.chance, world.dns, world.net, world.disk, spawn, None)
        directory, hashes = Directory.open(state, world.clock), Hashes.open(state, world.clock)
        role = VaultRole(real, config.Vault(), directory, hashes)
        timed = Timed([], [])
        for number in range(-5, 200):
            for name, times in (("nobody@example.com", timed.unknown), ("hello@example.com", timed.wrong)):
                request = VerifyPassword(name, Secret(f"wrong {number}".encode()), "submission")
                begun = time.process_time()
                answer = await role.verify(request)
                if number >= 0:
                    times.append(time.process_time() - begun)
                assert isinstance(answer, Verified) and not answer.account
        await spawn.stop()
        return timed

    timed = asyncio.run(scene())
    unknown, wrong = statistics.median(timed.unknown), statistics.median(timed.wrong)
    assert abs(unknown - wrong) < wrong / 20, (unknown, wrong)


# R. Names in statements.

HOSTILE = [
    "' OR 1=1--", '"; drop table accounts; --', "x') union select hash from passwords--", "*)(uid=*", "%",
    "_%", "\\",
]  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_class_r_a_name_is_never_a_part_of_a_statement(name: str, tmp_path: Path) -> None:
    """As login by PLAIN and by SCRAM: 535 as for everybody; the tables stand."""

    async def scene(stage: Stage) -> None:
        client = await stage.encrypted()
        assert (await client.login(f"{name}@example.com")).startswith("535")
        assert (await sign_in(client, f"{name}@example.com")).startswith("535")
        assert (await client.login(name)).startswith("535")
        assert (await sign_in(client, "alice@example.com")).startswith("235")
        events = [event for event in stage.of(LoginTried) if isinstance(event, LoginTried) and event.ok]
        assert ["alice@example.com"] == [event.account for event in events]

    play(Vaulted(tmp_path), scene)


BUILT = {
    "store/directory.py": 1,
    "store/spool_actions.py": 1,
    "store/spool_rows.py": 1,
    "store/spool_select.py": 2,
    "store/window.py": 1,
}
"""Where SQL is put together of parts that are written in the code, and how often; this may only shrink."""


def test_class_r_no_statement_is_built_of_values() -> None:
    """The gate: SQL in an f-string, a sum or a format stands only where it is known to hold no value."""
    summed = r"""["'](select|insert|update|delete) [^"']*["']\s*(\+|%|\.format)"""
    pattern = re.compile(r"""(execute|rows|text)\(\s*f["']|""" + summed, re.I)
    found = {
        str(path.relative_to(SOURCE)): count
        for path in sorted(SOURCE.rglob("*.py"))
        if (count := len(pattern.findall(path.read_text())))
    }
    assert all(count <= BUILT.get(name, 0) for name, count in found.items()), found
