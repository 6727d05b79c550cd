"""The client machine: what it says, what it concludes from every answer, and that no server can break it."""

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sekisho.model.delivery import Tls
from sekisho.model.secret import Secret
from sekisho.model.verdict import Reply
from sekisho.wire.client_replies import LINES_MAX
from sekisho.wire.client_steps import (
    ClientSettings,
    Encrypt,
    Ended,
    Ready,
    Refused,
    SendBody,
    Step,
    Transaction,
)
from sekisho.wire.smtp_client import SmtpClient

HELLO = b"250-mx.example\r\n250-PIPELINING\r\n250-SIZE 1000\r\n250 8BITMIME\r\n"
PLAIN_HELLO = b"250 mx.example\r\n"
LETTER = b"Subject: x\r\n\r\nhello\r\n"
GONE = Reply(451, "4.4.2", "gone")


class Play:
    """A machine under test: `says` feeds the server's words and returns the steps, `heard` is what was
    written.
    """

    def __init__(self, tls: Tls = Tls.NONE, user: str = "", password: str = "") -> None:
        secret = Secret(password.encode()) if password else None
        self.machine = SmtpClient(ClientSettings("me.example", tls, user, secret, "", 300, 600))

    def says(self, words: bytes) -> list[Step]:
        return list(self.machine.receive(words))

    def heard(self) -> bytes:
        return self.machine.take()

    def opened(self, hello: bytes = HELLO) -> "Play":
        self.says(b"220 mx.example ESMTP\r\n")
        steps = self.says(hello)
        assert [Ready()] == steps
        self.heard()
        return self

    def began(self, *recipients: str, eight_bit: bool = False, size: int = 20) -> "Play":
        assert self.machine.begin(Transaction("a@x.example", recipients, size, eight_bit)) is None
        return self


def ended(steps: list[Step]) -> Ended:
    (step,) = steps
    assert isinstance(step, Ended)
    return step


def codes(step: Ended) -> list[int]:
    return [reply.code for reply in step.replies]


def test_greets_after_the_server() -> None:
    """Nothing is said before the greeting, EHLO after it."""
    play = Play()
    assert b"" == play.heard()
    assert [] == play.says(b"220 hi\r\n")
    assert b"EHLO me.example\r\n" == play.heard()


@pytest.mark.parametrize("greeting", [b"554 no\r\n", b"421 busy\r\n", b"450 later\r\n"])
def test_a_greeting_that_is_no_welcome(greeting: bytes) -> None:
    """The session is refused with the server's own reply."""
    play = Play()
    (step,) = play.says(greeting)
    assert (
        isinstance(step, Refused)
        and step.stage == "greeting"
        and str(step.reply).encode() + b"\r\n" == greeting
    )
    assert play.machine.closed


def test_helo_when_ehlo_is_unknown() -> None:
    """RFC 5321 3.2: a server from before 1995 is spoken to in its own way."""
    play = Play(Tls.OPPORTUNISTIC)
    play.says(b"220 hi\r\n")
    play.heard()
    assert [] == play.says(b"502 what?\r\n")
    assert b"HELO me.example\r\n" == play.heard()
    assert [Ready()] == play.says(b"250 hello\r\n")


@pytest.mark.parametrize(
    ("words", "code"), [(b"502 no\r\n502 never\r\n", 502), (b"450 later\r\n", 450), (b"421 x\r\n", 421)]
)
def test_refused_hello(words: bytes, code: int) -> None:
    """Neither EHLO nor HELO: the last reply counts."""
    play = Play()
    play.says(b"220 hi\r\n")
    (step,) = play.says(words)
    assert isinstance(step, Refused) and (step.stage, step.reply.code) == ("hello", code)


def test_pipelines_the_whole_envelope() -> None:
    """RFC 2920: one write for MAIL, all RCPT and DATA, with what the server offered."""
    play = Play().opened().began("b@y.example", "c@y.example", eight_bit=True)
    assert (
        b"MAIL FROM:<a@x.example> SIZE=20 BODY=8BITMIME\r\n"
        b"RCPT TO:<b@y.example>\r\nRCPT TO:<c@y.example>\r\nDATA\r\n"
    ) == play.heard()


