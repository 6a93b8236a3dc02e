"""Accounts of a registry's folder, made by the library as the command line does, and how they log in."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from hardtack.registry.access import Grant
from hardtack.registry.accounts.accounts import Accounts
from hardtack.registry.accounts.changes import By
from hardtack.registry.accounts.words import read_rights
from hardtack.registry.config.document import Config
from hardtack.registry.config.server import DataSection
from hardtack.registry.server.stores import open_stores, prepare_stores
from support.our_registry import OurRegistry, our_registry

T = TypeVar("T")
SHELL = By.shell("test")


def administer(root: Path, work: Callable[[Accounts], Awaitable[T]]) -> T:
    """Do something to the accounts of a registry, whether it runs or not. Costs 20 ms."""
    config = Config(data=DataSection(str(root)))

    async def run() -> T:
        async with open_stores(config) as stores:
            accounts = Accounts(stores.database, config)
            try:
                return await work(accounts)
            finally:
                await accounts.close()

    root.mkdir(parents=True, exist_ok=True)
    prepare_stores(config)
    return asyncio.run(run())


def password_of(name: str) -> str:
    """The password of every user that `make_users` makes."""
    return f"correct horse {name[::-1]}"


def make_users(root: Path, *names: str, admins: tuple[str, ...] = ()) -> None:
    """Users with passwords of their own choosing. Costs 50 ms each."""

    async def make(accounts: Accounts) -> None:
        for name in (*names, *admins):
            await accounts.users.create(SHELL, name, password_of(name), admin=name in admins, must_change=False)

    administer(root, make)


def grant(pattern: str, rights: str) -> Grant:
    return Grant(pattern, read_rights(rights))


def make_token(root: Path, user: str, *scope: tuple[str, str], life: float | None = None) -> tuple[str, str]:
    """A personal access token: its text and its id."""
    bounds = tuple(grant(*pair) for pair in scope) or None
    text, token = administer(root, lambda accounts: accounts.tokens.create(SHELL, user, "test", bounds, life))
    return text, token.id


def basic(name: str, secret: str = "") -> str:
    """The Authorization header of a user, with the password that they have or with something else."""
    return "Basic " + base64.b64encode(f"{name}:{secret or password_of(name)}".encode()).decode()


@contextmanager
def registry_with_accounts(root: Path, workers: int = 2) -> Iterator[OurRegistry]:
    """A registry with the users ada and bob and the admin root. Costs 900 ms."""
    make_users(root, "ada", "bob", admins=("root",))
    with our_registry(root, workers=workers) as running:
        yield running
