"""What goes wrong with PostgreSQL: what is worth another try, and what a caller is told. No text has a password."""

from __future__ import annotations

import os

import asyncpg

from hardtack.registry.errors import BadRequest, RegistryError, StorageBroken, StorageFull, StorageUnreachable


class DriverFailed(Exception):
    """Something the driver was asked for failed; kept apart from what scripts and their effects raise.

    Attributes:
        cause: what the driver raised.
        certain: nothing of the transaction has happened, so it may be begun again.
    """

    def __init__(self, cause: Exception) -> None:
        super().__init__(reason(cause))
        self.cause = cause
        self.certain = True


# Another transaction came first, and a new attempt sees what it did: serialization, deadlock, a foreign key whose other
# end has just gone, a key that somebody else has just made, a statement prepared before a migration.
_BEATEN = (
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.ForeignKeyViolationError,
    asyncpg.UniqueViolationError,
    asyncpg.InvalidCachedStatementError,
    asyncpg.OutdatedSchemaCacheError,
)
# The server restarts, has failed over, or there is no way to it.
_GONE = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.TooManyConnectionsError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.TargetServerAttributeNotMatched,
    asyncpg.InternalClientError,
)
_SLOW = (TimeoutError, asyncpg.QueryCanceledError, asyncpg.LockNotAvailableError)


def beaten(error: BaseException) -> bool:
    """Whether the transaction did not happen, and may well do when it is tried again."""
    return isinstance(error, _BEATEN)


def outrun(error: BaseException) -> bool:
    """Whether somebody else made or removed what this was about: the next attempt sees that, and ends or is lost."""
    return isinstance(error, asyncpg.IntegrityConstraintViolationError)


def gone(error: BaseException) -> bool:
    """Whether the connection is no longer there, or none could be made."""
    if isinstance(error, (*_SLOW, asyncpg.OutdatedSchemaCacheError)):
        return False
    # A connection that ends between two statements is known to the driver only as one that is not for use.
    return isinstance(error, _GONE) or (isinstance(error, asyncpg.InterfaceError) and not isinstance(error, ValueError))


def slow(error: BaseException) -> bool:
    """Whether the server did not answer in time."""
    return isinstance(error, _SLOW)


def failure(error: Exception) -> RegistryError:
    """What a caller is told."""
    if isinstance(error, asyncpg.DiskFullError):
        return StorageFull()
    if isinstance(error, asyncpg.CharacterNotInRepertoireError):
        # A zero byte, which is no fault of the database: no name here has one, and no text needs one.
        return BadRequest("text with a zero byte in it can be neither kept nor looked for")
    if slow(error):
        return StorageUnreachable("it did not answer in time")
    if gone(error):
        return StorageUnreachable(reason(error))
    return StorageBroken(reason(error))


def reason(error: BaseException) -> str:
    """An error of the driver or the system in one line."""
    text = str(error)
    if isinstance(error, OSError) and error.errno:
        # What asyncio says of a refused connection has the address in it; names that are not found have no errno.
        text = os.strerror(error.errno) if error.errno > 0 else (error.strerror or text)
    line = text.strip().partition("\n")[0] or type(error).__name__
    return line[:1].lower() + line[1:]
