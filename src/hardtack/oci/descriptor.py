"""Descriptors: a media type, a digest and a size, which together point at content.

One that exists has a valid digest, a size that is a count of bytes and, where content is embedded, content that
matches both. Source: OCI image-spec 1.1, descriptor.md.
"""

from __future__ import annotations

from hardtack.oci.digest import Digest
from hardtack.oci.errors import InvalidDescriptor, InvalidDigest, InvalidPlatform
from hardtack.oci.limits import field, string_list, string_map, text_field
from hardtack.oci.platform import Platform

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final

_SIZE_LIMIT = (1 << 63) - 1
_NOTHING: dict[str, str] = {}


class Descriptor:
    """A typed, sized pointer to content; immutable, equal when type, digest and size are.

    Attributes:
        media_type, digest, size: what it points at; size in bytes.
        platform: of an index's entry, else None.
        annotations: text to text, never None; not to be changed.
        urls: other places of the content; empty for nearly everything.
        artifact_type: of a manifest that is an artifact, else "".
        data: the content itself where it is embedded, else None.
    """

    __slots__ = (
        "annotations",
        "artifact_type",
        "data",
        "digest",
        "media_type",
        "platform",
        "size",
        "urls",
    )
    media_type: Final[str]
    digest: Final[Digest]
    size: Final[int]
    platform: Final[Platform | None]
    annotations: Final[dict[str, str]]
    urls: Final[tuple[str, ...]]
    artifact_type: Final[str]
    data: Final[bytes | None]

    def __init__(
        self,
        media_type: str,
        digest: Digest,
        size: int,
        platform: Platform | None = None,
        annotations: dict[str, str] | None = None,
        urls: tuple[str, ...] = (),
        artifact_type: str = "",
        data: bytes | None = None,
    ) -> None:
        self.media_type = media_type
        self.digest = digest
        self.size = size
        self.platform = platform
        self.annotations = annotations or _NOTHING
        self.urls = urls
        self.artifact_type = artifact_type
        self.data = data

    @classmethod
    def of(cls, media_type: str, content: bytes, algorithm: str = "sha256") -> Descriptor:
        """The descriptor of bytes at hand."""
        return cls(media_type, Digest.of(content, algorithm), len(content))

    @classmethod
    def from_json(cls, value: object, where: str = "") -> Descriptor:
        """Read a descriptor that somebody else wrote.

        Args:
            value: what JSON gave.
            where: its place in the document, for the error.
        Raises:
            InvalidDescriptor: a missing or ill-typed field, a malformed digest, a negative size, or embedded data
                that do not match.
        """
        if type(value) is not dict:
            raise InvalidDescriptor("it must be an object", where)
        refusal = InvalidDescriptor
        size = field(value, "size", int, refusal, where)
        if size is None or not 0 <= size <= _SIZE_LIMIT:
            raise refusal("size must be a number of bytes", where)
        try:
            digest = Digest(text_field(value, "digest", refusal, where))
            platform = field(value, "platform", dict, refusal, where)
            platform = None if platform is None else Platform.from_json(platform)
        except (InvalidDigest, InvalidPlatform) as error:
            raise refusal(error.message, where) from None
        return cls(
            text_field(value, "mediaType", refusal, where, 255),
            digest,
            size,
            platform,
            string_map(value, "annotations", refusal, where),
            tuple(string_list(value, "urls", refusal, where)),
            text_field(value, "artifactType", refusal, where, 255),
            _embedded(value, digest, size, where) if value.get("data") is not None else None,
        )

    def to_json(self) -> dict[str, Any]:
        """The descriptor as JSON has it, fields in the specification's order, annotations sorted."""
        value: dict[str, Any] = {"mediaType": self.media_type, "digest": str(self.digest), "size": self.size}
        if self.urls:
            value["urls"] = list(self.urls)
        if self.annotations:
            value["annotations"] = dict(sorted(self.annotations.items()))
        if self.data is not None:
            import binascii

            value["data"] = binascii.b2a_base64(self.data, newline=False).decode()
        if self.platform is not None:
            value["platform"] = self.platform.to_json()
        if self.artifact_type:
            value["artifactType"] = self.artifact_type
        return value

    def _key(self) -> tuple[str, Digest, int]:
        return (self.media_type, self.digest, self.size)

    def __eq__(self, other: object) -> bool:
        return self._key() == other._key() if isinstance(other, Descriptor) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._key())

    def __repr__(self) -> str:
        return f"Descriptor({self.media_type!r}, {str(self.digest)!r}, {self.size})"


def _embedded(value: dict[str, Any], digest: Digest, size: int, where: str) -> bytes:
    import binascii

    text = field(value, "data", str, InvalidDescriptor, where)
    try:
        data = binascii.a2b_base64(text, strict_mode=True)
    except ValueError:
        raise InvalidDescriptor("data must be base64", where) from None
    if len(data) != size or Digest.of(data, digest.algorithm) != digest:
        raise InvalidDescriptor("data are not what the digest and size name", where)
    return data
