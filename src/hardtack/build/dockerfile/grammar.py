"""Statements become instructions, and instructions stages: the rules of each keyword.

Every rule that needs no variables and no files is checked here, so that a mistake in the last line is told before the
first command runs.
"""

from __future__ import annotations

from hardtack.build.dockerfile import instructions as ins
from hardtack.build.dockerfile.duration import MILLISECOND, parse_duration
from hardtack.build.dockerfile.flags import Flags, read_flags
from hardtack.build.dockerfile.lines import (
    Heredoc,
    Lines,
    Statement,
    heredoc_of,
    read_lines,
    split_statement,
    unknown_keyword,
)
from hardtack.build.dockerfile.mounts import check_mount
from hardtack.build.dockerfile.text import SPACES, json_words, split_blanks, split_words
from hardtack.build.errors import DockerfileError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Parser = Callable[[Statement, Flags, str], ins.Instruction]

MAX_STAGES = 1000
_NAME_CHARS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_.")


def parse(data: bytes | str, name: str = "Dockerfile") -> ins.Dockerfile:
    """Read a Dockerfile.

    Args:
        data: its content.
        name: how errors call it.
    Returns:
        Its stages with their instructions; variables are not replaced.
    Raises:
        DockerfileError: with the line, whatever is wrong; nothing else, whatever the content.

    Source: Dockerfile reference; BuildKit's frontend where that is silent.
    """
    lines = read_lines(data, name)
    _check_syntax(lines)
    result = ins.Dockerfile(name, lines.lines, lines.escape)
    for line in lines.empty_continuations:
        result.warnings.append(f"{name}:{line}: empty line in a continued instruction")
    for statement in lines.statements:
        try:
            _place(result, statement, lines.escape)
        except DockerfileError as fault:
            raise lines.error(fault, statement.line) from None
    if not result.stages:
        reason = "no FROM, so there is nothing to build" if lines.statements else "no instructions"
        raise DockerfileError(reason, file=name)
    return result


def parse_trigger(text: str) -> ins.Instruction:
    """Read the instruction of an ONBUILD, from this file or from a base image's config.

    Raises:
        DockerfileError: not exactly one instruction, or one that is not allowed there; without a place.
    """
    lines = read_lines(text, "ONBUILD")
    if len(lines.statements) != 1:
        raise DockerfileError("ONBUILD takes exactly one instruction")
    statement = lines.statements[0]
    if statement.keyword in ("ONBUILD", "FROM", "MAINTAINER"):
        raise DockerfileError(f"{statement.keyword} is not allowed in ONBUILD")
    return instruction(statement, lines.escape)


def _check_syntax(lines: Lines) -> None:
    if not lines.syntax:
        return
    frontend = lines.syntax.split(" ")[0].lower().removeprefix("docker.io/").partition("@")[0].partition(":")[0]
    if frontend not in ("docker/dockerfile", "docker/dockerfile-upstream", "dockerfile"):
        line = next(i for i, text in enumerate(lines.lines, 1) if "syntax" in text.lower())
        raise lines.error(
            DockerfileError(
                f"the syntax {lines.syntax[:80]!r} is another language",
                hint="Only docker/dockerfile is understood, and it is built in",
            ),
            line,
        )


def _place(result: ins.Dockerfile, statement: Statement, escape: str) -> None:
    if statement.keyword == "FROM":
        if len(result.stages) >= MAX_STAGES:
            raise DockerfileError(f"more than {MAX_STAGES:,} stages")
        result.stages.append(_from(statement))
        return
    step = instruction(statement, escape)
    if result.stages:
        result.stages[-1].steps.append(step)
    elif isinstance(step, ins.Arg):
        result.arguments.append(step)
    else:
        raise DockerfileError(f"{statement.keyword} before the first FROM", hint="Only ARG may stand there")


def instruction(statement: Statement, escape: str) -> ins.Instruction:
    """Read one instruction other than FROM.

    Raises:
        DockerfileError: any rule broken; without a place.
    """
    parser = PARSERS.get(statement.keyword)
    if parser is None:
        raise unknown_keyword(statement.keyword, KEYWORDS)
    return parser(statement, read_flags(statement.keyword, statement.flags), escape)


def _from(statement: Statement) -> ins.Stage:
    words = split_blanks(statement.rest) if statement.rest else []
    flags = read_flags("FROM", statement.flags)
    name = ""
    if len(words) == 3 and words[1].lower() == "as":
        name = words[2].lower()
        if not ("a" <= name[:1] <= "z") or not _NAME_CHARS.issuperset(name):
            raise DockerfileError(
                f"{words[2][:60]!r} cannot name a stage",
                hint="A name begins with a letter and holds letters, digits, '-', '_' and '.'",
            )
    elif len(words) != 1:
        raise DockerfileError("FROM takes an image, or an image AS a name")
    return ins.Stage(statement, words[0], name, flags.text("platform"))


