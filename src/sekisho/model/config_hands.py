"""The settings of our hands in the queue of another mail server."""

from typing import Annotated, Literal

from sekisho.model.config_base import Settings
from sekisho.model.config_base import about as _about

Program = Literal["postfix", "exim", "sendmail", "qmail"]


class Hand(Settings, frozen=True):
    program: Annotated[Program, _about("Whose queue it is.")]
    config: Annotated[
        str, _about("Postfix's folder with main.cf, or Exim's or sendmail's settings; empty: the usual one.")
    ] = ""
    queue: Annotated[
        str, _about("The queue's folder, where their settings do not tell: qmail, sendmail.")
    ] = ""
    domain: Annotated[
        str, _about("Stands behind login names in their queue that come without one; empty: the hostname.")
    ] = ""
    tools: Annotated[str, _about("Folder of their programs; empty: looked for where programs are.")] = ""
