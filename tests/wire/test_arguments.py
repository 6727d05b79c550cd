"""MAIL and RCPT: paths, parameters, and what is told about each mistake."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.mail.xtext import decoded
from sekisho.model.verdict import Reply
from sekisho.wire import replies
from sekisho.wire.arguments import PARAMS, parse_mail, parse_rcpt
from sekisho.wire.steps import Mail, Rcpt

KNOWN = frozenset({"SIZE", "BODY", "AUTH", "SMTPUTF8", "RET", "ENVID", "REQUIRETLS"})
WISHES = frozenset({"NOTIFY", "ORCPT"})
LIMIT = 1000


def mail(argument: bytes) -> Mail | Reply:
    return parse_mail(argument, KNOWN, LIMIT)


def rcpt(argument: bytes) -> Rcpt | Reply:
    return parse_rcpt(argument, WISHES)


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
    """553 5.6.7 without SMTPUTF8; with it the letters of the local part stand, the domain in A-labels."""
    assert replies.EIGHT_BIT == mail(b"FROM:<\xc3\xa9@b.example>")
    assert replies.EIGHT_BIT == rcpt(b"TO:<\xc3\xa9@b.example>")
    sender = mail(b"FROM:<\xc3\xa9@b\xc3\xbccher.example> SMTPUTF8")
    assert isinstance(sender, Mail) and "\u00e9@xn--bcher-kva.example" == sender.path
    assert Rcpt("\u00e9@b.example", {}) == parse_rcpt(b"TO:<\xc3\xa9@b.example>", WISHES, smtputf8=True)


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
        (b"ret=hdrs envid=a+2Bb", {"RET": "HDRS", "ENVID": "a+2Bb"}),
        (b"REQUIRETLS smtputf8", {"REQUIRETLS": "", "SMTPUTF8": ""}),
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
        (b"SMTPUTF8=1", replies.PARAM_SYNTAX),
        (b"REQUIRETLS=1", replies.PARAM_SYNTAX),
        (b"RET=ALL", replies.PARAM_SYNTAX),
        (b"ENVID=a+0Ab", replies.PARAM_SYNTAX),
        (b"HOLDFOR=3600", replies.PARAM_UNKNOWN),
        (b"XSIZE=1", replies.PARAM_UNKNOWN),
        (b" ".join(b"X%d=1" % number for number in range(PARAMS + 1)), replies.PARAM_SYNTAX),
    ],
)
def test_parameters_are_read_strictly(params: bytes, refusal: Reply) -> None:
    """552 for too big, 555 for unknown, 501 for everything else."""
    assert refusal == mail(b"FROM:<a@b.example> " + params)


@pytest.mark.parametrize(
    ("params", "understood"),
    [
        (b"NOTIFY=NEVER", {"NOTIFY": "NEVER"}),
        (b"notify=delay,success,DELAY", {"NOTIFY": "SUCCESS,DELAY"}),
        (b"ORCPT=rfc822;bob+2Bx@example.com", {"ORCPT": "rfc822;bob+2Bx@example.com"}),
        (b"ORCPT=x-other;+20", {"ORCPT": "x-other;+20"}),
        (b"NOTIFY=", None),
        (b"NOTIFY=,", None),
        (b"NOTIFY=NEVER,NEVER", None),
        (b"NOTIFY=SUCCESS,", None),
        (b"ORCPT=rfc822;b\xc3\xb6b@example.com", None),
        (b"ORCPT=;x", None),
        (b"ORCPT=a b;x", None),
        (b"ORCPT=rfc822;x+1Fx", None),
        (b"ORCPT=rfc822;x+7Fx", None),
        (b"ORCPT=rfc822;x+fx", None),
        (b"ORCPT=rfc822;" + b"x" * 494, None),
    ],
)
def test_a_recipient_may_have_wishes(params: bytes, understood: dict[str, str] | None) -> None:
    """RFC 3461 4.1, 4.2: read strictly, as they come to stand in reports."""
    outcome = rcpt(b"TO:<bob@example.com> " + params)
    assert outcome == (replies.PARAM_SYNTAX if understood is None else Rcpt("bob@example.com", understood))


def test_an_original_recipient_may_be_utf8_where_that_was_agreed_on() -> None:
    """RFC 6533 3: type utf-8 only, and nothing that cannot be seen."""
    for value, right in (("utf-8;b\u00f6b@x.example", True), ("rfc822;b\u00f6b@x.example", False)):
        outcome = parse_rcpt(f"TO:<bob@example.com> ORCPT={value}".encode(), WISHES, smtputf8=True)
        assert right == isinstance(outcome, Rcpt)
    for bad in (b"utf-8;b\xff", "utf-8;b\u202e".encode()):
        argument = b"TO:<bob@example.com> ORCPT=" + bad
        assert replies.PARAM_SYNTAX == parse_rcpt(argument, WISHES, smtputf8=True)


def test_xtext_stands_for_printable_text() -> None:
    """What is taken back from it."""
    assert "bob+x y=z@example.com" == decoded("bob+2Bx+20y+3Dz@example.com")


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
