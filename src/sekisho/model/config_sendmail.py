"""The settings of mail from programs of this machine."""

from typing import Annotated

from sekisho.model.config_base import Settings
from sekisho.model.config_base import about as _about


class Sendmail(Settings, frozen=True):
    domain: Annotated[
        str, _about("Domain of names without one, as in `sendmail root`; empty: the first domain here.")
    ] = ""
    trusted: Annotated[
        tuple[str, ...],
        _about(
            'System users who may write in anybody\'s name (-f); "*" for all. Others write as themselves, as '
            "their account or with no return path."
        ),
    ] = ("root",)
    accounts: Annotated[
        dict[str, str],
        _about(
            'Accounts that system users\' mail counts as, "www-data" = "web@example.com"; they may write as '
            "these may. Without one: USER@DOMAIN."
        ),
    ] = {}
