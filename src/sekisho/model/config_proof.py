"""Settings of what a letter proves about where it comes from: SPF, DKIM, DMARC (`docs/authentication.md`)."""

from typing import Annotated, Literal

from msgspec import Meta

from sekisho.model.config_base import Settings, about

Level = Annotated[int, Meta(ge=0, le=6)]


class Spf(Settings, frozen=True):
    level: Annotated[
        int,
        about(
            "Whose mail is refused by SPF. 0: SPF is not asked. 1: nobody's, Received-SPF says the "
            "result. 2: when the DNS does not answer the letter is to come again (451). 3: also fail is "
            "refused. 4: also softfail. 5: also neutral. 6: also where there is no usable record. Who has "
            "logged in and who is trusted is never asked.",
            ge=0,
            le=6,
        ),
    ] = 0
    networks: Annotated[
        dict[str, Level],
        about(
            'Other levels by client: "192.0.2.0/24" = 0. Of several networks that hold it the smallest '
            "counts."
        ),
    ] = {}
    rules: Annotated[
        str,
        about(
            'Mechanisms, as in "include:forwarders.example.net", that are asked before the "all" at the '
            "end of any domain's record. What they let in counts for the level only, not as the domain's "
            "own word."
        ),
    ] = ""
    guess: Annotated[
        str,
        about(
            'Mechanisms that stand for the record of a domain that has none, as in "a/24 mx/24 ptr"; empty: '
            "no guess."
        ),
    ] = ""
    explanation: Annotated[
        str,
        about(
            "What a refused sender is told where the domain itself has no explanation; the macros of RFC "
            "7208 7 may stand in it."
        ),
    ] = "See https://www.rfc-editor.org/rfc/rfc7208 and ask the administrators of %{o}"


class Dkim(Settings, frozen=True):
    verify: Annotated[
        bool, about("Verify the signatures of strangers' mail; Authentication-Results says what was found.")
    ] = False
    results: Annotated[
        dict[
            Literal["none", "pass", "fail", "policy", "temperror", "permerror"],
            Literal["pass", "tag", "hold", "defer", "reject"],
        ],
        about(
            "What becomes of a letter by the best result of its signatures, as in fail = "
            '"reject". Not named: pass. A mailing list breaks signatures honestly.'
        ),
    ] = {}


    sign: Annotated[
        bool,
        about(
            "Sign mail of our domains that leaves for other hosts, bounces and forwarded mail too, with the "
            "keys in keys/dkim/DOMAIN; what is forwarded after it was verified is also sealed (ARC)."
        ),
    ] = False


class Dmarc(Settings, frozen=True):
    policy: Annotated[
        Literal["off", "observe", "obey"],
        about(
            "observe: DMARC is evaluated (with SPF and DKIM), and nobody is refused for it. obey: what "
            "the author's domain asks for is done, and a letter whose From names nobody in particular "
            "is refused."
        ),
    ] = "off"
    quarantine: Annotated[
        Literal["tag", "hold", "reject"],
        about(
            "What quarantine means. tag: the letter is delivered, Authentication-Results says so. hold: "
            "it waits in the queue until it is released."
        ),
    ] = "tag"
    trusted_sealers: Annotated[
        tuple[str, ...],
        about(
            "Domains of forwarders and mailing lists: a letter whose whole chain of seals (ARC) is theirs, "
            "and holds, is taken although DMARC fails."
        ),
    ] = ()
