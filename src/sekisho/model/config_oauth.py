"""Settings of logins by token (`docs/oauth.md`)."""

from typing import Annotated

from sekisho.model.config_base import Settings, about


class OAuth(Settings, frozen=True):
    jwks: Annotated[
        str, about("https URL of the provider's keys: tokens are signed (RS256, ES256, EdDSA), checked here.")
    ] = ""
    introspection: Annotated[
        str, about("https URL where the provider says what a token is worth (RFC 7662); in place of jwks.")
    ] = ""
    client: Annotated[str, about("Our own name at the introspection URL.")] = ""
    secret_file: Annotated[str, about("File that holds the password to it.")] = ""
    issuer: Annotated[str, about("Who must have issued the token (iss); needed with jwks.")] = ""
    audience: Annotated[str, about("For whom it must be (aud); needed with jwks.")] = ""
    scope: Annotated[str, about("A word that must stand in its scope; empty: none.")] = ""
    claim: Annotated[str, about("Which of the token's claims is the account's address.")] = "email"
    discovery: Annotated[
        str, about("URL of the provider's openid-configuration, told to clients whose token is refused.")
    ] = ""
    wait_s: Annotated[int, about("Longest wait for the provider; then 454.", ge=1, le=60)] = 10
    cache_s: Annotated[
        int,
        about(
            "How long an answer and the keys are remembered: a token that is revoked may log in so long.",
            ge=1,
            le=3600,
        ),
    ] = 300

    @property
    def offered(self) -> bool:
        return bool(self.jwks or self.introspection)
