"""What a build is asked for: plain values, as a command line or an API gives them."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardtack.oci.platform import Platform
    from hardtack.oci.reference import Reference


class Secret:
    """A secret by its source: a file, or a variable of this process. Its value is read when a step needs it."""

    __slots__ = ("id", "path", "variable")

    def __init__(self, ident: str, path: str = "", variable: str = "") -> None:
        self.id = ident
        self.path = path
        self.variable = variable


class Options:
    """Everything that one build is asked for.

    Attributes:
        context: a folder or "-"; `file`: the Dockerfile, "" for the usual one, "-" for standard input.
        tags: names for the image, with tags; `labels`: to add to it.
        arguments: build arguments by name; `target`: a stage, "" for the last.
        platform: wanted, None for this host's; `epoch`: SOURCE_DATE_EPOCH, None without.
        no_cache: run every step; `pull`: ask the registry for newer base images.
        network: of RUN, where it says nothing: default, none or host.
        secrets: by id.
    """

    __slots__ = (
        "arguments", "context", "epoch", "file", "labels", "network", "no_cache", "platform", "pull", "secrets", "tags",
        "target",
    )  # fmt: skip

    def __init__(self, context: str, file: str = "") -> None:
        self.context = context
        self.file = file
        self.tags: list[Reference] = []
        self.labels: dict[str, str] = {}
        self.arguments: dict[str, str] = {}
        self.target = ""
        self.platform: Platform | None = None
        self.epoch: int | None = None
        self.no_cache = False
        self.pull = False
        self.network = "default"
        self.secrets: dict[str, Secret] = {}
