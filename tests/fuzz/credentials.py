"""Authorization headers and docker's scopes: nothing but a refusal comes of what was not signed or not stored."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from fuzz.harness import Harness, can_be_told, text_of
from hardtack.registry.access import Action
from hardtack.registry.accounts import tokens
from hardtack.registry.accounts.external import ExternalGate, Key
from hardtack.registry.accounts.gate import AccountGate
from hardtack.registry.accounts.issuer import Issuer
from hardtack.registry.accounts.keys import SigningKey
from hardtack.registry.config.access import AccessSection
from hardtack.registry.errors import Unauthorized
from hardtack.registry.names import is_repository
from hardtack.registry.scopes import WORDS, access_list, parse_scopes, read_access

_SERVICE, _ELSEWHERE, _KID = "registry.example.org", "issuer.example.org", "k1"
_KEY = ec.generate_private_key(ec.SECP256R1())
_loop = asyncio.new_event_loop()


class _World:
    """All that a gate asks: no account, no token, one key, and a clock."""

    def now(self) -> float:
        return 1_800_000_000.0

    async def standing(self, *_: object) -> None:
        return None

    token = standing
    enter = standing
    succeeded = standing

    def number_at_once(self) -> str:
        return "1"

    async def verify(self, stored: str, password: str) -> bool:
        password.encode()  # argon2 hashes bytes
        return False

    async def verifying(self, identity: str) -> SigningKey | None:
        return SigningKey(_KID, _KEY) if identity == _KID else None


class _Rights(_World):
    async def number(self) -> str:  # type: ignore[override]
        return "1"


_world: Any = _World()
_rights: Any = _Rights()


class _External(ExternalGate):
    """With keys that are in no file."""

    def __init__(self, local: AccountGate) -> None:
        self._db, self._service, self._local = _world, _SERVICE, local
        self._access = AccessSection(token_issuer=_ELSEWHERE)
        self._keys = (Key(_KEY.public_key(), "ES256", (_KID,)), Key(_KEY.public_key(), "ES256", ("other",)))
        self._secret, self._seen = b"s", {}

    def _look(self) -> None:
        pass


def _local() -> AccountGate:
    return AccountGate(_world, _rights, _world, _world, Issuer(_world, _world, _SERVICE))


def authorization(data: bytes) -> None:
    """The header, at a registry with accounts of its own and at one that believes an issuer elsewhere."""
    text = text_of(data)
    local = _local()
    for gate, issuer in ((local, _SERVICE), (_External(local), _ELSEWHERE)):
        gate.at_once(text)
        try:
            _loop.run_until_complete(gate.identify(text, "192.0.2.1"))
        except Unauthorized as error:
            can_be_told(error)
        else:
            _is_signed(text, issuer)


def _is_signed(text: str, issuer: str) -> None:
    """A token that was believed is one that the key made, for this registry and this moment."""
    scheme, _, token = text.partition(" ")
    assert scheme.lower() == "bearer"
    options: Any = {"verify_exp": False, "verify_nbf": False, "verify_iat": False}
    claims = jwt.decode(token.strip(), _KEY.public_key(), ["ES256"], options, audience=_SERVICE, issuer=issuer)
    assert claims["exp"] > _world.now() - 10


def secret(data: bytes) -> None:
    """The registry's own secrets: the checksum lets no other text through."""
    text = text_of(data)
    found = tokens.parse(text)
    assert found is None or (tokens.seems(text) and text.isascii() and found.id in text)


def scope(data: bytes) -> None:
    """The parameter `scope` and the claim `access`."""
    text = text_of(data)
    repositories, registry = parse_scopes([text])
    assert all(map(is_repository, repositories))
    assert all(words <= {*WORDS, "*"} for words in repositories.values())
    claims = read_access(access_list(repositories, registry))
    assert set(claims.repositories) == set(repositories)
    assert (claims.catalog, claims.mounts) == ("catalog" in registry, "mount" in registry)
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return
    for actions in read_access(document).repositories.values():
        assert Action.ADMIN not in actions


def _token(
    issuer: str = _SERVICE, key: Any = _KEY, algorithm: str = "ES256", kid: object = _KID, **claims: Any
) -> bytes:
    now = int(_world.now())
    said = {
        "iss": issuer,
        "aud": _SERVICE,
        "sub": "",
        "exp": now + 300,
        "nbf": now,
        "iat": now,
        "cred": "",
        "access": [],
    }
    return b"Bearer " + jwt.encode({**said, **claims}, key, algorithm, {"kid": kid}).encode()


def _raw(header: bytes, payload: bytes = b"{}", signature: bytes = b"x") -> bytes:
    parts = (base64.urlsafe_b64encode(part).rstrip(b"=") for part in (header, payload, signature))
    return b"Bearer " + b".".join(parts)


def _basic(text: bytes) -> bytes:
    return b"Basic " + base64.b64encode(text)


_PUBLIC = _KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
HARNESSES = {
    "authorization": Harness(
        authorization,
        (
            *(_token(), _token(_ELSEWHERE), _token(kid="unknown"), _token(exp="x"), _token(exp=1), _token(sub=1)),
            *(_token(aud=["a", _SERVICE]), _token(access={"a": 1}), _token(cred=1), _token(nbf=9e99)),
            _token(key=_PUBLIC + bytes(32), algorithm="HS256"),
            _token(key=None, algorithm="none"),
            _raw(b'{"alg":"ES256","typ":"JWT","kid":"k1"}'),
            _raw(b'{"alg":"ES256","typ":"JWT","kid":["k1"]}'),
            _raw(b'{"alg":"ES256","typ":"JWT","kid":"k1"}', b'{"iss":"\\ud800","exp":1e999}'),
            _raw(b"[" * 5000),
            _raw(b'{"a":' * 900),
            _raw(b'{"alg":"ES256","kid":"k1","crit":["b64"],"b64":false}'),
            *(b"Bearer", b"Bearer \xff", b"Bearer ..", b"bearer  a.b.c", b"Bearer " + b"a" * 9000, b"Digest a=b"),
            *(
                _basic(b"ada:secret"),
                _basic(b"ada"),
                _basic(b"\xff:x"),
                _basic(b"a\0:x"),
                _basic(b":"),
                b"Basic ====",
                b"Basic \xff",
            ),
            _basic(b"ada:tack_pat_aaaaaaaaaaaa_" + b"0" * 49),
        ),
    ),
    "secret": Harness(
        secret, (tokens.make(tokens.PERSONAL)[0].encode(), tokens.make(tokens.ROBOT)[0].encode(), b"tack_pat_\xff")
    ),
    "scope": Harness(
        scope,
        (
            b"repository:a/b:pull,push",
            b"repository:a/b:pull repository:a/b:* registry:catalog:*",
            b"repository(plugin):a:pull",
            b"repository:A:pull",
            b"repository:::",
            b'[{"type":"repository","name":"a","actions":["*","admin"]}]',
            b'[{"type":"repository","name":1,"actions":"pull"},null,[]]',
        ),
    ),
}
