"""Sessions on loopback, from the first byte to the spool: who is let in, what is taken, what is refused."""

import asyncio
import hashlib
import socket
import ssl
from pathlib import Path

import pytest
from msgspec.structs import replace
from reception_stage import CERTIFICATE, UNAVAILABLE, Stage, play, until

from covers import covers
from sekisho.model.config import Limits
from sekisho.model.delivery import Kind, Tls
from sekisho.model.event import Accepted, Connected, Judged, Refused, Troubled
from sekisho.world import Unavailable


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def test_a_letter_from_a_stranger_reaches_the_spool(stage: Stage) -> None:
    """Envelope, origin, deliveries, our Received field, and events that say so."""

    async def scene(stage: Stage) -> None:
        client = await stage.greeted()
        answer = await client.letter("carol@remote.example", "bob@example.com")
        assert answer.startswith("250 2.6.0 queued as ")
        (kept,) = stage.spool.kept
        draft = kept.draft
        assert answer.endswith(draft.message.id)
        assert b"Subject: hi\r\n\r\nhello\r\n" == kept.content
        assert (len(kept.content), hashlib.sha256(kept.content).hexdigest()) == (
            draft.message.size,
            draft.message.digest,
        )
        assert ("carol@remote.example", ("bob@example.com",)) == (
            draft.envelope.sender,
            draft.envelope.recipients,
        )
        origin = draft.envelope.origin
        assert ("127.0.0.1", "mx", "", "client.example", "") == (
            origin.address,
            origin.listener,
            origin.account,
            origin.helo,
            origin.tls,
        )
        (delivery,) = draft.deliveries
        assert (Kind.MAILDIR, "mail/example.com/bob/Maildir") == (delivery.route.kind, delivery.route.host)
        assert delivery.next_at == origin.at and not delivery.held_by
        assert delivery.expires_at == origin.at + 5 * 86400 * 1_000_000
        assert draft.head.decode().replace("\r\n\t", " ") == (
            "Received: from client.example ([127.0.0.1]) by mx.example.com with ESMTP"
            f" id {draft.message.id} for <bob@example.com>; Mon, 22 Jul 2013 09:52:46 +0000\r\n"
        )
        (accepted,) = stage.of(Accepted)
        assert (draft.message.id, origin.session, "hi", 1) == (
            accepted.message,
            accepted.session,
            accepted.subject,
            accepted.recipient_count,
        )
        assert ["127.0.0.1"] == [event.address for event in stage.of(Connected)]
        (asked,) = stage.of(Judged)
        assert "rcpt:relay" in asked.check and "body:received_loop" in asked.check

    play(stage, scene)


def test_pipelined_commands_are_answered_in_one_write(stage: Stage) -> None:
    """MAIL, RCPT and DATA in one segment cost one read and one write (RFC 2920)."""

    async def scene(stage: Stage) -> None:
        client = await stage.greeted()
        client.writer.write(b"MAIL FROM:<>\r\nRCPT TO:<bob@example.com>\r\nDATA\r\n")
        assert 3 == (await client.reader.read(65536)).count(b"\r\n")
        assert (await client.raw(b"x: y\r\n\r\nz\r\n.\r\n")).startswith("250")
        assert stage.spool.kept[0].draft.envelope.sender is None
        two_days = 2 * 86400 * 1_000_000
        delivery = stage.spool.kept[0].draft.deliveries[0]
        assert two_days == delivery.expires_at - delivery.next_at

    play(stage, scene)


def test_aliases_lead_to_one_delivery_for_each_final_address(stage: Stage) -> None:
    """Two names of one mailbox are one delivery; an alias to elsewhere takes the road to there."""

    async def scene(stage: Stage) -> None:
        client = await stage.greeted()
        await client.letter("carol@remote.example", "team@example.com", "bob@example.com", "far@example.com")
        draft = stage.spool.kept[0].draft
        assert ["alice@example.com", "bob@example.com", "alice@far.example"] == [
            delivery.recipient for delivery in draft.deliveries
        ]
        assert (Kind.MX, Tls.OPPORTUNISTIC) == (draft.deliveries[2].route.kind, draft.deliveries[2].route.tls)
        assert 3 == len(draft.envelope.recipients)
        assert b"for <" not in draft.head  # several recipients are not told of each other

    play(stage, scene)


