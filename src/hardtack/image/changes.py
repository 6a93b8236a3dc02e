"""`--change`: a few instructions of the Dockerfile language, applied to an image's config without a build.

CMD ENTRYPOINT ENV EXPOSE LABEL ONBUILD STOPSIGNAL USER VOLUME WORKDIR. Words are quoted and `$NAME` is replaced as in
a Dockerfile; a config that comes in is not changed, a new one goes out.

Source: moby, daemon/commit.go and builder/dockerfile, "BuildFromConfig".
"""

from __future__ import annotations

from hardtack.image.errors import ImageError
from hardtack.jsontext import loads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    Config = dict[str, Any]

_NAME = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")
_SHELL = ["/bin/sh", "-c"]


class BadChange(ImageError):
    """A change that is no instruction, or not one that can be made without a build."""

    def __init__(self, text: str, why: str) -> None:
        super().__init__(f"cannot make the change {text!r}: {why}")
        self.text = text
        self.why = why


def apply_changes(config: Config, changes: Iterable[str]) -> Config:
    """The config after the changes, in their order.

    Raises:
        BadChange: one cannot be read.
    """
    config = dict(config)
    for change in changes:
        word, _, rest = change.strip().partition(" ")
        make = _INSTRUCTIONS.get(word.upper())
        if make is None:
            known = ", ".join(sorted(_INSTRUCTIONS))
            raise BadChange(change, f"{word.upper() or 'nothing'} is not one of {known}")
        if not rest.strip():
            raise BadChange(change, f"{word.upper()} needs an argument")
        try:
            make(config, rest.strip())
        except ValueError as error:
            raise BadChange(change, str(error)) from None
    return config


def _cmd(config: Config, text: str) -> None:
    config["Cmd"] = _command(config, text)


def _entrypoint(config: Config, text: str) -> None:
    config["Entrypoint"] = _command(config, text)


def _command(config: Config, text: str) -> list[str]:
    listed = _list(text)
    return [*(config.get("Shell") or _SHELL), text] if listed is None else listed


def _env(config: Config, text: str) -> None:
    env = list(config.get("Env") or ())
    for key, value in _pairs(text, _expander(config)):
        env = [item for item in env if item.partition("=")[0] != key]
        env.append(f"{key}={value}")
    config["Env"] = env


def _label(config: Config, text: str) -> None:
    config["Labels"] = {**(config.get("Labels") or {}), **dict(_pairs(text, _expander(config)))}


def _expose(config: Config, text: str) -> None:
    ports = dict(config.get("ExposedPorts") or {})
    for word in _words(text, _expander(config)):
        span, _, protocol = word.partition("/")
        protocol = protocol.lower() or "tcp"
        low, dash, high = span.partition("-")
        if protocol not in ("tcp", "udp", "sctp") or not _is_port(low) or (dash and not _is_port(high)):
            raise ValueError(f"{word} is no port")
        if dash and int(high) < int(low):
            raise ValueError(f"{word} ends before it begins")
        for port in range(int(low), int(high or low) + 1):
            ports[f"{port}/{protocol}"] = {}
    config["ExposedPorts"] = ports


def _volume(config: Config, text: str) -> None:
    listed = _list(text)
    paths = _words(text, _expander(config)) if listed is None else listed
    if not all(paths):
        raise ValueError("a volume's path is empty")
    config["Volumes"] = {**(config.get("Volumes") or {}), **{path: {} for path in paths}}


def _workdir(config: Config, text: str) -> None:
    import posixpath

    path = "".join(_words(text, _expander(config))[:1])
    config["WorkingDir"] = posixpath.normpath(posixpath.join("/", config.get("WorkingDir") or "", path))


def _user(config: Config, text: str) -> None:
    words = _words(text, _expander(config))
    if len(words) != 1:
        raise ValueError("USER takes one user")
    config["User"] = words[0]


def _stopsignal(config: Config, text: str) -> None:
    config["StopSignal"] = text


def _onbuild(config: Config, text: str) -> None:
    if text.split(maxsplit=1)[0].upper() in ("ONBUILD", "FROM"):
        raise ValueError(f"{text.split(maxsplit=1)[0].upper()} cannot follow ONBUILD")
    config["OnBuild"] = [*(config.get("OnBuild") or ()), text]


_INSTRUCTIONS: dict[str, Callable[[Config, str], None]] = {
    "CMD": _cmd,
    "ENTRYPOINT": _entrypoint,
    "ENV": _env,
    "EXPOSE": _expose,
    "LABEL": _label,
    "ONBUILD": _onbuild,
    "STOPSIGNAL": _stopsignal,
    "USER": _user,
    "VOLUME": _volume,
    "WORKDIR": _workdir,
}


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 5 and 0 < int(text) <= 65535


def _list(text: str) -> list[str] | None:
    """A JSON list of texts, None for anything else, which then is the shell form."""
    if not text.startswith("["):
        return None
    try:
        value = loads(text)
    except ValueError:
        return None
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        return None
    return value


def _pairs(text: str, expand: Callable[[str], str]) -> list[tuple[str, str]]:
    """`a=1 b="2 3"`, or the old form `a 1 and the rest`."""
    first = text.split(None, 1)
    if "=" not in first[0]:
        if len(first) < 2:
            raise ValueError(f"{first[0]} has no value")
        return [(first[0], " ".join(_words(first[1], expand)))]
    found = []
    for word in _words(text, expand):
        key, equals, value = word.partition("=")
        if not equals or not key:
            raise ValueError(f"{word} is no name=value")
        found.append((key, value))
    return found


def _expander(config: Config) -> Callable[[str], str]:
    known = dict(item.partition("=")[::2] for item in config.get("Env") or ())
    return lambda name: known.get(name, "")


def _words(text: str, expand: Callable[[str], str]) -> list[str]:
    """Split into words: quotes, backslashes and `$NAME` as in a Dockerfile; none is replaced between single quotes."""
    words: list[str] = []
    word, quote, begun, position = "", "", False, 0
    while position < len(text):
        character = text[position]
        position += 1
        if not quote and character.isspace():
            if begun:
                words.append(word)
            word, begun = "", False
            continue
        begun = True
        if character == quote:
            quote = ""
        elif not quote and character in "'\"":
            quote = character
        elif character == "\\" and quote != "'" and position < len(text):
            word += text[position] if not quote or text[position] in '"$\\' else "\\" + text[position]
            position += 1
        elif character == "$" and quote != "'":
            value, position = _variable(text, position, expand)
            word += value
        else:
            word += character
    if quote:
        raise ValueError("a quote is not closed")
    if begun:
        words.append(word)
    return words


def _variable(text: str, position: int, expand: Callable[[str], str]) -> tuple[str, int]:
    """The value of the variable whose name begins after a dollar sign, and where the text goes on."""
    braced = text[position : position + 1] == "{"
    start = end = position + braced
    while end < len(text) and text[end] in _NAME:
        end += 1
    if braced and text[end : end + 1] != "}":
        raise ValueError("only ${NAME} is understood between braces")
    return (expand(text[start:end]), end + braced) if end > start else ("$", position)
