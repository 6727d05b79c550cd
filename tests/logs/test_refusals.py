"""Every text that the catalogue lists of qmail-smtpd, its patches and qmail-remote has its kind."""

import pytest

from sekisho.logs.refusals import kind_of

SAID = {
    "auth": (
        "535 authentication failed (#5.7.1)", "535 authorization failed (#5.7.0)",
        "530 Authorization required (#5.7.1)",
        "501 malformed auth input (#5.5.4)", "501 auth exchange canceled (#5.0.0)",
        "503 auth not available (#5.3.3)",
        "503 no auth during mail transaction (#5.5.0)", "504 auth type unimplemented (#5.5.1)",
        "538 auth not available without TLS (#5.3.3)", ("454 oops, child won't start and I can't auth"
            " (#4.3.0)"),
    ),
    "sender-policy": (
        "553 sorry, your envelope sender is in my badmailfrom list (#5.7.1)",
        "553 sorry, your envelope sender has been denied (#5.7.1)",
        "553 sorry, your HELO host name has been denied (#5.7.1)",
        "450 sorry, your remotehost looks suspiciously like spammer. (#5.7.1)",
        "553 sorry, your host (x) has been denied (#5.7.1)",
        "Connected_to_192.0.2.1_but_sender_was_rejected./Remote_host_said:_550_no/",
        "Connected_to_192.0.2.1_but_my_name_was_rejected./Remote_host_said:_550_no/",
    ),
    "rcpt-policy": (
        "553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)",
        "553 sorry, your envelope recipient has been denied (#5.7.1)",
        "553 sorry, this recipient is not in my validrcptto list (#5.7.1)",
        "553 sorry, this recipient is in my badrecipientto list (#5.7.1)",
        "553 we don't relay (#5.7.1)", "550 5.1.1 sorry, no mailbox here by that name (chkuser)",
        "421 too many invalid addresses, goodbye (#4.3.0)", "557 sorry, too many recipients (#5.7.1)",
        "550 5.5.3 sorry, you are violating our security policies (chkuser)",
    ),
    "dns": (
        "Sorry,_I_couldn't_find_any_host_named_x.test._(#5.1.2)/",
        "CNAME_lookup_failed_temporarily._(#4.4.3)/",
        "451 DNS temporary failure (#4.3.0)",
    ),
    "timeout": (
        "Sorry,_I_wasn't_able_to_establish_an_SMTP_connection._(#4.4.1)/", "451 timeout (#4.4.2)",
        "Connected_to_192.0.2.1_but_greeting_failed./",
        "I'm_not_going_to_try_again;_this_message_has_been_in_the_queue_too_long./",
    ),
    "remote-5yz": (
        "192.0.2.1_does_not_like_recipient./Remote_host_said:_550_no/Giving_up_on_192.0.2.1./",
        "192.0.2.1_failed_on_DATA_command./Remote_host_said:_554_no/",
        "552 sorry, that message size (#5.3.4)",
        "192.0.2.1_failed_after_I_sent_the_message./Remote_host_said:_554_5.7.1_spam/",
    ),
    "remote-4yz": (
        "192.0.2.1_does_not_like_recipient./Remote_host_said:_451_4.7.1_greylisted/",
        "451 qqt failure (#4.3.0)",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", SAID)
def test_every_listed_text_has_its_kind(kind: str) -> None:
    """By rule, by what did not work, else by the code; without any code by whether it is final."""
    assert {kind} == {kind_of(text, final=False) for text in SAID[kind]} | {kind_of(SAID[kind][0],
    final=True)}


def test_without_a_code_the_end_decides() -> None:
    """Words that nobody knows."""
    assert ("remote-5yz", "remote-4yz") == (kind_of("hm", final=True), kind_of("hm", final=False))
