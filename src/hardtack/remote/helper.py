"""Credential helpers: programs named docker-credential-NAME that keep secrets in a keychain.

The program is asked over its standard input and answers in JSON. It gets a bounded time;
what it prints on failure is shown, its secrets never are.

Source: docker/docker-credential-helpers, README.md, "Development".
"""

from __future__ import annotations

import json
import os
import subprocess

from hardtack.remote.errors import HelperFailed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_SECONDS = 30.0
_NOTHING = ("credentials not found", "no credentials server url", "no credentials username")


class Helper:
    """One helper by its short name.

    Raises:
        HelperFailed: the name is none that a program could have.
    """

    __slots__ = ("program", "seconds")

    def __init__(self, name: str, seconds: float = _SECONDS) -> None:
        self.program = f"docker-credential-{name}"
        self.seconds = seconds
        if not all(c.isalnum() or c in "-_." for c in name):
            raise HelperFailed(self.program, "has a name that no program can have")

    def get(self, server: str) -> tuple[str, str]:
        """The name and secret for a server, two empty texts when there is none; `<token>` as name marks a token."""
        code, output = self._run("get", server)
        if code:
            if any(word in output.lower() for word in _NOTHING):
                return "", ""
            raise HelperFailed(self.program, f"failed: {output or f'exit code {code}'}")
        try:
            answer: Any = json.loads(output)
            username, secret = answer["Username"], answer["Secret"]
        except (ValueError, TypeError, KeyError, RecursionError):
            raise HelperFailed(self.program, "answered with something else than its JSON") from None
        if not isinstance(username, str) or not isinstance(secret, str):
            raise HelperFailed(self.program, "answered with something else than its JSON")
        return username, secret

    def store(self, server: str, username: str, secret: str) -> None:
        """Hand a secret over."""
        body = json.dumps({"ServerURL": server, "Username": username, "Secret": secret})
        code, output = self._run("store", body)
        if code:
            raise HelperFailed(self.program, f"did not store: {output or f'exit code {code}'}")

    def erase(self, server: str) -> None:
        """Have a secret forgotten; one that the helper does not have is no failure."""
        code, output = self._run("erase", server)
        if code and not any(word in output.lower() for word in _NOTHING):
            raise HelperFailed(self.program, f"did not erase: {output or f'exit code {code}'}")

    def _run(self, action: str, text: str) -> tuple[int, str]:
        try:
            done = subprocess.run(
                [self.program, action],
                input=text.encode(),
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                timeout=self.seconds,
                check=False,
            )
        except FileNotFoundError:
            hint = f"Install {self.program}, or take its name out of config.json"
            raise HelperFailed(self.program, "is not installed", hint) from None
        except subprocess.TimeoutExpired:
            raise HelperFailed(self.program, f"did not answer within {self.seconds:g} seconds") from None
        except OSError as error:
            raise HelperFailed(self.program, f"cannot run: {os.strerror(error.errno or 0).lower()}") from None
        return done.returncode, done.stdout[: 1 << 20].decode("utf-8", "replace").strip()
