"""What the registry refuses or cannot do, each with its facts as attributes; topics with a folder have theirs there.

`code` is the distribution specification's word for it; the HTTP status belongs to the edge, `api/answers.py`.

Source: OCI distribution-spec 1.1, "Error Codes".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hardtack.errors import TackError

if TYPE_CHECKING:
    from collections.abc import Iterable


class RegistryError(TackError):
    """The root of the family.

    Attributes:
        code: the specification's error code.
        detail: facts for a program, or None.
    """

    code = "UNKNOWN"

    def __init__(self, message: str, hint: str = "", detail: object = None) -> None:
        super().__init__(message, hint)
        self.detail = detail


class CannotServe(RegistryError):
    """The server cannot start as it was asked to."""


class NameInvalid(RegistryError):
    """A repository name outside the grammar, or one that the registry keeps for itself."""

    code = "NAME_INVALID"

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"invalid repository name: {why}", detail={"name": name[:300]})
        self.name = name


class TagInvalid(RegistryError):
    """A tag outside the grammar."""

    code = "MANIFEST_INVALID"

    def __init__(self, tag: str) -> None:
        super().__init__(
            "invalid tag: up to 128 letters, digits, dots, dashes and underscores, not beginning with a dot or dash",
            detail={"tag": tag[:300]},
        )
        self.tag = tag


class DigestInvalid(RegistryError):
    """A malformed digest, or one that the uploaded bytes do not have."""

    code = "DIGEST_INVALID"

    def __init__(self, why: str, detail: object = None) -> None:
        super().__init__(why, detail=detail)


class RepositoryUnknown(RegistryError):
    """No repository has this name."""

    code = "NAME_UNKNOWN"

    def __init__(self, name: str) -> None:
        super().__init__(f"no repository is named {name}", detail={"name": name})
        self.name = name


class BlobUnknown(RegistryError):
    """The repository does not hold this blob."""

    code = "BLOB_UNKNOWN"

    def __init__(self, digest: str) -> None:
        super().__init__("the repository holds no such blob", detail={"digest": digest})
        self.digest = digest


class BlobInUse(RegistryError):
    """A blob that a manifest of the repository needs is not deleted alone."""

    code = "DENIED"

    def __init__(self, digest: str, manifest: str) -> None:
        super().__init__(
            f"the blob belongs to manifest {manifest}",
            "Delete the manifest; its blobs go with it",
            {"digest": digest, "manifest": manifest},
        )
        self.digest = digest
        self.manifest = manifest


class ManifestUnknown(RegistryError):
    """The repository has no such tag or manifest."""

    code = "MANIFEST_UNKNOWN"

    def __init__(self, reference: str) -> None:
        super().__init__("the repository has no such manifest", detail={"reference": reference[:300]})
        self.reference = reference


class ManifestInvalid(RegistryError):
    """The bytes are no manifest that we accept."""

    code = "MANIFEST_INVALID"


class ManifestTooLarge(RegistryError):
    """A manifest over the cap."""

    code = "MANIFEST_INVALID"

    def __init__(self, limit: int) -> None:
        super().__init__(f"the manifest is larger than {limit} bytes", detail={"limit": limit})
        self.limit = limit


class ManifestBlobUnknown(RegistryError):
    """A manifest needs content that the repository does not hold.

    Attributes:
        digests: what is missing.
    """

    code = "MANIFEST_BLOB_UNKNOWN"

    def __init__(self, digests: Iterable[str]) -> None:
        self.digests = tuple(digests)
        super().__init__(
            f"the manifest needs {len(self.digests)} blobs that the repository does not hold",
            "Push them first",
            [{"digest": digest} for digest in self.digests[:20]],
        )


class UploadUnknown(RegistryError):
    """No such upload session in this repository, or it has expired."""

    code = "BLOB_UPLOAD_UNKNOWN"

    def __init__(self, upload: str) -> None:
        super().__init__("the repository has no such upload", "Begin a new one", {"upload": upload[:64]})
        self.upload = upload


class UploadInvalid(RegistryError):
    """An upload request that contradicts itself."""

    code = "BLOB_UPLOAD_INVALID"


class UploadBusy(RegistryError):
    """Another request is writing to the same upload."""

    code = "BLOB_UPLOAD_INVALID"

    def __init__(self, upload: str) -> None:
        super().__init__("another request is writing to this upload", "Wait for it", {"upload": upload})
        self.upload = upload


class UploadOutOfOrder(RegistryError):
    """A chunk that does not begin where the last one ended.

    Attributes:
        offset: how many bytes the upload holds, and so where the next chunk begins.
    """

    code = "BLOB_UPLOAD_INVALID"

    def __init__(self, upload: str, offset: int) -> None:
        super().__init__(
            f"the next chunk begins at byte {offset}",
            "Ask for the upload's state and go on from there",
            {"offset": offset},
        )
        self.upload = upload
        self.offset = offset


class SizeInvalid(RegistryError):
    """Announced and actual length differ."""

    code = "SIZE_INVALID"


class Unauthorized(RegistryError):
    """Nobody is known to ask, and nobody in particular may; or the credentials are no good.

    Attributes:
        problem: RFC 6750's word for what is wrong with a token: invalid_token, insufficient_scope; else "".
    """

    code = "UNAUTHORIZED"

    def __init__(self, message: str = "authentication is required", hint: str = "Log in", problem: str = "") -> None:
        super().__init__(message, hint)
        self.problem = problem


class Denied(RegistryError):
    """The caller is known and may not."""

    code = "DENIED"

    def __init__(self, action: str, repository: str) -> None:
        super().__init__(f"not allowed to {action} {repository}".rstrip())
        self.action = action
        self.repository = repository


class Unsupported(RegistryError):
    """The address exists, the method on it does not.

    Attributes:
        methods: those that do.
    """

    code = "UNSUPPORTED"

    def __init__(self, methods: Iterable[str]) -> None:
        self.methods = tuple(methods)
        super().__init__(f"only {', '.join(self.methods)} are supported here")


class NoSuchAddress(RegistryError):
    """A path that is none of the API's."""

    code = "UNSUPPORTED"

    def __init__(self) -> None:
        super().__init__("the API has no such address")


