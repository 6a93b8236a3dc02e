"""A configuration from its file on disk, the files of its secrets included."""

from __future__ import annotations

import os
import tomllib

from hardtack.registry.config.document import Config, Problem, read
from hardtack.registry.errors import CannotServe

DEFAULT_PATH = "/etc/hardtack/registry.toml"
_LIMIT = 1 << 20
_SECRET_LIMIT = 64 << 10


class ConfigInvalid(CannotServe):
    """A configuration with mistakes.

    Attributes:
        problems: all of them.
    """

    def __init__(self, path: str, problems: list[Problem]) -> None:
        self.path = path
        self.problems = problems
        lines = "".join(f"\n  {problem}" for problem in problems)
        super().__init__(f"{path} is not a configuration of the registry:{lines}")


def load(path: str) -> Config:
    """Read a configuration file. Paths in it are relative to its folder.

    Raises:
        ConfigInvalid: it cannot be read, or says something that we do not understand.
    """
    try:
        text = _read(path, _LIMIT)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise ConfigInvalid(path, [Problem("", "", f"cannot be read: {why.lower()}")]) from error
    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigInvalid(path, [Problem("", "", f"not TOML: {str(error)[:300]}")]) from error
    folder = os.path.dirname(os.path.abspath(path))
    config, problems = read(document, _secret, folder)
    if problems:
        raise ConfigInvalid(path, problems)
    return config


def _read(path: str, limit: int) -> str:
    with open(path, "rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise ValueError(f"larger than {limit} bytes")
    return data.decode()


def _secret(path: str) -> str:
    content = _read(path, _SECRET_LIMIT).strip()
    if not content:
        raise ValueError("it is empty")
    return content
