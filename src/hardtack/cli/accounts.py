"""What the commands about a registry's accounts share: opening its database, who changes it, passwords, lists."""

from __future__ import annotations

from hardtack.cli.parse import BOOL, INT, STRING, Flag
from hardtack.cli.registry_root import WHERE
from hardtack.errors import TackError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
    from typing import Any, TypeVar

    from hardtack.cli.parse import Args
    from hardtack.cli.streams import Streams
    from hardtack.registry.access import Grant
    from hardtack.registry.accounts.accounts import Accounts
    from hardtack.registry.accounts.changes import By
    from hardtack.registry.accounts.rows import Account

    T = TypeVar("T")

FORMAT = Flag("format", "", STRING, "string", "Format output using a custom template: 'table', 'json' or a Go template")
QUIET = Flag("quiet", "q", BOOL, help="Only display names")
DAYS = Flag("expires", "", INT, "days", "Days after which it is no good any more (default: never)")
PASSWORD = (
    Flag("generate", "", BOOL, help="Make a password up and print it"),
    Flag("one-time", "", BOOL, help="Let the password only serve to choose another in the registry's pages"),
    Flag("password-stdin", "", BOOL, help="Take the password from stdin"),
)
LISTING = (*WHERE, FORMAT, QUIET)
_LONGEST = 4096
_DAY = 86_400.0


def administer(args: Args, work: Callable[[Accounts, By], Awaitable[T]], create: bool = False) -> T:
    """Do something to the accounts of the registry that the command names, whether it is served at the moment or not.

    Args:
        create: make the registry when there is none.
    """
    import asyncio

    async def run() -> T:
        from hardtack.cli.registry_root import open_registry

        async with open_registry(args, create) as registry:
            from hardtack.registry.accounts.accounts import Accounts
            from hardtack.registry.accounts.changes import By

            accounts = Accounts(registry.database, registry.config)
            try:
                return await work(accounts, By.shell(user_name()))
            finally:
                await accounts.close()

    return asyncio.run(run())


def every(args: Args, kind: str) -> list[Account]:
    """All accounts of a kind, read page by page."""

    async def work(accounts: Accounts, _: By) -> list[Account]:
        found: list[Account] = []
        while page := await accounts.users.all(kind, after=found[-1].name if found else ""):
            found += page
        return found

    return administer(args, work)


def user_name() -> str:
    """Who runs this, by name, or by number when there is none."""
    import os
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def life(args: Args) -> float | None:
    """Seconds that something is good for, by --expires; None for ever."""
    if "expires" not in args.given:
        return None
    if not 0 < args.expires <= 36_500:
        raise TackError("--expires is a number of days, at least 1")
    return float(args.expires * _DAY)


def grants(texts: Iterable[str]) -> tuple[Grant, ...]:
    """Rights written as PATTERN=RIGHTS. Raises TackError."""
    from hardtack.registry.access import Grant
    from hardtack.registry.accounts.words import read_rights

    found = []
    for text in texts:
        pattern, equals, rights = text.partition("=")
        if not equals:
            raise TackError(f'"{text}" says no rights', "Write PATTERN=RIGHTS, as in 'team/**=read'")
        found.append(Grant(pattern, read_rights(rights)))
    return tuple(found)


def password(args: Args, name: str, streams: Streams) -> str:
    """The password that the flags mean: generated, from standard input, or typed twice.

    Raises:
        TackError: nobody is there to type it, or the two are not the same.
    """
    if args.generate and args.password_stdin:
        raise TackError("--generate and --password-stdin are mutually exclusive")
    if args.generate:
        from hardtack.registry.accounts.passwords import generate_password

        return generate_password()
    if args.password_stdin:
        try:
            text: str = streams.stdin.buffer.read(_LONGEST).decode().rstrip("\r\n")
        except UnicodeDecodeError:
            raise TackError("the password on stdin is not UTF-8") from None
        if not text:
            raise TackError("there is no password on stdin")
        return text
    if not streams.in_is_terminal:
        raise TackError("cannot ask for a password without a terminal", "Use --password-stdin or --generate")
    import getpass

    first = getpass.getpass(f"Password of {name}: ")
    if getpass.getpass("The same again: ") != first:
        raise TackError("the two passwords are not the same")
    return first


def moment(value: float | None) -> str:
    """A time for people, in UTC."""
    import datetime

    return "" if value is None else datetime.datetime.fromtimestamp(value, datetime.UTC).strftime("%Y-%m-%d %H:%M")


def show(
    args: Args, streams: Streams, rows: Iterable[Mapping[str, Any]], headers: Mapping[str, str], columns: Sequence[str]
) -> int:
    """Print a list; with --quiet the first column alone."""
    from hardtack.cli.tables import write_list

    rows = list(rows)
    if args.quiet and not args.format:
        for row in rows:
            streams.out.write(f"{row[columns[0]]}\n")
        return 0
    write_list(streams, rows, headers, columns, args.format)
    return 0


def each(
    args: Args, names: Iterable[str], streams: Streams, work: Callable[[Accounts, By, str], Awaitable[object]]
) -> int:
    """Do something to each name and print it; one that fails does not keep the others from their turn."""
    from hardtack.cli.several import finish

    async def all_of_them(accounts: Accounts, by: By) -> list[TackError]:
        failures = []
        for name in names:
            try:
                await work(accounts, by, name)
            except TackError as failure:
                failures.append(failure)
            else:
                streams.out.write(f"{name}\n")
        return failures

    return finish(administer(args, all_of_them), streams)
