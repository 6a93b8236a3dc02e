"""`tack registry org …`: the organisations of a registry and who is in them."""

from __future__ import annotations

from hardtack.cli.accounts import FORMAT, LISTING
from hardtack.cli.parse import STRING, Command, Flag
from hardtack.cli.registry_root import WHERE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from hardtack.cli.parse import Args, Streams
    from hardtack.registry.accounts.accounts import Accounts
    from hardtack.registry.accounts.changes import By
    from hardtack.registry.accounts.rows import Account

HEADERS = {"Name": "NAME", "FullName": "FULL NAME", "State": "STATE", "Created": "CREATED"}


def _row(account: Account) -> dict[str, Any]:
    from hardtack.cli.accounts import moment

    state = "active" if account.active else "disabled"
    return {"Name": account.name, "FullName": account.title, "State": state, "Created": moment(account.created)}


def _create(args: Args, streams: Streams) -> int:
    """Make an organisation."""
    from hardtack.cli.accounts import administer
    from hardtack.errors import TackError

    (name,) = args.args
    if not args.owner:
        raise TackError("an organisation needs an owner", "Name a user with --owner")
    administer(args, lambda accounts, by: accounts.organisations.create(by, name, args.owner, args.full_name))
    streams.out.write(f"{name}\n")
    return 0


def _ls(args: Args, streams: Streams) -> int:
    """List them."""
    from hardtack.cli.accounts import every, show

    return show(args, streams, map(_row, every(args, "organisation")), HEADERS, ("Name", "FullName", "State"))


def _show(args: Args, streams: Streams) -> int:
    """Print everything about some."""
    from hardtack.cli.accounts import administer
    from hardtack.cli.template import print_each

    async def one(accounts: Accounts, name: str) -> dict[str, Any]:
        members = {each.name: each.role for each in await accounts.organisations.members(name)}
        teams = {}
        for team in await accounts.teams.all(name):
            granted = await accounts.permissions.of(f"{name}/{team.name}")
            teams[team.name] = {"Members": team.members, "Grants": {each.pattern: each.rights for each in granted}}
        robots = [robot.name for robot in await accounts.robots.all(name)]
        return {**_row(await accounts.users.get(name)), "Members": members, "Teams": teams, "Robots": robots}

    async def work(accounts: Accounts, by: By) -> list[dict[str, Any]]:
        del by
        return [await one(accounts, name) for name in args.args]

    print_each(args.format or "json", administer(args, work), streams)
    return 0


def _add(args: Args, streams: Streams) -> int:
    """Make users members or owners."""
    from hardtack.cli.accounts import each

    name, *users = args.args
    return each(
        args,
        users,
        streams,
        lambda accounts, by, user: accounts.organisations.set_member(by, name, user, args.role),
    )


def _remove(args: Args, streams: Streams) -> int:
    """Take users out."""
    from hardtack.cli.accounts import each

    name, *users = args.args
    return each(args, users, streams, lambda accounts, by, user: accounts.organisations.remove_member(by, name, user))


def _rm(args: Args, streams: Streams) -> int:
    """Delete some."""
    from hardtack.cli.accounts import each

    return each(args, args.args, streams, lambda accounts, by, name: accounts.organisations.delete(by, name))


_ROLES = ("member", "owner")
_MEMBERS = "[OPTIONS] ORGANISATION USER [USER...]"

VERBS: dict[str, tuple[Command, Callable[[Args, Streams], int]]] = {
    "add-member": (
        Command(
            _MEMBERS,
            "Make users members of an organisation, or change what they are in it",
            (*WHERE, Flag("role", "", STRING, "role", "What they are", default="member", choices=_ROLES)),
            2,
            details="A member pulls from what is below the organisation's name, an owner administers it.",
        ),
        _add,
    ),
    "create": (
        Command(
            "[OPTIONS] ORGANISATION",
            "Create an organisation",
            (
                *WHERE,
                Flag("full-name", "", STRING, "name", "Name for people"),
                Flag("owner", "", STRING, "user", "Its first owner"),
            ),
            1,
            1,
        ),
        _create,
    ),
    "ls": (Command("[OPTIONS]", "List organisations", LISTING, most=0), _ls),
    "remove-member": (Command(_MEMBERS, "Take users out of an organisation and its teams", WHERE, 2), _remove),
    "rm": (
        Command(
            "[OPTIONS] ORGANISATION [ORGANISATION...]",
            "Delete organisations with their teams and robots",
            WHERE,
            1,
            details="Their repositories stay, in the care of the admins. As long as there are any, nobody gets the "
            "name.",
        ),
        _rm,
    ),
    "show": (
        Command("[OPTIONS] ORGANISATION [ORGANISATION...]", "Show everything about organisations", (*WHERE, FORMAT), 1),
        _show,
    ),
}