@covers("Q-22")
def test_a_bounce_has_one_recipient(tmp_path: Path) -> None:
    """452 for a second one, which an honest server sends apart; trusted networks may."""

    async def scene(stage: Stage) -> None:
        client = await stage.greeted()
        await client.say("MAIL FROM:<>")
        assert (await client.say("RCPT TO:<bob@example.com>")).startswith("250")
        assert (await client.say("RCPT TO:<alice@example.com>")).startswith("452 4.5.3")
        await client.say("DATA")
        assert (await client.raw(b"x: y\r\n.\r\n")).startswith("250")
        assert ("bob@example.com",) == stage.spool.kept[0].draft.envelope.recipients
        stage.reception.reload(replace(stage.config, trusted=("127.0.0.0/8",)))
        client = await stage.greeted()
        assert (await client.letter("", "bob@example.com", "alice@example.com")).startswith("250")

    play(Stage(tmp_path), scene)


def test_the_postmaster_is_reached_without_a_domain(stage: Stage) -> None:
    """RFC 5321 4.5.1."""

    async def scene(stage: Stage) -> None:
        client = await stage.greeted()
        assert (await client.letter("", "Postmaster")).startswith("250")
        assert "postmaster@example.com" == stage.spool.kept[0].draft.deliveries[0].recipient

    play(stage, scene)


@covers("Q-28")
@covers("Q-03", partly="Maildir of a real account is in the end-to-end test")
def test_unknown_recipients_are_refused_and_counted(tmp_path: Path) -> None:
    """550 5.1.1 for each; one more than the limit ends the session with 421; known ones before it count."""

    async def scene(stage: Stage) -> None:
        client = await stage.greeted()
        await client.say("MAIL FROM:<a@remote.example>")
        for _ in range(3):
            assert (await client.say("RCPT TO:<nobody@example.com>")).startswith("550 5.1.1 ")
        assert (await client.say("RCPT TO:<bob@example.com>")).startswith("250")
        assert (await client.say("RCPT TO:<nobody@example.com>")).startswith("421 4.7.0 ")
        assert await client.closed()
        refused = [(event.stage, event.by) for event in stage.of(Refused)]
        assert [("rcpt", "recipient_known")] * 4 + [("session", "bad_recipients")] == refused

    play(Stage(tmp_path, limits=Limits(bad_recipients=3)), scene)


def test_relaying_is_denied_to_strangers(stage: Stage) -> None:
    """Only for our own domains, whatever the local part looks like."""

    async def scene(stage: Stage) -> None:
        client = await stage.greeted()
        await client.say("MAIL FROM:<bob@example.com>")
        for path in ("x@far.example", "x@[127.0.0.1]", "@example.com:x@far.example"):
            assert (await client.say(f"RCPT TO:<{path}>")).startswith("550 5.7.1 ")
        for path in ("x%far.example@example.com", '"x@far.example"@example.com', "far.example!x@example.com"):
            assert (await client.say(f"RCPT TO:<{path}>")).startswith("550 5.1.1 ")
        assert (await client.say("DATA")).startswith("503")
        assert not stage.spool.kept

    play(stage, scene)


def test_trusted_networks_relay_without_a_password(tmp_path: Path) -> None:
    """What they send is relayed as it is: no field of theirs is added or mended."""

    async def scene(stage: Stage) -> None:
        client = await stage.greeted()
        assert (await client.letter("any@body.example", "x@far.example")).startswith("250")
        head = stage.spool.kept[0].draft.head
        assert b"\r\nDate: " not in head and b"\r\nMessage-ID: " not in head  # RFC 5321 6.4

    play(Stage(tmp_path, trusted=("127.0.0.0/8",)), scene)


