"""Settings of who is told of incidents, and how (`docs/aftercare.md`)."""

from typing import Annotated, Literal

from sekisho.model.config_base import Settings, about


class Webhook(Settings, frozen=True):
    url: Annotated[str, about("https URL that incidents are posted to, as JSON; its certificate counts.")]
    secret_file: Annotated[
        str, about("File with the secret that signs what is posted; 16 bytes or more, in one line.")
    ]


class Notify(Settings, frozen=True):
    operator: Annotated[
        str, about("Address that is told of incidents; empty: postmaster of the first domain.")
    ] = ""
    language: Annotated[
        Literal["en", "ja"], about("Language of notices to the operator and of accounts that chose none.")
    ] = "en"
    webhooks: Annotated[
        dict[str, Webhook], about("Programs elsewhere that are told of incidents, by name.")
    ] = {}
