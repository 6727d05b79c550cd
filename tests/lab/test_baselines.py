"""Each baseline fires on the traffic it was made for."""

from sekisho.lab.baselines import Baseline, Fail2ban, Mox, Postfwd
from sekisho.lab.places import MadeUp
from sekisho.lab.play import Fate, Play
from sekisho.lab.simulation import Order, simulate
from sekisho.lab.traffic import Scale
from sekisho.lab.visits import DAY, SECOND, Letter, Visit

PLAN = MadeUp(1)
SMALL = Scale(accounts=60, learning=6, days=6)
ACCOUNT = "a@example.com"


def played(gate: Baseline, *visits: Visit) -> list[Fate]:
    play = Play(PLAN.find, gate)
    for _ in play.run(visits):
        pass
    return play.fates


def letter(*recipients: str) -> Letter:
    return Letter(ACCOUNT, recipients, 1000, 5.0)


def test_fail2ban_bans_an_address_that_guesses_and_never_a_right_password() -> None:
    """Five failures within ten minutes; after ten more minutes the address may come again."""
    guess = Visit(1000 * SECOND, ACCOUNT, "198.51.100.1", "submission", wrong=5, right=False)
    at_once = Visit(
        1100 * SECOND, ACCOUNT, "198.51.100.1", "submission", letters=(letter("x@host1.example"),)
    )
    elsewhere = Visit(1110 * SECOND, ACCOUNT, "198.51.100.2", "submission")
    later = Visit(1700 * SECOND, ACCOUNT, "198.51.100.1", "submission")
    fates = played(Fail2ban({}), guess, at_once, elsewhere, later)
    assert [fate.what for fate in fates] == ["denied", "entered", "entered"]


def test_mox_stops_at_200_strangers_and_at_1000_recipients() -> None:
    """A day later it begins again."""
    strangers = [letter(*(f"p{n}{k}@host{n}.example" for k in range(10))) for n in range(30)]
    friends = letter(*(f"p0{k}@host0.example" for k in range(10)))
    many = Visit(0, ACCOUNT, "198.51.100.1", "submission", letters=tuple(strangers))
    fates = played(Mox({}), many)
    assert [fate.what for fate in fates].count("accepted") == 20
    again = Visit(DAY + 600 * SECOND, ACCOUNT, "198.51.100.1", "submission", letters=(friends,) * 120)
    fates = played(Mox({}), many, again)
    assert [fate.at > DAY for fate in fates if fate.what == "accepted"].count(True) == 100


def test_postfwd_blocks_the_21st_address_and_the_6th_country() -> None:
    """Within a day; twenty addresses of one network pass."""
    same = [f"8.8.8.{n}" for n in range(1, 23)]
    calls = [
        Visit(n * SECOND * 60, ACCOUNT, a, "submission", letters=(letter("x@host1.example"),))
        for n, a in enumerate(same)
    ]
    fates = played(Postfwd({}), *calls)
    assert [fate.what for fate in fates].count("accepted") == 20
    abroad: dict[str, str] = {}
    for number in range(1, 224):
        address = f"{number}.7.7.7"
        network = PLAN.find(address)
        if network.place:
            abroad.setdefault(network.country, address)
    travels = [
        Visit(n * SECOND * 60, ACCOUNT, a, "submission", letters=(letter("x@host1.example"),))
        for n, a in enumerate(list(abroad.values())[:8])
    ]
    fates = played(Postfwd({}), *travels)
    assert [fate.what for fate in fates].count("accepted") == 5


def test_nobody_of_them_stops_the_botnet_early_but_postfwd() -> None:
    """On the generator's traffic: fail2ban never, mox after its limit, postfwd after a few countries."""
    order = Order(1, SMALL, ("botnet",), 2)
    reports = {
        gate.__name__: simulate(order, gate, PLAN.find).attacks[0] for gate in (Fail2ban, Mox, Postfwd)
    }
    assert reports["Fail2ban"].detected == 0
    assert reports["Mox"].detected == reports["Postfwd"].detected == 2
    assert reports["Postfwd"].messages.median < 20
    assert 150 <= reports["Mox"].recipients.median <= 220
