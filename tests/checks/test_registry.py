"""The list of checks, and what settings can make of it."""

import importlib
import pkgutil

import pytest

from sekisho import checks
from sekisho.checks.registry import REGISTRY, STAGES, mistakes, policy
from sekisho.model.verdict import Act

HELPERS = {"ask", "registry"}


def test_every_file_is_registered_and_nothing_else() -> None:
    """A check is one file and one line; names are those of the files."""
    files = {module.name for module in pkgutil.iter_modules(checks.__path__)} - HELPERS
    assert files == {entry.name for entry in REGISTRY}
    for entry in REGISTRY:
        assert entry.check is importlib.import_module(f"sekisho.checks.{entry.name}").check
        assert entry.stage in STAGES and str(entry.caption).endswith("?")


def test_what_the_guard_hears_of_comes_last() -> None:
    """It learns what it is asked about, so only what nothing else refuses is asked."""
    for stage, entries in policy((), {}).stages.items():
        lasts = [entry.last for entry in entries]
        assert lasts == sorted(lasts), stage


def test_settings_choose_and_order_but_cannot_open_the_door() -> None:
    """Named checks in their order; the firm ones stay, and the last ones stay last."""
    chosen = policy(("takeover", "recipient_known", "max_recipients"), {}).stages["rcpt"]
    assert ["relay", "recipient_known", "max_recipients", "takeover"] == [entry.name for entry in chosen]
    assert [] == [entry.name for entry in policy(("relay",), {}).stages["body"]]
    assert ["login_required"] == [entry.name for entry in policy(("relay",), {}).stages["mail"]]
    assert {"takeover": Act.DELAY} == policy((), {"takeover": "delay"}).soften


@pytest.mark.parametrize(
    ("names", "soften", "wanted"),
    [
        ((), {}, []),
        (("relay", "takeover"), {"takeover": "pass"}, []),
        (("relais",), {}, ["there is no check named relais"]),
        ((), {"relais": "pass"}, ["there is no check named relais"]),
        ((), {"relay": "tag"}, ["relay cannot be softened: without it this server is not safe"]),
    ],
)
def test_mistakes_are_named(names: tuple[str, ...], soften: dict[str, str], wanted: list[str]) -> None:
    """For `config check`, which says them with the key's name."""
    assert wanted == [str(mistake) for mistake in mistakes(names, soften)]
