"""The log of the application: lines of text or of JSON on standard error, without what could forge a line."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import TextIO

    from hardtack.registry.config.server import ServerSection


def set_up(section: ServerSection, stream: TextIO | None = None) -> None:
    """Log as the configuration says, from now on.

    Args:
        stream: where to, instead of standard error.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(_Json() if section.log_format == "json" else _Text())
    logging.basicConfig(level=section.log_level.upper(), handlers=[handler], force=True)
    # aiohttp tells of every request that it cannot read, with a traceback: any stranger could fill the disk with that.
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)


class _Text(logging.Formatter):
    """A line, continued where it quotes several."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        if text.isprintable():
            return text
        return "".join(c if c.isprintable() else "\n  " if c == "\n" else _escaped(c) for c in text)


class _Json(logging.Formatter):
    """An object per line."""

    def format(self, record: logging.LogRecord) -> str:
        stamp = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        said = {
            "time": stamp.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            "process": record.process,
        }
        if record.exc_info:
            said["trace"] = self.formatException(record.exc_info)
        return json.dumps(said)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()
