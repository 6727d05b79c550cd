"""OpenSMTPD's sessions: sign-ins get their address, letters their account, from lines of the same session."""

from hypothesis import given
from hypothesis import strategies as st

from logs.heard import heard

STRANGER, THIEF, SESSION, OTHER = "192.0.2.61", "198.51.100.66", "f7a2e6aa567530c9", "aaaaaaaa567530c9"
HEAD = "Jul 22 18:52:46 mx1 smtpd[66]: "
FORGED = (
    " result=ok", "boss result=ok", f"{OTHER} smtp authentication user=boss result=ok", "> to=<x@y.test>",
    f"smtp connected address={THIEF} host=x", "result=permfail",
)  # fmt: skip
one_line = st.text(st.characters(blacklist_categories=("Cc", "Cs", "Zl", "Zp")), max_size=9)
hostile = st.lists(st.one_of(st.sampled_from(FORGED), one_line), min_size=1, max_size=3).map("".join)


def session(*said: str, name: str = SESSION, address: str = STRANGER) -> list[str]:
    lines = (f"connected address={address} host=pc.test", *said, "disconnected reason=quit")
    return [f"{HEAD}{name} smtp {line}" for line in lines]


def test_a_session_s_sign_in_and_letter() -> None:
    """Account, address, size, recipients and what became of each; nothing is guessed."""
    told = heard(
        *session(
            "tls ciphers=TLSv1.3:TLS_AES_256_GCM_SHA384:256",
            "authentication user=A@B.test result=ok",
            "message msgid=1d5e0a22 size=512 nrcpt=2 proto=ESMTPSA",
            "envelope evpid=1d5e0a22b7ab2c34 from=<a@b.test> to=<x@c.test>",
            "envelope evpid=1d5e0a22b7ab2c35 from=<a@b.test> to=<y@c.test>",
        ),
        f"{HEAD}0000000000000000 mta delivery evpid=1d5e0a22b7ab2c34 from=<a@b.test> to=<x@c.test> rcpt=<->"
        ' source="192.0.2.1" relay="192.0.2.9 (mx.c.test)" delay=1s result="Ok" stat="250 2.0.0 ok"',
        f"{HEAD}0000000000000000 mta delivery evpid=1d5e0a22b7ab2c35 from=<a@b.test> to=<y@c.test> rcpt=<->"
        ' source="192.0.2.1" relay="192.0.2.9 (mx.c.test)" delay=1s result="PermFail" stat="550 5.1.1 no"',
    )
    (login,), (letter,) = told.logins, told.letters
    assert (True, "a@b.test", STRANGER, "smtp") == (login.ok, login.account, login.address, login.service)
    assert ("a@b.test", STRANGER, 512, 1.0, 2) == (
        letter.account, letter.address, letter.size, letter.confidence, letter.recipient_count,
    )  # fmt: skip
    assert [("x@c.test", "delivered", ""), ("y@c.test", "failed", "5yz")] == [
        (letter.address_at(one.place), one.result, one.cause) for one in letter.tries
    ]
    assert ({"opensmtpd": 9}, 0) == (told.dialects, told.unknown)


def test_wrong_passwords_and_strangers_letters() -> None:
    """A failure has its session's address; a letter of a session without sign-in has no account."""
    told = heard(
        *session("authentication user=a result=permfail", "authentication user=a result=tempfail"),
        *session(
            "message msgid=1d5e0a23 size=512 nrcpt=1 proto=ESMTP",
            "envelope evpid=1d5e0a23b7ab2c34 from=<a@b.test> to=<x@b.test>", name=OTHER,
        ),
    )  # fmt: skip
    assert {(False, "a", STRANGER)} == {(one.ok, one.account, one.address) for one in told.logins}
    assert [("", "")] == [(letter.account, letter.owner) for letter in told.letters]


def test_as_version_5_wrote_it() -> None:
    """`smtp-in: Accepted authentication for user ... on session ...`."""
    old = f"{HEAD}smtp-in: "
    told = heard(
        f"{old}New session {SESSION} from host pc.test [{STRANGER}]",
        f"{old}Accepted authentication for user a on session {SESSION}",
        f"{old}Accepted message 4296f490 on session {SESSION}: from=<a@b.test>, to=<x@c.test>, size=9,"
        " ndest=1,"
        " proto=ESMTP",
        f"{old}Closing session {SESSION}",
        f"{old}New session {OTHER} from host ix.test [local]",
        f"{old}Authentication failed for user a on session {OTHER}",
    )
    assert [(True, "a", STRANGER), (False, "a", "")] == [
        (one.ok, one.account, one.address) for one in told.logins
    ]
    assert [("a", STRANGER)] == [(letter.account, letter.address) for letter in told.letters]


@given(hostile)
def test_a_stranger_signs_nobody_in(text: str) -> None:
    """A user name, a sender and a recipient that spell lines of another session."""
    told = heard(
        *session(
            f"authentication user={text} result=permfail",
            "message msgid=1d5e0a22 size=512 nrcpt=1 proto=ESMTP",
            f"envelope evpid=1d5e0a22b7ab2c34 from=<{text}> to=<{text}>",
            f'failed-command command="AUTH {text}" result="535 no"',
        )
    )
    assert not [login for login in told.logins if login.ok]
    assert {login.address for login in told.logins} <= {STRANGER}
    assert {""} == {letter.account for letter in told.letters}
