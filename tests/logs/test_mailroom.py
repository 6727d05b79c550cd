"""Lines of one qmail-send become letters, also where lines are missing, numbers return and daemons restart.
"""

from covers import covers
from sekisho.logs import qmail
from sekisho.logs.mailroom import Letter, Mailroom


def letters(*lines: str) -> list[Letter]:
    room = Mailroom()
    for number, line in enumerate(lines, 1):
        fact = qmail.parse(line.encode())
        assert fact is not None, line
        room.take(number * 1_000_000, number, fact)
    return room.begun


INFO = "info msg 7: bytes 900 from <a@example.com> qp 17 uid 103"


@covers("L-02")
def test_a_number_is_used_again_after_its_end() -> None:
    """An inode that returns is another letter; so is one whose end the log lost."""
    found = letters(INFO, "starting delivery 1: msg 7 to remote x@b.example", "end msg 7", INFO, INFO)
    assert [(1, 1, True), (4, 0, True), (5, 0, False)] == [
        (letter.line, letter.recipient_count, letter.ended) for letter in found
    ]


@covers("L-02")
def test_a_restart_tries_the_same_recipient_again() -> None:
    """Delivery numbers begin at 1 again; what was under way is no second recipient."""
    found = letters(
        INFO,
        "starting delivery 500: msg 7 to remote x@b.example",
        "starting delivery 501: msg 7 to remote y@b.example",
        "delivery 500: success: ok/",
        "starting delivery 1: msg 7 to remote y@b.example",
        "delivery 1: failure: 192.0.2.1_does_not_like_recipient./Remote_host_said:_550_no/",
    )  # fmt: skip
    assert [2] == [letter.recipient_count for letter in found]
    assert {0: "delivered", 1: "failed"} == found[0].results()


def test_a_deferred_recipient_is_one_recipient() -> None:
    """However often it is tried; the last result stands."""
    tries = []
    for number in range(1, 5):
        tries.append(f"starting delivery {number}: msg 7 to remote x@b.example")
        tries.append(f"delivery {number}: deferral: Connected_to_192.0.2.1_but_greeting_failed./")
    found = letters(
        INFO, *tries, "starting delivery 9: msg 7 to remote x@b.example", "delivery 9: success: ok/"
    )
    assert (1, 5, {0: "delivered"}) == (found[0].recipient_count, len(found[0].tries), found[0].results())


def test_recipients_with_one_name_at_once_are_several() -> None:
    """Masked logs say the same address for all; those that run side by side are not tries of one."""
    found = letters(INFO, *(f"starting delivery {number}: msg 7 to remote ~@~" for number in range(5, 10)))
    assert 5 == found[0].recipient_count


def test_results_out_of_order_are_kept() -> None:
    """A merged log shows delivery numbers that fall without any restart: no result is lost."""
    other = INFO.replace("msg 7", "msg 8")
    found = letters(
        INFO, other,
        "starting delivery 9: msg 7 to remote x@b.example",
        "starting delivery 5: msg 8 to remote y@b.example",
        "delivery 9: success: ok/",
        "delivery 5: success: ok/",
    )  # fmt: skip
    assert [{0: "delivered"}, {0: "delivered"}] == [letter.results() for letter in found]


def test_a_bounce_names_its_letter() -> None:
    """`bounce msg N qp P` and the null sender's message queued by P belong together."""
    found = letters(INFO, "bounce msg 7 qp 44", "info msg 9: bytes 1200 from <> qp 44 uid 106", "end msg 7")
    assert found[0] is found[1].bounce_of


def test_a_letter_from_before_the_log_has_no_sender() -> None:
    """Its delivery is seen, its origin is not: nobody's."""
    found = letters(
        "starting delivery 77399: msg 90220 to local example.com-hello@example.com",
        "delivery 3: success: ok/",
    )
    assert [(None, ["hello@example.com"])] == [(letter.sender, letter.addresses()) for letter in found]
