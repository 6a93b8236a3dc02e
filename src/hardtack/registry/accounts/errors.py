"""What goes wrong with accounts and logins: settings that cannot be, names that are not there, too many failures.

Their HTTP status belongs to the edge, `api/answers.py`.
"""

from __future__ import annotations

from hardtack.registry.errors import RegistryError


class AccountInvalid(RegistryError):
    """A name, a password, a right or another setting of an account that cannot be."""

    code = "ACCOUNT_INVALID"


class AccountUnknown(RegistryError):
    """No such account, team, token or grant."""

    code = "ACCOUNT_UNKNOWN"

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(f"no {kind} is named {name[:200]}", detail={"kind": kind, "name": name[:200]})
        self.kind = kind
        self.name = name


class AccountConflict(RegistryError):
    """What is there stands against it: the name is taken, or the last admin would go."""

    code = "ACCOUNT_CONFLICT"


class TooManyFailures(RegistryError):
    """Too many logins failed, or too many are being checked; one has to wait.

    Attributes:
        wait: seconds.
    """

    code = "TOOMANYREQUESTS"

    def __init__(self, wait: float, why: str = "too many logins have failed") -> None:
        super().__init__(why, f"Wait {max(1, round(wait))} seconds")
        self.wait = wait


class LoginFailed(RegistryError):
    """A login by way of a provider came to nothing."""

    code = "UNAUTHORIZED"
