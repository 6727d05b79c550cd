"""New settings: all or nothing, and what they cannot change is named."""

import pytest
from msgspec.structs import replace

from sekisho.model.config import Config, Limits, Listen, Users
from sekisho.service.rereading import Change, after_restart, change
from sekisho.world import Unavailable

OLD = Config(hostname="old.example", listen={"mx": Listen(address="127.0.0.1:25", protocol="smtp")})
NEW = replace(OLD, hostname="new.example")


class Role:
    def __init__(self, *, able: bool = True) -> None:
        self.able = able
        self.config = OLD

    def prepared(self, config: Config) -> Change:
        if not self.able:
            raise Unavailable("cert.pem", "there is no such file")

        def apply() -> None:
            self.config = config

        return apply


def test_one_role_that_cannot_leaves_all_as_they_are() -> None:
    """Wherever it stands in the row."""
    for able in ((True, False), (False, True)):
        roles = [Role(able=each) for each in able]
        with pytest.raises(Unavailable, match=r"cert\.pem"):
            change(roles, NEW)
        assert [OLD, OLD] == [role.config for role in roles]
    roles = [Role(), Role()]
    change(roles, NEW)
    assert [NEW, NEW] == [role.config for role in roles]


@pytest.mark.parametrize(
    ("config", "names"),
    [
        (NEW, ()),
        (replace(OLD, limits=Limits(recipients=500)), ()),
        (replace(OLD, listen={"mx": Listen(address="127.0.0.1:25", protocol="lmtp")}), ()),
        (replace(OLD, listen={"mx": Listen(address="[::1]:25", protocol="smtp")}), ("listen.mx.address",)),
        (replace(OLD, listen={}), ("listen.mx",)),
        (replace(OLD, state="/srv", fronts=2, users=Users(front="x")), ("state", "fronts", "users")),
    ],
)
def test_what_cannot_be_changed_while_it_runs_has_a_name(config: Config, names: tuple[str, ...]) -> None:
    assert names == after_restart(OLD, config)
