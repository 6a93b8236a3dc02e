"""The instructions that change an image's config and no file: applied to a state, told to its history.

Pure: the same state and instruction give the same state. The words of the history follow docker's builder, so that
tools which read it keep working.
"""

from __future__ import annotations

from hardtack.build.context.glob import clean
from hardtack.build.dockerfile import expand
from hardtack.build.dockerfile import instructions as ins
from hardtack.build.dockerfile.duration import format_duration
from hardtack.build.dockerfile.text import quote_list
from hardtack.build.errors import DockerfileError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from hardtack.build.arguments import Arguments
    from hardtack.build.state import State

MAX_PORTS = 65_536
MAX_SHORT = 4096


def apply(state: State, step: ins.Instruction, arguments: Arguments, escape: str) -> None:
    """Apply an instruction that makes no layer.

    Raises:
        DockerfileError: a value that cannot be expanded or means nothing; without a place.
    """
    if isinstance(step, ins.Arg):
        _arg(state, step, arguments, escape)
    else:
        _RULES[type(step)](state, step, escape)


def makes_layer(step: ins.Instruction) -> bool:
    """Whether an instruction changes files, and so is not for this module."""
    return isinstance(step, (ins.Run, ins.Copy, ins.Workdir))


def _env(state: State, step: ins.Env, escape: str) -> None:
    pairs = [
        (expand(name, state.variables, escape).text, expand(value, state.variables, escape).text)
        for name, value in step.pairs
    ]
    for name, value in pairs:
        if not name or "=" in name:
            raise DockerfileError(f"{name!r} cannot name a variable")
        state.set_env(name, value)
    state.note("ENV " + " ".join(f"{name}={value}" for name, value in pairs))


def _label(state: State, step: ins.Label, escape: str) -> None:
    labels = state.config.setdefault("Labels", {})
    shown = []
    for name, value in step.pairs:
        key, text = expand(name, state.variables, escape).text, expand(value, state.variables, escape).text
        if not key:
            raise DockerfileError("LABEL with an empty name")
        state.spend(key + text)
        labels[key] = text
        shown.append(f"{key}={text}")
    state.note("LABEL " + " ".join(shown))


def _arg(state: State, step: ins.Arg, arguments: Arguments, escape: str) -> None:
    shown = []
    for name, value in arguments.declare(step, state.variables, escape):
        if value is not None:
            state.variables[name] = value
        state.declared[name] = value
        shown.append(name if value is None else f"{name}={value}")
    state.note("ARG " + " ".join(shown))


def _cmd(state: State, step: ins.Cmd, _escape: str) -> None:
    args = shell_words(state, step)
    state.config["Cmd"] = args
    state.config["ArgsEscaped"] = True
    state.given_cmd = True
    state.note(f"CMD {quote_list(args)}")


def _entrypoint(state: State, step: ins.Entrypoint, _escape: str) -> None:
    args = shell_words(state, step)
    if args:
        state.config["Entrypoint"] = args
    else:
        state.config.pop("Entrypoint", None)
    if not state.given_cmd:
        state.config.pop("Cmd", None)
    state.note(f"ENTRYPOINT {quote_list(args)}")


def shell_words(state: State, step: ins.Command) -> list[str]:
    """The words of a command; the shell form is given to the shell of the moment."""
    return [*state.shell, step.args[0] if step.args else ""] if step.shell else list(step.args)


def _volume(state: State, step: ins.Volume, escape: str) -> None:
    words = [expand(word, state.variables, escape).text for word in step.words]
    if "" in words:
        raise DockerfileError("VOLUME needs a path, and one of them is empty")
    state.config.setdefault("Volumes", {}).update({word: {} for word in words})
    state.note(f"VOLUME [{' '.join(words)}]")


def _shell(state: State, step: ins.Shell, _escape: str) -> None:
    state.config["Shell"] = step.words
    state.note(f"SHELL [{' '.join(step.words)}]")


def _onbuild(state: State, step: ins.Onbuild, _escape: str) -> None:
    state.spend(step.text)
    state.config.setdefault("OnBuild", []).append(step.text)


