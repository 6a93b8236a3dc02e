"""What can go wrong with a container, each failure with its facts as attributes and docker's exit code.

Messages that scripts look for ("No such container: x", "is already in use by container") begin as docker's do.
"""

from __future__ import annotations

from hardtack.errors import TackError


class ContainerError(TackError):
    """The root of this family."""


class NoSuchContainer(ContainerError):
    """No container has this name or id."""

    def __init__(self, text: str) -> None:
        super().__init__(f"No such container: {text}")
        self.text = text


class AmbiguousContainer(ContainerError):
    """A short id fits more than one container."""

    def __init__(self, text: str, count: int) -> None:
        super().__init__(f"cannot choose a container: {text} fits {count} ids", "Give more digits of the id")
        self.text = text
        self.count = count


class InvalidOption(ContainerError):
    """A flag, or a field of a create request, with a value that has no meaning."""

    exit_code = 125

    def __init__(self, option: str, value: object, why: str, hint: str = "") -> None:
        super().__init__(f'invalid argument "{value}" for {option}: {why}', hint)
        self.option = option
        self.value = value


class Unsupported(ContainerError):
    """Something that docker has and this program has not, or not on this host; refused, never ignored."""

    exit_code = 125

    def __init__(self, what: str, why: str, hint: str = "") -> None:
        super().__init__(f"cannot use {what}: {why}", hint)
        self.what = what


class NameInUse(ContainerError):
    """Another container has the name."""

    exit_code = 125

    def __init__(self, name: str, holder: str) -> None:
        super().__init__(
            f'Conflict. The container name "/{name}" is already in use by container "{holder}"',
            "You have to remove (or rename) that container to be able to reuse that name",
        )
        self.name = name
        self.holder = holder


class InvalidName(ContainerError):
    """Text that is no name of a container."""

    exit_code = 125

    def __init__(self, name: str) -> None:
        super().__init__(f"Invalid container name ({name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed")
        self.name = name


class WrongState(ContainerError):
    """The container's state has no transition for what was asked."""

    def __init__(self, doing: str, name: str, state: str, hint: str = "") -> None:
        super().__init__(f"cannot {doing} container {name}: it is {state}", hint)
        self.state = state


class NotRunning(ContainerError):
    """What was asked needs a running container."""

    def __init__(self, ident: str, doing: str = "") -> None:
        super().__init__(f"{f'cannot {doing}: ' if doing else ''}Container {ident} is not running")
        self.ident = ident


class StartFailed(ContainerError):
    """The container did not come to life.

    Attributes:
        exit_code: 127 when the command is not in the image, 126 when it may not be run, 125 for everything else.
    """

    def __init__(self, message: str, exit_code: int = 125, hint: str = "") -> None:
        super().__init__(message, hint)
        self.exit_code = exit_code


class NoRuntime(ContainerError):
    """No OCI runtime that works on this host."""

    exit_code = 125

    def __init__(self, reasons: str) -> None:
        import os

        hint = "Install crun or runc, or name one with --runtime"
        if os.geteuid() != 0:
            hint = "Run it as root: other users cannot start containers yet"
        super().__init__(f"cannot run containers: {reasons}", hint)


class RuntimeRefused(ContainerError):
    """The OCI runtime answered a request with an error."""

    exit_code = 125

    def __init__(self, doing: str, reason: str) -> None:
        super().__init__(f"cannot {doing}: {reason}")
        self.reason = reason


class StoppedWaiting(ContainerError):
    """The one who watched it asked it to end, again and again, and it did not."""

    exit_code = 130

    def __init__(self, ident: str) -> None:
        super().__init__(
            f"stopped waiting for container {ident[:12]}: it ignored three requests to end, and goes on running",
            f"Stop it with: tack stop {ident[:12]}",
        )
        self.ident = ident


class MonitorLost(ContainerError):
    """The process that watched the container has died."""

    def __init__(self, ident: str) -> None:
        super().__init__(
            f"lost the monitor of container {ident[:12]}: it was killed",
            f"See `tack inspect {ident[:12]}` for its state",
        )
        self.ident = ident
