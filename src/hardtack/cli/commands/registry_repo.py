"""`tack registry repo …`: the repositories of a registry, from the shell of the machine that has its data."""

from __future__ import annotations

from hardtack.cli.accounts import LISTING
from hardtack.cli.parse import BOOL, LIST, STRING, Command, Flag
from hardtack.cli.registry_root import WHERE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from hardtack.cli.parse import Args, Streams
    from hardtack.cli.registry_work import Work
    from hardtack.registry.repositories.rows import Freed, Listed, Settings

_README_LIMIT = 100_001
_SAID = (
    Flag("visibility", "", STRING, "word", "Who may pull: public, internal (everybody with an account) or private"),
    Flag("summary", "", STRING, "text", "One line about it"),
    Flag("readme", "", STRING, "file", "Description in Markdown; - for stdin"),
    Flag("immutable", "", LIST, "pattern", "Tags like this never change; !PATTERN for exceptions"),
)
_MORE = (
    Flag("no-immutable", "", BOOL, help="Let every tag change"),
    Flag("retention", "", STRING, "json", "Rules of retention; empty for those of the configuration"),
)


def _said(args: Args, streams: Streams) -> Settings:
    """What the flags set."""
    from hardtack.registry.repositories.rows import Settings

    given = args.given
    patterns = tuple(args.immutable) if "immutable" in given else None
    return Settings(
        args.visibility if "visibility" in given else None,
        args.summary if "summary" in given else None,
        _text(args.readme, streams) if "readme" in given else None,
        () if getattr(args, "no_immutable", False) else patterns,
        args.retention if "retention" in given else None,
    )


def _text(path: str, streams: Streams) -> str:
    from hardtack.errors import TackError

    try:
        if path == "-":
            raw: bytes = streams.stdin.buffer.read(_README_LIMIT)
        else:
            with open(path, "rb") as file:
                raw = file.read(_README_LIMIT)
        return raw.decode()
    except (OSError, UnicodeDecodeError) as error:
        raise TackError(f"cannot read {path}: {getattr(error, 'strerror', None) or 'it is not UTF-8'}") from error


def _ls(args: Args, streams: Streams) -> int:
    """List them."""
    from hardtack.cli.accounts import moment, show
    from hardtack.cli.registry_work import on_registry
    from hardtack.cli.units import size
    from hardtack.registry.access import EVERYBODY

    async def work(registry: Work) -> list[Listed]:
        found: list[Listed] = []
        while page := await registry.repositories.search(EVERYBODY, args.search, found[-1].name if found else "", 500):
            found += page
        return found

    rows: list[dict[str, Any]] = [
        {
            "Name": one.name,
            "Visibility": one.visibility,
            "Tags": one.tags,
            "Size": size(one.size),
            "Pulls": one.pulls,
            "Updated": moment(one.updated),
            "Summary": one.summary,
        }
        for one in on_registry(args, work)
    ]
    headers = {name: name.upper() for name in ("Name", "Visibility", "Tags", "Size", "Pulls", "Updated", "Summary")}
    return show(args, streams, rows, headers, list(headers))


def _show(args: Args, streams: Streams) -> int:
    """Print everything about one."""
    from hardtack.cli.registry_work import on_registry
    from hardtack.jsontext import dumps

    found = on_registry(args, lambda registry: registry.repositories.details(args.args[0]))
    streams.out.write(dumps({**found._asdict(), "official": found.official}) + "\n")
    return 0


def _create(args: Args, streams: Streams) -> int:
    """Make one."""
    from hardtack.cli.registry_work import on_registry

    name, said = args.args[0], _said(args, streams)

    async def work(registry: Work) -> None:
        await registry.repositories.create(name, registry.who, said)
        await registry.note("repository.create", name)

    on_registry(args, work)
    streams.out.write(f"{name}\n")
    return 0


def _set(args: Args, streams: Streams) -> int:
    """Set something for one."""
    from hardtack.cli.registry_work import on_registry

    name, said = args.args[0], _said(args, streams)

    async def work(registry: Work) -> None:
        await registry.repositories.change(name, said)
        await registry.note("repository.change", name)

    on_registry(args, work)
    streams.out.write(f"{name}\n")
    return 0


def _rename(args: Args, streams: Streams) -> int:
    """Give one another name."""
    from hardtack.cli.registry_work import on_registry

    name, to = args.args

    async def work(registry: Work) -> None:
        await registry.repositories.rename(name, to, registry.who)
        await registry.note("repository.rename", name, to)

    on_registry(args, work)
    streams.out.write(f"{to}\n")
    return 0


def _delete(args: Args, streams: Streams) -> int:
    """Delete one, when it is sure."""
    from hardtack.cli.confirm import confirmed
    from hardtack.cli.registry_work import on_registry
    from hardtack.cli.units import size

    name = args.args[0]

    async def preview(registry: Work) -> Freed:
        await registry.repositories.details(name)
        return await registry.repositories.freed_by(name)

    async def work(registry: Work) -> None:
        await registry.repositories.delete(name, registry.who)
        await registry.note("repository.delete", name)

    freed = on_registry(args, preview)
    what = f"{name} has {freed.tags} tags and {freed.manifests} manifests. Deleting it frees {size(freed.size)}"
    if args.dry_run:
        streams.out.write(f"{what}.\n")
        return 0
    if not args.force and not confirmed(f"WARNING! {what}. Nothing of it can be brought back.", streams):
        return 1
    on_registry(args, work)
    streams.out.write(f"{name}\n")
    return 0


_ONE = "[OPTIONS] REPOSITORY"

VERBS: dict[str, tuple[Command, Callable[[Args, Streams], int]]] = {
    "create": (Command(_ONE, "Create an empty repository", (*WHERE, *_SAID), 1, 1), _create),
    "delete": (
        Command(
            _ONE,
            "Delete a repository with everything in it",
            (
                *WHERE,
                Flag("force", "f", BOOL, help="Do not ask"),
                Flag("dry-run", "", BOOL, help="Only say what that frees"),
            ),
            1,
            1,
        ),
        _delete,
    ),
    "ls": (
        Command(
            "[OPTIONS]",
            "List repositories",
            (*LISTING, Flag("search", "", STRING, "text", "Only those with this in their name or summary")),
            most=0,
        ),
        _ls,
    ),
    "rename": (
        Command(
            "[OPTIONS] REPOSITORY NAME",
            "Give a repository another name, in the same namespace or another",
            WHERE,
            2,
            2,
            details="Rights, webhooks and rules that name the repository do not follow.",
        ),
        _rename,
    ),
    "set": (Command(_ONE, "Change what is set for a repository", (*WHERE, *_SAID, *_MORE), 1, 1), _set),
    "show": (Command(_ONE, "Show everything about a repository", WHERE, 1, 1), _show),
}