def test_one_command_at_a_time_otherwise() -> None:
    """Without PIPELINING each command waits for the reply before it."""
    play = Play().opened(PLAIN_HELLO).began("b@y.example", "c@y.example")
    said = [play.heard()]
    for words in (b"250 a\r\n", b"250 b\r\n", b"550 c\r\n"):
        assert [] == play.says(words)
        said.append(play.heard())
    assert [
        b"MAIL FROM:<a@x.example>\r\n",
        b"RCPT TO:<b@y.example>\r\n",
        b"RCPT TO:<c@y.example>\r\n",
        b"DATA\r\n",
    ] == said
    assert [SendBody()] == play.says(b"354 go\r\n")


def deliver(play: Play, words: bytes) -> Ended:
    """From 354 to the end of the transaction."""
    assert play.machine.body(LETTER) is None
    assert play.machine.end_body() is None
    assert LETTER + b".\r\n" == play.heard()
    return ended(play.says(words))


def test_each_recipient_has_its_own_reply() -> None:
    """2yz, 4yz and 5yz side by side: the accepted one gets the reply to the final dot."""
    play = Play().opened().began("b@y.example", "c@y.example", "d@y.example")
    play.heard()
    steps = play.says(b"250 a\r\n250 b\r\n450 4.2.0 c\r\n550 5.1.1 d\r\n354 go\r\n")
    assert [SendBody()] == steps
    end = deliver(play, b"250 2.0.0 kept\r\n")
    assert (
        Reply(250, "2.0.0", "kept"),
        Reply(450, "4.2.0", "c"),
        Reply(550, "5.1.1", "d"),
    ) == end.replies
    assert () == end.undecided
    assert not play.machine.closed


@pytest.mark.parametrize("words", [b"250 ok\r\n", b"451 no\r\n", b"554 no\r\n"])
def test_the_final_reply_is_everybodys(words: bytes) -> None:
    """Whatever the server says to the final dot, all accepted recipients get it, and the session goes on."""
    play = Play().opened().began("b@y.example", "c@y.example")
    play.says(b"250 a\r\n250 b\r\n250 c\r\n354 go\r\n")
    play.heard()
    assert [int(words[:3])] * 2 == codes(deliver(play, words))
    assert play.began("d@y.example").heard().startswith(b"MAIL FROM")


def test_sender_refused() -> None:
    """All recipients get the reply to MAIL, and what was pipelined behind it is read to its end."""
    play = Play().opened().began("b@y.example")
    end = ended(play.says(b"553 5.7.1 not you\r\n503 no\r\n503 no\r\n"))
    assert (Reply(553, "5.7.1", "not you"),) == end.replies
    play.heard()
    assert play.began("c@y.example").heard().startswith(b"RSET\r\nMAIL FROM")


def test_sender_refused_without_pipelining() -> None:
    """Nothing more is said after a refused MAIL."""
    play = Play().opened(PLAIN_HELLO).began("b@y.example")
    play.heard()
    assert [553] == codes(ended(play.says(b"553 not you\r\n")))
    assert b"" == play.heard()


def test_nobody_accepted_without_pipelining() -> None:
    """DATA is not said when no recipient is left."""
    play = Play().opened(PLAIN_HELLO).began("b@y.example")
    play.says(b"250 a\r\n")
    play.heard()
    assert [550] == codes(ended(play.says(b"550 no\r\n")))
    assert b"" == play.heard()


def test_data_accepted_for_nobody() -> None:
    """RFC 2920 3.1: a 354 without a recipient is ended by a lone dot, whose reply belongs to nobody."""
    play = Play().opened().began("b@y.example")
    play.heard()
    assert [] == play.says(b"250 a\r\n550 no\r\n354 go\r\n")
    assert b".\r\n" == play.heard()
    assert [550] == codes(ended(play.says(b"250 fine\r\n")))


def test_data_refused() -> None:
    """An accepted recipient gets the reply to DATA."""
    play = Play().opened().began("b@y.example")
    assert [451] == codes(ended(play.says(b"250 a\r\n250 b\r\n451 busy\r\n")))


