"""`tack registry token …`: personal access tokens of users."""

from __future__ import annotations

from hardtack.cli.accounts import DAYS, LISTING
from hardtack.cli.parse import LIST, STRING, Command, Flag
from hardtack.cli.registry_root import WHERE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from hardtack.cli.parse import Args, Streams
    from hardtack.registry.accounts.accounts import Accounts
    from hardtack.registry.accounts.changes import By
    from hardtack.registry.accounts.rows import Token

HEADERS = {
    "ID": "TOKEN ID",
    "Name": "NAME",
    "Kind": "KIND",
    "Scope": "SCOPE",
    "Created": "CREATED",
    "Expires": "EXPIRES",
    "Used": "LAST USED",
}


def _row(token: Token) -> dict[str, Any]:
    from hardtack.cli.accounts import moment

    scope = None if token.scope is None else " ".join(f"{pattern}={rights}" for pattern, rights in token.scope)
    return {
        "ID": token.id,
        "Name": token.name,
        "Kind": token.kind,
        "Scope": "everything" if scope is None else scope,
        "Created": moment(token.created),
        "Expires": moment(token.expires) or "never",
        "Used": moment(token.used),
    }


def _create(args: Args, streams: Streams) -> int:
    """Make one and print it."""
    from hardtack.cli.accounts import administer, grants, life

    (user,) = args.args
    scope, seconds = grants(args.scope) if args.scope else None, life(args)
    text, _ = administer(args, lambda accounts, by: accounts.tokens.create(by, user, args.name, scope, seconds))
    streams.out.write(f"{text}\n")
    return 0


def _ls(args: Args, streams: Streams) -> int:
    """List those of a user."""
    from hardtack.cli.accounts import administer, show

    (user,) = args.args

    async def work(accounts: Accounts, by: By) -> list[Token]:
        del by
        await accounts.users.get(user)
        return await accounts.tokens.all(user)

    found = administer(args, work)
    return show(args, streams, map(_row, found), HEADERS, ("ID", "Name", "Kind", "Scope", "Expires", "Used"))


def _rm(args: Args, streams: Streams) -> int:
    """Revoke some."""
    from hardtack.cli.accounts import each

    return each(args, args.args, streams, lambda accounts, by, identity: accounts.tokens.delete(by, identity))


VERBS: dict[str, tuple[Command, Callable[[Args, Streams], int]]] = {
    "create": (
        Command(
            "[OPTIONS] USER",
            "Create a personal access token and print it",
            (
                *WHERE,
                DAYS,
                Flag("name", "", STRING, "text", "What it is for", default="shell"),
                Flag("scope", "", LIST, "pattern=rights", "What it is good for at most, as in 'team/**=read'"),
            ),
            1,
            1,
            details="It is shown this once. Log in with it in place of the password.",
        ),
        _create,
    ),
    "ls": (Command("[OPTIONS] USER", "List the tokens of a user", LISTING, 1, 1), _ls),
    "rm": (Command("[OPTIONS] ID [ID...]", "Revoke tokens, at once and everywhere", WHERE, 1), _rm),
}
