"""Passwords: which are accepted, and argon2id around those that are stored.

Hashing runs in threads, few at a time, because each takes tens of milliseconds and megabytes. Checking costs the same
whether or not an account has a password, so that the time it takes tells nothing. A hash made with other parameters
than today's is made anew at the next login.

Source: RFC 9106, "Parameter Choice"; NIST SP 800-63B, section 5.1.1.2.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

import argon2
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError

from hardtack.registry.accounts.errors import AccountInvalid, TooManyFailures
from hardtack.registry.accounts.tokens import seems

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

LEAST, MOST = 8, 256
_THREADS = 2
_WAITING = 64
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"  # nothing that looks like something else
_HASHER = argon2.PasswordHasher(time_cost=2, memory_cost=32_768, parallelism=1)


def check_password(name: str, password: str) -> str:
    """Return a password that an account may have.

    Raises:
        AccountInvalid: too short, too long, the account's name in disguise, one letter again and again, or not text.
    """
    if not LEAST <= len(password) <= MOST:
        raise AccountInvalid(f"a password has {LEAST} to {MOST} characters")
    if not password.isprintable():
        raise AccountInvalid("a password has no control characters")
    plain = "".join(filter(str.isalnum, password.lower()))
    own = "".join(filter(str.isalnum, name.lower()))
    if own and plain.replace(own, "").strip("0123456789") == "" and own in plain:
        raise AccountInvalid("a password must not be made of the account's name")
    if len(set(password)) < 3:
        raise AccountInvalid("a password has at least three different characters")
    if seems(password):
        raise AccountInvalid("a password must not look like a token")
    return password


def generate_password() -> str:
    """A password for somebody to be told: 20 letters and digits in groups, 98 bits."""
    letters = [secrets.choice(_ALPHABET) for _ in range(20)]
    return "-".join("".join(letters[start : start + 5]) for start in range(0, 20, 5))


def stamp_of(stored: str) -> str:
    """What tells one stored password from another and tells nothing about it."""
    return hashlib.sha256(f"stamp {stored}".encode()).hexdigest()[:32]


class Passwords:
    """The threads that hash."""

    def __init__(self, hasher: argon2.PasswordHasher = _HASHER) -> None:
        self._hasher = hasher
        self._threads = ThreadPoolExecutor(_THREADS, "registry-passwords")
        self._waiting = 0
        self._dummy = ""

    async def hash(self, password: str) -> str:
        """What is stored of a password. Raises TooManyFailures: too much is to be hashed already."""
        return await self._run(self._hasher.hash, password)

    async def verify(self, stored: str, password: str) -> bool:
        """Whether it is the password. "" has none, and takes as long to say so.

        Raises:
            TooManyFailures: too much is to be hashed already.
        """
        if not self._dummy:
            self._dummy = await self.hash(secrets.token_hex(16))
        if len(password) > MOST:
            password, stored = "", ""
        return await self._run(self._matches, stored or self._dummy, password) and bool(stored)

    def is_outdated(self, stored: str) -> bool:
        """Whether it should be hashed anew."""
        return self._hasher.check_needs_rehash(stored)

    def _matches(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (VerifyMismatchError, VerificationError, InvalidHashError):
            return False

    async def _run(self, work: Callable[..., T], *values: str) -> T:
        if self._waiting >= _WAITING:
            raise TooManyFailures(1.0, "the registry is checking too many passwords at once")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work, *values)
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(wait=True, cancel_futures=True)