def test_421_in_the_middle() -> None:
    """Recipients already refused keep their reply; the others are undecided and may go elsewhere."""
    play = Play().opened().began("b@y.example", "c@y.example", "d@y.example")
    end = ended(play.says(b"250 a\r\n550 b\r\n250 c\r\n421 4.3.2 shutting down\r\n"))
    assert [550, 421, 421] == codes(end)
    assert (1, 2) == end.undecided
    assert play.machine.closed


def test_loss_before_and_after_the_final_dot() -> None:
    """Before it nobody has the letter; after it the server may, so nobody is undecided."""
    play = Play().opened().began("b@y.example")
    play.says(b"250 a\r\n250 b\r\n354 go\r\n")
    play.machine.body(LETTER)
    assert not play.machine.doubtful
    assert play.machine.lost(GONE) == (Ended((GONE,), (0,)),)
    play = Play().opened().began("b@y.example")
    play.says(b"250 a\r\n250 b\r\n354 go\r\n")
    play.machine.body(LETTER)
    play.machine.end_body()
    assert play.machine.doubtful
    assert 600 == play.machine.wait_s
    assert play.machine.lost(GONE) == (Ended((GONE,), ()),)


def test_a_server_that_refuses_in_the_middle_of_the_letter() -> None:
    """Its reply counts although it came early, and the session is over."""
    play = Play().opened().began("b@y.example")
    play.says(b"250 a\r\n250 b\r\n354 go\r\n")
    play.machine.body(LETTER)
    end = ended(play.says(b"552 5.3.4 too much\r\n"))
    assert ([552], ()) == (codes(end), end.undecided)
    assert play.machine.closed


@pytest.mark.parametrize(
    "letter", [b"a\nb\r\n", b"a\rb\r\n", b"a\0\r\n", b"a\r\n.\r\nMAIL FROM:<x@y>\r\n", b"a", b"a\r"]
)
@pytest.mark.parametrize("chunk", [1, 2, 3, 100])
def test_an_unfit_letter_never_leaves(letter: bytes, chunk: int) -> None:
    """Bare CR, LF or NUL, an end of data within, no CRLF at the end: no final dot is ever said."""
    play = Play().opened().began("b@y.example")
    play.says(b"250 a\r\n250 b\r\n354 go\r\n")
    play.heard()
    said, end = b"", None
    for start in range(0, len(letter), chunk):
        end = end or play.machine.body(letter[start : start + chunk])
        said += play.heard()
        if end:
            break
    end = end or play.machine.end_body()
    assert end is not None and [550] == codes(end) and end.replies[0].status == "5.6.11"
    assert b"\r\n.\r\n" not in said and play.machine.closed


@given(
    st.lists(st.sampled_from([b"\r\n", b"..", b".x", b"word", b"\r\n..", b"\xe3\x81\x82"]), max_size=12),
    st.data(),
)
@settings(max_examples=200, deadline=None)
def test_a_fit_letter_leaves_as_it_is(pieces: list[bytes], data: st.DataObject) -> None:
    """However it is cut into parts, stored wire form goes out byte for byte."""
    letter = b"Subject: x\r\n" + b"".join(pieces) + b"\r\n"
    play = Play().opened().began("b@y.example", eight_bit=True)
    play.says(b"250 a\r\n250 b\r\n354 go\r\n")
    play.heard()
    said, start = b"", 0
    while start < len(letter):
        size = data.draw(st.integers(1, 9))
        assert play.machine.body(letter[start : start + size]) is None
        said += play.heard()
        start += size
    assert play.machine.end_body() is None
    assert letter + b".\r\n" == said + play.heard()


def test_size_and_eight_bits_are_seen_before_a_word() -> None:
    """RFC 1870 6.1, RFC 6152 3: what the server cannot take is refused without asking it."""
    play = Play().opened()
    end = play.machine.begin(Transaction("a@x.example", ("b@y.example",), 1001))
    assert end is not None and [552] == codes(end)
    play = Play().opened(PLAIN_HELLO)
    end = play.machine.begin(Transaction("a@x.example", ("b@y.example",), 10, True))
    assert end is not None and (554, "5.6.3") == (end.replies[0].code, end.replies[0].status)
    assert b"" == play.heard()


