"""Loop devices: a file as a block device, released by the kernel with its last user.

Promises a read-only device that needs no undo: it clears itself when the last mount and descriptor are gone
(LO_FLAGS_AUTOCLEAR). For kernels that cannot mount EROFS straight from a file (before Linux 6.12).
"""

from __future__ import annotations

import errno
import os

_LOOP_CTL_GET_FREE = 0x4C82
_LOOP_CONFIGURE = 0x4C0A
_READ_ONLY, _AUTOCLEAR = 1, 4
_CONFIG_SIZE = 304  # struct loop_config: fd, block_size, struct loop_info64 (232 bytes), reserved[8]


class Loop:
    """An attached loop device; keep it open until the mount is made, then `close`."""

    __slots__ = ("fd", "path")

    def __init__(self, path: str, fd: int) -> None:
        self.path = path
        self.fd = fd

    def __enter__(self) -> Loop:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.fd)


def attach(path: str, block_size: int = 512) -> Loop:
    """Make `path` readable as a block device.

    Args:
        path: a regular file; a last block that is not whole is not visible.
        block_size: of the device, in bytes.
    Raises:
        OSError: no loop devices here (ENOENT), no permission, or no free one.
    """
    import fcntl
    import struct

    backing = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        control = os.open("/dev/loop-control", os.O_RDWR | os.O_CLOEXEC)
        try:
            for _ in range(64):  # another process may take the free one first
                device = f"/dev/loop{fcntl.ioctl(control, _LOOP_CTL_GET_FREE)}"
                fd = os.open(device, os.O_RDONLY | os.O_CLOEXEC)
                config = bytearray(_CONFIG_SIZE)
                struct.pack_into("=II", config, 0, backing, block_size)
                struct.pack_into("=I", config, 8 + 52, _READ_ONLY | _AUTOCLEAR)  # loop_info64.lo_flags
                try:
                    fcntl.ioctl(fd, _LOOP_CONFIGURE, bytes(config))
                except OSError as error:
                    os.close(fd)
                    if error.errno != errno.EBUSY:
                        raise
                    continue
                return Loop(device, fd)
        finally:
            os.close(control)
    finally:
        os.close(backing)
    raise OSError(errno.EBUSY, "no free loop device", path)
