"""[access] and [oidc]: who may come in, and how they show who they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hardtack.registry.config.options import FLAG, NO_SECRET, PATH, SECRET, TEXT, URL, choice, duration, option

if TYPE_CHECKING:
    from collections.abc import Iterator

VISIBILITIES = ("private", "internal", "public")


@dataclass(frozen=True, slots=True)
class AccessSection:
    """Accounts and what they may."""

    mode: str = option(
        choice("accounts", "open"), "accounts", '"open" lets everybody who can reach the address push, pull and delete'
    )
    default_visibility: str = option(
        choice(*VISIBILITIES), "private", "Who may pull from a new repository of a namespace that says nothing itself"
    )
    token_life: float = option(duration(60, 86_400), 300.0, "How long a token of docker's flow is good for")
    token_server: str = option(
        URL,
        "",
        "Where clients get their tokens when it is not here: the realm of an external issuer",
        sample='"https://auth.example.org/token"',
    )
    token_issuer: str = option(TEXT, "", "What an external issuer calls itself in its tokens (iss)")
    token_service: str = option(TEXT, "", "What tokens call this registry (aud); empty for the host of its address")
    token_keys: str = option(
        PATH, "", "File of an external issuer's public keys: a JSON Web Key Set, or certificates in PEM"
    )

    def problems(self) -> Iterator[tuple[str, str]]:
        """What does not fit together, by key."""
        external = ("token_server", "token_issuer", "token_keys")
        given = [key for key in external if getattr(self, key)]
        if given and len(given) < len(external):
            missing = next(key for key in external if key not in given)
            yield missing, f"is needed as well: an external issuer takes {', '.join(external)}"


@dataclass(frozen=True, slots=True)
class OidcSection:
    """Login to the pages by OpenID Connect."""

    issuer: str = option(
        URL, "", "Address of the provider; empty for none", sample='"https://login.example.org/realms/team"'
    )
    client_id: str = option(TEXT, "", "What the provider calls this registry", sample='"registry"')
    client_secret: str = option(SECRET, NO_SECRET, "The secret that belongs to it")
    name: str = option(TEXT, "", "What the button says; empty for the provider's host", sample='"our login"')
    create: bool = option(FLAG, False, "Make an account for whoever logs in and has none")
    name_claim: str = option(TEXT, "preferred_username", "Which claim names a new account")

    def problems(self) -> Iterator[tuple[str, str]]:
        """What does not fit together, by key."""
        if self.issuer and not self.client_id:
            yield "client_id", "is needed with an issuer"
        if self.client_id and not self.issuer:
            yield "issuer", "is needed with a client_id"