def test_a_sender_of_ours_who_does_not_exist_is_refused(stage: Stage) -> None:
    """A stranger may write as an existing address (forwarders do), never as one that nobody could answer."""

    async def scene(stage: Stage) -> None:
        client = await stage.greeted()
        assert (await client.say("MAIL FROM:<nobody@example.com>")).startswith("550 5.1.0 ")
        assert (await client.say("MAIL FROM:<bob@example.com>")).startswith("250")

    play(stage, scene)


def test_too_many_recipients_are_put_off_and_the_others_get_their_letter(tmp_path: Path) -> None:
    """452 4.5.3 for those beyond the limit costs the client nothing (RFC 5321 4.5.3.1.10)."""

    async def scene(stage: Stage) -> None:
        stage.directory.addresses |= {f"u{n}@example.com": (f"u{n}@example.com",) for n in range(40)}
        client = await stage.greeted()
        await client.say("MAIL FROM:<a@remote.example>")
        answers = [await client.say(f"RCPT TO:<u{n}@example.com>") for n in range(40)]
        assert ["250"] * 5 + ["452"] * 35 == [answer[:3] for answer in answers]
        assert answers[5].startswith("452 4.5.3 ")
        await client.say("DATA")
        assert (await client.raw(b"a: b\r\n\r\n.\r\n")).startswith("250")
        assert 5 == len(stage.spool.kept[0].draft.deliveries)

    play(Stage(tmp_path, limits=Limits(recipients_stranger=5)), scene)


def test_a_letter_over_size_is_read_to_its_end_and_refused(tmp_path: Path) -> None:
    """552 when it is announced, 552 when it was not; the session goes on."""

    async def scene(stage: Stage) -> None:
        client = await stage.greeted()
        assert (await client.say("MAIL FROM:<a@remote.example> SIZE=5000000")).startswith("552 5.3.4 ")
        await client.say("MAIL FROM:<a@remote.example>", "RCPT TO:<bob@example.com>", "DATA")
        line = b"x" * 998 + b"\r\n"
        assert (await client.raw(b"a: b\r\n\r\n" + line * 3000 + b".\r\n")).startswith("552 5.3.4 ")
        assert not stage.spool.kept
        await until(lambda: not any(path.is_file() for path in stage.folder.iterdir()))
        assert (await client.letter("", "bob@example.com")).startswith("250")

    play(Stage(tmp_path, limits=Limits(message_bytes=1_000_000)), scene)


def test_a_large_letter_goes_through_a_file(stage: Stage) -> None:
    """Over 256 KB; digest and size are those of what was sent, and memory is given back."""

    async def scene(stage: Stage) -> None:
        client = await stage.greeted()
        await client.say("MAIL FROM:<a@remote.example>", "RCPT TO:<bob@example.com>", "DATA")
        content = b"Subject: large\r\n\r\n" + (b"y" * 998 + b"\r\n") * 8000
        assert (await client.raw(content + b".\r\n")).startswith("250")
        (kept,) = stage.spool.kept
        assert content == kept.content and hashlib.sha256(content).hexdigest() == kept.draft.message.digest
        assert "large" == stage.of(Accepted)[0].subject == kept.draft.subject
        assert 0 == stage.reception._front.arriving_bytes

    play(stage, scene)


def test_a_client_that_leaves_in_the_middle_leaves_nothing(stage: Stage) -> None:
    """A large letter whose client is gone has no file and no memory."""

    async def scene(stage: Stage) -> None:
        client = await stage.greeted()
        await client.say("MAIL FROM:<a@remote.example>", "RCPT TO:<bob@example.com>", "DATA")
        client.writer.write(b"a: b\r\n\r\n" + (b"y" * 998 + b"\r\n") * 2000)
        await client.writer.drain()
        await until(lambda: any(path.is_file() for path in stage.folder.iterdir()))
        client.close()
        await until(lambda: not any(path.is_file() for path in stage.folder.iterdir()))
        await until(lambda: 0 == stage.reception.sessions)
        assert 0 == stage.reception._front.arriving_bytes

    play(stage, scene)


