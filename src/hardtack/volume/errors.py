"""What can go wrong with volumes and mounts, each with its facts as attributes and docker's exit code."""

from __future__ import annotations

from hardtack.errors import TackError


class VolumeError(TackError):
    """The root of this family."""


class InvalidMount(VolumeError):
    """A value of -v, --mount or --tmpfs, or an entry of a create request, has no meaning."""

    exit_code = 125

    def __init__(self, text: str, why: str, hint: str = "") -> None:
        super().__init__(f"invalid mount {text}: {why}", hint)
        self.text = text
        self.why = why


class MountUnsupported(VolumeError):
    """A mount option that is understood and cannot be honoured here; refused, never ignored."""

    exit_code = 125

    def __init__(self, what: str, why: str, hint: str = "") -> None:
        super().__init__(f"cannot use {what}: {why}", hint)
        self.what = what


class BindSourceMissing(VolumeError):
    """A path of the host that --mount names does not exist."""

    exit_code = 125

    def __init__(self, path: str) -> None:
        super().__init__(
            f'invalid mount config for type "bind": bind source path does not exist: {path}',
            "Make it, or use -v, which makes a directory",
        )
        self.path = path


class InvalidVolumeName(VolumeError):
    """Text that is no name of a volume."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f'create {name}: "{name}" includes invalid characters for a local volume name, or is shorter than two,'
            ' only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed',
            "If you intended to pass a host directory, use an absolute path",
        )
        self.name = name


class NoSuchVolume(VolumeError):
    """No volume has this name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"get {name}: no such volume", "See `tack volume ls` for those there are")
        self.name = name


class VolumeInUse(VolumeError):
    """Containers use the volume, running or not."""

    def __init__(self, name: str, containers: list[str]) -> None:
        super().__init__(
            f"remove {name}: volume is in use - [{', '.join(containers)}]", "Remove the containers first: tack rm"
        )
        self.name = name
        self.containers = containers


class VolumeDiffers(VolumeError):
    """A volume of this name exists with other options."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"a volume with the name {name} exists with other options", "Choose another name, or remove it"
        )
        self.name = name


class CopyUpFailed(VolumeError):
    """What the image has at a path could not be copied into the volume; the next start goes on with it."""

    exit_code = 125

    def __init__(self, volume: str, path: str, why: str) -> None:
        super().__init__(f"cannot fill volume {volume} with what the image has at {path}: {why}")
        self.volume = volume
        self.path = path
