"""The keys that sign docker's tokens: made at the first start, changed on schedule, shared by all replicas.

The newest signs. Those before verify until every token that they signed has expired; then they are gone.
"""

from __future__ import annotations

import base64
import hashlib
import json
from typing import TYPE_CHECKING, Any, NamedTuple

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from hardtack.registry.metadata.script import hits

if TYPE_CHECKING:
    from hardtack.registry.metadata.database import Database
    from hardtack.registry.metadata.script import Script

ROTATION = 30 * 86_400.0
_PAUSE = 1.0  # seconds between two looks for a key that nobody knows: made-up ids must not cost us


class SigningKey(NamedTuple):
    """A key, with its id, which is the thumbprint of its public half."""

    id: str
    private: ec.EllipticCurvePrivateKey

    def jwk(self) -> dict[str, str]:
        """The public half as a JSON Web Key."""
        return {**_required(self.private.public_key()), "kid": self.id, "use": "sig", "alg": "ES256"}


class Keys:
    """The keys of one registry, as one process knows them."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self._keys: dict[str, SigningKey] = {}
        self._looked = float("-inf")

    async def signing(self) -> SigningKey:
        """The key that signs now; made when there is none."""
        if not self._keys:
            await self._load()
        if not self._keys:
            await self._db.write(_add, *new_key(), self._db.now(), 0.0)
            await self._load()
        return next(iter(self._keys.values()))

    async def verifying(self, identity: str) -> SigningKey | None:
        """A key by its id; another replica may have made it a moment ago."""
        found = self._keys.get(identity)
        now = self._db.now()
        if found is None and not 0 <= now - self._looked < _PAUSE:
            self._looked = now
            await self._load()
            found = self._keys.get(identity)
        return found

    async def public(self) -> dict[str, Any]:
        """The public halves as a JSON Web Key Set."""
        await self.signing()
        await self._load()
        return {"keys": [key.jwk() for key in self._keys.values()]}

    async def rotate(self, life: float) -> None:
        """Sign with a new key when the present one is old, and forget those that nothing needs any more.

        Args:
            life: of a token, in seconds.
        """
        now = self._db.now()
        if await self._db.read(_is_due, now - ROTATION):
            await self._db.write(_add, *new_key(), now, now - ROTATION)
        await self._db.write(_drop, now - life - 3600.0)
        await self._load()

    async def _load(self) -> None:
        rows = await self._db.read(_all)
        known = self._keys
        self._keys = {name: known.get(name) or SigningKey(name, _private(pem)) for name, pem in rows}


def new_key() -> tuple[str, str]:
    """A new key: its id, and what is stored."""
    private = ec.generate_private_key(ec.SECP256R1())
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return _thumbprint(private.public_key()), pem.decode()


def _private(pem: str) -> ec.EllipticCurvePrivateKey:
    key = load_pem_private_key(pem.encode(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return key


def _required(key: ec.EllipticCurvePublicKey) -> dict[str, str]:
    numbers = key.public_numbers()
    x, y = (
        base64.urlsafe_b64encode(value.to_bytes(32, "big")).rstrip(b"=").decode() for value in (numbers.x, numbers.y)
    )
    return {"crv": "P-256", "kty": "EC", "x": x, "y": y}


def _thumbprint(key: ec.EllipticCurvePublicKey) -> str:
    # RFC 7638: the required members, in the order of the alphabet, without spaces.
    canonical = json.dumps(_required(key), separators=(",", ":"), sort_keys=True)
    return base64.urlsafe_b64encode(hashlib.sha256(canonical.encode()).digest()).rstrip(b"=").decode()


def _all() -> Script[list[tuple[str, str]]]:
    rows = yield "SELECT id, private FROM signing_key ORDER BY created DESC, id", ()
    return [(row[0], row[1]) for row in rows]


def _is_due(before: float) -> Script[bool]:
    return not (yield from hits("SELECT 1 FROM signing_key WHERE retired IS NULL AND created >= ?", before))


def _add(identity: str, pem: str, now: float, before: float) -> Script[None]:
    # Two replicas may start at once: the row of this fact lets one go first, and the other finds its key.
    yield (
        "INSERT INTO fact (name, value) VALUES ('keys', '') ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (),
    )
    if (yield from hits("SELECT 1 FROM signing_key WHERE retired IS NULL AND created >= ?", before)):
        return
    yield "UPDATE signing_key SET retired = ? WHERE retired IS NULL", (now,)
    yield "INSERT INTO signing_key (id, private, created, retired) VALUES (?, ?, ?, NULL)", (identity, pem, now)


def _drop(before: float) -> Script[None]:
    yield "DELETE FROM signing_key WHERE retired < ?", (before,)
