"""`tack registry repo deleted|history|restore`: what became of a repository's tags, and what can be brought back."""

from __future__ import annotations

from hardtack.cli.accounts import LISTING
from hardtack.cli.parse import INT, Command, Flag
from hardtack.cli.registry_root import WHERE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hardtack.cli.parse import Args, Streams
    from hardtack.cli.registry_work import Work
    from hardtack.registry.metadata.graves import Grave
    from hardtack.registry.metadata.rows import TagEvent
    from hardtack.registry.repositories.rows import Change, Restored

_MOST = 10_000


def _deleted(args: Args, streams: Streams) -> int:
    """List what can be brought back."""
    from hardtack.cli.accounts import moment, show
    from hardtack.cli.registry_work import on_registry

    async def work(registry: Work) -> list[Grave]:
        await registry.repositories.details(args.args[0])
        found: list[Grave] = []
        while page := await registry.undelete.graves(
            args.args[0], (found[-1].deleted, found[-1].id) if found else None, 500
        ):
            found += page
        return found

    rows = [
        {"Digest": one.digest, "Tags": ", ".join(one.tags), "Deleted": moment(one.deleted), "By": one.deleted_by}
        for one in on_registry(args, work)
    ]
    headers = {name: name.upper() for name in ("Digest", "Tags", "Deleted", "By")}
    return show(args, streams, rows, headers, list(headers))


def _restore(args: Args, streams: Streams) -> int:
    """Bring something back."""
    from hardtack.cli.registry_work import on_registry

    name, *references = args.args

    async def work(registry: Work) -> list[Restored]:
        found = []
        for reference in references:
            found.append(await registry.undelete.restore(name, reference, registry.who))
            await registry.note("manifest.restore", name, reference)
        return found

    for back in on_registry(args, work):
        for digest in back.digests:
            streams.out.write(f"{name}@{digest}\n")
        for tag in back.tags:
            streams.out.write(f"{name}:{tag}\n")
    return 0


def _history(args: Args, streams: Streams) -> int:
    """Say what became of tags."""
    from hardtack.cli.accounts import moment, show
    from hardtack.cli.registry_work import on_registry
    from hardtack.registry.metadata.reading import tag_history

    async def work(registry: Work) -> list[Change] | list[TagEvent]:
        name, *tag = args.args
        await registry.repositories.details(name)
        most = min(max(args.last, 1), _MOST)
        if tag:
            return await registry.database.browse(tag_history, name, tag[0], most)
        return await registry.repositories.history(name, limit=most)

    rows = [
        {"Tag": getattr(one, "tag", "") or getattr(one, "name", ""), "When": moment(one.moment), "Who": one.who}
        | {"Digest": one.digest or "deleted"}
        for one in on_registry(args, work)
    ]
    headers = {name: name.upper() for name in ("Tag", "When", "Who", "Digest")}
    return show(args, streams, rows, headers, list(headers))


VERBS: dict[str, tuple[Command, Callable[[Args, Streams], int]]] = {
    "deleted": (Command("[OPTIONS] REPOSITORY", "List what can be brought back", LISTING, 1, 1), _deleted),
    "history": (
        Command(
            "[OPTIONS] REPOSITORY [TAG]",
            "Show what tags have pointed to, when, and by whom",
            (*LISTING, Flag("last", "n", INT, "number", "Show so many changes", default=100)),
            1,
            2,
        ),
        _history,
    ),
    "restore": (
        Command("[OPTIONS] REPOSITORY TAG|DIGEST [TAG|DIGEST...]", "Bring back what was deleted", WHERE, 2),
        _restore,
    ),
}
