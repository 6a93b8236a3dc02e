"""The flags of `run` and `create`, which are the same, and how they become a container.

The table is data. What a flag means is decided in `container.body`; here only files and the environment are read.
"""

from __future__ import annotations

import os

from hardtack.cli.parse import BOOL, BYTES, FLOAT, INT, LIST, STRING, Flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hardtack.cli.parse import Args, Streams
    from hardtack.container.body import Read
    from hardtack.container.row import Container
    from hardtack.image.find import Image
    from hardtack.store.root import Root

FLAGS = (
    Flag("add-host", "", LIST, help="Add a custom host-to-IP mapping (host:ip)"),
    Flag("annotation", "", LIST, hidden=True),
    Flag("attach", "a", LIST, help="Attach to STDIN, STDOUT or STDERR"),
    Flag("blkio-weight", "", INT, "uint16", "Block IO (relative weight), between 10 and 1000, or 0 to disable"),
    Flag("cap-add", "", LIST, help="Add Linux capabilities"),
    Flag("cap-drop", "", LIST, help="Drop Linux capabilities"),
    Flag("cgroup-parent", "", STRING, hidden=True),
    Flag("cgroupns", "", STRING, help="Cgroup namespace to use (host|private)"),
    Flag("cidfile", "", STRING, help="Write the container ID to the file"),
    Flag("cpu-period", "", INT, help="Limit CPU CFS (Completely Fair Scheduler) period"),
    Flag("cpu-quota", "", INT, help="Limit CPU CFS (Completely Fair Scheduler) quota"),
    Flag("cpu-shares", "c", INT, help="CPU shares (relative weight)"),
    Flag("cpus", "", FLOAT, help="Number of CPUs"),
    Flag("cpuset-cpus", "", STRING, help="CPUs in which to allow execution (0-3, 0,1)"),
    Flag("cpuset-mems", "", STRING, help="MEMs in which to allow execution (0-3, 0,1)"),
    Flag("device", "", LIST, help="Add a host device to the container"),
    Flag("device-cgroup-rule", "", LIST, hidden=True),
    Flag("disable-content-trust", "", BOOL, default=True, hidden=True),
    Flag("dns", "", LIST, help="Set custom DNS servers"),
    Flag("dns-option", "", LIST, help="Set DNS options", also=("dns-opt",)),
    Flag("dns-search", "", LIST, help="Set custom DNS search domains"),
    Flag("domainname", "", STRING, help="Container NIS domain name"),
    Flag("entrypoint", "", STRING, help="Overwrite the default ENTRYPOINT of the image"),
    Flag("env", "e", LIST, help="Set environment variables"),
    Flag("env-file", "", LIST, help="Read in a file of environment variables"),
    Flag("expose", "", LIST, help="Expose a port or a range of ports"),
    Flag("gpus", "", STRING, hidden=True),
    Flag("group-add", "", LIST, help="Add additional groups to join"),
    Flag("health-cmd", "", STRING, hidden=True),
    Flag("health-interval", "", STRING, hidden=True),
    Flag("health-retries", "", INT, hidden=True),
    Flag("health-start-interval", "", STRING, hidden=True),
    Flag("health-start-period", "", STRING, hidden=True),
    Flag("health-timeout", "", STRING, hidden=True),
    Flag("hostname", "h", STRING, help="Container host name"),
    Flag("init", "", BOOL, hidden=True),
    Flag("interactive", "i", BOOL, help="Keep STDIN open even if not attached"),
    Flag("ip", "", STRING, hidden=True),
    Flag("ip6", "", STRING, hidden=True),
    Flag("ipc", "", STRING, help="IPC mode to use (private|none|host)"),
    Flag("label", "l", LIST, help="Set meta data on a container"),
    Flag("label-file", "", LIST, help="Read in a line delimited file of labels"),
    Flag("link", "", LIST, hidden=True),
    Flag("log-driver", "", STRING, help="Logging driver for the container (json-file|none)"),
    Flag("log-opt", "", LIST, help="Log driver options (max-size, max-file)"),
    Flag("mac-address", "", STRING, hidden=True),
    Flag("memory", "m", BYTES, help="Memory limit"),
    Flag("memory-reservation", "", BYTES, help="Memory soft limit"),
    Flag("memory-swap", "", BYTES, help="Swap limit equal to memory plus swap: '-1' to enable unlimited swap"),
    Flag("memory-swappiness", "", INT, help="Tune container memory swappiness (0 to 100)", default=-1),
    Flag("mount", "", LIST, "mount", "Attach a filesystem mount to the container"),
    Flag("name", "", STRING, help="Assign a name to the container"),
    Flag("network", "", STRING, "network", "Connect a container to a network", also=("net",)),
    Flag("network-alias", "", LIST, help="Add network-scoped alias for the container", also=("net-alias",)),
    Flag("no-healthcheck", "", BOOL, help="Disable any container-specified HEALTHCHECK"),
    Flag("oom-kill-disable", "", BOOL, help="Disable OOM Killer"),
    Flag("oom-score-adj", "", INT, help="Tune host's OOM preferences (-1000 to 1000)"),
    Flag("pid", "", STRING, help="PID namespace to use (host|container:NAME)"),
    Flag("pids-limit", "", INT, help="Tune container pids limit (set -1 for unlimited)"),
    Flag("platform", "", STRING, help="Take the image for this platform if it has several"),
    Flag("privileged", "", BOOL, help="Give extended privileges to this container"),
    Flag("publish", "p", LIST, help="Publish a container's port(s) to the host"),
    Flag("publish-all", "P", BOOL, help="Publish all exposed ports to random ports"),
    Flag(
        "pull",
        "",
        STRING,
        help="Pull image before running (always|missing|never)",
        default="missing",
        choices=("always", "missing", "never"),
    ),
    Flag("quiet", "q", BOOL, help="Suppress the pull output"),
    Flag("read-only", "", BOOL, help="Mount the container's root filesystem as read only"),
    Flag("restart", "", STRING, help="Restart policy to apply when a container exits", default="no"),
    Flag("rm", "", BOOL, help="Automatically remove the container when it exits"),
    Flag("runtime", "", STRING, help="OCI runtime to use for this container, a name or a path"),
    Flag("security-opt", "", LIST, help="Security Options"),
    Flag("shm-size", "", BYTES, help="Size of /dev/shm"),
    Flag("stop-signal", "", STRING, help="Signal to stop the container"),
    Flag("stop-timeout", "", INT, help="Timeout (in seconds) to stop a container"),
    Flag("storage-opt", "", LIST, hidden=True),
    Flag("sysctl", "", LIST, help="Sysctl options"),
    Flag("tmpfs", "", LIST, help="Mount a tmpfs directory"),
    Flag("tty", "t", BOOL, help="Allocate a pseudo-TTY"),
    Flag("ulimit", "", LIST, "ulimit", "Ulimit options"),
    Flag("user", "u", STRING, help="Username or UID (format: <name|uid>[:<group|gid>])"),
    Flag("userns", "", STRING, hidden=True),
    Flag("uts", "", STRING, help="UTS namespace to use (host)"),
    Flag("volume", "v", LIST, help="Bind mount a volume"),
    Flag("volume-driver", "", STRING, hidden=True),
    Flag("volumes-from", "", LIST, hidden=True),
    Flag("workdir", "w", STRING, help="Working directory inside the container"),
)


