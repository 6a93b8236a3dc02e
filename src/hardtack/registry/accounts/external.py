"""The gate of a registry whose tokens somebody else issues: they say what their bearer may, and nothing else does.

Tokens are as distribution's specification has them. The issuer's public keys come from a file, a JSON Web Key Set or
PEM, that is read again when it changes. Each kind of key verifies with one algorithm, whatever a token's header says.
Passwords and personal tokens of accounts here go on working, for those who administer the registry.

Source: distribution, docs/spec/auth/jwt.md; docker/libtrust, util.go, keyIDFromCryptoKey.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import secrets
from typing import TYPE_CHECKING, Any, NamedTuple

import jwt
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from hardtack.registry.access import ALL, Action, Caller, Grant
from hardtack.registry.accounts import tokens
from hardtack.registry.accounts.gate import bearer_challenge
from hardtack.registry.accounts.issuer import decode, read_header, refused
from hardtack.registry.errors import CannotServe
from hardtack.registry.scopes import read_access

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hardtack.registry.accounts.gate import AccountGate
    from hardtack.registry.config.access import AccessSection
    from hardtack.registry.metadata.database import Database

    Public = ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey

_CURVES = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}
_LOOK = 1.0
_REMEMBERED = 4096
_LIMIT = 16_384
_FILE_LIMIT = 1 << 20
_EVERYTHING = (Grant("**", ALL - {Action.ADMIN}),)


class Key(NamedTuple):
    """A public key, the one algorithm that it verifies, and the ids by which a token may name it."""

    public: Any
    algorithm: str
    ids: tuple[str, ...]


class ExternalGate:
    """See the module and `access.Gate`.

    Args:
        local: identifies who has an account here.
    """

    def __init__(self, database: Database, access: AccessSection, service: str, local: AccountGate) -> None:
        self._db = database
        self._access = access
        self._service = service
        self._local = local
        self._secret = secrets.token_bytes(32)
        self._seen: dict[bytes, tuple[Caller, float]] = {}
        self._keys: tuple[Key, ...] = ()
        self._version: tuple[int, int] = (0, 0)
        self._looked = float("-inf")
        self._keys = read_keys(access.token_keys)

    def anonymous(self) -> Caller:
        """Nobody in particular: may pull what is public."""
        return Caller()

    def challenge(self, origin: str, scope: str, problem: str) -> str:
        """Where to get a token."""
        del origin
        return bearer_challenge(self._access.token_server, self._service, scope, problem)

    def at_once(self, authorization: str) -> Caller | None:
        """The caller, when the token was verified before."""
        if not _is_theirs(authorization):
            return self._local.at_once(authorization)
        self._look()
        seen = self._seen.get(self._hidden(authorization))
        return seen[0] if seen is not None and seen[1] > self._db.now() else None

    async def identify(self, authorization: str, address: str = "") -> Caller:
        """Who sends this. Raises Unauthorized."""
        if not _is_theirs(authorization):
            return await self._local.identify(authorization, address)
        seen = self.at_once(authorization)
        if seen is not None:
            return seen
        caller, until = self._verify(authorization.partition(" ")[2].strip())
        if len(self._seen) >= _REMEMBERED:
            self._seen.clear()
        self._seen[self._hidden(authorization)] = (caller, until)
        return caller

    def _verify(self, token: str) -> tuple[Caller, float]:
        header = read_header(token, _LIMIT)
        key = self._key(header.get("kid"))
        if key is None or header.get("alg") != key.algorithm:
            raise refused("its key is not known, or its algorithm is not the key's")
        claims = decode(token, key.public, [key.algorithm], self._access.token_issuer, self._service, self._db.now())
        access = read_access(claims.get("access"))
        # Everything is granted and the token bounds it: so a refusal asks for another token, as docker expects.
        return Caller(claims["sub"], _EVERYTHING, claims=access), float(claims["exp"])

    def _key(self, identity: object) -> Key | None:
        self._look()
        if identity is None and len(self._keys) == 1:
            return self._keys[0]
        return next((key for key in self._keys if identity in key.ids), None)

    def _look(self) -> None:
        """Read the file again when it is another one."""
        now = self._db.now()
        if 0 <= now - self._looked < _LOOK:
            return
        self._looked = now
        try:
            state = os.stat(self._access.token_keys)
            version = (state.st_mtime_ns, state.st_size)
            if version != self._version:
                self._keys, self._version = read_keys(self._access.token_keys), version
                self._seen.clear()
        except (OSError, CannotServe):
            pass  # half written, or being replaced: the keys that we have go on

    def _hidden(self, authorization: str) -> bytes:
        return hmac.digest(self._secret, authorization.encode("utf-8", "surrogateescape"), "sha256")


def _is_theirs(authorization: str) -> bool:
    scheme, _, value = authorization.partition(" ")
    return scheme.lower() == "bearer" and not tokens.seems(value.strip())


def read_keys(path: str) -> tuple[Key, ...]:
    """The public keys in a file. Raises CannotServe: it cannot be read, or has none."""
    try:
        with open(path, "rb") as file:
            data = file.read(_FILE_LIMIT)
        found = tuple(_from_pem(data) if b"-----BEGIN" in data else _from_set(json.loads(data)))
    except (OSError, ValueError, KeyError, TypeError, jwt.PyJWTError) as error:
        raise CannotServe(f"cannot read the keys of the token issuer in {path}: {error}") from error
    if not found:
        raise CannotServe(
            f"the token issuer's file {path} has no key that verifies tokens", "Put a JWK Set or PEM there"
        )
    return found


def _from_set(document: Any) -> Iterator[Key]:
    for entry in document["keys"]:
        if entry.get("kty") in ("EC", "RSA", "OKP") and entry.get("use", "sig") == "sig":
            yield _key_of(jwt.PyJWK(entry, entry.get("alg")).key, entry.get("kid"))


def _from_pem(data: bytes) -> Iterator[Key]:
    for block in data.split(b"-----BEGIN ")[1:]:
        pem = b"-----BEGIN " + block
        if block.startswith(b"CERTIFICATE-----"):
            yield _key_of(x509.load_pem_x509_certificate(pem).public_key(), None)
        else:
            yield _key_of(load_pem_public_key(pem), None)


def _key_of(public: Any, identity: str | None) -> Key:
    if isinstance(public, ec.EllipticCurvePublicKey) and public.curve.name in _CURVES:
        algorithm = _CURVES[public.curve.name]
    elif isinstance(public, rsa.RSAPublicKey) and public.key_size >= 2048:
        algorithm = "RS256"
    elif isinstance(public, ed25519.Ed25519PublicKey):
        algorithm = "EdDSA"
    else:
        raise ValueError("a key is neither ECDSA, Ed25519, nor RSA of at least 2048 bits")
    return Key(public, algorithm, (identity,) if identity else (_libtrust_id(public),))


def _libtrust_id(public: Public) -> str:
    """The id that docker's and GitLab's issuers give to a key: its hash in twelve groups of four letters."""
    spki = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    letters = base64.b32encode(hashlib.sha256(spki).digest()[:30]).decode()
    return ":".join(letters[start : start + 4] for start in range(0, 48, 4))