def test_a_looping_letter_is_refused(stage: Stage) -> None:
    """More Received fields than the limit: 554 5.4.6."""

    async def scene(stage: Stage) -> None:
        client = await stage.greeted()
        assert (await client.letter("", "bob@example.com", text="Received: x\r\n" * 50 + "\r\n")).startswith(
            "250"
        )
        answer = await client.letter("", "bob@example.com", text="received : x\r\n y\r\n" * 51 + "\r\n")
        assert answer.startswith("554 5.4.6 ")

    play(stage, scene)


@pytest.mark.parametrize(
    "head", ["X: y\r\n" * 10_001, "X: " + "y\r\n " * 90_000 + "\r\n", "X: y\r\n" * 60_000], ids=len
)
def test_a_head_beyond_all_reason_is_refused(stage: Stage, head: str) -> None:
    """552 5.3.4, before anything is parsed at length."""

    async def scene(stage: Stage) -> None:
        client = await stage.greeted()
        assert (await client.letter("", "bob@example.com", text=head + "\r\n")).startswith("552 5.3.4 ")

    play(stage, scene)


def test_results_that_only_we_may_claim_are_taken_out(stage: Stage) -> None:
    """A forged Authentication-Results in our name goes, others stay, in small letters and large."""

    async def scene(stage: Stage) -> None:
        client = await stage.greeted()
        head = (
            "From: a\r\nAuthentication-Results: MX.example.com; spf=pass\r\n"
            'authentication-results:\r\n (x) "mx.example.com" 1; dkim=pass\r\n'
            "Authentication-Results: other.example; spf=pass\r\nTo: b\r\n\r\n"
        )
        for body in ("hello\r\n", ("z" * 98 + "\r\n") * 4000):
            await client.letter("", "bob@example.com", text=head + body)
            kept = stage.spool.kept.pop()
            wanted = "From: a\r\nAuthentication-Results: other.example; spf=pass\r\nTo: b\r\n\r\n" + body
            assert wanted.encode() == kept.content
            assert len(kept.content) == kept.draft.message.size
            assert hashlib.sha256(kept.content).hexdigest() == kept.draft.message.digest

    play(stage, scene)


def test_too_many_errors_end_the_session(tmp_path: Path) -> None:
    """The command that is one too many is answered 421, and the connection closes."""

    async def scene(stage: Stage) -> None:
        client = await stage.greeted()
        for _ in range(2):
            assert (await client.say("FROB")).startswith("500")
        await client.say("MAIL FROM:<>")
        assert (await client.say("RCPT TO:<x@far.example>")).startswith("550")
        assert (await client.say("RCPT TO:<x@far.example>")).startswith("421 4.7.0 ")
        assert await client.closed()

    play(Stage(tmp_path, limits=Limits(errors=3)), scene)


def test_a_full_disk_puts_mail_off(stage: Stage) -> None:
    """452 4.3.1 at MAIL below what must stay free, or for a letter that would not fit; later it goes on."""

    async def scene(stage: Stage) -> None:
        client = await stage.greeted()
        stage.spool.free = 100 * 1024 * 1024 + 5000
        assert (await client.say("MAIL FROM:<> SIZE=5001")).startswith("452 4.3.1 ")
        assert (await client.say("MAIL FROM:<> SIZE=5000")).startswith("250")
        stage.spool.free = 0
        stage.clock.advance(2)
        await client.say("RSET")
        assert (await client.say("MAIL FROM:<>")).startswith("452 4.3.1 ")
        stage.spool.free, stage.spool.accepting = 10**12, False
        stage.clock.advance(2)
        assert (await client.say("MAIL FROM:<>")).startswith("452 4.3.1 ")
        stage.spool.accepting = True
        stage.clock.advance(2)
        assert (await client.letter("", "bob@example.com")).startswith("250")

    play(stage, scene)


