"""`tack registry why`: which tags, manifests, uploads and deleted images keep a content of a registry."""

from __future__ import annotations

from hardtack.cli.parse import STRING, Command, Flag
from hardtack.cli.registry_root import WHERE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardtack.cli.parse import Args, Streams
    from hardtack.cli.registry_work import Work
    from hardtack.registry.repositories.why import Chain

COMMAND = Command(
    "[OPTIONS] DIGEST [DIGEST...]",
    "Show why a registry keeps a blob or a manifest",
    (
        *WHERE,
        Flag("repository", "", STRING, "name", "Look only in this repository"),
        Flag("format", "", STRING, "string", "Format output: 'json' for a line per chain", choices=("json",)),
    ),
    least=1,
)


def run(args: Args, streams: Streams) -> int:
    """Print every chain that keeps each."""
    from hardtack.cli.registry_work import on_registry
    from hardtack.cli.several import each, finish
    from hardtack.oci.digest import Digest

    asked = [str(Digest(text)) for text in args.args]

    async def work(registry: Work) -> dict[str, list[Chain]]:
        return {digest: await registry.repositories.why(digest, args.repository) for digest in asked}

    found = on_registry(args, work)
    return finish(each(asked, lambda digest: _explain(digest, found[digest], args.format, streams), streams), streams)


def _explain(digest: str, chains: list[Chain], form: str, streams: Streams) -> None:
    from hardtack.errors import TackError
    from hardtack.jsontext import dumps
    from hardtack.registry.repositories.why import LIMIT, lines

    if not chains:
        raise TackError(f"the registry has no {digest}")
    for chain in chains:
        if form == "json":
            steps = [step._asdict() for step in chain.steps]
            streams.out.write(dumps({"digest": digest, **chain._asdict(), "steps": steps}) + "\n")
        else:
            streams.out.write("".join(f"{line}\n" for line in lines(chain)))
    if len(chains) == LIMIT and form != "json":
        streams.out.write(f"… only the first {LIMIT}\n")
