"""Image configs: how a container of the image starts, which layers it has, and what made them.

Reads Docker's and OCI's form, which are the same fields. Bytes are kept verbatim, since their digest is the image's
id. Every field that the engine uses has its type checked here, once.

Source: OCI image-spec 1.1, config.md; Docker image spec 1.2.
"""

from __future__ import annotations

from hardtack.oci.digest import Digest
from hardtack.oci.errors import InvalidConfig, InvalidDigest, InvalidPlatform
from hardtack.oci.limits import LAYER_LIMIT, field, load_object, string_list, string_map, text_field
from hardtack.oci.platform import Platform

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Final

_HISTORY_LIMIT = 16_384
_TEXTS = ("User", "WorkingDir", "StopSignal", "Hostname", "Domainname", "Image", "MacAddress")
_LISTS = ("Env", "OnBuild", "Shell")
_COMMANDS = ("Cmd", "Entrypoint")  # Docker's strslice: a list, or one text in very old images
_SETS = ("ExposedPorts", "Volumes")
_SWITCHES = (
    "ArgsEscaped",
    "AttachStderr",
    "AttachStdin",
    "AttachStdout",
    "NetworkDisabled",
    "OpenStdin",
    "StdinOnce",
    "Tty",
)


class History:
    """One instruction of a build.

    Attributes:
        created: RFC 3339 text or "".
        created_by: the instruction as the builder wrote it down.
        empty_layer: it changed the config only.
    """

    __slots__ = ("author", "comment", "created", "created_by", "empty_layer")

    def __init__(
        self,
        created: str = "",
        created_by: str = "",
        author: str = "",
        comment: str = "",
        empty_layer: bool = False,
    ) -> None:
        self.created = created
        self.created_by = created_by
        self.author = author
        self.comment = comment
        self.empty_layer = empty_layer

    @classmethod
    def from_json(cls, value: object, where: str) -> History:
        """Read one entry. Raises InvalidConfig."""
        if type(value) is not dict:
            raise InvalidConfig("it must be an object", where)
        limit = 1 << 20
        return cls(
            text_field(value, "created", InvalidConfig, where),
            text_field(value, "created_by", InvalidConfig, where, limit),
            text_field(value, "author", InvalidConfig, where, limit),
            text_field(value, "comment", InvalidConfig, where, limit),
            bool(field(value, "empty_layer", bool, InvalidConfig, where)),
        )

    def to_json(self) -> dict[str, Any]:
        """The entry as JSON has it; empty fields are left out."""
        value: dict[str, Any] = {}
        for key in ("created", "created_by", "author", "comment"):
            if text := getattr(self, key):
                value[key] = text
        if self.empty_layer:
            value["empty_layer"] = True
        return value


class ImageConfig:
    """A valid image config; immutable.

    Attributes:
        raw: the bytes as they came.
        platform: what it runs on.
        config: Docker's `Config` object as it stands (Env, Cmd, Entrypoint, Labels …); lists where lists belong.
        diff_ids: digests of the uncompressed layers, bottom first.
        history: the instructions, oldest first.
        created: RFC 3339 text or "".
        author: text or "".
    """

    __slots__ = ("author", "config", "created", "diff_ids", "history", "platform", "raw", "value")
    raw: Final[bytes]
    value: Final[dict[str, Any]]
    platform: Final[Platform]
    config: Final[dict[str, Any]]
    diff_ids: Final[tuple[Digest, ...]]
    history: Final[tuple[History, ...]]
    created: Final[str]
    author: Final[str]

    def __init__(
        self,
        raw: bytes,
        value: dict[str, Any],
        platform: Platform,
        config: dict[str, Any],
        diff_ids: tuple[Digest, ...],
        history: tuple[History, ...],
        created: str,
        author: str,
    ) -> None:
        self.raw = raw
        self.value = value
        self.platform = platform
        self.config = config
        self.diff_ids = diff_ids
        self.history = history
        self.created = created
        self.author = author

    @classmethod
    def parse(cls, raw: bytes) -> ImageConfig:
        """Read the bytes of a config.

        Raises:
            InvalidConfig: too large, no JSON, a field of the wrong type, a malformed diff id.
        """
        value = load_object(raw, InvalidConfig)
        try:
            platform = Platform.from_json(value)
        except InvalidPlatform as error:
            raise InvalidConfig(error.message) from None
        return cls(
            raw,
            value,
            platform,
            _run_config(field(value, "config", dict, InvalidConfig) or {}),
            _diff_ids(value),
            _history(value),
            text_field(value, "created", InvalidConfig),
            text_field(value, "author", InvalidConfig),
        )


