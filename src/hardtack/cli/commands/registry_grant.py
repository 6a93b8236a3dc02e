"""`tack registry grant …`: rights on the repositories that a pattern covers."""

from __future__ import annotations

from hardtack.cli.accounts import LISTING
from hardtack.cli.parse import Command
from hardtack.cli.registry_root import WHERE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from hardtack.cli.parse import Args, Streams
    from hardtack.registry.accounts.accounts import Accounts
    from hardtack.registry.accounts.changes import By
    from hardtack.registry.accounts.rows import Permission

HEADERS = {
    "ID": "GRANT ID",
    "Holder": "HOLDER",
    "Kind": "KIND",
    "Pattern": "PATTERN",
    "Rights": "RIGHTS",
    "Created": "CREATED",
    "CreatedBy": "BY",
}


def _row(permission: Permission) -> dict[str, Any]:
    from hardtack.cli.accounts import moment

    return {
        "ID": str(permission.id),
        "Holder": permission.holder,
        "Kind": permission.kind,
        "Pattern": permission.pattern,
        "Rights": permission.rights,
        "Created": moment(permission.created),
        "CreatedBy": permission.created_by,
    }


def _add(args: Args, streams: Streams) -> int:
    """Give rights."""
    from hardtack.cli.accounts import administer
    from hardtack.registry.access import Grant
    from hardtack.registry.accounts.words import read_rights

    holder, pattern, rights = args.args
    grant = Grant(pattern, read_rights(rights))
    streams.out.write(f"{administer(args, lambda accounts, by: accounts.permissions.give(by, holder, grant)).id}\n")
    return 0


def _ls(args: Args, streams: Streams) -> int:
    """List those of a holder, or all."""
    from hardtack.cli.accounts import administer, show

    async def work(accounts: Accounts, by: By) -> list[Permission]:
        del by
        if args.args:
            return await accounts.permissions.of(args.args[0])
        found: list[Permission] = []
        while page := await accounts.permissions.all(found[-1].id if found else 0):
            found += page
        return found

    columns = ("ID", "Holder", "Kind", "Pattern", "Rights", "CreatedBy")
    return show(args, streams, map(_row, administer(args, work)), HEADERS, columns)


def _rm(args: Args, streams: Streams) -> int:
    """Take some back."""
    from hardtack.cli.accounts import each
    from hardtack.errors import TackError

    async def one(accounts: Accounts, by: By, text: str) -> None:
        if not (text.isascii() and text.isdigit() and len(text) < 18):
            raise TackError(f'"{text}" is no id of a grant', "They are listed by: tack registry grant ls")
        await accounts.permissions.take(by, int(text))

    return each(args, args.args, streams, one)


VERBS: dict[str, tuple[Command, Callable[[Args, Streams], int]]] = {
    "add": (
        Command(
            "[OPTIONS] HOLDER PATTERN RIGHTS",
            "Give somebody rights on repositories",
            WHERE,
            3,
            3,
            details="They replace what the holder had on the same pattern.\n\n"
            "HOLDER is a user, a robot OWNER+ROBOT or a team ORGANISATION/TEAM.\n\n"
            "PATTERN is a repository, team/* (one level), team/** (all levels) or ** (everything).\n\n"
            "RIGHTS are read, write, maintain or admin, or some of pull, push, tag-create, tag-update, tag-delete, "
            "delete, admin with commas between them.",
        ),
        _add,
    ),
    "ls": (Command("[OPTIONS] [HOLDER]", "List grants", LISTING, most=1), _ls),
    "rm": (Command("[OPTIONS] ID [ID...]", "Take grants back, at once and everywhere", WHERE, 1), _rm),
}