@pytest.mark.parametrize(
    "address",
    [
        "b@y\r\nRCPT TO:<c@y>",
        "b c@y.example",
        "<b@y.example",
        "b@y>",
        "@y",
        "b@",
        "bé@y.example",
        "b@" + "y" * 400,
    ],
)
def test_an_address_cannot_become_a_command(address: str) -> None:
    """An address that would leave its brackets is refused by ourselves; the other recipients are served."""
    play = Play().opened().began(address, "c@y.example")
    assert b"RCPT TO:<c@y.example>\r\n" in play.heard()
    play.says(b"250 a\r\n250 c\r\n354 go\r\n")
    assert (553, 250) == tuple(codes(deliver(play, b"250 ok\r\n")))
    end = Play().opened().machine.begin(Transaction(address, ("b@y.example",), 10))
    assert end is not None and "5.1.7" == end.replies[0].status


def test_quoted_local_parts_are_addresses() -> None:
    """RFC 5321 4.1.2: what stands in quotes may be odd."""
    play = Play().opened().began('"odd > \\" one"@y.example', "b@[192.0.2.1]")
    assert b'RCPT TO:<"odd > \\" one"@y.example>\r\nRCPT TO:<b@[192.0.2.1]>' in play.heard()


def test_starttls_forgets_what_was_said_before() -> None:
    """RFC 3207 4.2: a second EHLO, and only what it offers counts."""
    play = Play(Tls.OPPORTUNISTIC)
    play.says(b"220 hi\r\n")
    assert [] == play.says(b"250-mx\r\n250-SIZE 10\r\n250 STARTTLS\r\n")
    assert play.heard().endswith(b"STARTTLS\r\n")
    assert [Encrypt()] == play.says(b"220 go\r\n")
    play.machine.tls_started("TLSv1.3")
    assert b"EHLO me.example\r\n" == play.heard()
    assert [Ready()] == play.says(b"250-mx\r\n250 STARTTLS\r\n")
    assert "SIZE" not in play.machine.extensions


@pytest.mark.parametrize("tls", [Tls.OPPORTUNISTIC, Tls.REQUIRED, Tls.VERIFY])
@pytest.mark.parametrize("injected", [b"2", b"250-AUTH PLAIN\r\n250 ok\r\n", b"\0"])
def test_response_injection(tls: Tls, injected: bytes) -> None:
    """Words behind the 220 to STARTTLS end the session, in one write or before the handshake is done."""
    for at_once in (True, False):
        play = Play(tls)
        play.says(b"220 hi\r\n")
        play.says(b"250-mx\r\n250 STARTTLS\r\n")
        steps = (
            play.says(b"220 go\r\n" + injected) if at_once else play.says(b"220 go\r\n") + play.says(injected)
        )
        assert isinstance(steps[-1], Refused) and play.machine.closed
        assert steps[-1].reply.transient


def test_no_encryption_where_it_may_be() -> None:
    """Not offered or refused: the session goes on in the clear."""
    assert Play(Tls.OPPORTUNISTIC).opened(PLAIN_HELLO)
    play = Play(Tls.OPPORTUNISTIC)
    play.says(b"220 hi\r\n")
    play.says(b"250-mx\r\n250 STARTTLS\r\n")
    assert [Ready()] == play.says(b"454 4.7.0 not now\r\n")


@pytest.mark.parametrize("tls", [Tls.REQUIRED, Tls.VERIFY])
def test_no_encryption_where_it_must_be(tls: Tls) -> None:
    """Not offered or refused: no session, and no word of the envelope."""
    play = Play(tls)
    play.says(b"220 hi\r\n")
    (step,) = play.says(PLAIN_HELLO)
    assert isinstance(step, Refused) and (step.stage, step.reply.code) == ("tls", 451)
    play = Play(tls)
    play.says(b"220 hi\r\n")
    play.says(b"250-mx\r\n250 STARTTLS\r\n")
    (step,) = play.says(b"454 4.7.0 not now\r\n")
    assert isinstance(step, Refused) and (step.stage, step.reply.code) == ("tls", 454)


