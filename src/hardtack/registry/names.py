"""Which names are names: repositories, tags, upload sessions. Full matches, before anything becomes a path or a query.

Some first components are the registry's own addresses and never repositories.

Source: OCI distribution-spec 1.1, "Pulling manifests" (grammar of name and tag).
"""

from __future__ import annotations

import re

from hardtack.registry.errors import NameInvalid, TagInvalid

NAME_LIMIT = 255
OFFICIAL = "library/"
RESERVED = frozenset(
    (
        *("v1", "v2", "token", "auth", "api", "metrics", "healthz", "readyz", "livez", "debug", "static", "assets"),
        *("login", "logout", "signup", "account", "admin", "organisations", "oidc", "settings", "search", "explore"),
        *("favicon.ico", "robots.txt"),
    )
)
"""First components that are addresses of the server, now or in what is planned."""

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_NAME = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_ONE = re.compile(_COMPONENT)
_TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")
_UPLOAD = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def check_repository(name: str) -> str:
    """Return the name when it may be a repository's.

    Raises:
        NameInvalid: outside the grammar, longer than 255 characters, or reserved.
    """
    if len(name) > NAME_LIMIT:
        raise NameInvalid(name, f"longer than {NAME_LIMIT} characters")
    if _NAME.fullmatch(name) is None:
        raise NameInvalid(name, "lower-case letters and digits, separated by single dots, dashes, underscores, slashes")
    if name.partition("/")[0] in RESERVED:
        raise NameInvalid(name, f'"{name.partition("/")[0]}" belongs to the registry itself')
    return name


def is_repository(name: str) -> bool:
    """Whether the name may be a repository's."""
    try:
        check_repository(name)
    except NameInvalid:
        return False
    return True


def is_component(text: str) -> bool:
    """Whether text could be one component of a repository's name, whatever else may stand against it."""
    return _ONE.fullmatch(text) is not None


def is_official(name: str) -> bool:
    """Whether a repository is one of the registry's own, which belong to no account."""
    return name.startswith(OFFICIAL)


def is_tag(text: str) -> bool:
    """Whether text is a tag."""
    return _TAG.fullmatch(text) is not None


def check_tag(text: str) -> str:
    """Return the tag. Raises TagInvalid."""
    if not is_tag(text):
        raise TagInvalid(text)
    return text


def is_upload(text: str) -> bool:
    """Whether text is the id of an upload session: a random UUID in its one canonical form."""
    return _UPLOAD.fullmatch(text) is not None