def _diff_ids(value: dict[str, Any]) -> tuple[Digest, ...]:
    rootfs = field(value, "rootfs", dict, InvalidConfig)
    if rootfs is None:
        raise InvalidConfig("it has no rootfs, so this is no image that can run")
    if rootfs.get("type", "layers") != "layers":
        raise InvalidConfig('type must be "layers"', "rootfs")
    found = string_list(rootfs, "diff_ids", InvalidConfig, "rootfs")
    if len(found) > LAYER_LIMIT:
        raise InvalidConfig(f"{len(found)} diff_ids, more than {LAYER_LIMIT}", "rootfs")
    try:
        return tuple([Digest(text) for text in found])
    except InvalidDigest as error:
        raise InvalidConfig(error.message, "rootfs.diff_ids") from None


def _history(value: dict[str, Any]) -> tuple[History, ...]:
    found = field(value, "history", list, InvalidConfig) or []
    if len(found) > _HISTORY_LIMIT:
        raise InvalidConfig(f"{len(found)} entries of history, more than {_HISTORY_LIMIT}")
    return tuple([History.from_json(item, f"history[{index}]") for index, item in enumerate(found)])


def _run_config(value: dict[str, Any]) -> dict[str, Any]:
    where = "config"
    value = dict(value)
    for key in _COMMANDS:
        if type(value.get(key)) is str:
            value[key] = [value[key]]
        string_list(value, key, InvalidConfig, where)
    for key in _TEXTS:
        text_field(value, key, InvalidConfig, where)
    for key in _LISTS:
        string_list(value, key, InvalidConfig, where)
    for key in _SETS:
        field(value, key, dict, InvalidConfig, where)
    for key in _SWITCHES:
        field(value, key, bool, InvalidConfig, where)
    string_map(value, "Labels", InvalidConfig, where)
    field(value, "StopTimeout", int, InvalidConfig, where)
    _check_health(field(value, "Healthcheck", dict, InvalidConfig, where))
    return value


def _check_health(value: dict[str, Any] | None) -> None:
    if value is None:
        return
    where = "config.Healthcheck"
    string_list(value, "Test", InvalidConfig, where)
    for key in ("Interval", "Timeout", "StartPeriod", "StartInterval", "Retries"):
        if (field(value, key, int, InvalidConfig, where) or 0) < 0:
            raise InvalidConfig(f"{key} must not be negative", where)


def chain_ids(diff_ids: Sequence[str]) -> list[Digest]:
    """Names of each prefix of the layers: two images that share a prefix share its chain id.

    Source: OCI image-spec 1.1, config.md, "Layer ChainID".
    """
    chain: list[Digest] = []
    for diff_id in diff_ids:
        below = chain[-1] if chain else None
        chain.append(Digest(diff_id) if below is None else Digest.of(f"{below} {diff_id}".encode()))
    return chain


def history_with_layers(config: ImageConfig) -> list[tuple[History, Digest | None]]:
    """Pair each instruction with the layer it made, oldest first.

    Instructions that made none have None; so have those beyond the last layer, which a broken builder left. Layers
    beyond the last instruction, as squashing and daemonless builders leave them, come at the end with an empty one.
    """
    layers = iter(config.diff_ids)
    paired: list[tuple[History, Digest | None]] = [
        (entry, None if entry.empty_layer else next(layers, None)) for entry in config.history
    ]
    paired += [(History(), diff_id) for diff_id in layers]
    return paired
