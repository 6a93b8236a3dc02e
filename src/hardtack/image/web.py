"""A tarball that a web server sends, as a stream; what is secret in its address stays out of every message.

User and password of an address go to its own host alone, never along a redirect, and neither they nor a query become
part of an error or of an image's history.
"""

from __future__ import annotations

import base64
import http.client
import io
import urllib.request
from urllib.parse import unquote, urlsplit

from hardtack.image.importing import ImportFailed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, BinaryIO

_TIMEOUT = 60


class Address:
    """A web address.

    Args:
        text: `http://[user:password@]host[:port]/path[?query]`.
    Raises:
        ImportFailed: anything else; the text is not repeated.
    Attributes:
        shown: without what may be secret.
    """

    def __init__(self, text: str) -> None:
        try:
            parts = urlsplit(text)
            port = parts.port
        except ValueError:
            raise ImportFailed("its address cannot be read") from None
        if not parts.hostname or not text.isascii() or not text.isprintable() or " " in text:
            raise ImportFailed("its address cannot be read")
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        place = f"{parts.scheme}://{host}{f':{port}' if port else ''}{parts.path}"
        self.shown = place + ("?…" if parts.query else "")
        self._request = urllib.request.Request(f"{place}?{parts.query}" if parts.query else place)  # noqa: S310
        if parts.username:
            pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            self._request.add_unredirected_header("Authorization", "Basic " + base64.b64encode(pair.encode()).decode())

    def open(self) -> BinaryIO:
        """What the server sends, as a stream that fails when less comes than was announced.

        Raises:
            ImportFailed: the server cannot be reached, or refuses.
        """
        try:
            answer = urllib.request.urlopen(self._request, timeout=_TIMEOUT)  # noqa: S310 - http and https alone
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise ImportFailed(f"{self.shown}: {_reason(error)}") from error
        return io.BufferedReader(_Whole(answer, self.shown))


class _Whole(io.RawIOBase):
    """An answer of a web server, which ends only where the server said that it would."""

    def __init__(self, answer: Any, address: str) -> None:
        super().__init__()
        self._answer = answer
        self._address = address
        announced = answer.headers.get("Content-Length", "")
        self._left = int(announced) if announced.isdigit() else None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            chunk = self._answer.read(len(buffer))
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise ImportFailed(f"{self._address}: {_reason(error)}") from error
        if self._left is not None:
            self._left -= len(chunk)
            if not chunk and self._left > 0:
                raise ImportFailed(f"{self._address}: the server closed {self._left:,} bytes before the end")
        buffer[: len(chunk)] = chunk
        return len(chunk)

    def close(self) -> None:
        self._answer.close()
        super().close()


def _reason(error: Exception) -> str:
    if isinstance(error, http.client.IncompleteRead):
        return "the server closed before the end"
    cause = getattr(error, "reason", error)
    text = getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
    return " ".join(text.split())[:200].lower()