def _json_or_text(rest: str) -> tuple[list[str], bool]:
    """The exec form's words, or the text for the shell with True."""
    words = json_words(rest)
    if words is not None:
        return words, False
    return ([rest] if rest else []), True


def _run(statement: Statement, flags: Flags, _escape: str) -> ins.Run:
    args, shell = _json_or_text(statement.rest)
    if not args:
        raise DockerfileError("RUN without a command")
    run = ins.Run(statement, args, shell)
    run.mounts = flags.texts("mount")
    run.origins = [check_mount(text) for text in run.mounts]
    run.network = flags.text("network") or "default"
    if run.network not in ("default", "none", "host"):
        raise DockerfileError(f"unknown network {run.network[:40]!r}", hint="It is default, none or host")
    run.security = flags.text("security") or "sandbox"
    if run.security not in ("sandbox", "insecure"):
        raise DockerfileError(f"unknown security {run.security[:40]!r}", hint="It is sandbox or insecure")
    if flags.texts("device"):
        raise DockerfileError("RUN --device is not supported")
    return run


def _cmd(statement: Statement, _flags: Flags, _escape: str) -> ins.Cmd:
    return ins.Cmd(statement, *_json_or_text(statement.rest))


def _entrypoint(statement: Statement, _flags: Flags, _escape: str) -> ins.Entrypoint:
    return ins.Entrypoint(statement, *_json_or_text(statement.rest))


def _shell(statement: Statement, _flags: Flags, _escape: str) -> ins.Shell:
    words = json_words(statement.rest)
    if words is None:
        raise DockerfileError('SHELL takes the JSON form only: SHELL ["/bin/sh", "-c"]')
    if not words:
        raise DockerfileError("SHELL needs at least one word")
    return ins.Shell(statement, words)


def _pairs(statement: Statement, escape: str) -> list[tuple[str, str]]:
    """`key=value …`, or the old form `key value` where the value is the rest of the line."""
    keyword = statement.keyword
    words = split_words(statement.rest, escape)
    if not words:
        raise DockerfileError(f"{keyword} needs a name and a value")
    if "=" not in words[0]:
        pieces = split_blanks(statement.rest, 2)
        if len(pieces) < 2:
            raise DockerfileError(f"{keyword} {pieces[0][:60]} has no value", hint=f"Write {keyword} name=value")
        return [(pieces[0], pieces[1])]
    pairs = []
    for word in words:
        key, equals, value = word.partition("=")
        if not equals:
            raise DockerfileError(f"no '=' in {word[:60]!r}", hint=f"Write {keyword} name=value name2=value2")
        if not key:
            raise DockerfileError(f"{keyword} with an empty name")
        pairs.append((key, value))
    return pairs


def _env(statement: Statement, _flags: Flags, escape: str) -> ins.Env:
    return ins.Env(statement, _pairs(statement, escape))


def _label(statement: Statement, _flags: Flags, escape: str) -> ins.Label:
    return ins.Label(statement, _pairs(statement, escape))


def _arg(statement: Statement, _flags: Flags, escape: str) -> ins.Arg:
    words = split_words(statement.rest, escape)
    if not words:
        raise DockerfileError("ARG needs a name")
    pairs: list[tuple[str, str | None]] = []
    for word in words:
        name, equals, value = word.partition("=")
        if not name:
            raise DockerfileError("ARG with an empty name")
        pairs.append((name, value if equals else None))
    return ins.Arg(statement, pairs)


def _copy(statement: Statement, flags: Flags, _escape: str) -> ins.Copy:
    words = json_words(statement.rest)
    if words is None:
        words = split_blanks(statement.rest) if statement.rest else []
    keyword = statement.keyword
    if len(words) < 2:
        raise DockerfileError(f"{keyword} needs at least a source and a destination")
    if heredoc_of(words[-1]):
        raise DockerfileError(f"{keyword} takes no here-document as its destination")
    announced = {document.name: document for document in statement.heredocs}
    sources: list[str] = []
    documents: list[Heredoc] = []
    for word in words[:-1]:
        document = heredoc_of(word) if statement.heredocs else None
        if document is None:
            sources.append(word)
        elif document.name in announced:
            documents.append(announced[document.name])
        else:
            raise DockerfileError(f"the here-document {document.name!r} has no content")
    copy = ins.Copy(statement, sources, documents, words[-1])
    copy.origin = flags.text("from")
    if "$" in copy.origin[:-1]:
        raise DockerfileError(
            "--from takes no variables", hint="Name a stage with FROM … AS and an ARG, and use its name"
        )
    copy.chown, copy.chmod = flags.text("chown"), flags.text("chmod")
    copy.checksum, copy.exclude = flags.text("checksum"), flags.texts("exclude")
    copy.link, copy.parents = bool(flags.switch("link")), bool(flags.switch("parents"))
    copy.keep_git, copy.unpack = flags.switch("keep-git-dir"), flags.switch("unpack")
    return copy