def logging_in(tls: Tls = Tls.NONE) -> Play:
    play = Play(tls, "me", "s3cret")
    play.says(b"220 hi\r\n")
    play.heard()
    return play


def test_auth_plain() -> None:
    """RFC 4616, with the initial response."""
    play = logging_in()
    play.says(b"250-mx\r\n250 AUTH LOGIN PLAIN\r\n")
    assert b"AUTH PLAIN " + base64.b64encode(b"\0me\0s3cret") + b"\r\n" == play.heard()
    assert [Ready()] == play.says(b"235 welcome\r\n")


def test_auth_login() -> None:
    """Name and password, each in answer to a 334; the old way to announce it is understood."""
    play = logging_in()
    play.says(b"250-mx\r\n250 AUTH=LOGIN\r\n")
    assert b"AUTH LOGIN\r\n" == play.heard()
    play.says(b"334 VXNlcm5hbWU6\r\n")
    assert base64.b64encode(b"me") + b"\r\n" == play.heard()
    play.says(b"334 UGFzc3dvcmQ6\r\n")
    assert base64.b64encode(b"s3cret") + b"\r\n" == play.heard()
    assert [Ready()] == play.says(b"235 welcome\r\n")


@pytest.mark.parametrize("words", [b"535 5.7.8 wrong\r\n", b"334 more\r\n", b"454 later\r\n"])
def test_refused_login(words: bytes) -> None:
    """Also a server that asks on: the password is said once."""
    play = logging_in()
    play.says(b"250-mx\r\n250 AUTH PLAIN\r\n")
    (step,) = play.says(words)
    assert isinstance(step, Refused) and step.stage == "login"


def test_no_password_in_the_clear() -> None:
    """When encryption was wanted and stripped, the password stays here."""
    play = logging_in(Tls.OPPORTUNISTIC)
    (step,) = play.says(b"250-mx\r\n250 AUTH PLAIN\r\n")
    assert isinstance(step, Refused) and step.stage == "login"
    assert b"" == play.heard()


def test_a_login_nobody_offers() -> None:
    """Unknown mechanisms only: refused without a word."""
    play = logging_in()
    (step,) = play.says(b"250-mx\r\n250 AUTH GSSAPI\r\n")
    assert isinstance(step, Refused) and step.stage == "login"


@pytest.mark.parametrize(
    "words",
    [
        b"hello\r\n",
        b"25\r\n",
        b"2500 x\r\n",
        b"150 x\r\n",
        b"600 x\r\n",
        b"250-a\r\n550 b\r\n",
        b"250-x\r\n" * (LINES_MAX + 1),
        b"250 " + b"x" * 5000,
        b"x" * 5000,
        b"\r\n",
        b"HTTP/1.1 400 Bad Request\r\n",
        b"\x16\x03\x01\x02\x00\n",
    ],
)
def test_what_is_no_reply_ends_the_session(words: bytes) -> None:
    """Broken, endless, over-long: deferred, and open recipients may go elsewhere."""
    play = Play().opened().began("b@y.example")
    end = ended(play.says(words))
    assert ([451], (0,)) == (codes(end), end.undecided)
    assert play.machine.closed


def test_words_to_nothing() -> None:
    """A reply that nobody asked for means that the two sides no longer agree; 421 only means the end."""
    play = Play().opened()
    (step,) = play.says(b"250 surprise\r\n")
    assert isinstance(step, Refused) and step.stage == "idle" and play.machine.closed
    (step,) = Play().opened().says(b"421 bye\r\n")
    assert isinstance(step, Refused) and step.reply.code == 421


def test_an_impossible_yes_ends_the_session() -> None:
    """354 to RCPT or 250 to DATA: not SMTP."""
    for words in (b"250 a\r\n354 b\r\n", b"250 a\r\n250 b\r\n250 c\r\n"):
        assert [451] == codes(ended(Play().opened().began("b@y.example").says(words)))


