"""Where a stage stands between two of its instructions: layers, config, variables, history.

A stage that begins from another takes a copy. Sizes are bounded here, in one place, because every text that a
Dockerfile can multiply ends in a config or in its history.
"""

from __future__ import annotations

from hardtack.build.errors import DockerfileError
from hardtack.build.keys import sha256

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hardtack.oci.config import ImageConfig
    from hardtack.oci.descriptor import Descriptor
    from hardtack.oci.platform import Platform

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
COMMENT = "hardtack.dockerfile.v0"
MAX_TEXT = 3 << 20  # of all that a config will hold; documents of 4 MiB are refused everywhere
MAX_LAYERS = 1024
_CONFIG_KEYS = (
    "User", "ExposedPorts", "Env", "Entrypoint", "Cmd", "Volumes", "WorkingDir", "Labels", "StopSignal",
    "ArgsEscaped", "Healthcheck", "OnBuild", "StopTimeout", "Shell",
)  # fmt: skip


class Note:
    """One line of an image's history. `created` is "" until the layer's time is known."""

    __slots__ = ("author", "comment", "created", "created_by", "empty")

    def __init__(
        self, created_by: str, empty: bool, created: str = "", comment: str = COMMENT, author: str = ""
    ) -> None:
        self.created_by = created_by
        self.empty = empty
        self.created = created
        self.comment = comment
        self.author = author

    def to_json(self) -> dict[str, Any]:
        """The entry as a config has it."""
        value: dict[str, Any] = {}
        for key in ("created", "created_by", "author", "comment"):
            if text := getattr(self, key):
                value[key] = text
        if self.empty:
            value["empty_layer"] = True
        return value


class Layer:
    """A layer as a manifest names it, with the diff id of its content."""

    __slots__ = ("blob", "diff_id")

    def __init__(self, diff_id: str, blob: Descriptor) -> None:
        self.diff_id = diff_id
        self.blob = blob


class State:
    """The state of a stage.

    Attributes:
        layers: bottom first; `chain`: one hash of their diff ids; `config`: Docker's keys; `history`, `author`,
            `platform`: the image's own.
        variables: what `$name` gives now, ENV and ARG together; `declared`: the ARGs in order, which RUN records.
        given_cmd: CMD was said in this file, so ENTRYPOINT leaves it.
        places: where each variable stands in the config's Env.
        inherited: how many entries of the history are the base image's own.
    """

    __slots__ = (
        "author", "chain", "config", "declared", "given_cmd", "history", "inherited", "layers", "places", "platform",
        "text_size", "variables",
    )  # fmt: skip

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.layers: list[Layer] = []
        self.chain = ""
        self.config: dict[str, Any] = {"Env": [f"PATH={PATH}"], "WorkingDir": "/"}
        self.history: list[Note] = []
        self.author = ""
        self.variables: dict[str, str] = {"PATH": PATH}
        self.declared: dict[str, str | None] = {}
        self.given_cmd = False
        self.inherited = 0
        self.text_size = 0
        self.places: dict[str, int] = {}

    @classmethod
    def of_image(cls, image: ImageConfig, blobs: list[Descriptor]) -> State:
        """The state that a base image gives.

        Args:
            image: its config.
            blobs: its layers as its manifest names them, as many as it has diff ids.
        """
        state = cls(image.platform)
        for diff, blob in zip(image.diff_ids, blobs, strict=True):
            state.add(Layer(str(diff), blob))
        state.config = {key: _copied(image.config[key]) for key in _CONFIG_KEYS if image.config.get(key)}
        state.history = [
            Note(entry.created_by, entry.empty_layer, entry.created, entry.comment, entry.author)
            for entry in image.history
        ]
        missing = len(state.layers) - sum(not note.empty for note in state.history)
        state.history += [Note("", False, image.created, "") for _ in range(missing)]
        for note in reversed(state.history):  # and the other way round: a history that claims more than there is
            if missing < 0 and not note.empty:
                note.empty = True
                missing += 1
        state.inherited = len(state.history)
        state.author = image.author
        state.variables = dict(_pair(text) for text in state.config.get("Env", ()))
        return state

    def copy(self) -> State:
        """The state for a stage that begins where this one ended."""
        other = State(self.platform)
        other.layers = list(self.layers)
        other.chain = self.chain
        other.config = {key: _copied(value) for key, value in self.config.items()}
        other.history = [_copied_note(note) for note in self.history]
        other.author = self.author
        other.variables = dict(self.variables)
        other.declared = dict(self.declared)
        other.given_cmd = self.given_cmd
        other.inherited = self.inherited
        other.text_size = self.text_size
        return other

    @property
    def diff_ids(self) -> list[str]:
        """The layers' diff ids, bottom first."""
        return [layer.diff_id for layer in self.layers]

    @property
    def workdir(self) -> str:
        """Where relative paths begin."""
        return self.config.get("WorkingDir") or "/"

    @property
    def shell(self) -> list[str]:
        """What reads the shell form."""
        return self.config.get("Shell") or ["/bin/sh", "-c"]

    def note(self, created_by: str, layer: Layer | None = None, created: str = "") -> None:
        """Add to the history.

        Args:
            created_by: the instruction in the form of history.
            layer: what it made, None when it changed nothing in the file system.
        Raises:
            DockerfileError: the image's config would become too large, or has too many layers.
        """
        self.spend(created_by)
        self.history.append(Note(created_by, layer is None, created))
        if layer is not None:
            self.add(layer)

    def add(self, layer: Layer) -> None:
        """Put a layer on top."""
        self.layers.append(layer)
        self.chain = str(sha256(f"{self.chain} {layer.diff_id}".encode()).hexdigest())
        if len(self.layers) > MAX_LAYERS:
            raise DockerfileError(f"more than {MAX_LAYERS:,} layers")

    def spend(self, text: str) -> None:
        """Count what the config will hold."""
        self.text_size += len(text.encode())
        if self.text_size > MAX_TEXT:
            raise DockerfileError(f"the image's config would be larger than {MAX_TEXT >> 20} MiB")

    def set_env(self, name: str, value: str) -> None:
        """Set a variable of the image."""
        self.spend(name + value)
        env: list[str] = self.config.setdefault("Env", [])
        if not self.places:
            self.places = {text.partition("=")[0]: place for place, text in reversed(list(enumerate(env)))}
        place = self.places.setdefault(name, len(env))
        if place == len(env):
            env.append("")
        env[place] = f"{name}={value}"
        self.variables[name] = value


def _copied(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    return list(value) if isinstance(value, list) else value


def _copied_note(note: Note) -> Note:
    return Note(note.created_by, note.empty, note.created, note.comment, note.author)


def _pair(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name, value
