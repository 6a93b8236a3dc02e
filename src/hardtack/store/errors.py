"""What can go wrong in the store, each with its facts as attributes."""

from __future__ import annotations

from hardtack.errors import TackError


class StoreError(TackError):
    """The root of the store's failures."""


class RootUnusable(StoreError):
    """The root directory or its database cannot be used as it is."""

    def __init__(self, path: str, why: str, hint: str = "") -> None:
        super().__init__(f"cannot open the store at {path}: {why}", hint)
        self.path = path


class BlobUnknown(StoreError):
    """No blob with this digest is held."""

    def __init__(self, digest: str) -> None:
        super().__init__(f"cannot read {digest}: the store does not hold it", "Pull or load its image again")
        self.digest = digest


class BlobTooLarge(StoreError):
    """A blob is larger than what its reader is ready to hold in memory."""

    def __init__(self, digest: str, size: int, limit: int) -> None:
        super().__init__(f"cannot read {digest}: it has {size:,} bytes where at most {limit:,} are accepted")
        self.digest = digest
        self.size = size
        self.limit = limit


class DigestMismatch(StoreError):
    """The bytes that arrived are not those that the digest names; they were thrown away.

    Attributes:
        resumed: some of the bytes came from an earlier attempt, so that one fresh attempt makes sense.
    """

    def __init__(self, expected: str, actual: str, resumed: bool = False) -> None:
        super().__init__(f"cannot accept {expected}: the bytes that arrived are {actual}; they were discarded")
        self.expected = expected
        self.actual = actual
        self.resumed = resumed


class SizeMismatch(StoreError):
    """More or fewer bytes arrived than were announced.

    Too few are kept for the next attempt, too many are thrown away.
    """

    def __init__(self, digest: str, expected: int, actual: int) -> None:
        kept = "what arrived is kept" if actual < expected else "they were discarded"
        super().__init__(f"cannot accept {digest}: {actual:,} bytes arrived where {expected:,} were announced; {kept}")
        self.digest = digest
        self.expected = expected
        self.actual = actual


class IngestBusy(StoreError):
    """Another process or thread is taking in the same blob.

    Attributes:
        held: how many bytes it has.
        file: device and inode of its partial file, which carries the lock.
    """

    def __init__(self, digest: str, held: int, file: tuple[int, int]) -> None:
        super().__init__(f"cannot store {digest}: another process is storing it now", "Wait for it")
        self.digest = digest
        self.held = held
        self.file = file


class StoreBusy(StoreError):
    """Another process held the database's write lock for longer than anything should."""

    def __init__(self, path: str) -> None:
        super().__init__(
            f"cannot change the store at {path}: another process has been writing for too long",
            "Look for a stopped `tack` process, and try again",
        )
        self.path = path


class StoreFull(StoreError):
    """The file system of the root has no space, no inodes or no quota left."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"cannot {what}: no space left on the file system of the store",
            "Free some, for example by `tack system prune`",
        )


class ContentMissing(StoreError):
    """What was to be kept is gone: a collection took it before it was held."""

    def __init__(self, digest: str) -> None:
        super().__init__(f"cannot keep {digest}: it is not in the store any more", "Run the command again")
        self.digest = digest


class ImageUnknown(StoreError):
    """No image has this name, id or digest."""

    def __init__(self, text: str) -> None:
        super().__init__(f"No such image: {text}")
        self.text = text


class ImageAmbiguous(StoreError):
    """A short id fits more than one image."""

    def __init__(self, text: str, count: int) -> None:
        super().__init__(f"cannot choose an image: {text} fits {count} images", "Give more digits of the id")
        self.text = text
        self.count = count
