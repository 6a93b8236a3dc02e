"""`tack registry team …`: the teams of organisations; a team is named ORGANISATION/TEAM."""

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

HEADERS = {"Name": "NAME", "Members": "MEMBERS", "Grants": "GRANTS"}


def _split(text: str) -> tuple[str, str]:
    from hardtack.errors import TackError

    organisation, slash, team = text.partition("/")
    if not (slash and organisation and team):
        raise TackError(f'"{text}" names no team', "Write ORGANISATION/TEAM")
    return organisation, team


def _create(args: Args, streams: Streams) -> int:
    """Make some."""
    from hardtack.cli.accounts import each

    return each(args, args.args, streams, lambda accounts, by, name: accounts.teams.create(by, *_split(name)))


def _rm(args: Args, streams: Streams) -> int:
    """Delete some."""
    from hardtack.cli.accounts import each

    return each(args, args.args, streams, lambda accounts, by, name: accounts.teams.delete(by, *_split(name)))


def _add(args: Args, streams: Streams) -> int:
    """Put users into one."""
    from hardtack.cli.accounts import each

    name, *users = args.args
    team = _split(name)
    return each(args, users, streams, lambda accounts, by, user: accounts.teams.add(by, *team, user))


def _remove(args: Args, streams: Streams) -> int:
    """Take users out of one."""
    from hardtack.cli.accounts import each

    name, *users = args.args
    team = _split(name)
    return each(args, users, streams, lambda accounts, by, user: accounts.teams.remove(by, *team, user))


def _ls(args: Args, streams: Streams) -> int:
    """List those of an organisation."""
    from hardtack.cli.accounts import administer, show

    (organisation,) = args.args

    async def work(accounts: Accounts, by: By) -> list[dict[str, Any]]:
        del by
        rows = []
        for team in await accounts.teams.all(organisation):
            name = f"{organisation}/{team.name}"
            granted = [f"{each.pattern}={each.rights}" for each in await accounts.permissions.of(name)]
            rows.append({"Name": name, "Members": " ".join(team.members), "Grants": " ".join(granted)})
        return rows

    return show(args, streams, administer(args, work), HEADERS, ("Name", "Members", "Grants"))


_SOME = "[OPTIONS] ORGANISATION/TEAM [ORGANISATION/TEAM...]"
_MEMBERS = "[OPTIONS] ORGANISATION/TEAM USER [USER...]"

VERBS: dict[str, tuple[Command, Callable[[Args, Streams], int]]] = {
    "add-member": (Command(_MEMBERS, "Put members of the organisation into a team", WHERE, 2), _add),
    "create": (Command(_SOME, "Create teams", WHERE, 1), _create),
    "ls": (Command("[OPTIONS] ORGANISATION", "List the teams of an organisation", LISTING, 1, 1), _ls),
    "remove-member": (Command(_MEMBERS, "Take users out of a team", WHERE, 2), _remove),
    "rm": (Command(_SOME, "Delete teams with what was granted to them", WHERE, 1), _rm),
}
