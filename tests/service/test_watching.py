"""Watch: judging, cases, containment at every owner, release and undo, notices, and what a restart must
find again."""

from email import message_from_bytes, policy
from pathlib import Path

import pytest
from msgspec.structs import replace

from covers import covers
from guard.streams import HOME, HOTEL, MINUTE, PHONE, Town, bot, strangers
from sekisho.model.event import ActionDone
from sekisho.model.incident import Finding, Grade, Incident
from sekisho.service import watching
from sekisho.service.channel import NotDone
from sekisho.service.messages import (
    Deposit,
    DropSessions,
    HoldQueue,
    Observe,
    ReleaseQueue,
)  # fmt: skip
from sekisho.world import Unavailable
from service.watch_site import HELLO, Site, play


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    return Site(tmp_path, monkeypatch)


@pytest.fixture
def days(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests that last days: watch does each minute what it does every two seconds."""
    monkeypatch.setattr(watching, "RHYTHM_S", 60.0)


@covers("O-04", "F-08")
def test_a_containment_reaches_every_owner(site: Site) -> None:
    """Queue held and sessions dropped at each front with the owner's networks spared, logins refused;
    then done."""

    async def scene(site: Site) -> None:
        await site.live(20)
        await site.attack()
        (case,) = site.house.incidents(open_only=True)
        assert (HELLO, Grade.CONTAIN, "takeover") == (case.subject, case.grade, case.kind)
        holds = site.asked(HoldQueue)
        assert [hold.action for hold in holds] == [case.id, case.id]  # type: ignore[attr-defined]
        assert holds[0].selector.account == HELLO  # type: ignore[attr-defined]
        assert {"AS2516/JP", "AS9605/JP", "AS2497/JP", ""} == set(holds[0].selector.spare)  # type: ignore[attr-defined]
        assert len(site.asked(DropSessions)) == 2
        actions = site.house.actions(case.id)
        assert {"hold_queue", "refuse_logins", "drop_sessions", "notify", "alarm"} == {
            action.kind for action in actions
        }
        assert {"done"} == {action.status for action in actions}
        assert sum(len(site.house.performed(action.id)) for action in actions) == 2 + 1 + 2 + 2 + 1
        stranger = await site.judged(lambda: site.town.login(bot(9)))
        assert ("refuse", case.id, case.id) == (stranger.treatment, stranger.incident, stranger.action)
        assert str(stranger.reason).startswith(f"{HELLO}: ")
        assert (await site.judged(lambda: site.town.login(HOME))).treatment == "pass"
        done = [event for event in site.recording.events if isinstance(event, ActionDone)]
        assert {action.id for action in actions} == {event.action for event in done}

    play(site, scene)


def test_the_answer_that_contains_already_names_the_case(site: Site) -> None:
    """The very message that tipped the scale is held under the incident's id."""

    async def scene(site: Site) -> None:
        await site.live(20)
        await site.judged(lambda: site.town.login(HOTEL))
        last = await site.judged(lambda: site.town.letter(HOTEL, strangers(120)))
        (case,) = site.house.incidents(open_only=True)
        assert ("hold", case.id, case.id) == (last.treatment, last.incident, last.action)

    play(site, scene)


def test_a_second_contain_changes_nothing(site: Site) -> None:
    """By the operator, on an account that the guard has contained."""

    async def scene(site: Site) -> None:
        await site.live(20)
        await site.attack()
        before = list(site.asked(HoldQueue))
        answer = await site.ask("contain", HELLO)
        assert not answer.changed
        assert site.asked(HoldQueue) == before

    play(site, scene)


def test_the_operator_contains_and_releases(site: Site) -> None:
    """Without any evidence; strangers are refused, then not; what was held under any of the case's ids
    goes."""

    async def scene(site: Site) -> None:
        await site.live(20)
        planned = await site.ask("contain", HELLO, dry_run=True)
        assert str(planned.plan[0]).startswith("hold the waiting mail")
        assert site.asked(HoldQueue) == [] and site.house.incidents() == []
        answer = await site.ask("contain", HELLO)
        assert answer.changed and answer.complete
        (case,) = answer.incidents
        assert (await site.judged(lambda: site.town.login(HOTEL))).treatment == "refuse"
        assert (await site.judged(lambda: site.town.login(PHONE))).treatment == "pass"
        released = await site.ask("release", case.id, keep_password=True)
        assert released.complete and released.incidents[0].closed
        assert {case.id} == {request.held for request in site.asked(ReleaseQueue)}  # type: ignore[attr-defined]
        assert (await site.judged(lambda: site.town.login(HOTEL))).treatment != "refuse"
        assert not (await site.ask("release", case.id)).changed
        assert {"undone", "done"} == {action.status for action in site.house.actions(case.id)}

    play(site, scene)


def test_release_may_teach(site: Site) -> None:
    """With --teach the strangers' networks are the owner's from now on; without, they are strange again."""

    async def scene(site: Site) -> None:
        await site.live(20)
        await site.attack(4)
        (case,) = site.house.incidents(open_only=True)
        await site.ask("release", case.id, teach=True)
        assert (await site.judged(lambda: site.town.login(bot(0)))).place == "known"

    play(site, scene)


def test_rule_8_a_release_needs_the_operator(site: Site) -> None:
    """Whoever has the stolen password could ask for it too."""

    async def scene(site: Site) -> None:
        await site.live(20)
        await site.attack()
        (case,) = site.house.incidents(open_only=True)
        with pytest.raises(NotDone, match="needs the operator"):
            await site.ask("release", case.id, by="account")
        assert (await site.judged(lambda: site.town.login(bot(9)))).treatment == "refuse"

    play(site, scene)


def test_undo_takes_back_one_action_and_undo_of_undo_restores(site: Site) -> None:
    """A hold is released, and held again exactly as far as it was; sessions stay ended, and it is said."""

    async def scene(site: Site) -> None:
        await site.live(20)
        await site.attack()
        (case,) = site.house.incidents(open_only=True)
        by_kind = {action.kind: action for action in site.house.actions(case.id)}
        undone = await site.ask("undo", by_kind["hold_queue"].id)
        assert undone.changed
        (release,) = [action for action in undone.actions if action.kind == "release_queue"]
        assert release.undoes == case.id
        assert not (await site.ask("undo", case.id)).changed
        await site.ask("undo", release.id)
        again = site.asked(HoldQueue)[-1]
        assert again.selector.ids == ("d1", "d2", "d1", "d2")  # type: ignore[attr-defined]
        with pytest.raises(NotDone, match="cannot be undone"):
            await site.ask("undo", by_kind["drop_sessions"].id)
        await site.ask("undo", by_kind["refuse_logins"].id)
        assert (await site.judged(lambda: site.town.login(bot(90)))).treatment != "refuse"

    play(site, scene)


def test_a_front_that_is_away_is_asked_again(site: Site) -> None:
    """Contained is shown only when every owner has answered; until then the action is planned, then it is
    done once."""

    async def scene(site: Site) -> None:
        await site.live(20)
        site.fronts[1].away = True
        await site.attack()
        (case,) = site.house.incidents(open_only=True)
        answer = await site.ask("show", case.id)
        assert not answer.complete
        assert (await site.judged(lambda: site.town.login(bot(9)))).treatment == "refuse"
        site.fronts[1].away = False
        await site.fakes.clock.sleep(5)
        answer = await site.ask("show", case.id)
        assert answer.complete
        assert {case.id} == {hold.action for hold in site.fronts[1].of(HoldQueue)}  # type: ignore[attr-defined]

    play(site, scene)


def test_a_restart_finishes_what_was_planned(site: Site) -> None:
    """A watch that dies between plan and deed leaves nothing undone."""

    async def first(site: Site) -> None:
        await site.live(20)
        for front in site.fronts:
            front.away = True
        await site.attack()

    play(site, first)
    assert site.house.planned()
    for front in site.fronts:
        front.away = False
    site.start_again()

    async def second(site: Site) -> None:
        await site.fakes.clock.sleep(3)
        assert site.house.planned() == []
        assert len(site.asked(HoldQueue)) == 2

    play(site, second)


def test_state_survives_a_restart(site: Site) -> None:
    """Networks, grade, case and score are what they were; nothing is raised twice."""

    async def first(site: Site) -> None:
        await site.live(20)
        await site.judged(lambda: site.town.login(HOTEL))
        await site.fakes.clock.sleep(3)

    play(site, first)
    before = site.role.guard.snapshot(HELLO)
    site.start_again()

    async def second(site: Site) -> None:
        known = await site.judged(lambda: site.town.login(HOME))
        assert known.place == "known"
        assert (
            site.role.guard.memory(HELLO).confirmed.keys()
            == Town().lives(20).guard.memory(HELLO).confirmed.keys()
        )
        stranger = await site.judged(lambda: site.town.wait(MINUTE).letter(HOTEL, ["friend1@example.net"]))
        assert ("delay", Grade.WATCH) == (stranger.treatment, stranger.grade)
        assert len(site.house.incidents()) == 1
        await site.attack()

    play(site, second)
    assert before
    site.start_again()

    async def third(site: Site) -> None:
        refused = await site.judged(lambda: site.town.login(bot(50)))
        (case,) = site.house.incidents(open_only=True)
        assert ("refuse", case.id) == (refused.treatment, refused.incident)

    play(site, third)


def test_a_case_outlives_a_lost_memory(site: Site) -> None:
    """Killed before the memory was written: the account is contained still, because its case is."""

    async def first(site: Site) -> None:
        await site.live(20)
        await site.attack()

    play(site, first)
    site.house.drop_state(f"guard/{HELLO}")
    site.start_again()

    async def second(site: Site) -> None:
        assert (await site.judged(lambda: site.town.login(bot(50)))).treatment == "refuse"

    play(site, second)


def test_only_changed_accounts_are_written(site: Site) -> None:
    """Every few seconds, in one transaction; nothing at all while nothing happens."""
    written: list[set[str]] = []
    save = site.house.save_states

    def noting(data: dict[str, bytes], at: int) -> None:
        written.append({name for name in data if name.startswith("guard/")})
        save(data, at)

    site.house.save_states = noting  # type: ignore[method-assign,assignment]

    async def scene(site: Site) -> None:
        for number in range(5):
            await site.judged(lambda number=number: site.town.login(HOME, f"u{number}@example.com"))
        await site.fakes.clock.sleep(3)
        assert written == [{f"guard/u{number}@example.com" for number in range(5)}]
        await site.fakes.clock.sleep(60)
        assert len(written) == 1
        await site.judged(lambda: site.town.login(PHONE, "u3@example.com"))
        await site.fakes.clock.sleep(3)
        assert written[1:] == [{"guard/u3@example.com"}]

    play(site, scene)


def test_a_house_that_does_not_answer_stops_no_judgement(site: Site) -> None:
    """The thief is refused all the same, and the case is written when the house is back."""
    save = site.house.save_incident

    def broken(*values: object) -> None:
        raise Unavailable("house.db", "disk I/O error")

    async def scene(site: Site) -> None:
        await site.live(20)
        site.house.save_incident = broken  # type: ignore[method-assign]
        await site.attack()
        assert (await site.judged(lambda: site.town.login(bot(9)))).treatment == "refuse"
        assert site.house.incidents() == []
        site.house.save_incident = save  # type: ignore[method-assign]
        await site.fakes.clock.sleep(5)
        assert [Grade.CONTAIN] == [case.grade for case in site.house.incidents()]
        assert site.asked(HoldQueue)

    play(site, scene)


@covers("F-01", partly="the alarm over SMTP in tests/e2e")
def test_rule_11_owner_and_operator_are_told_once(site: Site) -> None:
    """Within a minute, each in their language, with the sentence, the help page and what to type."""

    async def scene(site: Site) -> None:
        await site.live(20)
        await site.attack()
        (to_owner,), (to_operator,) = site.letters(HELLO), site.letters("postmaster@example.com")
        letter = message_from_bytes(to_owner.letter, policy=policy.default)
        body = letter.get_content()
        assert HELLO in letter["subject"] and "https://help.example" in body and not body.isascii()
        assert letter["auto-submitted"] == "auto-generated"
        alarm = message_from_bytes(to_operator.letter, policy=policy.default).get_content()
        (case,) = site.house.incidents()
        assert f"sekisho incident show {case.id}" in alarm
        assert "evidence" in " ".join(alarm.split())
        await site.fakes.clock.sleep(3 * 3600)
        assert len(site.asked(Deposit)) == 2

    play(site, scene)


@pytest.mark.usefixtures("days")
def test_rule_11_a_hold_that_nobody_looked_at_alarms_again(site: Site) -> None:
    """After 4 and after 24 hours, the operator only, and no more; never once somebody has looked."""

    async def scene(site: Site) -> None:
        await site.live(20)
        await site.attack()
        await site.fakes.clock.sleep(4.1 * 3600)
        assert len(site.letters("postmaster@example.com")) == 2
        await site.fakes.clock.sleep(30 * 3600)
        assert len(site.letters("postmaster@example.com")) == 3
        await site.fakes.clock.sleep(200 * 3600)
        assert len(site.letters("postmaster@example.com")) == 3
        assert len(site.letters(HELLO)) == 1

    play(site, scene)


@pytest.mark.usefixtures("days")
def test_rule_11_no_reminder_after_a_look(site: Site) -> None:
    """`incident show` counts as a look."""

    async def scene(site: Site) -> None:
        await site.live(20)
        await site.attack()
        await site.ask("show", HELLO)
        await site.fakes.clock.sleep(40 * 3600)
        assert len(site.letters("postmaster@example.com")) == 1

    play(site, scene)


def test_rule_11_another_finding_of_a_case_is_no_news(site: Site) -> None:
    """Several rules find one theft at once: each asks for the same, and it is told once."""

    async def scene(site: Site) -> None:
        heard: list[tuple[Incident, Finding]] = []
        site.role.listen(lambda incident, finding: heard.append((incident, finding)), lambda incident: None)
        await site.live(20)
        await site.attack()
        grave = [one for one in heard if one[1].grade >= Grade.CONTAIN]
        assert grave
        for incident, finding in (*grave, *grave):
            assert await site.role._cases.follow(incident, finding)
        assert len(site.letters(HELLO)) == 1
        assert len(site.letters("postmaster@example.com")) == 1

    play(site, scene)


def test_mail_held_under_a_watch_is_told_of(site: Site) -> None:
    """More than twenty strangers named under a mere watch: held, so owner and operator must know."""

    async def scene(site: Site) -> None:
        await site.live(20)
        await site.judged(lambda: site.town.login("63.1.1.1"))
        last = await site.judged(lambda: site.town.letter("63.1.1.1", strangers(24)))
        if last.grade == Grade.WATCH:
            assert last.treatment == "hold" and last.action
        await site.settle()
        assert len(site.letters(HELLO)) == 1

    play(site, scene)


@pytest.mark.usefixtures("days")
def test_a_watch_bothers_nobody_and_ends_by_itself(site: Site) -> None:
    """No letter, no action; the case is closed when the day is over."""

    async def scene(site: Site) -> None:
        await site.live(20)
        await site.judged(lambda: site.town.login(HOTEL))
        await site.settle()
        assert site.asked(Deposit) == [] and site.asked(HoldQueue) == []
        (case,) = site.house.incidents(open_only=True)
        assert case.grade == Grade.WATCH
        await site.fakes.clock.sleep(60 * 3600)
        (case,) = site.house.incidents()
        assert case.closed and case.closed_why == "the watch has ended"

    play(site, scene)


def test_open_sources_only_alert(site: Site) -> None:
    """What came in by a world-reachable door tells the operator; nobody is held or refused."""

    async def scene(site: Site) -> None:
        await site.live(20)
        before = len(site.town.fed)
        for number in range(8):
            site.town.wait(MINUTE).login(bot(number), trust="open")
        site.set_clock()
        await site.role.handle(Observe(tuple(site.town.fed[before:])))
        await site.settle()
        assert site.asked(HoldQueue) == []
        assert len(site.letters("postmaster@example.com")) == 1 and site.letters(HELLO) == []
        assert (await site.judged(lambda: site.town.login(bot(50)))).treatment != "refuse"

    play(site, scene)


def test_delivery_results_told_by_a_front_are_evidence(site: Site) -> None:
    """A list with every third address dead, from the owner's own computer: all mail to strangers is held."""

    async def scene(site: Site) -> None:
        await site.live(20)
        for part in range(6):
            await site.observe(lambda part=part: site.town.wait(10).letter(HOME, strangers(20, f"{part}.")))
        before = len(site.town.fed)
        for part in range(6):
            for place in range(20):
                reply = "550 5.1.1 no such user" if place % 3 == 0 else ""
                site.town.result(HOME, f"{part}.{place}@stranger.example", reply)
        site.set_clock()
        await site.role.handle(Observe(tuple(site.town.fed[before:])))
        await site.settle()
        (case,) = site.house.incidents(open_only=True)
        assert (Grade.LOCK, "volume") == (case.grade, case.kind)
        assert site.asked(HoldQueue)[-1].selector.spare == ()  # type: ignore[attr-defined]
        assert "refused" in str(case.sentence)

    play(site, scene)


def test_unknown_requests_and_names_are_refused(site: Site) -> None:
    """Each with a reason."""

    async def scene(site: Site) -> None:
        for verb, ident in (
            ("show", "nothing"),
            ("release", "nothing"),
            ("undo", "nothing"),
            ("contain", "no@example.com"),
        ):
            with pytest.raises(NotDone, match="there is no"):
                await site.ask(verb, ident)
        with pytest.raises(NotDone):
            await site.role.handle(ReleaseQueue("a", "b"))

    play(site, scene)


def test_a_new_table_is_taken_at_reload(site: Site) -> None:
    """Rule 14: what is remembered is looked up in it."""

    async def scene(site: Site) -> None:
        await site.live(20)
        from sekisho.store.networktable import compile_csv

        rows = ["60.0.0.0/8,,99999,JP,x", "61.0.0.0/8,,9605,JP,x", "62.0.0.0/8,,2497,JP,x"]
        Path(site.config.state, "networks.table").write_bytes(compile_csv(rows, "new"))
        site.set_clock()
        site.role.reload(replace(site.config))
        standing = await site.judged(lambda: site.town.login(HOME))
        assert ("known", "AS99999/JP") == (standing.place, standing.network)

    play(site, scene)


def test_an_undone_release_is_an_open_case_again(site: Site) -> None:
    """What stands again can be released again: nobody stays shut out by a case that is closed."""

    async def scene(site: Site) -> None:
        await site.live(20)
        await site.attack()
        released = await site.ask("release", HELLO, keep_password=True)
        case = released.incidents[0].id
        for action in [action for action in released.actions if action.undoes]:
            await site.ask("undo", action.id)
        assert (await site.judged(lambda: site.town.login(bot(90)))).treatment == "refuse"
        (again,) = site.house.incidents(open_only=True)
        assert again.id == case
        assert (await site.ask("release", HELLO, keep_password=True)).changed
        assert (await site.judged(lambda: site.town.login(bot(91)))).treatment != "refuse"
        assert site.house.incidents(open_only=True) == []

    play(site, scene)


def test_a_closed_case_is_not_reopened_beside_another(site: Site) -> None:
    """The account has a newer case: that one is contained or released."""

    async def scene(site: Site) -> None:
        await site.live(20)
        await site.attack()
        old = await site.ask("release", HELLO, keep_password=True)
        (allow,) = [action for action in old.actions if action.kind == "allow_logins"]
        await site.ask("contain", HELLO)
        with pytest.raises(NotDone, match="another open case"):
            await site.ask("undo", allow.id)
        await site.ask("release", HELLO, keep_password=True)
        assert (await site.judged(lambda: site.town.login(bot(90)))).treatment != "refuse"

    play(site, scene)


def test_what_was_lifted_stays_lifted_after_a_restart_and_can_be_contained_again(site: Site) -> None:
    """The refusal was undone and the case left open: a restart does not refuse anew, the operator may."""

    async def first(site: Site) -> None:
        await site.live(20)
        await site.attack()
        (case,) = site.house.incidents(open_only=True)
        by_kind = {action.kind: action for action in site.house.actions(case.id)}
        await site.ask("undo", by_kind["refuse_logins"].id)

    play(site, first)
    site.start_again()

    async def second(site: Site) -> None:
        assert (await site.judged(lambda: site.town.wait(MINUTE).login(HOTEL))).treatment != "refuse"
        held = len(site.asked(HoldQueue))
        answer = await site.ask("contain", HELLO)
        assert answer.changed and len(site.asked(HoldQueue)) > held
        assert site.asked(HoldQueue)[-1].action != answer.incidents[0].id  # type: ignore[attr-defined]
        assert (await site.judged(lambda: site.town.login(HOTEL))).treatment == "refuse"
        assert not (await site.ask("contain", HELLO)).changed

    play(site, second)


def test_the_operator_contains_what_the_mass_brake_left_gentle(site: Site) -> None:
    """Rule 15 denies no login by itself; the operator's word does."""

    async def scene(site: Site) -> None:
        await site.live(20)
        await site.attack()
        site.role.guard.memory(HELLO).gentle = True
        assert (await site.judged(lambda: site.town.login(bot(90)))).treatment == "hold"
        assert (await site.ask("contain", HELLO)).changed
        assert (await site.judged(lambda: site.town.login(bot(91)))).treatment == "refuse"
        assert not (await site.ask("contain", HELLO)).changed

    play(site, scene)


def test_a_memory_that_could_not_be_read_is_not_written_over(site: Site) -> None:
    """The house does not answer for a moment: what it knows of the account is read later, and is whole."""

    async def first(site: Site) -> None:
        await site.live(20)

    play(site, first)
    before = site.house.state(f"guard/{HELLO}")
    site.start_again()
    state = site.house.state

    def broken(name: str) -> bytes | None:
        if name.startswith("guard/"):
            raise Unavailable("house.db", "disk I/O error")
        return state(name)

    async def second(site: Site) -> None:
        site.house.state = broken  # type: ignore[method-assign]
        await site.judged(lambda: site.town.wait(MINUTE).login(bot(0)))
        await site.fakes.clock.sleep(5)
        site.house.state = state  # type: ignore[method-assign]
        assert state(f"guard/{HELLO}") == before
        standing = await site.judged(lambda: site.town.login(bot(1)))
        assert (standing.place, standing.grade) == ("unfamiliar", Grade.WATCH)
        assert (await site.judged(lambda: site.town.login(HOME))).place == "known"
        await site.fakes.clock.sleep(5)
        assert state(f"guard/{HELLO}") != before

    play(site, second)
