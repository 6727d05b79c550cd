"""MAIL and RCPT: paths, parameters, and what is told about each mistake."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.model.verdict import Reply
from sekisho.wire import replies
from sekisho.wire.arguments import PARAMS, parse_mail, parse_rcpt
from sekisho.wire.steps import Mail, Rcpt

KNOWN = frozenset({"SIZE", "BODY", "AUTH"})
LIMIT = 1000


def mail(argument: bytes) -> Mail | Reply:
    return parse_mail(argument, KNOWN, LIMIT)


def rcpt(argument: bytes) -> Rcpt | Reply:
    return parse_rcpt(argument, frozenset())


@pytest.mark.parametrize(
    ("argument", "path"),
    [
        (b"FROM:<carol@remote.example>", "carol@remote.example"),
        (b"from:<carol@remote.example>", "carol@remote.example"),
        (b"FROM: <carol@remote.example>", "carol@remote.example"),
        (b"FROM:<>", ""),
        (b'FROM:<"a>b"@remote.example>', '"a>b"@remote.example'),
        (b'FROM:<"a\\"> SIZE=1"@remote.example>', '"a\\"> SIZE=1"@remote.example'),
        (b"FROM:<@a.example,@b.example:carol@remote.example>", "carol@remote.example"),
    ],
)
def test_a_sender_is_found(argument: bytes, path: str) -> None:
    """In every form that the grammar has, and with the space that so many programs add."""
    assert Mail(path, {}, 0) == mail(argument)


@pytest.mark.parametrize(
    "argument",
    [
        b"",
        b"FROM",
        b"FROM:",
        b"FROM :<a@b.example>",
        b"TO:<a@b.example>",
        b"FROM:a@b.example",
        b"FROM:<a@b.example",
        b"FROM:a@b.example>",
        b"FROM:<<a@b.example>>",
        b"FROM:<a@b.example>x",
        b"FROM:<a@b.example>,<c@d.example>",
        b'FROM:<"a@b.example>',
        b"FROM:<a\\>@b.example>",
        b"FROM:carol <a@b.example>",
        b"<a@b.example>",
    ],
)
def test_the_form_of_the_command_is_strict(argument: bytes) -> None:
    """501 5.5.2: this is not the command at all."""
    assert replies.MAIL_SYNTAX == mail(argument)
    assert replies.RCPT_SYNTAX == rcpt(argument.replace(b"TO:", b"X:").replace(b"FROM", b"TO"))


@pytest.mark.parametrize(
    "path", [b"carol", b"carol@", b"@b.example", b"a@b@c.example", b" a@b.example", b"a@b.example "]
)
def test_a_bad_path_is_told_for_what_it_is(path: bytes) -> None:
    """5.1.7 for a sender, 5.1.3 for a recipient."""
    assert replies.BAD_SENDER == mail(b"FROM:<" + path + b">")
    assert replies.BAD_RECIPIENT == rcpt(b"TO:<" + path + b">")


def test_eight_bits_are_told_for_what_they_are() -> None:
    """553 5.6.7, as SMTPUTF8 is not offered."""
    assert replies.EIGHT_BIT == mail(b"FROM:<\xc3\xa9@b.example>")
    assert replies.EIGHT_BIT == rcpt(b"TO:<\xc3\xa9@b.example>")


def test_nobody_is_no_recipient_and_postmaster_is_no_sender() -> None:
    """RFC 5321 4.1.1.3, 4.5.1."""
    assert replies.BAD_RECIPIENT == rcpt(b"TO:<>")
    assert replies.BAD_SENDER == mail(b"FROM:<postmaster>")
    assert Rcpt("postmaster", {}) == rcpt(b"TO:<Postmaster>")


@pytest.mark.parametrize(
    ("params", "understood"),
    [
        (b"SIZE=1000", {"SIZE": "1000"}),
        (b"size=0000000000000000007", {"SIZE": "0000000000000000007"}),
        (b"BODY=8BITMIME SIZE=5", {"BODY": "8BITMIME", "SIZE": "5"}),
        (b"  body=7bit   auth=<>  ", {"BODY": "7bit", "AUTH": "<>"}),
        (b"AUTH=e+3Dmc2@example.com", {"AUTH": "e+3Dmc2@example.com"}),
    ],
)
def test_parameters_are_read_in_any_order(params: bytes, understood: dict[str, str]) -> None:
    """Keys in capitals, values as they came."""
    outcome = mail(b"FROM:<a@b.example> " + params)
    assert isinstance(outcome, Mail) and understood == outcome.params
    assert int(understood.get("SIZE", "0")) == outcome.size


@pytest.mark.parametrize(
    ("params", "refusal"),
    [
        (b"SIZE=1001", replies.TOO_BIG),
        (b"SIZE=99999999999999999999", replies.TOO_BIG),
        (b"SIZE=100000000000000000000", replies.PARAM_SYNTAX),
        (b"SIZE=1" + b"0" * 30, replies.PARAM_SYNTAX),
        (b"SIZE=-1", replies.PARAM_SYNTAX),
        (b"SIZE=+1", replies.PARAM_SYNTAX),
        (b"SIZE=1_0", replies.PARAM_SYNTAX),
        (b"SIZE=1e3", replies.PARAM_SYNTAX),
        (b"SIZE", replies.PARAM_SYNTAX),
        (b"SIZE=", replies.PARAM_SYNTAX),
        (b"SIZE=1 SIZE=1", replies.PARAM_SYNTAX),
        (b"SIZE=1 size=2", replies.PARAM_SYNTAX),
        (b"BODY=7BIT BODY=8BITMIME", replies.PARAM_SYNTAX),
        (b"BODY=BINARYMIME", replies.PARAM_SYNTAX),
        (b"BODY", replies.PARAM_SYNTAX),
        (b"=", replies.PARAM_SYNTAX),
        (b"-X=1", replies.PARAM_SYNTAX),
        (b"S\xc3\x8fZE=1", replies.PARAM_SYNTAX),
        (b"SIZE=1,BODY=7BIT", replies.PARAM_SYNTAX),
        (b"SMTPUTF8", replies.PARAM_UNKNOWN),
        (b"RET=FULL", replies.PARAM_UNKNOWN),
        (b"XSIZE=1", replies.PARAM_UNKNOWN),
        (b" ".join(b"X%d=1" % number for number in range(PARAMS + 1)), replies.PARAM_SYNTAX),
    ],
)
def test_parameters_are_read_strictly(params: bytes, refusal: Reply) -> None:
    """552 for too big, 555 for unknown, 501 for everything else."""
    assert refusal == mail(b"FROM:<a@b.example> " + params)


def test_a_recipient_has_no_parameters_here() -> None:
    """DSN is not offered."""
    assert replies.PARAM_UNKNOWN == rcpt(b"TO:<bob@example.com> NOTIFY=NEVER")


def test_auth_is_a_parameter_only_where_it_is_offered() -> None:
    """RFC 4954 5."""
    assert replies.PARAM_UNKNOWN == parse_mail(b"FROM:<a@b.example> AUTH=<>", KNOWN - {"AUTH"}, LIMIT)


@given(st.one_of(st.binary(max_size=80), st.binary(max_size=40).map(lambda tail: b"FROM:<" + tail)))
def test_garbage_has_an_answer(argument: bytes) -> None:
    """A step or a refusal, for both commands."""
    assert isinstance(mail(argument), Mail | Reply)
    assert isinstance(rcpt(argument.replace(b"FROM", b"TO")), Rcpt | Reply)


@pytest.mark.parametrize(
    "filler", [b'"', b"<", b"\\", b'"\\', b'""', b"a", b"@", b",@a", b" ", b"=", b"> ", b"X=1 "]
)
def test_hostile_repetition_is_read_once(filler: bytes) -> None:
    """Four thousand octets that would make a careless expression walk back and forth; here they are
    nothing.
    """
    for argument in (
        b"FROM:<" + filler * (4000 // len(filler)),
        b"FROM:<>" + b" " + filler * (4000 // len(filler)),
    ):
        assert isinstance(mail(argument), Reply | Mail)
