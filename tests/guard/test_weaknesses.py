"""What the guard does not see, as docs/guard.md says: where one fails, the page has become too modest."""

from guard.streams import HOME, HOUR, OWNER, Town, bot, strangers
from sekisho.model.incident import Grade

NEIGHBOUR = "63.1.1.10"
"""Another provider of the owner's country."""


def sent_in_a_day(town: Town, address: str, letters: int, recipients: int) -> tuple[int, int]:
    """Letters evenly over 24 hours, all taken by their hosts: how many passed or waited, and were held."""
    words = []
    for part in range(letters):
        to = strangers(recipients, f"{part}.")
        words.append(town.wait(24 * HOUR // letters).letter(address, to).treatment)
        for one in to:
            town.result(address, one)
    return len(words) - words.count("hold"), words.count("hold")


def test_a_clean_list_from_the_owner_s_computer_is_bounded_and_not_detected() -> None:
    """Three recipients every half hour: nothing is held. Ten: the cap holds from the 200th recipient on."""
    quiet, greedy = Town().lives(20), Town().lives(20)
    assert sent_in_a_day(quiet, HOME, 48, 3) == (48, 0)
    assert Grade.CONTAIN not in quiet.grades()
    passed, held = sent_in_a_day(greedy, HOME, 48, 10)
    assert (passed, held) == (20, 28)
    assert greedy.findings[0].kind == "volume"


def test_who_only_reads_from_one_place_in_the_owner_s_country_is_no_watch() -> None:
    """A day of it. From everywhere it is a containment."""
    town = Town().lives(20)
    for _ in range(24):
        town.wait(HOUR).read(NEIGHBOUR)
    assert town.grades() == []
    for number in range(20):
        town.wait(HOUR).read(bot(number))
    assert Grade.CONTAIN in town.grades()


def test_the_first_network_ever_is_believed() -> None:
    """Where the thief is there first, the owner is the stranger."""
    town = Town()
    town.login(bot(1))
    assert town.guard.standing(OWNER, bot(1), town.at).place == "known"
    town.login(HOME)
    assert town.guard.standing(OWNER, HOME, town.at).place == "unfamiliar"