class StorageFull(RegistryError):
    """No room left for blobs or metadata; what is there stays readable."""

    code = "INSUFFICIENT_STORAGE"

    def __init__(self) -> None:
        super().__init__(
            "the registry's disk is full", "Delete images, or ask whoever runs the registry for more space"
        )


class StorageBroken(RegistryError):
    """The disk or the database gave an error that is not "full"."""

    def __init__(self, why: str) -> None:
        super().__init__(f"the registry's storage failed: {why}", "Try again; if it persists, look at the server's log")


class BadRequest(RegistryError):
    """A request to the JSON API or a page that cannot be read or contradicts itself."""

    code = "BAD_REQUEST"


class TooLarge(RegistryError):
    """A body over the limit of its address."""

    code = "TOO_LARGE"

    def __init__(self, limit: int) -> None:
        super().__init__(f"the body is larger than {limit} bytes", detail={"limit": limit})
        self.limit = limit


class ReadOnly(RegistryError):
    """The registry takes no changes at present."""

    code = "UNSUPPORTED"

    def __init__(self) -> None:
        super().__init__(
            "the registry is read-only at present: nothing can be pushed or deleted", "Pulls go on; try again later"
        )


class SettingInvalid(RegistryError):
    """A setting of a repository or namespace that cannot be."""

    code = "SETTING_INVALID"


class RepositoryExists(RegistryError):
    """The name is taken."""

    code = "REPOSITORY_EXISTS"

    def __init__(self, name: str) -> None:
        super().__init__(f"there is a repository named {name} already", "Choose another name", {"name": name})
        self.name = name


class NotBuried(RegistryError):
    """Nothing of that name was deleted, or too long ago to be brought back."""

    code = "NOT_RESTORABLE"

    def __init__(self, repository: str, reference: str) -> None:
        super().__init__(
            f"{repository} has no deleted {reference[:200]} that is still kept",
            "Push it again",
            {"repository": repository, "reference": reference[:200]},
        )
        self.repository = repository
        self.reference = reference


class TagImmutable(RegistryError):
    """The repository says that tags such as this one never change."""

    code = "DENIED"

    def __init__(self, tag: str, pattern: str) -> None:
        super().__init__(
            f"the tag {tag} is immutable here: tags like {pattern} are neither moved nor deleted",
            "Use another tag, or have an administrator of the repository change that rule",
            {"tag": tag, "pattern": pattern},
        )
        self.tag = tag
        self.pattern = pattern


class QuotaExceeded(RegistryError):
    """No room left in a namespace.

    Attributes:
        used, limit, needed: bytes; what is needed may not be known yet, and then is 0.
    """

    code = "DENIED"

    def __init__(self, namespace: str, limit: int, used: int, needed: int) -> None:
        more = f", {needed:,} more are needed" if needed else ""
        super().__init__(
            f"the quota of {namespace} is used up: {used:,} of {limit:,} bytes are taken{more}",
            "Delete images there, or ask whoever runs the registry for more",
            {"quota": namespace, "limit": limit, "used": used, "needed": needed},
        )
        self.namespace = namespace
        self.limit = limit
        self.used = used
        self.needed = needed


class StorageUnreachable(StorageBroken):
    """The database, or the object store, does not answer, now; nothing is wrong with the request."""

    code = "UNAVAILABLE"

    def __init__(self, why: str, what: str = "database") -> None:
        RegistryError.__init__(self, f"the registry's {what} cannot be used: {why}", "Try again in a moment")