def test_a_spool_in_trouble_is_451_and_the_session_goes_on(stage: Stage) -> None:
    """No 250 without a kept letter; a large one leaves no file behind."""

    async def scene(stage: Stage) -> None:
        client = await stage.greeted()
        stage.spool.trouble = UNAVAILABLE
        for text in ("a: b\r\n\r\n", "a: b\r\n\r\n" + ("y" * 998 + "\r\n") * 400):
            answer = await client.letter("", "bob@example.com", text=text)
            assert answer.startswith("451 4.3.0 ") and "disk" not in answer
        await until(lambda: not any(path.is_file() for path in stage.folder.iterdir()))
        stage.spool.trouble = None
        assert (await client.letter("", "bob@example.com")).startswith("250")
        assert 1 == len(stage.of(Accepted))

    play(stage, scene)


def test_a_directory_that_does_not_answer_defers(stage: Stage) -> None:
    """451 4.3.0 at RCPT, and `explain` hears which door it was."""

    async def scene(stage: Stage) -> None:
        client = await stage.greeted()
        await client.say("MAIL FROM:<>")
        stage.directory.trouble = UNAVAILABLE
        assert (await client.say("RCPT TO:<bob@example.com>")).startswith("451 4.3.0 ")
        stage.directory.trouble = None
        assert (await client.say("RCPT TO:<bob@example.com>")).startswith("250")
        (judged,) = stage.of(Judged)
        assert ("recipient_known", "defer", "spool: disk full", True) == (
            judged.check,
            judged.act,
            judged.why,
            judged.won,
        )

    play(stage, scene)


def test_a_bug_ends_one_session_and_not_the_server(stage: Stage) -> None:
    """421 to that client, the trace without values in an event, and the next client is served."""

    async def scene(stage: Stage) -> None:
        client = await stage.greeted()
        await client.say("MAIL FROM:<>")
        stage.directory.trouble = KeyError("secret value")
        assert (await client.say("RCPT TO:<bob@example.com>")).startswith("421 4.3.0 ")
        assert await client.closed()
        (trouble,) = stage.of(Troubled)
        assert "resolve" in trouble.trace and "secret" not in trouble.trace
        stage.directory.trouble = None
        other = await stage.greeted()
        assert (await other.letter("", "bob@example.com")).startswith("250")

    play(stage, scene)


def test_sessions_have_a_limit_in_all_and_by_address(tmp_path: Path) -> None:
    """The one too many is sent away with 421; when one has left, the next is let in."""

    async def scene(stage: Stage) -> None:
        first, second = await stage.greeted(), await stage.greeted()
        crowded = await stage.client()
        assert (await crowded.reply()).startswith("421 4.7.0 ")
        assert await crowded.closed()
        first.close()
        await until(lambda: 1 == stage.reception.sessions)
        await stage.greeted()
        second.close()

    play(Stage(tmp_path, limits=Limits(sessions_per_address=2)), scene)
    play(Stage(tmp_path, limits=Limits(sessions=2, sessions_per_address=100)), full_house)


async def full_house(stage: Stage) -> None:
    clients = [await stage.greeted() for _ in range(2)]
    assert (await (await stage.client()).reply()).startswith("421 4.3.2 ")
    for client in clients:
        client.close()


def test_who_speaks_before_the_greeting_is_sent_away(stage: Stage) -> None:
    """What has arrived when the loop first looks came too early (RFC 5321 4.3.1)."""

    async def scene(stage: Stage) -> None:
        host, _, port = stage.bound["mx"].rpartition(":")
        with socket.create_connection(
            (host, int(port))
        ) as early:  # the kernel accepts, we have not looked yet
            early.sendall(b"EHLO early.example\r\n")
            early.setblocking(False)
            loop = asyncio.get_running_loop()
            assert (await loop.sock_recv(early, 1000)).startswith(b"554 5.5.1 ")
            assert b"" == await loop.sock_recv(early, 1000)

    play(stage, scene)


