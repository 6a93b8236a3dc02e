"""`tack registry retention`: apply the rules of retention now, or say what they would let go, each with the reason."""

from __future__ import annotations

from hardtack.cli.parse import BOOL, STRING, Command, Flag
from hardtack.cli.registry_root import WHERE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from typing import Any

    from hardtack.cli.parse import Args, Streams
    from hardtack.cli.registry_work import Work
    from hardtack.registry.retention.keeper import Plan

COMMAND = Command(
    "[OPTIONS] [REPOSITORY...]",
    "Delete what the rules of retention let go",
    (
        *WHERE,
        Flag("dry-run", "", BOOL, help="Only say what would go, why, and how much that frees"),
        Flag("all", "a", BOOL, help="With --dry-run: say also what stays, and why"),
        Flag(
            "format", "", STRING, "string", "Format output: 'json' for a line per tag and manifest", choices=("json",)
        ),
    ),
    details="Without a name: in every repository that has rules. A server does this by itself once an hour.",
)


def run(args: Args, streams: Streams) -> int:
    """Judge each repository, and let go."""
    from hardtack.cli.registry_work import on_registry
    from hardtack.errors import TackError

    def lawless(name: str) -> None:
        streams.err.write(f"{name}: no rules are for it, so everything stays\n")

    async def work(registry: Work) -> None:
        async with registry.database.alone("retention") as ours:
            if not ours and not args.dry_run:
                raise TackError("the server applies the rules at this moment", "Try again later")
            async for plan in _plans(args.args, registry, lawless):
                for line in _lines(plan, args):
                    streams.out.write(line + "\n")
                if not args.dry_run:
                    done = await registry.retention.apply(plan)
                    left = f"; {done.left} changed meanwhile and stayed" if done.left else ""
                    streams.out.write(f"{plan.repository}: {done.tags} tags, {done.manifests} manifests gone{left}\n")

    on_registry(args, work)
    return 0


async def _plans(names: list[str], registry: Work, lawless: Callable[[str], object]) -> AsyncIterator[Plan]:
    for name in names:
        await registry.repositories.details(name)
        if (plan := await registry.retention.plan(name)) is not None:
            yield plan
        else:
            lawless(name)
    after = ""
    while not names and (page := await registry.retention.repositories(after)):
        for name in page:
            if (plan := await registry.retention.plan(name)) is not None:
                yield plan
        after = page[-1]


def _lines(plan: Plan, args: Args) -> Iterator[str]:
    """What is said of a repository."""
    from hardtack.cli.units import size
    from hardtack.jsontext import dumps

    entries = [entry for entry in _entries(plan) if (args.all and args.dry_run) or not entry["stays"]]
    if args.format == "json":
        yield from (dumps({"repository": plan.repository, **entry}) for entry in entries)
        return
    if not args.dry_run:
        return
    for entry in entries:
        what = f"tag {entry['tag']}" if entry["tag"] else f"manifest {entry['digest']}"
        fate = "stays" if entry["stays"] else "goes"
        frees = f" (frees {size(entry['frees'])})" if entry["frees"] else ""
        yield f"{plan.repository}: {what} {fate}: {entry['reason']}{frees}"
    if entries:
        yield f"{plan.repository}: {size(sum(plan.sizes))} would be freed"
    elif args.args:
        yield f"{plan.repository}: nothing would go"


def _entries(plan: Plan) -> Iterator[dict[str, Any]]:
    sizes = iter(plan.sizes)
    for verdict in plan.judgement.tags:
        yield {**verdict._asdict(), "frees": 0}
    for verdict in plan.judgement.manifests:
        yield {**verdict._asdict(), "frees": 0 if verdict.stays else next(sizes)}
