"""Taking a file of another folder in as a blob without copying its bytes: as a clone of it, or as a link to it.

The bytes are read and verified nevertheless. Blocking; where the file system can do neither, the caller copies.

Source: ioctl_ficlone(2); linkat(2), AT_SYMLINK_FOLLOW.
"""

from __future__ import annotations

import fcntl
import hashlib
import os

from hardtack.registry.errors import DigestInvalid

_FICLONE = 0x40049409


def share(descriptor: int, digest: str, path: str, link: bool) -> bool:
    """Make a file of the same bytes, fsynced.

    Args:
        descriptor: the other file, open for reading.
        path: where the new file comes into being.
        link: it may be the same file under another name.
    Returns:
        Whether it was made.
    Raises:
        DigestInvalid: the bytes are not what the digest names.
        OSError
    """
    if not (_cloned(descriptor, path) or (link and _linked(descriptor, path))):
        return False
    try:
        with open(path, "rb") as file:
            algorithm, _, expected = digest.partition(":")
            actual = hashlib.file_digest(file, algorithm).hexdigest()
            if actual != expected:
                raise DigestInvalid(
                    "the bytes do not have the digest of the blob", {"given": digest, "actual": f"{algorithm}:{actual}"}
                )
            os.fsync(file.fileno())
    except BaseException:
        os.unlink(path)
        raise
    return True


def _cloned(descriptor: int, path: str) -> bool:
    target = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        fcntl.ioctl(target, _FICLONE, descriptor)
    except OSError:  # another file system, or one that cannot
        os.unlink(path)
        return False
    finally:
        os.close(target)
    return True


def _linked(descriptor: int, path: str) -> bool:
    # Only with a directory does Python ask for linkat, and only that follows the name to the file itself.
    folder = os.open("/proc/self/fd", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.link(str(descriptor), path, src_dir_fd=folder, follow_symlinks=True)
    except OSError:
        return False
    finally:
        os.close(folder)
    return True
