"""`tack build`: an image from a Dockerfile and a context, with docker's flags; what is not there is refused by name."""

from __future__ import annotations

import os

from hardtack.cli.parse import BOOL, BYTES, INT, LIST, STRING, Command, Flag
from hardtack.errors import TackError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardtack.build.builder import Built
    from hardtack.build.options import Options, Secret
    from hardtack.cli.parse import Args, Streams
    from hardtack.oci.reference import Reference
    from hardtack.store.root import Root

COMMAND = Command(
    "[OPTIONS] PATH | -",
    "Build an image from a Dockerfile",
    (
        Flag("add-host", "", LIST, "list", hidden=True),
        Flag("allow", "", LIST, "list", hidden=True),
        Flag("annotation", "", LIST, "list", hidden=True),
        Flag("attest", "", LIST, "list", hidden=True),
        Flag("build-arg", "", LIST, "list", "Set build-time variables"),
        Flag("build-context", "", LIST, "list", hidden=True),
        Flag("builder", "", STRING, hidden=True),
        Flag("cache-from", "", LIST, "list", hidden=True),
        Flag("cache-to", "", LIST, "list", hidden=True),
        Flag("call", "", STRING, hidden=True),
        Flag("cgroup-parent", "", STRING, hidden=True),
        Flag("check", "", BOOL, hidden=True),
        Flag("compress", "", BOOL, hidden=True),
        Flag("cpu-period", "", INT, hidden=True),
        Flag("cpu-quota", "", INT, hidden=True),
        Flag("cpu-shares", "c", INT, hidden=True),
        Flag("cpuset-cpus", "", STRING, hidden=True),
        Flag("cpuset-mems", "", STRING, hidden=True),
        Flag("disable-content-trust", "", BOOL, default=True, hidden=True),
        Flag("file", "f", STRING, help="Name of the Dockerfile ('-' for standard input)"),
        Flag("force-rm", "", BOOL, hidden=True),
        Flag("iidfile", "", STRING, help="Write the image ID to a file"),
        Flag("isolation", "", STRING, hidden=True),
        Flag("label", "", LIST, "list", "Set metadata for an image"),
        Flag("load", "", BOOL, hidden=True),
        Flag("memory", "m", BYTES, hidden=True),
        Flag("memory-swap", "", STRING, hidden=True),
        Flag("metadata-file", "", STRING, hidden=True),
        Flag("network", "", STRING, help="Network of RUN instructions", default="default"),
        Flag("no-cache", "", BOOL, help="Do not use cache when building the image"),
        Flag("no-cache-filter", "", LIST, "list", hidden=True),
        Flag("output", "o", LIST, "list", hidden=True),
        Flag("platform", "", LIST, "list", "Set the target platform of the build"),
        Flag("progress", "", STRING, help="Type of progress output (auto, plain, tty, quiet)", default="auto"),
        Flag("provenance", "", STRING, hidden=True),
        Flag("pull", "", BOOL, help="Always attempt to pull newer versions of base images"),
        Flag("push", "", BOOL, help="Push the image under its names when it is built"),
        Flag("quiet", "q", BOOL, help="Suppress the build output and print the image ID on success"),
        Flag("rm", "", BOOL, default=True, hidden=True),
        Flag("sbom", "", STRING, hidden=True),
        Flag("secret", "", LIST, "list", "Secret of the build (id=mysecret[,src=/local/secret|,env=VARIABLE])"),
        Flag("security-opt", "", LIST, "list", hidden=True),
        Flag("shm-size", "", BYTES, hidden=True),
        Flag("squash", "", BOOL, hidden=True),
        Flag("ssh", "", LIST, "list", hidden=True),
        Flag("tag", "t", LIST, "list", "Name and optionally a tag (format: 'name:tag')"),
        Flag("target", "", STRING, help="Set the target build stage to build"),
        Flag("ulimit", "", LIST, "list", hidden=True),
    ),
    least=1,
    most=1,
    operands="file",
)

_REFUSED = {
    "add-host": "names for RUN", "allow": "entitlements", "annotation": "annotations", "attest": "attestations",
    "build-context": "further contexts", "builder": "other builders", "cache-from": "caches from elsewhere",
    "cache-to": "caches to elsewhere", "call": "other methods than building", "cgroup-parent": "control groups for RUN",
    "check": "checking only", "cpu-period": "limits for RUN", "cpu-quota": "limits for RUN",
    "cpu-shares": "limits for RUN", "cpuset-cpus": "limits for RUN", "cpuset-mems": "limits for RUN",
    "isolation": "isolation of Windows", "memory": "limits for RUN", "memory-swap": "limits for RUN",
    "metadata-file": "metadata files", "no-cache-filter": "stages without a cache",
    "output": "other outputs than an image",
    "provenance": "attestations", "sbom": "attestations", "security-opt": "security options for RUN",
    "shm-size": "limits for RUN", "squash": "squashing", "ssh": "agents for RUN", "ulimit": "limits for RUN",
}  # fmt: skip
"""Flags of docker's that would change the result or how it is made. Those not named here and hidden change nothing:
intermediate containers never outlive a step (--rm, --force-rm), the image always lands in the store (--load)."""


class FlagRefused(TackError):
    """A flag of docker's builder that this one does not have."""


