"""Telling systemd how we are: ready, reloading, stopping, alive; without it, nothing.

Source: sd_notify(3), systemd.service(5) "Type=notify", "WatchdogSec=".
"""

from __future__ import annotations

import os
import socket
import time


class Notifier:
    """The way to whoever started us."""

    def __init__(self) -> None:
        # Taken out of the environment: what we start must not speak for us.
        self._path = os.environ.pop("NOTIFY_SOCKET", "")
        pid = os.environ.pop("WATCHDOG_PID", "")
        interval = os.environ.pop("WATCHDOG_USEC", "")
        ours = not pid or pid == str(os.getpid())
        self.watchdog = int(interval) / 2e6 if interval.isdigit() and ours else None
        """Seconds between two signs of life, or None."""

    def ready(self, status: str) -> None:
        """Everything works, for the first time or again."""
        self._tell(f"READY=1\nSTATUS={status}")

    def reloading(self) -> None:
        """A new configuration is being taken over."""
        self._tell(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}\nSTATUS=reloading")

    def stopping(self) -> None:
        """The end has begun."""
        self._tell("STOPPING=1\nSTATUS=stopping")

    def alive(self) -> None:
        """The sign of life."""
        self._tell("WATCHDOG=1")

    def _tell(self, text: str) -> None:
        if not self._path.startswith(("/", "@")):
            return
        address = "\0" + self._path[1:] if self._path[0] == "@" else self._path
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
                sock.sendto(text.encode(), address)
        except OSError:
            pass  # nobody listens; that is no reason to stop serving
