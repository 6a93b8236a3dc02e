"""What an OCI runtime says when it cannot start a process, as docker's exit codes and as one sentence.

127 when the command is not there, 126 when it is but may not or cannot be run, 125 for all else. The texts are those
of crun and runc; another runtime's fall under the general rule.
"""

from __future__ import annotations

import os

from hardtack import jsontext
from hardtack.container.errors import StartFailed

_NOT_FOUND = ("executable file not found", "not found in $path", "no such file or directory", "missing dynamic library")
_NOT_RUNNABLE = (
    "permission denied",
    "is a directory",
    "not a directory",
    "exec format error",
    "not executable",
    "operation not permitted",
)
_ABOUT_EXEC = ("exec", "open executable", "find_executable")
_NOISE = (
    "OCI runtime",
    "runc create failed: ",
    "runc run failed: ",
    "unable to start container process: ",
    "container_linux.go:",
)
_LOG_LIMIT = 64 << 10


def last_error(log: str) -> str:
    """The last error in a runtime's log, of JSON lines or of crun's plain ones, or nothing."""
    try:
        descriptor = os.open(log, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return ""
    try:
        text = os.read(descriptor, _LOG_LIMIT).decode("utf-8", "replace")
    finally:
        os.close(descriptor)
    found = ""
    for line in text.splitlines():
        try:
            entry = jsontext.loads(line)
        except ValueError:
            found = line or found
            continue
        if type(entry) is dict and entry.get("level", "error") in ("error", "fatal") and entry.get("msg"):
            found = str(entry["msg"])
    return _tidy(found)


def _tidy(text: str) -> str:
    for noise in _NOISE:
        text = text.replace(noise, "")
    return " ".join(text.split()).rstrip(".")


def exit_code_of(reason: str, command: str) -> int:
    """docker's exit code for a reason that a runtime gave.

    Args:
        command: the first word of the process's arguments.
    """
    lower = reason.lower()
    if not _is_about(lower, command.lower()):
        return 125
    if any(text in lower for text in _NOT_RUNNABLE):
        return 126
    if any(text in lower for text in _NOT_FOUND):
        return 127
    return 125


def _is_about(lower: str, command: str) -> bool:
    """Whether the runtime speaks of running the command, and not of a mount or a limit."""
    if "executable file" in lower:
        return True
    return lower.startswith(_ABOUT_EXEC) and (
        not command or command in lower or "exec" in lower.split(":", maxsplit=1)[0]
    )


def start_failure(reason: str, command: str, name: str, doing: str = "start container") -> StartFailed:
    """The error to raise, in our form."""
    code = exit_code_of(reason, command)
    if code == 127:
        return StartFailed(
            f'cannot {doing} {name}: exec: "{command}": executable file not found in $PATH', code, _hint(command)
        )
    if code == 126:
        return StartFailed(f'cannot {doing} {name}: exec: "{command}": {_kernel_word(reason)}', code)
    return StartFailed(f"cannot {doing} {name}: {reason or 'the OCI runtime gave no reason'}", code)


def _hint(command: str) -> str:
    return "Is it a flag of tack? Flags come before the image" if command.startswith("-") else ""


def _kernel_word(reason: str) -> str:
    lower = reason.lower()
    return next((text for text in _NOT_RUNNABLE if text in lower), lower)
