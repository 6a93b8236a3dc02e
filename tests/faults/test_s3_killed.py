"""A process dies at random moments of an upload to S3; another one goes on from what the store has."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
import uuid
from dataclasses import asdict
from pathlib import Path

import pytest

from hardtack.oci.digest import Digest
from hardtack.registry.blobs.s3.settings import S3Settings
from hardtack.registry.errors import UploadOutOfOrder, UploadUnknown
from support.weed import weed

pytest.importorskip("aiobotocore", reason="needs aiobotocore (pip install hardtack[s3])")

from hardtack.registry.blobs.s3.bucket import Bucket
from hardtack.registry.blobs.s3.storage import S3Blobs

MB = 1 << 20
DEATHS = 5

_VICTIM = """
import asyncio, json, sys
from hardtack.oci.digest import Digest
from hardtack.registry.blobs.s3.settings import S3Settings
from hardtack.registry.blobs.s3.storage import S3Blobs

async def main():
    data = open(sys.argv[3], "rb").read()
    blobs = await S3Blobs.connect(S3Settings(**json.loads(sys.argv[1])))
    print("ready", flush=True)
    sys.stdin.readline()
    at, turn = 0, 5_000_000
    while at < len(data):
        async with blobs.append(sys.argv[2], at) as appender:
            for start in range(at, min(at + turn, len(data)), 100_000):
                await appender.write(data[start : min(start + 100_000, at + turn, len(data))])
            at = appender.offset
        print(at, flush=True)
    async with blobs.append(sys.argv[2]) as appender:
        await appender.publish(Digest.of(data))
    print("published", flush=True)

asyncio.run(main())
"""


def die_while_uploading(settings: S3Settings, upload: str, data: Path, seconds: float) -> list[str]:
    """Run the upload in a process and kill it after a while. Returns what it said was done."""
    words = [sys.executable, "-c", _VICTIM, json.dumps(asdict(settings)), upload, str(data)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None and process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.stdin.write("go\n")
        process.stdin.flush()
        time.sleep(seconds)
        process.kill()
        return process.stdout.read().split()


async def finish(blobs: S3Blobs, upload: str, data: bytes, held: int) -> None:
    """Go on as a client does: with the last words of the dead still on their way, the end may move once more."""
    try:
        async with blobs.append(upload, held) as appender:
            await appender.write(data[held:])
            assert await appender.publish(Digest.of(data)) == len(data)
    except UploadOutOfOrder as error:
        assert error.offset > held
        await finish(blobs, upload, data, error.offset)


@pytest.mark.faults
@pytest.mark.slow
async def test_of_what_was_acknowledged_nothing_is_lost_whenever_a_process_dies(tmp_path: Path) -> None:
    """Costs a second for each death."""
    settings, chance = weed().settings(), random.Random(4)
    blobs, bucket = await S3Blobs.connect(settings), await Bucket.connect(settings)
    file, seen = tmp_path / "data", set()
    for _ in range(DEATHS):
        data = os.urandom(18 * MB)
        file.write_bytes(data)
        digest, upload = Digest.of(data), str(uuid.uuid4())
        await blobs.begin(upload)
        told = die_while_uploading(settings, upload, file, chance.uniform(0.02, 0.9))
        acknowledged = max((int(line) for line in told if line.isdigit()), default=0)
        seen.add("published" if "published" in told else acknowledged)
        held = await blobs.received(upload)
        if held is None:
            blob = await blobs.open(digest)  # the death came after the blob was made, before or after that was said
        else:
            assert held >= acknowledged
            assert "published" not in told
            await finish(blobs, upload, data, held)
            blob = await blobs.open(digest)
        assert b"".join([chunk async for chunk in blob.chunks(0, blob.size)]) == data
        blob.close()
        await blobs.remove([digest])
        with pytest.raises(UploadUnknown):
            async with blobs.append(upload):
                pass
    assert len(seen) > 2  # deaths at different moments
    for upload in await blobs.abandoned(0):
        await blobs.discard(upload)
    await blobs.abort_stale(0)
    assert [entry.key async for entry in bucket.listing("")] == []
    assert [found async for found in bucket.unfinished("blobs/")] == []
    await blobs.close()
    await bucket.close()
