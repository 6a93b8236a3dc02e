"""`tack registry namespace …`: quotas of namespaces, and who sees what is pushed to them for the first time."""

from __future__ import annotations

from hardtack.cli.accounts import LISTING
from hardtack.cli.parse import STRING, Command, Flag
from hardtack.cli.registry_root import WHERE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hardtack.cli.parse import Args, Streams
    from hardtack.cli.registry_work import Work
    from hardtack.registry.repositories.rows import Namespace

HEADERS = {name: name.upper() for name in ("Name", "Quota", "Used", "Visibility")}


def _row(found: Namespace) -> dict[str, str]:
    from hardtack.cli.units import size

    return {
        "Name": found.name,
        "Quota": "none" if found.quota is None else size(found.quota),
        "Used": size(found.used),
        "Visibility": found.visibility or "as usual",
    }


def _ls(args: Args, streams: Streams) -> int:
    """List those for which something is set."""
    from hardtack.cli.accounts import show
    from hardtack.cli.registry_work import on_registry

    async def work(registry: Work) -> list[Namespace]:
        found: list[Namespace] = []
        while page := await registry.namespaces.all(found[-1].name if found else ""):
            found += page
        return found

    return show(args, streams, map(_row, on_registry(args, work)), HEADERS, list(HEADERS))


def _show(args: Args, streams: Streams) -> int:
    """Print some, whether something is set for them or not."""
    from hardtack.cli.accounts import show
    from hardtack.cli.registry_work import on_registry

    async def work(registry: Work) -> list[Namespace]:
        return [await registry.namespaces.get(name) for name in args.args]

    return show(args, streams, map(_row, on_registry(args, work)), HEADERS, list(HEADERS))


def _set(args: Args, streams: Streams) -> int:
    """Set something for one."""
    from hardtack.cli.registry_work import on_registry
    from hardtack.errors import TackError
    from hardtack.registry.config.units import count_bytes

    name = args.args[0]
    try:
        quota = None if args.quota in ("", "none") else count_bytes(args.quota)
    except ValueError as error:
        raise TackError(f'"{args.quota}" is no quota: it {error}', "Or write none") from error

    async def work(registry: Work) -> None:
        if "quota" in args.given:
            await registry.namespaces.set_quota(name, quota)
            await registry.note("namespace.quota", name, args.quota)
        if "visibility" in args.given:
            await registry.namespaces.set_visibility(name, args.visibility)
            await registry.note("namespace.visibility", name, args.visibility)

    on_registry(args, work)
    streams.out.write(f"{name}\n")
    return 0


VERBS: dict[str, tuple[Command, Callable[[Args, Streams], int]]] = {
    "ls": (Command("[OPTIONS]", "List namespaces for which something is set", LISTING, most=0), _ls),
    "set": (
        Command(
            "[OPTIONS] NAMESPACE",
            "Limit what a namespace may use, or say who sees what is new in it",
            (
                *WHERE,
                Flag("quota", "", STRING, "size", "Bytes that its repositories may have together, or none"),
                Flag(
                    "visibility", "", STRING, "word", "Of new repositories: public, internal, private; empty for usual"
                ),
            ),
            1,
            1,
        ),
        _set,
    ),
    "show": (Command("[OPTIONS] NAMESPACE [NAMESPACE...]", "Show namespaces and what they use", LISTING, 1), _show),
}
