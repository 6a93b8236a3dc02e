"""What a Dockerfile can say, one class per instruction: plain values as written, variables not yet replaced.

Every instruction knows its lines and its source; nothing here reads files or decides how it is carried out.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardtack.build.dockerfile.lines import Heredoc, Statement


class Instruction:
    """Anything but FROM.

    Attributes:
        keyword: in upper case; `source`: the joined line as written; `line`, `end`: first and last line.
    """

    __slots__ = ("end", "keyword", "line", "source")

    def __init__(self, statement: Statement) -> None:
        self.keyword = statement.keyword
        self.source = statement.source
        self.line = statement.line
        self.end = statement.end


class Command(Instruction):
    """RUN, CMD or ENTRYPOINT: `args` as written, `shell` when a shell reads them."""

    __slots__ = ("args", "shell")

    def __init__(self, statement: Statement, args: list[str], shell: bool) -> None:
        super().__init__(statement)
        self.args = args
        self.shell = shell


class Cmd(Command):
    """The default arguments of containers."""

    __slots__ = ()


class Entrypoint(Command):
    """The program of containers."""

    __slots__ = ()


class Run(Command):
    """A command run while building.

    Attributes:
        heredocs: its here-documents; `mounts`: `--mount` values as written; `origins`: their `from=`, in that order.
        network: default, none or host; `security`: sandbox or insecure.
    """

    __slots__ = ("heredocs", "mounts", "network", "origins", "security")

    def __init__(self, statement: Statement, args: list[str], shell: bool) -> None:
        super().__init__(statement, args, shell)
        self.heredocs: list[Heredoc] = statement.heredocs
        self.mounts: list[str] = []
        self.origins: list[str] = []
        self.network = "default"
        self.security = "sandbox"


class Copy(Instruction):
    """COPY or ADD (`adds`).

    Attributes:
        sources: paths; `documents`: here-documents as files; `destination`.
        origin: `--from`, "" for the context; `chown`, `chmod`, `checksum`: "" when not given.
        exclude: patterns; `link`, `parents`: flags; `keep_git`, `unpack`: None unless given.
    """

    __slots__ = (
        "adds", "checksum", "chmod", "chown", "destination", "documents", "exclude", "keep_git", "link", "origin",
        "parents", "sources", "unpack",
    )  # fmt: skip

    def __init__(self, statement: Statement, sources: list[str], documents: list[Heredoc], destination: str) -> None:
        super().__init__(statement)
        self.adds = statement.keyword == "ADD"
        self.sources = sources
        self.documents = documents
        self.destination = destination
        self.origin = ""
        self.chown = ""
        self.chmod = ""
        self.checksum = ""
        self.exclude: list[str] = []
        self.link = False
        self.parents = False
        self.keep_git: bool | None = None
        self.unpack: bool | None = None


class Pairs(Instruction):
    """ENV or LABEL: `pairs` of key and value in order."""

    __slots__ = ("pairs",)

    def __init__(self, statement: Statement, pairs: list[tuple[str, str]]) -> None:
        super().__init__(statement)
        self.pairs = pairs


class Env(Pairs):
    """Variables of the build and of containers."""

    __slots__ = ()


class Label(Pairs):
    """Labels of the image."""

    __slots__ = ()


class Arg(Instruction):
    """Build arguments: `pairs` of name and default, None without one."""

    __slots__ = ("pairs",)

    def __init__(self, statement: Statement, pairs: list[tuple[str, str | None]]) -> None:
        super().__init__(statement)
        self.pairs = pairs


class Words(Instruction):
    """EXPOSE, VOLUME or SHELL: several words."""

    __slots__ = ("words",)

    def __init__(self, statement: Statement, words: list[str]) -> None:
        super().__init__(statement)
        self.words = words


class Expose(Words):
    """Ports that containers listen on."""

    __slots__ = ()


class Volume(Words):
    """Paths that containers keep outside their layers."""

    __slots__ = ()


class Shell(Words):
    """The shell of the shell form."""

    __slots__ = ()


class Text(Instruction):
    """WORKDIR, USER, STOPSIGNAL, MAINTAINER or ONBUILD: one text."""

    __slots__ = ("text",)

    def __init__(self, statement: Statement, text: str) -> None:
        super().__init__(statement)
        self.text = text


class Workdir(Text):
    """The working directory from here on."""

    __slots__ = ()


class User(Text):
    """The user from here on."""

    __slots__ = ()


class Stopsignal(Text):
    """The signal that stops a container."""

    __slots__ = ()


class Maintainer(Text):
    """The author; kept for old files."""

    __slots__ = ()


class Onbuild(Text):
    """An instruction for images built from this one, as text."""

    __slots__ = ()


class Healthcheck(Instruction):
    """How to see that a container is well.

    Attributes:
        test: as in an image's config: ["NONE"], ["CMD", …] or ["CMD-SHELL", text].
        interval, timeout, start_period, start_interval: nanoseconds, 0 when not given; `retries`.
    """

    __slots__ = ("interval", "retries", "start_interval", "start_period", "test", "timeout")

    def __init__(self, statement: Statement, test: list[str]) -> None:
        super().__init__(statement)
        self.test = test
        self.interval = 0
        self.timeout = 0
        self.start_period = 0
        self.start_interval = 0
        self.retries = 0


class Stage:
    """A FROM and what follows it.

    Attributes:
        base: the image or stage as written; `name`: after AS, in lower case, "" without one; `platform`: as written.
        steps: the instructions; `line`, `end`, `source`: of the FROM.
    """

    __slots__ = ("base", "end", "line", "name", "platform", "source", "steps")

    def __init__(self, statement: Statement, base: str, name: str, platform: str) -> None:
        self.base = base
        self.name = name
        self.platform = platform
        self.line = statement.line
        self.end = statement.end
        self.source = statement.source
        self.steps: list[Instruction] = []


class Dockerfile:
    """A parsed Dockerfile.

    Attributes:
        name: shown in errors; `lines`: its raw lines; `escape`: its escape character.
        arguments: the ARGs before the first FROM; `stages`: in order.
        warnings: what docker would warn of, ready to print.
    """

    __slots__ = ("arguments", "escape", "lines", "name", "stages", "warnings")

    def __init__(self, name: str, lines: list[str], escape: str) -> None:
        self.name = name
        self.lines = lines
        self.escape = escape
        self.arguments: list[Arg] = []
        self.stages: list[Stage] = []
        self.warnings: list[str] = []

    def text(self, line: int) -> str:
        """A line as written, "" outside the file."""
        return self.lines[line - 1].rstrip("\r") if 0 < line <= len(self.lines) else ""

    def excerpt(self, first: int, last: int, around: int = 2) -> str:
        """An instruction among its neighbours, its own lines marked, as docker shows a failure."""
        last = min(last, first + 20)
        start, stop = max(1, first - around), min(len(self.lines), last + around)
        rows = []
        for number in range(start, stop + 1):
            mark = ">>>" if first <= number <= last else "   "
            rows.append(f"{number:>4} | {mark} {self.text(number)[:300]}")
        return "\n".join(["-" * 20, *rows, "-" * 20])