def run(args: Args, streams: Streams) -> int:
    """Build, draw the progress on standard error, print the image's id when asked to be quiet."""
    from hardtack.build.builder import build
    from hardtack.cli.commands.build_view import explain, watcher_for
    from hardtack.cli.privilege import require_root
    from hardtack.store.root import Root

    _refuse(args)
    options = _options(args)
    require_root("build")
    root = Root.open(args.root)
    stdin = streams.stdin.fileno() if "-" in (options.context, options.file) else -1
    with watcher_for(_progress(args), streams) as watcher:
        try:
            built = build(root, options, stdin, watcher)
        except TackError as error:
            watcher.close()
            explain(error, streams)
            raise
    _finish(args, streams, built)
    if args.push:
        _push(root, options.tags, streams, args.quiet)
    return 0


def _refuse(args: Args) -> None:
    """Say which flag is not there. Raises FlagRefused."""
    for name, what in _REFUSED.items():
        if name not in args.given:
            continue
        value = getattr(args, name.replace("-", "_"))
        if name in ("provenance", "sbom") and value in ("false", "0"):
            continue
        if name == "call" and value == "build":
            continue
        raise FlagRefused(f"cannot build with --{name}: there is no support for {what}", "Leave the flag out")


def _progress(args: Args) -> str:
    wanted: str = args.progress
    if args.quiet:
        return "quiet"
    if "progress" not in args.given:
        wanted = os.environ.get("BUILDKIT_PROGRESS") or wanted
    if wanted not in ("auto", "plain", "tty", "quiet"):
        raise FlagRefused(f"cannot draw progress as {wanted!r}", "It is auto, plain, tty or quiet")
    return wanted


def _options(args: Args) -> Options:
    from hardtack.build.options import Options
    from hardtack.oci.platform import Platform

    options = Options(args.args[0], args.file)
    options.tags = [_tag(text) for text in args.tag]
    options.arguments = _pairs(args.build_arg, from_environment=True)
    options.labels = _pairs(args.label, from_environment=False)
    options.target, options.no_cache, options.pull = args.target, args.no_cache, args.pull
    options.network = args.network
    if options.network not in ("default", "none", "host", "bridge"):
        raise FlagRefused(f"cannot build on the network {options.network!r}", "It is default, none or host")
    if options.network == "bridge":
        options.network = "default"
    platforms = [word for text in args.platform for word in text.split(",") if word]
    if len(platforms) > 1:
        raise FlagRefused("cannot build for several platforms at once", "Build them one after the other")
    options.platform = Platform.parse(platforms[0]) if platforms else None
    options.secrets = {secret.id: secret for secret in map(_secret, args.secret)}
    options.epoch = _epoch(options.arguments.get("SOURCE_DATE_EPOCH") or os.environ.get("SOURCE_DATE_EPOCH") or "")
    return options


def _tag(text: str) -> Reference:
    from hardtack.oci.reference import Reference

    reference = Reference.parse(text)
    if reference.digest:
        raise FlagRefused(f"cannot name an image {text!r}: a digest is not chosen", "Leave the digest out")
    return reference.tagged()


def _pairs(texts: list[str], from_environment: bool) -> dict[str, str]:
    """`name=value`; a name alone takes its value from the environment, or means "" for a label."""
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not name:
            raise FlagRefused(f"{text!r} has no name", "Write name=value")
        if not equals and from_environment:
            known = os.environ.get(name)
            if known is None:
                continue
            value = known
        found[name] = value
    return found


def _secret(text: str) -> Secret:
    """`id=…[,src=…|,env=…]`; an id alone is a variable of that name, else a file."""
    from hardtack.build.dockerfile.text import csv_fields
    from hardtack.build.options import Secret

    fields: dict[str, str] = {}
    for field in csv_fields(text):
        key, _, value = field.partition("=")
        key = {"source": "src"}.get(key.lower(), key.lower())
        if key not in ("id", "src", "env", "type"):
            raise FlagRefused(f"unexpected key {key!r} in --secret", "It takes id, src, env and type")
        fields[key] = value
    ident, path, variable = fields.get("id", ""), fields.get("src", ""), fields.get("env", "")
    if fields.get("type") == "env" and not variable:
        path, variable = "", path or ident
    if not ident:
        raise FlagRefused("--secret needs an id", "Write id=mysecret,src=/path")
    if not (path or variable):
        path, variable = ("", ident) if ident in os.environ and fields.get("type") != "file" else (ident, "")
    return Secret(ident, "" if variable else path, variable)


def _epoch(text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit()) or len(text) > 11:
        raise FlagRefused(f"SOURCE_DATE_EPOCH is {text[:40]!r}", "It counts seconds since 1970")
    return int(text)


def _finish(args: Args, streams: Streams, built: Built) -> None:
    if args.iidfile:
        with open(args.iidfile, "w", encoding="ascii") as file:
            file.write(built.image_id)
    if args.quiet:
        streams.out.write(f"{built.image_id}\n")


def _push(root: Root, tags: list[Reference], streams: Streams, quiet: bool) -> None:
    from hardtack.cli.progress import for_streams
    from hardtack.image.push import push

    if not tags:
        raise FlagRefused("cannot push the image: it has no name", "Give it one with -t")
    with for_streams(streams, quiet=quiet, to_errors=True) as progress:
        for tag in tags:
            push(root, tag, progress=progress)