def _maintainer(state: State, step: ins.Maintainer, _escape: str) -> None:
    state.author = _short(step.text)
    state.note(f"MAINTAINER {step.text}")


def _user(state: State, step: ins.User, escape: str) -> None:
    state.config["User"] = _short(expand(step.text, state.variables, escape).text)
    state.note(f"USER {state.config['User']}")


def _stopsignal(state: State, step: ins.Stopsignal, escape: str) -> None:
    from hardtack.linux.signals import number

    value = expand(step.text, state.variables, escape).text
    if number(value) is None:
        raise DockerfileError(f"unknown signal {value[:40]!r}")
    state.config["StopSignal"] = value
    state.note(f"STOPSIGNAL {value}")


def _short(text: str) -> str:
    """Texts of a config are read with this bound everywhere."""
    if len(text) > MAX_SHORT:
        raise DockerfileError(f"a value of more than {MAX_SHORT:,} characters")
    return text


def workdir(state: State, step: ins.Workdir, escape: str) -> str:
    """The directory that a WORKDIR means, absolute and clean."""
    path = expand(step.text, state.variables, escape).text
    return _short(clean(path if path.startswith("/") else f"{state.workdir}/{path}"))


def _healthcheck(state: State, step: ins.Healthcheck, _escape: str) -> None:
    check: dict[str, Any] = {"Test": step.test}
    timings = (
        ("Interval", step.interval),
        ("Timeout", step.timeout),
        ("StartPeriod", step.start_period),
        ("StartInterval", step.start_interval),
    )
    check.update({name: value for name, value in timings if value})
    if step.retries:
        check["Retries"] = step.retries
    state.config["Healthcheck"] = check
    shown = " ".join(f"{name}:{format_duration(value)}" for name, value in timings)
    state.note(f"HEALTHCHECK {{Test:[{' '.join(step.test)}] {shown} Retries:{step.retries}}}")


def _expose(state: State, step: ins.Expose, escape: str) -> None:
    words = [word for text in step.words for word in expand(text, state.variables, escape).words]
    ports = [port for word in words for port in ports_of(word)]
    exposed = state.config.setdefault("ExposedPorts", {})
    exposed.update({port: {} for port in ports})
    if len(exposed) > MAX_PORTS:
        raise DockerfileError("EXPOSE of more ports than there are")
    state.note(f"EXPOSE [{' '.join(ports)}]")


def ports_of(word: str) -> list[str]:
    """The ports of one word of EXPOSE: `80`, `80/udp`, `8000-8010/tcp`; a host part in front means nothing.

    Raises:
        DockerfileError: no port, a number past 65535, an unknown protocol. Source: Docker, nat.ParsePortSpecs.
    """
    container = word.rpartition(":")[2]
    span, _, protocol = container.partition("/")
    protocol = protocol.lower() or "tcp"
    if protocol not in ("tcp", "udp", "sctp"):
        raise DockerfileError(f"unknown protocol {protocol[:20]!r} in {word[:60]!r}", hint="It is tcp, udp or sctp")
    low, dash, high = span.partition("-")
    first, last = _port(low, word), _port(high, word) if dash else _port(low, word)
    if last < first:
        raise DockerfileError(f"the range {span[:40]!r} goes backwards")
    return [f"{port}/{protocol}" for port in range(first, last + 1)]


def _port(text: str, word: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 6 or int(text) > 65_535:
        raise DockerfileError(f"{word[:60]!r} is no port", hint="Write a number up to 65535, a range, or 80/udp")
    return int(text)


_RULES: dict[type[ins.Instruction], Callable[[State, Any, str], None]] = {
    ins.Env: _env,
    ins.Label: _label,
    ins.Cmd: _cmd,
    ins.Entrypoint: _entrypoint,
    ins.Expose: _expose,
    ins.Volume: _volume,
    ins.Shell: _shell,
    ins.Healthcheck: _healthcheck,
    ins.Onbuild: _onbuild,
    ins.Maintainer: _maintainer,
    ins.User: _user,
    ins.Stopsignal: _stopsignal,
}
