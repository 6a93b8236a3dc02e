"""What can go wrong in a build, each with the facts a person needs to find the place.

A fault in the Dockerfile names the file and the line and shows the line; a step that failed carries what it printed
last and its exit code; a fault of the context names the path in it.
"""

from __future__ import annotations

from hardtack.errors import TackError


class BuildError(TackError):
    """Anything that ends a build."""


class DockerfileError(BuildError):
    """A Dockerfile that cannot be understood, or asks for what is not there.

    Args:
        reason: what is wrong, lower case, no full stop.
        line: number of the first line of the instruction, from 1; 0 when no line is meant.
        text: that line as written.
        file: the name to show, "Dockerfile" unless told otherwise.
        hint: what to do about it.
    """

    def __init__(self, reason: str, line: int = 0, text: str = "", file: str = "Dockerfile", hint: str = "") -> None:
        place = f"{file}:{line}" if line else file
        shown = f"\n{line:>6} | {printable(text)}" if line and text.strip() else ""
        super().__init__(f"{place}: {reason}{f'. {hint}' if hint else ''}{shown}")
        self.reason = reason
        self.line = line
        self.text = text
        self.file = file
        self.advice = hint

    def placed(self, line: int, text: str, file: str) -> DockerfileError:
        """Return the same fault at a place, for rules that know the reason but not the place."""
        return type(self)(self.reason, line, text, file, self.advice)


class ContextError(BuildError):
    """A context, stage or image that cannot be read, or does not hold what an instruction asks for.

    Attributes:
        path: in it; `where`: "the build context" or how the stage is called.
    """

    def __init__(self, path: str, reason: str, hint: str = "", where: str = "the build context") -> None:
        super().__init__(f"cannot use {path!r} of {where}: {reason}", hint)
        self.path = path
        self.reason = reason
        self.where = where


class StepFailed(BuildError):
    """A command of the build ended with another code than 0, or could not be started.

    Attributes:
        name: the step as the progress named it.
        exit_code: always 1, the build's own code; `code` is the command's.
        output: the last lines the step printed.
        excerpt: the instruction among its neighbours, ready to print.
    """

    def __init__(self, name: str, command: str, code: int, place: str, output: list[str], excerpt: str) -> None:
        shown = printable(" ".join(command.split()), 200)
        told = "Its last output is above" if output else "It printed nothing"
        super().__init__(
            f"cannot build: {place}: the command {shown!r} ended with exit code {code}",
            f"{told}; correct the instruction and build again, what succeeded is kept",
        )
        self.name = name
        self.command = command
        self.code = code
        self.place = place
        self.output = output
        self.excerpt = excerpt


class Unsupported(BuildError):
    """Something that docker's builder has and this one does not, named."""


def printable(text: str, limit: int = 400) -> str:
    """A piece of somebody's file made safe for a terminal: control characters shown, length bounded."""
    shown = "".join(c if c.isprintable() or c == "\t" else "\N{REPLACEMENT CHARACTER}" for c in text[:limit])
    return shown + ("…" if len(text) > limit else "")
