"""Docker's tokens under attack: whatever is not exactly ours, for us, and for now, is refused."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hardtack.registry.access import Action, allowed, refusal
from hardtack.registry.accounts.accounts import Accounts
from hardtack.registry.accounts.external import ExternalGate, _libtrust_id, read_keys
from hardtack.registry.accounts.issuer import Issuer
from hardtack.registry.accounts.keys import ROTATION, Keys
from hardtack.registry.config.access import AccessSection
from hardtack.registry.config.document import Config
from hardtack.registry.errors import CannotServe, Unauthorized
from hardtack.registry.metadata.sqlite import SqliteDatabase
from support.databases import Clock


@pytest.fixture
async def sqlite(tmp_path: Path, clock: Clock) -> AsyncIterator[SqliteDatabase]:
    opened = SqliteDatabase(str(tmp_path / "registry.db"), clock)
    yield opened
    await opened.close()


@pytest.fixture
def issuer(sqlite: SqliteDatabase) -> Issuer:
    return Issuer(sqlite, Keys(sqlite), "registry.example")


async def forged(issuer: Issuer, clock: Clock, header: dict[str, Any] | None = None, **claims: Any) -> str:
    """A token by the right key, with other claims or headers than it should have; None takes one out."""
    key = await issuer._keys.signing()
    right = {
        "iss": "registry.example",
        "aud": "registry.example",
        "sub": "ada",
        "iat": clock.now,
        "nbf": clock.now,
        "exp": clock.now + 300,
        "cred": "password:x",
        "access": [],
    }
    wanted = {name: value for name, value in {**right, **claims}.items() if value is not None}
    return jwt.encode(wanted, key.private, "ES256", {"kid": key.id, "typ": "JWT", **(header or {})})


async def test_a_token_is_read_as_it_was_made(issuer: Issuer, clock: Clock) -> None:
    token, moment = await issuer.issue("ada", "password:x", {"a/b": ["pull"]}, ["catalog"])
    found = await issuer.read(token)
    assert (found.subject, found.credential, found.until) == ("ada", "password:x", moment + 300)
    assert found.claims.permit(Action.PULL, "a/b")
    assert not found.claims.permit(Action.PUSH, "a/b")
    assert found.claims.catalog
    assert (await issuer.read(await forged(issuer, clock))).subject == "ada"


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "somebody.else"},
        {"iss": None},
        {"aud": "somebody.else"},
        {"aud": None},
        {"aud": []},
        {"sub": None},
        {"sub": 7},
        {"exp": None},
        {"exp": "tomorrow"},
        {"exp": True},
        {"exp": 1_000_000 - 10},
        {"nbf": 1_000_000 + 60},
        {"iat": 1_000_000 + 60},
        {"cred": None},
        {"cred": 7},
    ],
    ids=str,
)
async def test_other_claims_are_refused(issuer: Issuer, clock: Clock, claims: dict[str, Any]) -> None:
    token = await forged(issuer, clock, **claims)
    with pytest.raises(Unauthorized) as refused:
        await issuer.read(token)
    assert refused.value.problem == "invalid_token"


@pytest.mark.parametrize("header", [{"typ": "at+jwt"}, {"typ": "oidc-login"}, {"kid": "../../key"}, {"kid": "x" * 43}])
async def test_other_headers_are_refused(issuer: Issuer, clock: Clock, header: dict[str, Any]) -> None:
    with pytest.raises(Unauthorized):
        await issuer.read(await forged(issuer, clock, header))


def packed(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


async def test_other_algorithms_are_refused(issuer: Issuer, clock: Clock) -> None:
    key = await issuer._keys.signing()
    _, body, signature = (await forged(issuer, clock)).split(".")
    for algorithm in ("none", "None", "NONE", "HS256", "ES384", "RS256", None, 7, ["ES256"]):
        for ending in ("", signature):
            with pytest.raises(Unauthorized):
                await issuer.read(f"{packed({'alg': algorithm, 'kid': key.id, 'typ': 'JWT'})}.{body}.{ending}")


async def test_the_public_key_is_no_secret_to_sign_with(issuer: Issuer, clock: Clock) -> None:
    key = await issuer._keys.signing()
    public = key.private.public_key()
    _, body, _ = (await forged(issuer, clock)).split(".")
    for form in (
        public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint),
    ):
        for algorithm in ("HS256", "ES256"):
            head = packed({"alg": algorithm, "kid": key.id, "typ": "JWT"})
            mac = hmac.digest(form, f"{head}.{body}".encode(), hashlib.sha256)
            token = f"{head}.{body}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"
            with pytest.raises(Unauthorized):
                await issuer.read(token)


async def test_another_s_key_is_no_key_of_ours(issuer: Issuer, clock: Clock) -> None:
    key, theirs = await issuer._keys.signing(), ec.generate_private_key(ec.SECP256R1())
    claims = {"iss": "registry.example", "aud": "registry.example", "sub": "root", "exp": clock.now + 300, "cred": ""}
    for header in (
        {"kid": key.id},
        {"kid": key.id, "jwk": {"kty": "EC"}},
        {"kid": key.id, "jku": "https://evil.example"},
    ):
        with pytest.raises(Unauthorized):
            await issuer.read(jwt.encode(claims, theirs, "ES256", {"typ": "JWT", **header}))


async def test_a_token_that_was_changed_is_refused(issuer: Issuer, clock: Clock) -> None:
    token = await forged(issuer, clock)
    head, body, signature = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    with pytest.raises(Unauthorized):
        await issuer.read(f"{head}.{packed({**claims, 'sub': 'root'})}.{signature}")
    for changed in (f"{head}.{body}.", f"{head}.{body}", token[:-4], f"{token}.x", token * 40):
        with pytest.raises(Unauthorized):
            await issuer.read(changed)


async def test_no_text_is_a_token(issuer: Issuer) -> None:
    await issuer._keys.signing()

    @settings(max_examples=100, suppress_health_check=list(HealthCheck), deadline=None)
    @given(st.text() | st.lists(st.binary().map(lambda raw: base64.urlsafe_b64encode(raw).decode())).map(".".join))
    def refused(text: str) -> None:
        reading = issuer.read(text)
        try:
            while True:
                reading.send(None)
        except (Unauthorized, StopIteration) as end:
            assert isinstance(end, Unauthorized)

    refused()


async def test_a_token_ends_on_time_with_little_leeway(issuer: Issuer, clock: Clock) -> None:
    token, _ = await issuer.issue("ada", "x", {}, ())
    clock.now += 304
    await issuer.read(token)
    clock.now += 2
    with pytest.raises(Unauthorized, match="expired"):
        await issuer.read(token)


async def test_keys_change_and_old_ones_verify_as_long_as_tokens_live(sqlite: SqliteDatabase, clock: Clock) -> None:
    here, there = Keys(sqlite), Keys(sqlite)
    issuer, elsewhere = Issuer(sqlite, here, "r"), Issuer(sqlite, there, "r")
    token, _ = await issuer.issue("ada", "x", {}, ())
    await elsewhere.read(token)
    await here.rotate(300)
    assert len((await here.public())["keys"]) == 1
    clock.now += ROTATION - 100
    late, _ = await issuer.issue("ada", "x", {}, ())
    clock.now += 101
    await here.rotate(300)
    fresh, _ = await issuer.issue("ada", "x", {}, ())
    assert jwt.get_unverified_header(fresh)["kid"] != jwt.get_unverified_header(late)["kid"]
    for known in (late, fresh):
        await elsewhere.read(known)  # a replica that has not heard of the new key looks for it
    assert len((await there.public())["keys"]) == 2
    clock.now += 3600 + 301
    await there.rotate(300)
    assert len((await there.public())["keys"]) == 1


async def test_replicas_that_start_together_sign_with_one_key(sqlite: SqliteDatabase) -> None:
    made = [await Keys(sqlite).signing() for _ in range(3)]
    assert len({key.id for key in made}) == 1
    assert all("d" not in key for key in (await Keys(sqlite).public())["keys"]), "the private half stays here"


# An issuer elsewhere

EXTERNAL = ec.generate_private_key(ec.SECP256R1())


def pem(key: Any) -> bytes:
    data: bytes = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return data


@pytest.fixture
async def gate(sqlite: SqliteDatabase, tmp_path: Path) -> AsyncIterator[ExternalGate]:
    (tmp_path / "keys.pem").write_bytes(pem(EXTERNAL))
    access = AccessSection(
        token_server="https://auth.example/token", token_issuer="auth", token_keys=str(tmp_path / "keys.pem")
    )
    accounts = Accounts(sqlite, Config(access=access))
    yield ExternalGate(sqlite, access, "registry.example", accounts.gate)
    await accounts.close()


def theirs(clock: Clock, key: Any = EXTERNAL, algorithm: str = "ES256", kid: str | None = "", **claims: Any) -> str:
    right = {
        "iss": "auth",
        "aud": "registry.example",
        "sub": "ada",
        "exp": clock.now + 300,
        "access": [{"type": "repository", "name": "a/b", "actions": ["pull"]}],
    }
    named = {"kid": _libtrust_id(key.public_key()) if kid == "" else kid} if kid is not None else {}
    return "Bearer " + jwt.encode({**right, **claims}, key, algorithm, named)


async def test_an_issuer_elsewhere_says_what_its_bearer_may(gate: ExternalGate, clock: Clock) -> None:
    caller = await gate.identify(theirs(clock))
    assert caller.name == "ada"
    assert allowed(caller, Action.PULL, "a/b")
    assert allowed(caller, Action.ENTER)
    for action, repository in ((Action.PUSH, "a/b"), (Action.PULL, "a/c"), (Action.ADMIN, "a/b")):
        assert not allowed(caller, action, repository)
    error = refusal(caller, Action.PUSH, "a/b")
    assert isinstance(error, Unauthorized)
    assert error.problem == "insufficient_scope"
    assert (await gate.identify(theirs(clock, kid=None))).name == "ada", "there is one key"
    assert gate.at_once(theirs(clock, kid=None)) is None, "another signature"
    assert 'realm="https://auth.example/token",service="registry.example"' in gate.challenge("http://here", "", "")
    clock.now += 310
    with pytest.raises(Unauthorized):
        await gate.identify(theirs(clock, exp=clock.now - 10))


async def test_what_another_issuer_says_is_refused(gate: ExternalGate, clock: Clock) -> None:
    other, big = ec.generate_private_key(ec.SECP256R1()), rsa.generate_private_key(65537, 2048)
    right = _libtrust_id(EXTERNAL.public_key())
    for wrong in (
        theirs(clock, iss="other"),
        theirs(clock, aud="other"),
        theirs(clock, exp=clock.now - 10),
        theirs(clock, kid="other"),
        theirs(clock, other, kid=right),
        theirs(clock, big, "RS256", kid=right),
        "Bearer " + jwt.encode({"iss": "auth"}, "x" * 32, "HS256", {"kid": right}),
        "Bearer a.b.c",
        "Bearer ",
    ):
        with pytest.raises(Unauthorized):
            await gate.identify(wrong)


async def test_each_key_verifies_with_one_algorithm(gate: ExternalGate, clock: Clock, tmp_path: Path) -> None:
    big = rsa.generate_private_key(65537, 2048)
    (tmp_path / "keys.pem").write_bytes(pem(big))
    clock.now += 2
    assert (await gate.identify(theirs(clock, big, "RS256"))).name == "ada"
    for algorithm in ("RS512", "PS256"):
        with pytest.raises(Unauthorized):
            await gate.identify(theirs(clock, big, algorithm))


async def test_keys_are_read_again_when_the_file_changes(gate: ExternalGate, clock: Clock, tmp_path: Path) -> None:
    old = theirs(clock)
    await gate.identify(old)
    other = ed25519.Ed25519PrivateKey.generate()
    (tmp_path / "keys.pem").write_bytes(pem(other) + b"\n")
    clock.now += 2
    assert (await gate.identify(theirs(clock, other, "EdDSA"))).name == "ada"
    with pytest.raises(Unauthorized):
        await gate.identify(old)
    (tmp_path / "keys.pem").write_bytes(b"half written")
    clock.now += 2
    assert (await gate.identify(theirs(clock, other, "EdDSA"))).name == "ada"


def test_keys_that_verify_nothing_are_said_to(tmp_path: Path) -> None:
    weak = rsa.generate_private_key(65537, 1024)
    secret = EXTERNAL.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    oct_key = json.dumps({"keys": [{"kty": "oct", "k": "AAAA", "kid": "x"}]}).encode()
    for data in (b"", b"{}", b"[]", b'{"keys":[]}', oct_key, pem(weak), secret, b"-----BEGIN CERTIFICATE-----\nx"):
        (tmp_path / "keys").write_bytes(data)
        with pytest.raises(CannotServe):
            read_keys(str(tmp_path / "keys"))
    with pytest.raises(CannotServe):
        read_keys(str(tmp_path / "absent"))


def test_a_set_of_keys_names_them(tmp_path: Path) -> None:
    entry = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(EXTERNAL.public_key()))
    (tmp_path / "keys").write_text(json.dumps({"keys": [{**entry, "kid": "one"}, {"kty": "oct", "k": "AAAA"}]}))
    assert [(key.algorithm, key.ids) for key in read_keys(str(tmp_path / "keys"))] == [("ES256", ("one",))]
