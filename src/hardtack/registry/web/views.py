"""What the pages show of an image, computed from the bytes of its manifest and config; nothing here reads or waits.

Bytes come from strangers. A config that cannot be read gives a page without one, never an error.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hardtack.oci import mediatypes
from hardtack.oci.config import ImageConfig
from hardtack.oci.errors import OciError
from hardtack.oci.manifest import Index, Manifest
from hardtack.registry.web import text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hardtack.oci.descriptor import Descriptor

_ROWS = 500
_ATTESTATION = "vnd.docker.reference.type"
_TITLE = "org.opencontainers.image.title"


@dataclass(frozen=True, slots=True)
class Step:
    """One instruction of a build, with the layer that it made if it made one.

    Attributes:
        share: per mille of the image's size.
        digest: of the blob; "" when the instruction changed the config only.
    """

    number: int
    keyword: str
    rest: str
    comment: str
    created: str
    digest: str = ""
    media_type: str = ""
    size: int = 0
    share: int = 0

    @property
    def is_layer(self) -> bool:
        """Whether it made a layer."""
        return bool(self.digest)


@dataclass(frozen=True, slots=True)
class Slice:
    """A layer's part of the picture of the whole: where it begins and how wide it is, of 1000."""

    number: int
    start: float
    width: float
    size: int