def test_reply_text_is_harmless_and_short() -> None:
    """Control bytes, invalid UTF-8 and many lines become one harmless line."""
    play = Play().opened().began("b@y.example")
    play.says(b"250 a\r\n")
    play.says(b"550-5.1.1 red \x1b[31m\r\n550 5.1.1 \xff and \xe2\x80\xae " + b"x" * 1500 + b"\r\n")
    (reply,) = ended(play.says(b"554 none\r\n")).replies
    assert "5.1.1" == reply.status
    assert reply.text.startswith("red \\x1b[31m \\xff and \\u202e xxx")
    assert len(reply.text) < 1100


@pytest.mark.parametrize(
    ("words", "status", "text"),
    [
        (b"550 5.1.1 no such user", "5.1.1", "no such user"),
        (b"550 no mailbox here by that name. (#5.1.1)", "5.1.1", "no mailbox here by that name. (#5.1.1)"),
        (b"450 suspicious (#5.7.1)", "", "suspicious (#5.7.1)"),
        (b"550 4.1.1 odd", "", "4.1.1 odd"),
        (b"550", "", ""),
        (b"550 5.1.1", "5.1.1", ""),
        (b"550 see 5.1.1 docs", "", "see 5.1.1 docs"),
    ],
)
def test_enhanced_status(words: bytes, status: str, text: str) -> None:
    """RFC 2034 puts it first, qmail last; a class that contradicts the code is not believed."""
    play = Play().opened(PLAIN_HELLO).began("b@y.example")
    (reply,) = ended(play.says(words + b"\r\n")).replies
    assert (550 if words.startswith(b"550") else 450, status, text) == (reply.code, reply.status, reply.text)


def test_quit() -> None:
    """Between transactions it is said, in the middle of one the connection is just closed."""
    play = Play().opened()
    play.machine.quit()
    assert b"QUIT\r\n" == play.heard()
    play = Play().opened().began("b@y.example")
    play.heard()
    play.machine.quit()
    assert b"" == play.heard()


REPLIES = [
    b"250-x\r\n250-PIPELINING\r\n250-AUTH PLAIN LOGIN\r\n250 STARTTLS\r\n",
    b"220 x\r\n", b"250 x\r\n", b"354 x\r\n", b"334 x\r\n", b"235 x\r\n",
    b"421 x\r\n", b"450 x\r\n", b"550 x\r\n",
    b"oops\r\n", b"250-", b"\r", b"\n", b"2",
]  # fmt: skip


@given(
    st.sampled_from(list(Tls)),
    st.sampled_from(["", "me"]),
    st.lists(st.sampled_from(REPLIES) | st.binary(max_size=20), max_size=30),
)
@settings(max_examples=500, deadline=None)
def test_no_server_breaks_it(tls: Tls, user: str, words: list[bytes]) -> None:
    """From every state every answer gives a step or silence: never an exception, always an end that counts
    right.
    """
    play = Play(tls, user, "pw")
    waiting = 0
    for word in words:
        for step in play.says(word):
            if isinstance(step, Encrypt):
                play.machine.tls_started("TLS")
            elif isinstance(step, Ready):
                waiting = 0 if play.machine.begin(Transaction("a@x", ("b@y", "c@y"), 10)) else 2
            elif isinstance(step, SendBody):
                play.machine.body(LETTER)
                play.machine.end_body()
            elif isinstance(step, Ended):
                assert waiting == len(step.replies)
                waiting = 0
        play.heard()
    end = play.machine.lost(GONE)
    if waiting:
        (step,) = end
        assert isinstance(step, Ended) and waiting == len(step.replies)


@given(
    st.lists(
        st.sampled_from([b"250 a\r\n", b"550 5.1.1 b\r\n", b"354 c\r\n", b"451-d\r\n451 e\r\n"]), max_size=6
    ),
    st.data(),
)
@settings(max_examples=200, deadline=None)
def test_chunking_never_matters(replies: list[bytes], data: st.DataObject) -> None:
    """Whole or byte by byte, the same words lead to the same steps."""
    words = b"".join(replies)
    whole = Play().opened().began("b@y.example", "c@y.example")
    pieces = Play().opened().began("b@y.example", "c@y.example")
    steps = whole.says(words)
    cut: list[Step] = []
    while words:
        size = data.draw(st.integers(1, 9))
        cut += pieces.says(words[:size])
        words = words[size:]
    assert steps == cut
