"""OCI layouts: blobs by digest and an index that says what they are. Their bytes stay as they are.

Source: OCI image-spec 1.1, image-layout.md; containerd's annotation for whole names.
"""

from __future__ import annotations

from hardtack.errors import TackError
from hardtack.image.archive import Archive, ArchiveError
from hardtack.image.load import Found
from hardtack.image.save import NAME_ANNOTATION, TAG_ANNOTATION
from hardtack.jsontext import loads
from hardtack.oci import mediatypes
from hardtack.oci.config import ImageConfig
from hardtack.oci.errors import InvalidReference
from hardtack.oci.limits import DOCUMENT_LIMIT
from hardtack.oci.manifest import Index, Manifest, parse_manifest
from hardtack.oci.platform import choose, host
from hardtack.oci.reference import Reference
from hardtack.remote.plan import check_image, plan_layers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import BinaryIO

    from hardtack.image.intake import Intake, Opener
    from hardtack.oci.descriptor import Descriptor
    from hardtack.oci.digest import Digest
    from hardtack.oci.platform import Platform

_DOCUMENTS = (*mediatypes.INDEXES, *mediatypes.MANIFESTS)
_DEEPEST = 4
_SMALL = 64 << 10


def images_of_layout(archive: Archive, intake: Intake, platform: Platform | None) -> list[Found]:
    """Take in every image that index.json lists.

    Raises:
        ArchiveError: it is no layout that we know, lists no image, or leaves out what an image needs.
    """
    _check_version(archive)
    index = parse_manifest(archive.read("index.json", DOCUMENT_LIMIT), mediatypes.OCI_INDEX)
    assert isinstance(index, Index)
    taking = _Taking(archive, intake, platform)
    found: dict[Digest, Found] = {}
    others = 0
    for descriptor in index.manifests:
        if descriptor.digest not in found:
            config = taking.top(descriptor)
            if config is None:
                others += 1
                continue
            found[descriptor.digest] = Found(descriptor.digest, config, [])
        image = found[descriptor.digest]
        names = _names(descriptor) or taking.docker_names().get(image.config, [])
        image.names += [name for name in names if name not in image.names]
    if not found:
        raise ArchiveError(f"none of the {others} things in it is an image" if others else "its index lists nothing")
    return list(found.values())


class _Taking:
    def __init__(self, archive: Archive, intake: Intake, platform: Platform | None) -> None:
        self._archive = archive
        self._intake = intake
        self._platform = platform or host()
        self._docker: dict[Digest, list[Reference]] | None = None

    def top(self, descriptor: Descriptor) -> Digest | None:
        """Take in what index.json points at; the config of the image for the platform, None for what is no image."""
        if descriptor.media_type not in _DOCUMENTS:
            return None
        candidates = self._images(descriptor, _DEEPEST, {})
        if not candidates:
            return None
        best = choose([place for place, _ in candidates], self._platform) or [candidates[0][0]]
        chosen = next(manifest for place, manifest in candidates if place is best[0])
        for manifest in {manifest.digest: manifest for _, manifest in candidates}.values():
            self._take(manifest, manifest.digest == chosen.digest)
        return chosen.config.digest

    def _images(
        self, descriptor: Descriptor, depth: int, seen: dict[Digest, Manifest | None]
    ) -> list[tuple[Descriptor, Manifest]]:
        """The images below a descriptor whose documents are here; the documents of all are taken in.

        Args:
            seen: documents read so far, each once however often indexes name it; None for what has no further images.
        """
        if descriptor.digest in seen:
            known = seen[descriptor.digest]
            return [(descriptor, known)] if known is not None else []
        parsed = parse_manifest(self._intake.document(descriptor, self._opener(descriptor)), descriptor.media_type)
        seen[descriptor.digest] = None
        if isinstance(parsed, Manifest):
            if self._is_image(parsed):
                seen[descriptor.digest] = parsed
                return [(descriptor, parsed)]
            self._take_blobs(parsed.children())
            return []
        if not depth:
            raise ArchiveError(f"its indexes are nested more than {_DEEPEST} deep")
        found: list[tuple[Descriptor, Manifest]] = []
        for child in parsed.manifests:
            # An archive may hold some platforms of an index only.
            if child.media_type in _DOCUMENTS and (self._has(child) or self._intake.content.has(child.digest)):
                found += self._images(child, depth - 1, seen)
        return found

    def _is_image(self, manifest: Manifest) -> bool:
        try:
            check_image(manifest)
        except TackError:
            return False
        return bool(manifest.layers) or manifest.config.media_type in mediatypes.CONFIGS

    def _take(self, manifest: Manifest, mountable: bool) -> None:
        intake = self._intake
        config = ImageConfig.parse(intake.document(manifest.config, self._opener(manifest.config)))
        if mountable:
            there, missing = plan_layers(manifest.layers, config.diff_ids, lambda _: False)
            for task in (*there, *missing):
                intake.layer(task.descriptor, task.diff_id, self._opener(task.descriptor))
        self._take_blobs(manifest.layers)

    def _take_blobs(self, descriptors: Iterable[Descriptor]) -> None:
        """What is kept without being mounted: other platforms' layers, attestations, as far as it is here."""
        for descriptor in descriptors:
            if self._has(descriptor):
                self._intake.blob(descriptor, self._opener(descriptor))

    def _opener(self, descriptor: Descriptor) -> Opener:
        name = _place(descriptor)

        def opener() -> BinaryIO:
            if descriptor.data is not None and not self._archive.has(name):
                import io

                return io.BytesIO(descriptor.data)
            return self._archive.open(name)

        return opener

    def _has(self, descriptor: Descriptor) -> bool:
        return descriptor.data is not None or self._archive.has(_place(descriptor))

    def docker_names(self) -> dict[Digest, list[Reference]]:
        """What a manifest.json beside the layout calls each image, by the config's digest."""
        if self._docker is None:
            from hardtack.image.dockerarchive import names_by_config

            self._docker = names_by_config(self._archive)
        return self._docker


def _place(descriptor: Descriptor) -> str:
    return f"blobs/{descriptor.digest.algorithm}/{descriptor.digest.hex}"


def _check_version(archive: Archive) -> None:
    try:
        version = loads(archive.read("oci-layout", _SMALL))["imageLayoutVersion"]
    except (ValueError, KeyError, TypeError):
        raise ArchiveError("its file oci-layout cannot be read") from None
    if not isinstance(version, str) or not version.startswith("1."):
        raise ArchiveError(f"it is an OCI layout of version {version!r}; only 1.x is known")


def _names(descriptor: Descriptor) -> list[Reference]:
    """The whole name in an annotation; a tag alone names nothing, since its repository is not said."""
    whole = descriptor.annotations.get(NAME_ANNOTATION) or ""
    tag = descriptor.annotations.get(TAG_ANNOTATION) or ""
    for text in (whole, tag if "/" in tag or ":" in tag else ""):
        if text:
            try:
                name = Reference.parse(text)
            except InvalidReference:
                continue
            if name.digest is None:
                return [name.tagged()]
    return []
