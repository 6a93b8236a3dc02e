"""The first request to a store, made before anything is served: is the bucket there, and may we?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, PartialCredentialsError

from hardtack.registry.blobs.s3.failures import LIBRARY_ERRORS, code_of
from hardtack.registry.errors import CannotServe

if TYPE_CHECKING:
    from hardtack.registry.blobs.s3.bucket import Bucket
    from hardtack.registry.blobs.s3.settings import S3Settings


async def check(bucket: Bucket, settings: S3Settings) -> None:
    """Make sure that blobs can be kept there.

    Raises:
        CannotServe: with what to do about it. No bucket is ever created: whose it is and where is not ours to choose.
    """
    try:
        await bucket.exists()
    except LIBRARY_ERRORS as error:
        raise refusal(error, settings) from error


def refusal(error: Exception, settings: S3Settings) -> CannotServe:
    """What a failure of the first request means to whoever starts the server."""
    begin = f"cannot keep blobs in {settings.place}: "
    if isinstance(error, ClientError):
        code, status = code_of(error)
        if status == 404:
            return CannotServe(f"{begin}there is no such bucket", "Create it, or name another one")
        if status == 403:
            return CannotServe(
                f"{begin}the store refuses these credentials ({code})",
                "Give an access key that may list, read, write and delete in this bucket",
            )
        if status in (301, 307, 400):
            return CannotServe(
                f"{begin}the store does not accept requests for this bucket here ({code})",
                "Name the region that the bucket is in, and the endpoint of the store",
            )
        return CannotServe(f"{begin}the store answered {code} ({status})", "Look at the store, then start again")
    if isinstance(error, NoCredentialsError | PartialCredentialsError):
        return CannotServe(f"{begin}no credentials were found", "Set access_key and secret_key, or AWS_ACCESS_KEY_ID")
    if isinstance(error, BotoCoreError | OSError | TimeoutError):
        return CannotServe(f"{begin}the store cannot be reached: {error}", "Check the endpoint and the network")
    return CannotServe(f"{begin}{type(error).__name__}: {error}", "Check the configuration")
