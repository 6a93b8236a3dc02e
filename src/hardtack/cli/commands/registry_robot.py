"""`tack registry robot …`: accounts of programs; a robot is named OWNER+ROBOT."""

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

HEADERS = {"Name": "NAME", "State": "STATE", "Grants": "GRANTS", "Created": "CREATED", "Seen": "LAST SEEN"}


def _create(args: Args, streams: Streams) -> int:
    """Make one and print its secret."""
    from hardtack.cli.accounts import administer, grants, life
    from hardtack.errors import TackError

    (name,) = args.args
    owner, plus, part = name.partition("+")
    if not plus:
        raise TackError(f'"{name}" names no robot', "Write OWNER+ROBOT, as in team+ci")
    granted, seconds = grants(args.grant), life(args)
    secret, _ = administer(
        args, lambda accounts, by: accounts.robots.create(by, owner, part, granted, seconds, args.full_name)
    )
    streams.out.write(f"{secret}\n")
    return 0


def _rotate(args: Args, streams: Streams) -> int:
    """Give one another secret and print it."""
    from hardtack.cli.accounts import administer, life

    (name,) = args.args
    seconds = life(args)
    streams.out.write(f"{administer(args, lambda accounts, by: accounts.robots.rotate(by, name, seconds))}\n")
    return 0


def _ls(args: Args, streams: Streams) -> int:
    """List those of an owner, or all."""
    from hardtack.cli.accounts import administer, moment, show

    async def work(accounts: Accounts, by: By) -> list[dict[str, Any]]:
        del by
        rows = []
        for robot in await accounts.robots.all(args.args[0] if args.args else ""):
            granted = [f"{each.pattern}={each.rights}" for each in await accounts.permissions.of(robot.name)]
            state = "active" if robot.active else "disabled"
            times = {"Created": moment(robot.created), "Seen": moment(robot.seen)}
            rows.append({"Name": robot.name, "State": state, "Grants": " ".join(granted), **times})
        return rows

    return show(args, streams, administer(args, work), HEADERS, ("Name", "State", "Seen", "Grants"))


def _disable(args: Args, streams: Streams) -> int:
    """Disable some."""
    from hardtack.cli.accounts import each

    return each(args, args.args, streams, lambda accounts, by, name: accounts.robots.set_active(by, name, False))


def _enable(args: Args, streams: Streams) -> int:
    """Enable some."""
    from hardtack.cli.accounts import each

    return each(args, args.args, streams, lambda accounts, by, name: accounts.robots.set_active(by, name, True))


def _rm(args: Args, streams: Streams) -> int:
    """Delete some."""
    from hardtack.cli.accounts import each

    return each(args, args.args, streams, lambda accounts, by, name: accounts.robots.delete(by, name))


_SOME = "[OPTIONS] OWNER+ROBOT [OWNER+ROBOT...]"

VERBS: dict[str, tuple[Command, Callable[[Args, Streams], int]]] = {
    "create": (
        Command(
            "[OPTIONS] OWNER+ROBOT",
            "Create a robot and print its secret",
            (
                *WHERE,
                DAYS,
                Flag("full-name", "", STRING, "name", "Name for people"),
                Flag("grant", "", LIST, "pattern=rights", "What it may, as in 'team/**=write'"),
            ),
            1,
            1,
            details="The owner is a user or an organisation. The secret is shown this once. Log in with it as "
            "OWNER+ROBOT.",
        ),
        _create,
    ),
    "disable": (Command(_SOME, "Disable robots", WHERE, 1), _disable),
    "enable": (Command(_SOME, "Enable robots that were disabled", WHERE, 1), _enable),
    "ls": (Command("[OPTIONS] [OWNER]", "List robots", LISTING, most=1), _ls),
    "rm": (Command(_SOME, "Delete robots", WHERE, 1), _rm),
    "rotate": (
        Command(
            "[OPTIONS] OWNER+ROBOT",
            "Give a robot another secret and print it",
            (*WHERE, DAYS),
            1,
            1,
            details="The old one is no good from that moment.",
        ),
        _rotate,
    ),
}