@dataclass(frozen=True, slots=True)
class ImageView:
    """An image, or an artifact, as its page shows it.

    Attributes:
        facts: names and values: entrypoint, command, user, working directory and so on.
        environment, labels, annotations: names and values.
    """

    size: int
    platform: str
    created: str
    is_artifact: bool
    artifact_type: str
    config_digest: str
    config_size: int
    steps: tuple[Step, ...]
    facts: tuple[tuple[str, str], ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    ports: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    annotations: tuple[tuple[str, str], ...] = ()
    trouble: str = ""
    slices: tuple[Slice, ...] = field(default=())

    @property
    def layers(self) -> int:
        """How many layers it has."""
        return sum(step.is_layer for step in self.steps)


@dataclass(frozen=True, slots=True)
class PlatformView:
    """One entry of an index."""

    digest: str
    platform: str
    size: int
    is_attestation: bool


def platforms(index: Index) -> tuple[PlatformView, ...]:
    """The entries of an index, images first."""
    views = [
        PlatformView(
            str(entry.digest),
            text.clean(str(entry.platform), 60) if entry.platform is not None else "no platform",
            entry.size,
            _ATTESTATION in entry.annotations,
        )
        for entry in index.manifests[:_ROWS]
    ]
    return tuple(sorted(views, key=lambda view: view.is_attestation))


def preferred(views: Sequence[PlatformView]) -> PlatformView | None:
    """The entry that a page shows when nobody chose: linux/amd64 where there is one, else the first image."""
    images = [view for view in views if not view.is_attestation]
    return next((view for view in images if view.platform == "linux/amd64"), images[0] if images else None)


def content_size(manifest: Manifest) -> int:
    """What a pull of the image transfers."""
    return manifest.config.size + sum(layer.size for layer in manifest.layers)


def platform_of(manifest: Manifest, config: bytes | None) -> str:
    """The platform that the config names, "" when it names none."""
    parsed = _parsed(manifest, config)[0]
    return "" if parsed is None else text.clean(str(parsed.platform), 60)


def image_view(manifest: Manifest, config: bytes | None) -> ImageView:
    """Everything that the page of an image shows.

    Args:
        config: the bytes of the config, or None when they are not there.
    """
    parsed, trouble = _parsed(manifest, config)
    is_artifact = parsed is None and not mediatypes.is_config(manifest.config.media_type)
    size = content_size(manifest)
    entries = [] if parsed is None else [_entry(entry) for entry in parsed.history]
    steps = _steps(entries, manifest.layers, size)
    created = "" if parsed is None else text.day(parsed.created)
    view = ImageView(
        size,
        "" if parsed is None else text.clean(str(parsed.platform), 60),
        created,
        is_artifact,
        text.clean(manifest.artifact_type or (manifest.config.media_type if is_artifact else ""), 200),
        str(manifest.config.digest),
        manifest.config.size,
        steps,
        annotations=_pairs(manifest.annotations),
        trouble=trouble,
        slices=_slices(steps),
    )
    return view if parsed is None else _with_config(view, parsed.config)


def _parsed(manifest: Manifest, config: bytes | None) -> tuple[ImageConfig | None, str]:
    if not mediatypes.is_config(manifest.config.media_type):
        return None, ""
    if config is None:
        return None, "The image's config is not in this repository, or too large to be shown."
    try:
        return ImageConfig.parse(config), ""
    except OciError as error:
        return None, text.clean(str(error), 300)


@dataclass(frozen=True, slots=True)
class _Entry:
    keyword: str
    rest: str
    comment: str
    created: str
    is_empty: bool


def _entry(history: Any) -> _Entry:
    keyword, rest = text.instruction(history.created_by[: 2 * text.CUT])
    return _Entry(
        keyword,
        text.clean(rest),
        text.clean(history.comment, 200),
        text.day(history.created),
        history.empty_layer,
    )


def _steps(entries: list[_Entry], layers: Sequence[Descriptor], size: int) -> tuple[Step, ...]:
    """Pair instructions with layers, in order; layers that no instruction claims come at the end."""
    waiting = iter(layers)
    steps: list[Step] = []
    for entry in entries[:_ROWS]:
        layer = None if entry.is_empty else next(waiting, None)
        steps.append(_step(len(steps) + 1, entry, layer, size))
    for layer in list(waiting)[: max(0, _ROWS - len(steps))]:
        name = text.clean(layer.annotations.get(_TITLE, ""), 200)
        steps.append(_step(len(steps) + 1, _Entry("", name, "", "", False), layer, size))
    return tuple(steps)


def _step(number: int, entry: _Entry, layer: Descriptor | None, size: int) -> Step:
    if layer is None:
        return Step(number, entry.keyword, entry.rest, entry.comment, entry.created)
    share = round(1000 * layer.size / size) if size else 0
    media_type = text.clean(layer.media_type, 200)
    return Step(
        number,
        entry.keyword,
        entry.rest,
        entry.comment,
        entry.created,
        str(layer.digest),
        media_type,
        layer.size,
        share,
    )


def _slices(steps: Sequence[Step]) -> tuple[Slice, ...]:
    """The picture of the layers side by side: true to their sizes, but none so thin that it cannot be seen."""
    layers = [step for step in steps if step.is_layer]
    total = sum(step.size for step in layers)
    if not total:
        return ()
    least = min(6.0, 500.0 / len(layers))
    spread = 1000.0 - least * len(layers)
    slices, start = [], 0.0
    for step in layers:
        width = least + spread * step.size / total
        slices.append(Slice(step.number, round(start, 2), round(width, 2), step.size))
        start += width
    return tuple(slices)


def _with_config(view: ImageView, config: dict[str, Any]) -> ImageView:
    facts = [
        ("Entrypoint", _command(config.get("Entrypoint"))),
        ("Command", _command(config.get("Cmd"))),
        ("Working directory", config.get("WorkingDir") or ""),
        ("User", config.get("User") or ""),
        ("Stop signal", config.get("StopSignal") or ""),
        ("Health check", _command((config.get("Healthcheck") or {}).get("Test"))),
        ("Shell", _command(config.get("Shell"))),
    ]
    environment = (str(entry).partition("=") for entry in (config.get("Env") or [])[:_ROWS])
    return ImageView(
        **{name: getattr(view, name) for name in view.__slots__ if name not in _FROM_CONFIG},
        facts=tuple((name, text.clean(value)) for name, value in facts if value),
        environment=tuple((text.clean(name, 200), text.clean(value)) for name, _, value in environment),
        labels=_pairs(config.get("Labels") or {}),
        ports=_names(config.get("ExposedPorts")),
        volumes=_names(config.get("Volumes")),
    )


_FROM_CONFIG = frozenset(("facts", "environment", "labels", "ports", "volumes"))


def _command(words: Any) -> str:
    return json.dumps(words, ensure_ascii=False) if words else ""


def _names(values: Any) -> tuple[str, ...]:
    return tuple(text.clean(name, 200) for name in sorted(values or ())[:_ROWS])


def _pairs(values: dict[str, str]) -> tuple[tuple[str, str], ...]:
    pairs = sorted(values.items())[:_ROWS]
    return tuple((text.clean(name, 200), text.clean(value)) for name, value in pairs)
