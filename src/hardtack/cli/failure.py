"""How a failure ends: one line on standard error and an exit code, decided here and nowhere else."""

from __future__ import annotations

import os
import sys

from hardtack.cli.parse import UsageError
from hardtack.errors import TackError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardtack.cli.parse import Command
    from hardtack.cli.streams import Streams

BROKEN_PIPE_EXIT = 141  # 128 + SIGPIPE, as the shell reports a program that the signal ended


def report(error: BaseException, streams: Streams, path: str, command: Command, debug: bool) -> int:
    """Print what failed and return the exit code.

    Args:
        error: what was raised.
        streams: where to print; a reader that went away is no failure worth a line.
        path: the command as it was called.
        command: its table, for the usage line and the exit code of failures.
        debug: whether to show where the failure came from.
    """
    if isinstance(error, BrokenPipeError) and _reader_left():
        _silence_output()
        return BROKEN_PIPE_EXIT
    line, code = describe(error, command)
    line = visible(line)
    _flush(streams)
    if debug:
        import traceback

        streams.err.write(visible("".join(traceback.format_exception(error))))
    if isinstance(error, UsageError):
        usage = f"{path} {command.usage}".rstrip()
        line += f"\n\nUsage:  {usage}\n\nRun '{path} --help' for more information"
    try:
        streams.err.write(f"tack: {line}\n")
        streams.err.flush()
    except OSError:
        pass
    return code


def describe(error: BaseException, command: Command) -> tuple[str, int]:
    """The line, without the program's name in front, and the exit code."""
    if isinstance(error, UsageError):
        return str(error), error.exit_code
    if isinstance(error, TackError):
        return str(error), command.failure if error.exit_code == 1 else error.exit_code
    if isinstance(error, ModuleNotFoundError) and error.name and not error.name.startswith("hardtack"):
        return (
            f"this command needs the Python package {error.name}, which is not installed. "
            "Install hardtack with its extras: pip install 'hardtack[all]'."
        ), command.failure
    if isinstance(error, OSError) and error.errno is not None and error.strerror:
        names = " and ".join(str(name) for name in (error.filename, error.filename2) if name is not None)
        cause = error.strerror[:1].lower() + error.strerror[1:]
        return f"{names}: {cause}" if names else f"the system refused: {cause}", command.failure
    text = " ".join(str(error).split())[:300]
    kind = type(error).__name__
    line = f"internal error: {kind}{': ' if text else ''}{text}"
    return f"{line}. Run again with --debug in front of the command to see where.", command.failure


def visible(text: str) -> str:
    """A message fit for a terminal. It quotes strangers, and none of them may move the cursor."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)


def _flush(streams: Streams) -> None:
    try:
        streams.out.flush()
    except (OSError, ValueError):
        pass


def _reader_left() -> bool:
    import select

    poll = select.poll()
    for descriptor in (1, 2):
        poll.register(descriptor, 0)
    return any(event & select.POLLERR for _, event in poll.poll(0))


def _silence_output() -> None:
    # What is still buffered has nowhere to go; the interpreter would complain about it when it ends.
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.close(null)
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        pass
