"""Secrets of a build: read when a step needs them, given to it as files of a run directory or as variables.

They never touch the disk of the root, a layer, a config, a key of the cache or an error's text. The files go when the
step ends; those of a killed build when the next one begins, at the latest with a reboot.
"""

from __future__ import annotations

import os

from hardtack.build.errors import BuildError, DockerfileError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardtack.build.dockerfile.mounts import Mount
    from hardtack.build.options import Secret
    from hardtack.store.root import Root

MAX_BYTES = 500 << 10


def secret_id(mount: Mount) -> str:
    """The id that a mount names: its id, its source, or the last part of its target."""
    return mount.id or mount.source or mount.target.rstrip("/").rpartition("/")[2]


def value_of(secrets: dict[str, Secret], mount: Mount) -> bytes | None:
    """The value of a secret.

    Returns:
        None when nobody gave it and the mount does not need it.
    Raises:
        DockerfileError: nobody gave it.
        BuildError: its source cannot be read, or is too large.
    """
    ident = secret_id(mount)
    secret = secrets.get(ident)
    if secret is None:
        if mount.required:
            raise DockerfileError(f"the secret {ident[:60]!r} was not given", hint=f"Give it with --secret id={ident}")
        return None
    if secret.variable:
        value = os.environb.get(os.fsencode(secret.variable))
        if value is None:
            raise BuildError(f"cannot build: the variable {secret.variable} of the secret {ident!r} is not set")
    else:
        value = _read(secret.path, ident)
    if len(value) > MAX_BYTES:
        raise BuildError(f"cannot build: the secret {ident!r} has more than {MAX_BYTES >> 10} KiB")
    return value


def _read(path: str, ident: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise BuildError(
            f"cannot build: the secret {ident!r} cannot be read: {(error.strerror or '').lower()}"
        ) from None


def write_file(root: Root, ident: str, number: int, value: bytes, mount: Mount) -> str:
    """Put a secret into a file that only its owner may read, in the run directory.

    Args:
        ident: of the build's scratch folder; `number`: of the mount.
    Returns:
        Its path.
    """
    folder = _folder(root, ident)
    os.makedirs(folder, mode=0o700, exist_ok=True)
    path = f"{folder}/{number}-{os.urandom(4).hex()}"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, value)
        os.fchown(descriptor, mount.uid or 0, mount.gid or 0)
        os.fchmod(descriptor, 0o400 if mount.mode is None else mount.mode & 0o7777)
    finally:
        os.close(descriptor)
    return path


def forget(root: Root, ident: str) -> None:
    """Remove the files of a build's secrets."""
    folder = _folder(root, ident)
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return
    for name in names:
        os.unlink(f"{folder}/{name}")
    os.rmdir(folder)


def _folder(root: Root, ident: str) -> str:
    return f"{root.run}/build-{ident}"
