"""`tack registry user …`: the users of a registry, from the shell of the machine that has its data."""

from __future__ import annotations

from hardtack.cli.accounts import FORMAT, LISTING, PASSWORD
from hardtack.cli.parse import BOOL, STRING, Command, Flag
from hardtack.cli.registry_root import WHERE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from hardtack.cli.parse import Args, Streams
    from hardtack.registry.accounts.accounts import Accounts
    from hardtack.registry.accounts.changes import By
    from hardtack.registry.accounts.rows import Account

HEADERS = {
    "Name": "NAME",
    "FullName": "FULL NAME",
    "Email": "EMAIL",
    "Admin": "ADMIN",
    "State": "STATE",
    "Created": "CREATED",
    "Seen": "LAST SEEN",
}
_TEXTS = (
    Flag("email", "", STRING, "address", "E-mail address"),
    Flag("full-name", "", STRING, "name", "Name for people"),
)


def state(account: Account) -> str:
    """What can be said of an account in one word."""
    if not account.active:
        return "disabled"
    return "one-time password" if account.must_change else "active"


def row(account: Account) -> dict[str, Any]:
    """A line of the list."""
    from hardtack.cli.accounts import moment

    return {
        "Name": account.name,
        "FullName": account.title,
        "Email": account.email,
        "Admin": "yes" if account.admin else "",
        "State": state(account),
        "Created": moment(account.created),
        "Seen": moment(account.seen),
    }


def _create(args: Args, streams: Streams) -> int:
    """Make a user."""
    from hardtack.cli.accounts import administer, password

    (name,) = args.args
    secret = "" if args.no_password else password(args, name, streams)

    async def work(accounts: Accounts, by: By) -> bool:
        first = not await accounts.users.all(limit=1)
        await accounts.users.create(by, name, secret, args.full_name, args.email, args.admin, args.one_time)
        return first

    first = administer(args, work, create=True)
    streams.out.write(f"{secret if args.generate else name}\n")
    if first:
        streams.err.write(_of_the_first(name, args.admin))
    return 0


def _of_the_first(name: str, admin: bool) -> str:
    """What whoever makes the first user should know."""
    nobody = "" if admin else f" Nobody administers it yet: tack registry user edit {name} --admin"
    return f"This is the registry's first user. From its next start on it asks who calls.{nobody}\n"


def _ls(args: Args, streams: Streams) -> int:
    """List them."""
    from hardtack.cli.accounts import every, show

    columns = ("Name", "FullName", "Admin", "State", "Seen")
    return show(args, streams, map(row, every(args, "user")), HEADERS, columns)


def _show(args: Args, streams: Streams) -> int:
    """Print everything that is known of some."""
    from hardtack.cli.accounts import administer, moment
    from hardtack.cli.template import print_each

    async def one(accounts: Accounts, name: str) -> dict[str, Any]:
        account = await accounts.users.get(name)
        return {
            **row(account),
            "Kind": account.kind,
            "Issuer": account.issuer,
            "HasPassword": account.has_password,
            "Organisations": {each.name: each.role for each in await accounts.organisations.of(name)},
            "Grants": {each.pattern: each.rights for each in await accounts.permissions.of(name)},
            "Tokens": [
                {"ID": each.id, "Name": each.name, "Kind": each.kind, "LastUsed": moment(each.used)}
                for each in await accounts.tokens.all(name)
            ],
        }

    async def work(accounts: Accounts, by: By) -> list[dict[str, Any]]:
        del by
        return [await one(accounts, name) for name in args.args]

    print_each(args.format or "json", administer(args, work), streams)
    return 0


def _passwd(args: Args, streams: Streams) -> int:
    """Give a user another password."""
    from hardtack.cli.accounts import administer, password

    (name,) = args.args
    secret = password(args, name, streams)
    administer(args, lambda accounts, by: accounts.users.set_password(by, name, secret, args.one_time))
    streams.out.write(f"{secret if args.generate else name}\n")
    return 0


def _edit(args: Args, streams: Streams) -> int:
    """Change what is known of a user."""
    from hardtack.cli.accounts import administer
    from hardtack.cli.registry_root import registry_config
    from hardtack.errors import TackError

    (name,) = args.args
    issuer = registry_config(args).oidc.issuer
    if args.subject and not issuer:
        raise TackError("no OpenID Connect provider is configured", "Name the configuration with --config")

    async def work(accounts: Accounts, by: By) -> None:
        title = args.full_name if "full-name" in args.given else None
        email = args.email if "email" in args.given else None
        await accounts.users.edit(by, name, title, email)
        if "admin" in args.given:
            await accounts.users.set_admin(by, name, args.admin)
        if "subject" in args.given:
            await accounts.users.link(by, name, issuer, args.subject)

    administer(args, work)
    streams.out.write(f"{name}\n")
    return 0


def _disable(args: Args, streams: Streams) -> int:
    """Disable some."""
    from hardtack.cli.accounts import each

    return each(args, args.args, streams, lambda accounts, by, name: accounts.users.set_active(by, name, False))


def _enable(args: Args, streams: Streams) -> int:
    """Enable some."""
    from hardtack.cli.accounts import each

    return each(args, args.args, streams, lambda accounts, by, name: accounts.users.set_active(by, name, True))


def _logout(args: Args, streams: Streams) -> int:
    """End the sessions of some."""
    from hardtack.cli.accounts import each

    return each(args, args.args, streams, lambda accounts, by, name: accounts.sessions.end_all(by, name))


def _rm(args: Args, streams: Streams) -> int:
    """Delete some."""
    from hardtack.cli.accounts import each

    return each(args, args.args, streams, lambda accounts, by, name: accounts.users.delete(by, name))


_SOME = "[OPTIONS] USER [USER...]"
_ONE = "[OPTIONS] USER"

VERBS: dict[str, tuple[Command, Callable[[Args, Streams], int]]] = {
    "create": (
        Command(
            _ONE,
            "Create a user",
            (
                *WHERE,
                *PASSWORD,
                *_TEXTS,
                Flag("admin", "", BOOL, help="Let the user administer the registry"),
                Flag("no-password", "", BOOL, help="Create a user who logs in by tokens or by OpenID Connect"),
            ),
            1,
            1,
            details="The user administers the repositories below the name. With --generate the password is printed.",
        ),
        _create,
    ),
    "disable": (Command(_SOME, "Disable users, with their tokens, robots and sessions", WHERE, 1), _disable),
    "edit": (
        Command(
            _ONE,
            "Change what is known of a user",
            (
                *WHERE,
                *_TEXTS,
                Flag("admin", "", BOOL, help="Let the user administer the registry, or no longer"),
                Flag("subject", "", STRING, "text", "Who the user is at the OpenID Connect provider (claim sub)"),
            ),
            1,
            1,
        ),
        _edit,
    ),
    "enable": (Command(_SOME, "Enable users that were disabled", WHERE, 1), _enable),
    "logout": (Command(_SOME, "End every session and every docker login of users", WHERE, 1), _logout),
    "ls": (Command("[OPTIONS]", "List users", LISTING, most=0), _ls),
    "passwd": (
        Command(_ONE, "Set a user's password, and end what was begun with the old one", (*WHERE, *PASSWORD), 1, 1),
        _passwd,
    ),
    "rm": (
        Command(
            _SOME,
            "Delete users",
            WHERE,
            1,
            details="Their repositories stay, in the care of the admins. As long as there are any, nobody gets the "
            "name.",
        ),
        _rm,
    ),
    "show": (Command(_SOME, "Show everything about users", (*WHERE, FORMAT), 1), _show),
}
