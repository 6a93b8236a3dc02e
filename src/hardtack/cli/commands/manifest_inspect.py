"""`tack manifest inspect`: what a registry has under a name, without pulling it. Needs no store and no root."""

from __future__ import annotations

from hardtack.cli.parse import BOOL, Command, Flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hardtack.cli.parse import Args, Streams
    from hardtack.oci.manifest import Manifest
    from hardtack.oci.platform import Platform
    from hardtack.oci.reference import Reference
    from hardtack.remote.config import RegistryConfig
    from hardtack.remote.repository import Repository

COMMAND = Command(
    "[OPTIONS] MANIFEST",
    "Show a remote manifest or index",
    (
        Flag("insecure", "", BOOL, help="Allow communication with an insecure registry"),
        Flag("verbose", "v", BOOL, help="Output additional info including layers and platform"),
    ),
    least=1,
    most=1,
)


def run(args: Args, streams: Streams) -> int:
    """Print the manifest's own JSON, indented; verbose, what docker makes of it."""
    from hardtack.oci.errors import InvalidManifest
    from hardtack.oci.limits import load_object
    from hardtack.oci.reference import Reference
    from hardtack.remote.client import RegistryClient

    reference = Reference.parse(args.args[0]).tagged()
    client = RegistryClient(reference.domain, _config(reference, args.insecure))
    repository = client.repository(reference.path)
    raw, media_type, digest = repository.manifest(str(reference.digest or reference.tag))
    if args.verbose:
        value = _described(repository, reference, raw, media_type, digest)
    else:
        value = load_object(raw, InvalidManifest)
    import json

    streams.out.write(json.dumps(value, indent="\t", ensure_ascii=False) + "\n")
    return 0


def _config(reference: Reference, insecure: bool) -> RegistryConfig:
    from hardtack.remote.config import RegistryConfig

    config = RegistryConfig.load()
    if insecure:
        config.allow_insecure(reference.domain)
    return config


def _described(repository: Repository, reference: Reference, raw: bytes, media_type: str, digest: str) -> Any:
    from hardtack.oci.descriptor import Descriptor
    from hardtack.oci.digest import Digest
    from hardtack.oci.manifest import Index, parse_manifest

    found = parse_manifest(raw, media_type, Digest(digest))
    if not isinstance(found, Index):
        descriptor = Descriptor(found.media_type, found.digest, len(raw), _platform(repository, found))
        return _entry(str(reference), descriptor, found)
    entries = []
    for child in found.manifests:
        raw, media_type, _ = repository.manifest(child.digest)
        document = parse_manifest(raw, media_type, child.digest)
        if not isinstance(document, Index):
            entries.append(_entry(f"{reference}@{child.digest}", child, document))
    return entries


def _entry(name: str, descriptor: Any, manifest: Manifest) -> dict[str, Any]:
    import base64
    import json

    from hardtack.oci import mediatypes

    key = "SchemaV2Manifest" if manifest.media_type == mediatypes.DOCKER_MANIFEST else "OCIManifest"
    return {
        "Ref": name,
        "Descriptor": descriptor.to_json(),
        "Raw": base64.b64encode(manifest.raw).decode(),
        key: json.loads(manifest.raw),
    }


def _platform(repository: Repository, manifest: Manifest) -> Platform | None:
    """The platform of an image that stands alone, which only its config tells."""
    from hardtack.oci import mediatypes
    from hardtack.oci.config import ImageConfig

    if not mediatypes.is_config(manifest.config.media_type):
        return None
    return ImageConfig.parse(repository.small_blob(manifest.config, "the image's config")).platform
