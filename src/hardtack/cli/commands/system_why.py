"""`tack system why`: which images, containers, builds or running commands keep a blob or a layer."""

from __future__ import annotations

from hardtack.cli.parse import Command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardtack.cli.parse import Args, Streams
    from hardtack.store.root import Root
    from hardtack.store.why import Reason

COMMAND = Command(
    "DIGEST|IMAGE [DIGEST|IMAGE...]",
    "Show why a blob or a layer is kept",
    least=1,
    operands="image",
)


def run(args: Args, streams: Streams) -> int:
    """Print the ways from each holder down to what was asked for."""
    from hardtack.cli.several import each, finish
    from hardtack.store.root import Root

    root = Root.open(args.root)
    return finish(each(args.args, lambda text: _explain(root, text, streams), streams), streams)


def _explain(root: Root, text: str, streams: Streams) -> None:
    from hardtack.cli.units import size
    from hardtack.store.collect import why, would_free
    from hardtack.store.why import DigestUnknown

    try:
        reasons = why(root, text)
    except DigestUnknown:
        from hardtack.store.reference import find_image

        image = find_image(root.db, text)
        if image is None:
            raise
        reasons = why(root, image.digest)
    if not reasons:
        streams.out.write(f"{text}: nothing keeps it; the next collection removes it\n")
    for reason in reasons:
        streams.out.write(f"{reason.label}\n")
        for depth, line in enumerate(_chain(reason)):
            streams.out.write("  " * (depth + 1) + line + "\n")
    if reasons:
        freed = would_free(root, {reason.holder for reason in reasons}).freed
        them = "it" if len(reasons) == 1 else "all of them"
        streams.out.write(f"Removing {them} would free {size(freed)}\n")


def _chain(reason: Reason) -> list[str]:
    return [f"{kind or 'keeps'} {digest}" for digest, kind in reason.chain]