def test_stopping_lets_a_letter_end_and_sends_the_idle_away(stage: Stage) -> None:
    """SIGTERM finishes what was promised: 421 to who waits, 250 to who is in the middle of a letter."""

    async def scene(stage: Stage) -> None:
        idle, sending = await stage.greeted(), await stage.greeted()
        await sending.say("MAIL FROM:<>", "RCPT TO:<bob@example.com>", "DATA")
        stopping = asyncio.create_task(stage.reception.stop())
        assert (await idle.reply()).startswith("421 4.3.2 ")
        assert (await sending.raw(b"a: b\r\n\r\n.\r\n")).startswith("250 2.6.0 ")
        assert (await sending.reply()).startswith("421 4.3.2 ")
        await stopping
        assert 1 == len(stage.spool.kept)

    play(stage, scene)


def test_a_client_that_hangs_up_after_the_dot_still_has_its_letter_kept(stage: Stage) -> None:
    """It cannot know, and will send it again; but nothing that was nearly kept is dropped."""

    async def scene(stage: Stage) -> None:
        stage.spool.gate = asyncio.Event()
        client = await stage.greeted()
        await client.say("MAIL FROM:<>", "RCPT TO:<bob@example.com>", "DATA")
        client.writer.write(b"a: b\r\n\r\n.\r\n")
        await client.writer.drain()
        await asyncio.sleep(0.05)
        client.close()
        stage.spool.gate.set()
        await until(lambda: 1 == len(stage.spool.kept))
        await until(lambda: 0 == stage.reception.sessions)

    play(stage, scene)


def test_a_half_closed_client_gets_its_reply(stage: Stage) -> None:
    """`printf ... | nc` is a client too."""

    async def scene(stage: Stage) -> None:
        stage.spool.gate = asyncio.Event()
        client = await stage.greeted()
        await client.say("MAIL FROM:<>", "RCPT TO:<bob@example.com>", "DATA")
        client.writer.write(b"a: b\r\n\r\n.\r\n")
        client.writer.write_eof()
        await asyncio.sleep(0.05)
        stage.spool.gate.set()
        assert (await client.reply()).startswith("250 2.6.0 ")
        assert await client.closed()

    play(stage, scene)


def test_settings_are_read_again_between_sessions(stage: Stage) -> None:
    """SIGHUP: the next session gets the new limits and the new certificate; one under way goes on."""

    async def scene(stage: Stage) -> None:
        before = await stage.greeted()
        certificate = CERTIFICATE.issue_cert("mx.example.com")
        certificate.private_key_pem.write_to_path(str(stage.folder / "keys" / "key.pem"))
        certificate.cert_chain_pems[0].write_to_path(str(stage.folder / "keys" / "cert.pem"))
        limits = replace(stage.config.limits, message_bytes=2000)
        stage.reception.reload(replace(stage.config, limits=limits, hostname="new.example.com"))
        assert "SIZE 52428800" in await before.say("EHLO again.example")
        after = await stage.client()
        assert (await after.reply()).startswith("220 new.example.com ")
        assert "SIZE 2000" in await after.say("EHLO client.example")
        await after.start_tls()
        shown = after.writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        assert shown == ssl.PEM_cert_to_DER_cert(certificate.cert_chain_pems[0].bytes().decode())
        (stage.folder / "keys" / "cert.pem").write_text("broken")
        with pytest.raises(Unavailable, match=r"cert\.pem"):
            stage.reception.reload(stage.config)
        assert (await (await stage.client()).reply()).startswith("220 new.example.com ")

    play(stage, scene)