def _expose(statement: Statement, _flags: Flags, _escape: str) -> ins.Expose:
    if not statement.rest:
        raise DockerfileError("EXPOSE needs a port")
    return ins.Expose(statement, sorted(split_blanks(statement.rest)))


def _volume(statement: Statement, _flags: Flags, _escape: str) -> ins.Volume:
    words = json_words(statement.rest)
    if words is None:
        words = split_blanks(statement.rest) if statement.rest else []
    words = [word.strip(SPACES) for word in words]
    if not words or "" in words:
        raise DockerfileError("VOLUME needs a path")
    return ins.Volume(statement, words)


def _one(statement: Statement, what: str) -> str:
    if not statement.rest:
        raise DockerfileError(f"{statement.keyword} needs {what}")
    return statement.rest


def _workdir(statement: Statement, _flags: Flags, _escape: str) -> ins.Workdir:
    return ins.Workdir(statement, _one(statement, "a path"))


def _user(statement: Statement, _flags: Flags, _escape: str) -> ins.User:
    return ins.User(statement, _one(statement, "a user"))


def _stopsignal(statement: Statement, _flags: Flags, _escape: str) -> ins.Stopsignal:
    return ins.Stopsignal(statement, _one(statement, "a signal"))


def _maintainer(statement: Statement, _flags: Flags, _escape: str) -> ins.Maintainer:
    return ins.Maintainer(statement, _one(statement, "a name"))


def _onbuild(statement: Statement, _flags: Flags, escape: str) -> ins.Onbuild:
    if not statement.rest:
        raise DockerfileError("ONBUILD needs an instruction")
    keyword, _, _ = split_statement(statement.rest, escape)
    if keyword in ("ONBUILD", "FROM", "MAINTAINER"):
        raise DockerfileError(f"{keyword} is not allowed in ONBUILD")
    documents = "".join(f"\n{document.content}{document.name}" for document in statement.heredocs)
    text = statement.rest + documents
    parse_trigger(text)
    return ins.Onbuild(statement, text)


def _healthcheck(statement: Statement, flags: Flags, _escape: str) -> ins.Healthcheck:
    pieces = split_blanks(statement.rest, 2) if statement.rest else [""]
    kind, rest = pieces[0].upper(), pieces[1] if len(pieces) > 1 else ""
    if kind == "NONE":
        if rest or flags.values:
            raise DockerfileError("HEALTHCHECK NONE takes no arguments")
        return ins.Healthcheck(statement, ["NONE"])
    if kind != "CMD":
        raise DockerfileError("HEALTHCHECK takes CMD or NONE", hint="Write HEALTHCHECK CMD command")
    args, shell = _json_or_text(rest)
    if not args:
        raise DockerfileError("HEALTHCHECK CMD without a command")
    check = ins.Healthcheck(statement, ["CMD-SHELL" if shell else "CMD", *args])
    for name in ("interval", "timeout", "start-period", "start-interval"):
        setattr(check, name.replace("-", "_"), _interval(name, flags.text(name)))
    retries = flags.text("retries")
    if retries:
        digits = retries.removeprefix("+")
        if not (digits.isascii() and digits.isdigit()) or len(digits) > 10 or int(digits) >= 1 << 31:
            raise DockerfileError(f"--retries is a whole number, not {retries[:40]!r}")
        check.retries = int(digits)
    return check


def _interval(name: str, text: str) -> int:
    value = parse_duration(text) if text else 0
    if value and value < MILLISECOND:
        raise DockerfileError(f"--{name} cannot be less than 1ms")
    return value


PARSERS: dict[str, Parser] = {
    "ADD": _copy,
    "ARG": _arg,
    "CMD": _cmd,
    "COPY": _copy,
    "ENTRYPOINT": _entrypoint,
    "ENV": _env,
    "EXPOSE": _expose,
    "HEALTHCHECK": _healthcheck,
    "LABEL": _label,
    "MAINTAINER": _maintainer,
    "ONBUILD": _onbuild,
    "RUN": _run,
    "SHELL": _shell,
    "STOPSIGNAL": _stopsignal,
    "USER": _user,
    "VOLUME": _volume,
    "WORKDIR": _workdir,
}
KEYWORDS = (*PARSERS, "FROM")
