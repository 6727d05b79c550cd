"""What a program is called with and told, and what its exit code means."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.model.delivery import Deferred, Delivered, Delivery, Failed, Kind
from sekisho.queue.pipes import command, environment, facts_of, harmless, outcome, pipe_route, words_of

VACATION = ("/usr/bin/vacation", "-f", "{sender}", "{user}", "to {recipient}")


def facts(recipient: str = "hana+list@example.com", sender: str = "x@far.test") -> dict[str, str]:
    return facts_of(Delivery("d", "m", recipient, pipe_route(VACATION), 0, 0, 0), sender)


def test_a_route_holds_a_command_as_a_list() -> None:
    """Words stay words; what is no list of words is no command."""
    route = pipe_route(["/bin/x", "a b", '"', "$(y)"])
    assert Kind.PIPE is route.kind and ("/bin/x", "a b", '"', "$(y)") == words_of(route)
    assert "pipe:/bin/x" == route.lane
    assert () == words_of(pipe_route([])) == words_of(type(route)(Kind.PIPE, "/bin/x a", "pipe"))


def test_fields_are_filled_in_word_by_word() -> None:
    """One word stays one word, whatever it is filled with."""
    assert ["/usr/bin/vacation", "-f", "x@far.test", "hana", "to hana+list@example.com"] == command(
        VACATION, facts()
    )
    assert "list" == facts()["extension"] and "" == facts("hana@example.com")["extension"]


def test_a_sender_is_never_an_option_nor_a_word_of_a_shell() -> None:
    """CVE-2020-7247 and its like: `;`, quotes, backticks, `$`, newlines, a hyphen in front."""
    for hostile in (
        "-oQ/tmp",
        "-X/etc/x@far.test",
        ";sleep 66;",
        "`id`@x",
        "$(id)",
        "a\nb",
        "() { :;}; x",
        "|sh",
    ):
        told = facts(sender=hostile)
        words = command(("/bin/x", "{sender}"), told)
        assert 2 == len(words) and not words[1].startswith("-")
        for value in (*environment(told, "/h").values(), words[1]):
            assert not set(value) & set(";`$()|\n\"' &<>*?[]{}\\"), value


@given(st.text(max_size=50))
def test_whatever_it_is_it_becomes_harmless(text: str) -> None:
    """For every text there is."""
    plain = harmless(text)
    assert plain.isascii() and plain.isprintable() and not plain.startswith("-") and " " not in plain


def test_the_environment_is_all_ours() -> None:
    """Names of Postfix and of qmail, a path, a home; nothing inherited."""
    told = environment(facts(), "/home/hana")
    assert {
        "PATH", "HOME", "SENDER", "RECIPIENT", "LOCAL", "DOMAIN", "HOST", "EXTENSION", "EXT", "USER",
        "LOGNAME",
    } == set(told)  # fmt: skip
    assert ("hana+list", "list", "/home/hana") == (told["LOCAL"], told["EXT"], told["HOME"])


@pytest.mark.parametrize(
    ("code", "kind", "status"),
    [
        (0, Delivered, "2.0.0"), (99, Delivered, "2.0.0"), (100, Failed, "5.3.0"), (111, Deferred, "4.3.0"),
        (64, Failed, "5.3.0"), (65, Failed, "5.6.0"), (67, Failed, "5.1.1"), (68, Failed, "5.1.2"),
        (71, Deferred, "4.3.0"), (74, Deferred, "4.3.0"), (75, Deferred, "4.3.0"), (77, Failed, "5.7.0"),
        (78, Failed, "5.3.5"), (1, Deferred, "4.3.0"), (127, Deferred, "4.3.0"), (-9, Deferred, "4.3.0"),
    ],
)  # fmt: skip
def test_exit_codes(code: int, kind: type, status: str) -> None:
    """sysexits and qmail; a code that nobody knows, or a signal, returns no mail."""
    end = outcome("/bin/x", code, b"")
    assert isinstance(end, kind) and status == end.reply.status


def test_output_is_the_reason() -> None:
    """With a status of the same class in front, that one; control characters become harmless."""
    end = outcome("/bin/x", 77, b"5.2.2 mailbox\x1b[2J is\n full\n")
    assert ("5.2.2", r"mailbox\x1b[2J is\x0a full\x0a") == (end.reply.status, end.reply.text)
    assert "4.3.0" == outcome("/bin/x", 75, b"5.1.1 nobody").reply.status
