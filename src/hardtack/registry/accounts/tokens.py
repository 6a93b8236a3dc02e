"""What a secret looks like that the registry makes: `tack_pat_<id>_<secret><checksum>`.

The beginning says what it is, so that people and scanners recognise one that leaked; the id finds its row; the checksum
tells a mistyped one before anything is asked. The secret has 256 random bits, so a plain SHA-256 of it can be stored.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
import zlib
from typing import NamedTuple

from hardtack.registry.access import Grant
from hardtack.registry.accounts.names import check_pattern
from hardtack.registry.accounts.words import stored, unstored

PERSONAL, ROBOT, REFRESH = "personal", "robot", "refresh"
_MARKS = {PERSONAL: "pat", ROBOT: "bot", REFRESH: "ref"}
_KINDS = {mark: kind for kind, mark in _MARKS.items()}
_PREFIX = "tack_"
_FORM = re.compile(r"tack_(pat|bot|ref)_([a-z2-7]{12})_([0-9A-Za-z]{43})([0-9A-Za-z]{6})")
_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_ID_LETTERS = "abcdefghijklmnopqrstuvwxyz234567"


class Secret(NamedTuple):
    """A secret that has the right form; whether it is good only its row can say."""

    kind: str
    id: str
    hash: str


def make(kind: str) -> tuple[str, Secret]:
    """A new secret: the text, to be shown once, and what is stored of it."""
    identity = "".join(secrets.choice(_ID_LETTERS) for _ in range(12))
    secret = "".join(secrets.choice(_LETTERS) for _ in range(43))
    text = f"tack_{_MARKS[kind]}_{identity}_{secret}"
    return text + _checksum(text), Secret(kind, identity, _hash(secret))


def parse(text: str) -> Secret | None:
    """Read a secret; None when it is none of ours, or mistyped."""
    match = _FORM.fullmatch(text)
    if match is None or not hmac.compare_digest(_checksum(text[:-6]), match[4]):
        return None
    return Secret(_KINDS[match[1]], match[2], _hash(match[3]))


def seems(text: str) -> bool:
    """Whether a text is meant to be a secret of ours, well formed or not."""
    return text.startswith(tuple(f"{_PREFIX}{mark}_" for mark in _KINDS))


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _checksum(text: str) -> str:
    number = zlib.crc32(text.encode())
    digits = ""
    for _ in range(6):
        number, digit = divmod(number, len(_LETTERS))
        digits = _LETTERS[digit] + digits
    return digits


def write_scope(scope: tuple[Grant, ...] | None) -> str:
    """A token's scope as the database has it."""
    if scope is None:
        return ""
    return json.dumps([[grant.pattern, stored(grant.actions)] for grant in scope])


def read_scope(text: str) -> tuple[Grant, ...] | None:
    """The scope of a row; None for all that the account may."""
    return tuple(Grant(pattern, unstored(actions)) for pattern, actions in json.loads(text)) if text else None


def check_scope(scope: tuple[Grant, ...] | None) -> None:
    """Raises AccountInvalid: a pattern that is none."""
    for grant in scope or ():
        check_pattern(grant.pattern)
