"""`tack images`: list images as docker does."""

from __future__ import annotations

from hardtack.cli.parse import BOOL, LIST, STRING, Command, Flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hardtack.cli.parse import Args, Streams

COMMAND = Command(
    "[OPTIONS] [REPOSITORY[:TAG]]",
    "List images",
    (
        Flag("all", "a", BOOL, help="Show all images (images here have no hidden ones)"),
        Flag("digests", "", BOOL, help="Show digests"),
        Flag("filter", "f", LIST, "filter", "Filter output based on conditions provided"),
        Flag("format", "", STRING, help="Format output using a custom template: 'table', 'json' or a Go template"),
        Flag("no-trunc", "", BOOL, help="Don't truncate output"),
        Flag("quiet", "q", BOOL, help="Only show image IDs"),
    ),
    most=1,
    operands="image",
)

HEADERS = {
    "Repository": "REPOSITORY",
    "Tag": "TAG",
    "Digest": "DIGEST",
    "ID": "IMAGE ID",
    "CreatedSince": "CREATED",
    "CreatedAt": "CREATED AT",
    "Size": "SIZE",
    "VirtualSize": "SIZE",
    "SharedSize": "SHARED SIZE",
    "UniqueSize": "UNIQUE SIZE",
    "Containers": "CONTAINERS",
}
_NONE = "<none>"


def run(args: Args, streams: Streams) -> int:
    """List the images that fit the filters."""
    from hardtack.cli.filters import Filters
    from hardtack.cli.tables import write_list
    from hardtack.image.listing import KNOWN_FILTERS, summaries
    from hardtack.store.root import Root

    filters = Filters(args.filter, KNOWN_FILTERS).values
    if args.args:
        filters.setdefault("reference", []).append(args.args[0])
    precise = any(word in args.format for word in ("SharedSize", "UniqueSize", "Containers", "json"))
    found = summaries(Root.open(args.root), filters, precise)
    if args.quiet:
        ids = [_id(image["Id"], args.no_trunc) for image in found]
        streams.out.write("".join(ident + "\n" for ident in ids))
        return 0
    with_digests = args.digests or ".Digest" in args.format
    rows = [row for image in found for row in rows_of(image, with_digests, args.no_trunc)]
    columns = ["Repository", "Tag", *(["Digest"] if args.digests else []), "ID", "CreatedSince", "Size"]
    write_list(streams, rows, HEADERS, columns, args.format)
    return 0


def _id(text: str, whole: bool) -> str:
    return text if whole else text.partition(":")[2][:12]


def rows_of(image: dict[str, Any], with_digests: bool, whole: bool) -> list[dict[str, Any]]:
    """A row for each tag (and each digest of its repository), or for what has none."""
    digests: dict[str, list[str]] = {}
    for text in image["RepoDigests"]:
        repository, _, digest = text.partition("@")
        digests.setdefault(repository, []).append(digest)
    names: list[tuple[str, str, str]] = []
    tagged = set()
    for text in image["RepoTags"]:
        repository, _, tag = text.rpartition(":")
        tagged.add(repository)
        shown = digests.get(repository) if with_digests else None
        names += [(repository, tag, digest) for digest in shown or [_NONE]]
    for repository, found in digests.items():
        if repository not in tagged:
            names += [(repository, _NONE, digest) for digest in found]
    common = _common(image, whole)
    rows = []
    for repository, tag, digest in names or [(_NONE, _NONE, _NONE)]:
        rows.append({**common, "Repository": repository, "Tag": tag, "Digest": digest})
    return rows


def _common(image: dict[str, Any], whole: bool) -> dict[str, Any]:
    from hardtack.cli.units import ago, clock, size

    total, shared = image["Size"], image["SharedSize"]
    return {
        "ID": _id(image["Id"], whole),
        "CreatedSince": ago(image["Created"]),
        "CreatedAt": clock(image["Created"]),
        "Size": size(total),
        "VirtualSize": size(total),
        "SharedSize": "N/A" if shared < 0 else size(shared),
        "UniqueSize": "N/A" if shared < 0 else size(total - shared),
        "Containers": "N/A" if image["Containers"] < 0 else str(image["Containers"]),
    }
