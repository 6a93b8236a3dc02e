"""The gate of a registry with accounts: what a request says of its sender, checked, and what they may now.

Passwords, personal tokens and robots' secrets come by Basic; docker's tokens, and personal ones, by Bearer. What was
verified is remembered under an HMAC of the header, by a key that only this process has, so that argon2 and signatures
are not paid for at every request. What the account may is remembered as long as nothing changed anywhere.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import hmac
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from hardtack.registry.access import Caller
from hardtack.registry.accounts import tokens
from hardtack.registry.accounts.names import is_login
from hardtack.registry.accounts.passwords import stamp_of
from hardtack.registry.accounts.rows import USER
from hardtack.registry.accounts.standing import ENTER
from hardtack.registry.accounts.users import store_rehashed
from hardtack.registry.errors import RegistryError, Unauthorized

if TYPE_CHECKING:
    from hardtack.registry.access import Claims
    from hardtack.registry.accounts.issuer import Issuer
    from hardtack.registry.accounts.passwords import Passwords
    from hardtack.registry.accounts.rights import Rights
    from hardtack.registry.accounts.throttle import Throttle
    from hardtack.registry.metadata.database import Database

_REMEMBERED = 8192
_PASSWORD_HOLDS = 3600.0
_HEADER_LIMIT = 12_288
ANONYMOUS = Caller()
# What the name of a credential begins with.
_PASSWORD, _TOKEN = "password:", "token:"


@dataclass(frozen=True, slots=True)
class Proof:
    """Credentials that were verified, and what must still be so for them to be good.

    Attributes:
        account: "" for anybody.
        credential: `password:` and the stamp of the stored one, or `token:` and an id; "" for anybody.
        until: when they have to be looked at again.
    """

    account: str
    credential: str
    until: float
    claims: Claims | None = None

    @property
    def token(self) -> str:
        """The id of the token; "" when it was a password."""
        return self.credential.removeprefix(_TOKEN) if self.credential.startswith(_TOKEN) else ""

    @property
    def stamp(self) -> str:
        """That of the password; "" when it was none."""
        return self.credential.removeprefix(_PASSWORD) if self.credential.startswith(_PASSWORD) else ""


class _Seen(NamedTuple):
    proof: Proof
    caller: Caller
    until: float
    number: str


class AccountGate:
    """See the module and `access.Gate`.

    Attributes:
        used: tokens that were used since somebody last wrote it down, and when.
        met: the same of accounts.
    """

    def __init__(
        self, database: Database, rights: Rights, passwords: Passwords, throttle: Throttle, issuer: Issuer
    ) -> None:
        self._db = database
        self._rights = rights
        self._passwords = passwords
        self._throttle = throttle
        self._issuer = issuer
        self._key = secrets.token_bytes(32)
        self._seen: dict[bytes, _Seen] = {}
        self._checking: dict[bytes, asyncio.Future[tuple[Proof, Caller]]] = {}
        self.used: dict[str, float] = {}
        self.met: dict[str, float] = {}

    def anonymous(self) -> Caller:
        """Nobody in particular: may pull what is public."""
        return ANONYMOUS

    def challenge(self, origin: str, scope: str, problem: str) -> str:
        """Where to get a token. Basic is not offered beside it: docker would prefer that to the token."""
        return bearer_challenge(f"{origin}/token", self._issuer.service, scope, problem)

    def at_once(self, authorization: str) -> Caller | None:
        """The caller, when the credentials were verified before and nothing has changed since."""
        seen = self._seen.get(self._hidden(authorization))
        if seen is None or seen.until <= self._db.now() or seen.number != self._rights.number_at_once():
            return None
        self.note(seen.proof)
        return seen.caller

    async def identify(self, authorization: str, address: str = "") -> Caller:
        """Who sends this. Raises Unauthorized, TooManyFailures."""
        return (await self.prove(authorization, address))[1]

    async def prove(self, authorization: str, address: str = "") -> tuple[Proof, Caller]:
        """The same, with what it was proved by."""
        key = self._hidden(authorization)
        number = await self._rights.number()
        seen = self._seen.get(key)
        if seen is not None and seen.proof.until > self._db.now():
            if seen.number == number and seen.until > self._db.now():
                self.note(seen.proof)
                return seen.proof, seen.caller
            with contextlib.suppress(RegistryError):  # then all of it is checked again, which says what is wrong
                return seen.proof, await self._remember(key, seen.proof, number)
        # The same credentials often come several at a time: one of them is verified, the others wait for it.
        waiting = self._checking.get(key)
        if waiting is None:
            waiting = asyncio.ensure_future(self._check(key, authorization, address))
            self._checking[key] = waiting
            waiting.add_done_callback(lambda done: self._checked(key, done))
        return await asyncio.shield(waiting)

    def _checked(self, key: bytes, done: asyncio.Future[tuple[Proof, Caller]]) -> None:
        self._checking.pop(key, None)
        if not done.cancelled():
            done.exception()  # whoever waited has been told; nobody may have

    async def _check(self, key: bytes, authorization: str, address: str) -> tuple[Proof, Caller]:
        proof = await self._verify(authorization, address)
        return proof, await self._remember(key, proof, await self._rights.number())

    async def _remember(self, key: bytes, proof: Proof, number: str) -> Caller:
        self._seen.pop(key, None)
        caller, until = await self.resolve(proof, number)
        if len(self._seen) >= _REMEMBERED:
            for old in list(self._seen)[: _REMEMBERED // 2]:
                del self._seen[old]
        self._seen[key] = _Seen(proof, caller, until, number)
        self.note(proof)
        return caller

    async def _verify(self, authorization: str, address: str) -> Proof:
        if len(authorization) > _HEADER_LIMIT:
            raise Unauthorized("the Authorization header is too long")
        scheme, _, value = authorization.partition(" ")
        scheme, value = scheme.lower(), value.strip()
        if scheme == "basic":
            return await self.verify_login(*read_basic(value), address)
        if scheme != "bearer":
            raise Unauthorized("the Authorization header is neither Basic nor Bearer")
        if tokens.seems(value):
            return await self.verify_token(value)
        issued = await self._issuer.read(value)
        return Proof(issued.subject, issued.credential, issued.until, issued.claims)

    async def verify_login(self, name: str, secret: str, address: str) -> Proof:
        """Verify a name with a password, a personal token or a robot's secret. Raises Unauthorized, TooManyFailures."""
        if tokens.seems(secret):
            proof = await self.verify_token(secret)
            if proof.account != name:
                raise Unauthorized(f"this is a token of {proof.account}", f"Log in as {proof.account}")
            return proof
        return await self.verify_password(name, secret, address)

    async def verify_password(self, name: str, password: str, address: str) -> Proof:
        """Verify a password. Raises Unauthorized, TooManyFailures."""
        known = is_login(name)
        # What nobody can be called is still work, and counts against the address.
        await self._throttle.enter(name if known else "", address)
        standing = await self._rights.standing(name, await self._rights.number()) if known else None
        stored = standing.password if standing is not None and standing.kind == USER else ""
        if not await self._passwords.verify(stored, password) or standing is None:
            raise Unauthorized("the name or the password is wrong", "Try again, or use a personal access token")
        await self._throttle.succeeded(name, address)
        if self._passwords.is_outdated(stored):
            stored = await self._passwords.hash(password)
            await self._db.write(store_rehashed, name, standing.password, stored)
            self._rights.ask_again()
        return Proof(name, _PASSWORD + stamp_of(stored), self._db.now() + _PASSWORD_HOLDS)

    async def verify_token(self, text: str, kinds: tuple[str, ...] = (tokens.PERSONAL, tokens.ROBOT)) -> Proof:
        """Verify a secret that the registry made. Raises Unauthorized."""
        secret = tokens.parse(text)
        row = None if secret is None else await self._rights.token(secret.id, await self._rights.number())
        if secret is None or row is None or row.kind not in kinds or row.kind != secret.kind:
            raise Unauthorized("the token does not exist, or was revoked", "Use another", "invalid_token")
        if not hmac.compare_digest(secret.hash, row.secret):
            raise Unauthorized("the token does not exist, or was revoked", "Use another", "invalid_token")
        return Proof(row.account, _TOKEN + secret.id, self._db.now() + _PASSWORD_HOLDS)

    async def resolve(self, proof: Proof, number: str) -> tuple[Caller, float]:
        """What credentials that were verified before are good for now, and until when at most.

        Raises:
            Unauthorized: for nothing any more.
        """
        if not proof.account:
            return Caller(grants=(ENTER,), claims=proof.claims), proof.until
        standing = await self._rights.standing(proof.account, number)
        if standing is None:
            raise Unauthorized("the account does not exist any more", problem="invalid_token")
        if not standing.active:
            raise Unauthorized("the account is disabled", "Ask an admin of the registry", "invalid_token")
        scope, until = None, proof.until
        if proof.token:
            row = await self._rights.token(proof.token, number)
            if row is None or row.account != proof.account:
                raise Unauthorized("the token was revoked", "Use another", "invalid_token")
            if row.expires is not None and row.expires <= self._db.now():
                raise Unauthorized("the token has expired", "Make another", "invalid_token")
            scope, until = row.scope, min(until, row.expires or until)
        elif proof.credential != _PASSWORD + standing.stamp:
            raise Unauthorized("the password has been changed", "Log in again", "invalid_token")
        if standing.must_change:
            raise Unauthorized(
                "the account's password is only good for choosing another",
                "Log in to the registry's pages and choose one, or have `tack registry user passwd` set one",
            )
        return standing.caller(scope, proof.claims), until

    def _hidden(self, authorization: str) -> bytes:
        return hmac.digest(self._key, authorization.encode("utf-8", "surrogateescape"), "sha256")

    def note(self, proof: Proof) -> None:
        """Remember that credentials were used."""
        now = self._db.now()
        if proof.token:
            self.used[proof.token] = now
        if proof.account:
            self.met[proof.account] = now


def bearer_challenge(realm: str, service: str, scope: str, problem: str) -> str:
    """The value of WWW-Authenticate. Source: distribution, docs/spec/auth/token.md; RFC 6750, section 3."""
    parts = [f'Bearer realm="{realm}"', f'service="{service}"']
    if scope:
        parts.append(f'scope="{scope}"')
    if problem:
        parts.append(f'error="{problem}"')
    return ",".join(parts)


def read_basic(value: str) -> tuple[str, str]:
    """The name and the password of Basic credentials. Raises Unauthorized."""
    try:
        text = base64.b64decode(value, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        raise Unauthorized("the Basic credentials cannot be read: they are to be UTF-8 in base64") from None
    name, colon, secret = text.partition(":")
    if not colon or "\0" in text:
        raise Unauthorized("the Basic credentials cannot be read: a colon belongs between name and password")
    return name, secret