def body_of(args: Args) -> dict[str, Any]:
    """The create request that a command line means; files that flags name are read here.

    Raises:
        InvalidOption, Unsupported: see `container.body`.
    """
    from hardtack.container.body import Read, make_body

    return make_body(args, _files(args, Read()), args.args[0], args.args[1:])


def _files(args: Args, read: Read) -> Read:
    read.environment = os.environ
    if args.volume or args.mount:
        read.directory = os.getcwd()
    if args.env_file or args.label_file:
        from hardtack.container import values

        for name in args.env_file:
            read.variables += values.env_file(_read(name), name)
        for name in args.label_file:
            read.labels |= values.labels(values.env_file(_read(name), name), "--label-file")
    if args.security_opt:
        from hardtack.container.placing import seccomp_files

        read.profiles = seccomp_files(args.security_opt)
    return read


def _read(name: str) -> str:
    with open(name, encoding="utf-8") as file:
        return file.read()


def make_container(args: Args, streams: Streams, root: Root, claimed: bool) -> Container:
    """Make the container, pulling its image first where that is needed.

    Args:
        claimed: it is going to be started by this process.
    """
    body = body_of(args)
    if args.cidfile and os.path.exists(args.cidfile):
        from hardtack.container.errors import InvalidOption

        raise InvalidOption("--cidfile", args.cidfile, "the container ID file found", "Remove it, or name another")
    image = find_image(args, streams, root)
    from hardtack.container.create import create

    container = create(root, body, image, args.name or None, claimed)
    if args.cidfile:
        with open(args.cidfile, "w", encoding="ascii") as file:
            file.write(container.id)
    return container


def find_image(args: Args, streams: Streams, root: Root) -> Image:
    """The image that was named, by the policy of --pull."""
    from hardtack.image.find import find
    from hardtack.store.errors import ImageUnknown

    name = args.args[0]
    platform = None
    if args.platform:
        from hardtack.oci.platform import Platform

        platform = Platform.parse(args.platform)
    if args.pull != "always":
        try:
            return find(root, name, platform)
        except ImageUnknown:
            if args.pull == "never":
                raise
            if not args.quiet:
                streams.err.write(f"Unable to find image '{_shown(name)}' locally\n")
                streams.err.flush()
    from hardtack.cli.progress import for_streams
    from hardtack.image.pull import pull
    from hardtack.oci.reference import Reference

    with for_streams(streams, quiet=args.quiet, to_errors=True) as progress:
        pulled = pull(root, Reference.parse(name), platform, progress)
    return find(root, str(pulled.reference), platform)


def _shown(name: str) -> str:
    from hardtack.oci.reference import Reference

    return Reference.parse(name).tagged().familiar()
