"""Three replicas on one PostgreSQL and one S3 store, behind a proxy that knows no sticky sessions."""

from __future__ import annotations

import asyncio
import http.client
import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hardtack.oci.digest import Digest
from support.databases import postgres_url
from support.our_registry import Answer, Client
from support.replicas import Replicas, replicas

MB = 1 << 20


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replicas]:
    """Costs 6 s a module."""
    folder = tmp_path_factory.mktemp("replicas")
    url = asyncio.run(postgres_url(folder))
    with replicas(url, folder, limits='grace = "1s"\npause = "300ms"') as running:
        yield running


class Stubborn(Client):
    """A client that tries again, as docker, skopeo and all others do."""

    def __call__(self, method: str, path: str, body: object = None, **headers: str) -> Answer:
        for attempt in range(8):
            try:
                answer = super().__call__(method, path, body, **headers)
            except (OSError, http.client.HTTPException):
                answer = None
            if answer is not None and answer.status < 500:
                return answer
            time.sleep(0.05 * 2**attempt)
        raise AssertionError(f"{method} {path}: {answer}")

    def push_blob(self, repository: str, data: bytes, algorithm: str = "sha256") -> Digest:
        """Pushes, and begins anew when the upload is lost."""
        for _ in range(5):
            try:
                return super().push_blob(repository, data, algorithm)
            except (AssertionError, KeyError):
                time.sleep(0.1)
        return super().push_blob(repository, data, algorithm)


def test_every_request_of_an_upload_goes_to_another_replica(three: Replicas) -> None:
    data = os.urandom(7 * MB)
    location = three.client("POST", "/v2/up/load/blobs/uploads/").headers["location"]
    for start in range(0, len(data), MB):
        chunk = data[start : start + MB]
        answer = three.client("PATCH", location, chunk, Content_Range=f"{start}-{start + len(chunk) - 1}")
        assert (answer.status, answer.headers["range"]) == (202, f"0-{start + len(chunk) - 1}")
    digest = Digest.of(data)
    assert three.client("PUT", f"{location}?digest={digest}").status == 201
    for replica in three.running:
        assert replica.client("GET", f"/v2/up/load/blobs/{digest}").body == data


def test_what_is_deleted_on_one_is_gone_on_all_at_once(three: Replicas) -> None:
    one, two, other = (Client(replica.host, keep=True) for replica in three.running)
    for number in range(10):
        digest = one.push_image("de/lete", f"v{number}", [os.urandom(100)])
        layer = one("GET", f"/v2/de/lete/manifests/v{number}").json()["layers"][0]["digest"]
        paths = [f"/v2/de/lete/manifests/v{number}", f"/v2/de/lete/manifests/{digest}", f"/v2/de/lete/blobs/{layer}"]
        assert [client("HEAD", path).status for client in (two, other) for path in paths] == [200] * 6
        assert two("DELETE", f"/v2/de/lete/manifests/{digest}").status == 202
        statuses = [client("GET", path).status for client in (one, two, other) for path in paths[:2]]
        assert statuses == [404] * 6
    assert [client("GET", "/v2/de/lete/tags/list").json()["tags"] for client in (one, two, other)] == [[], [], []]


def test_blobs_are_collected_once_whoever_does_it(three: Replicas) -> None:
    before = settled(three)
    digests = []
    for _ in range(30):  # each at once: what nothing needs is collected after a second
        digests.append(digest := three.client.push_blob("col/lect", os.urandom(50)))
        assert three.client("DELETE", f"/v2/col/lect/blobs/{digest}").status == 202
    end = time.monotonic() + 15
    while collected(three) < before + len(digests) and time.monotonic() < end:
        time.sleep(0.1)
    time.sleep(0.5)
    assert collected(three) == before + len(digests)


def settled(three: Replicas) -> int:
    """What was collected once everything is that other tests have left: nothing more for longer than the grace."""
    found, since = collected(three), time.monotonic()
    while time.monotonic() < since + 2.5:
        time.sleep(0.1)
        if (now := collected(three)) != found:
            found, since = now, time.monotonic()
    return found


def collected(three: Replicas) -> int:
    return sum(
        int(found[1]) for replica in three.running for found in re.finditer(r"collected (\d+) blobs", replica.log())
    )


@pytest.mark.skipif(shutil.which("skopeo") is None, reason="needs skopeo")
def test_one_is_killed_under_load_and_no_client_sees_more_than_a_retry_mends(three: Replicas, tmp_path: Path) -> None:
    """Images are pushed and pulled all the while; afterwards every one that was acknowledged is there, everywhere."""
    stop, failures = threading.Event(), list[BaseException]()
    pushed: dict[str, tuple[Digest, bytes]] = {}

    def work(number: int) -> None:
        client, count = Stubborn(three.proxy.host), 0
        try:
            while not stop.is_set():
                tag, layer, count = f"t{number}-{count}", os.urandom(50_000), count + 1
                pushed[tag] = (client.push_image("un/der", tag, [layer, b"shared"]), layer)
                pull(client, tag, *pushed[tag])
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    end = time.monotonic() + 30
    while "t0-0" not in pushed and not failures and time.monotonic() < end:
        time.sleep(0.05)
    time.sleep(0.5)
    three.kill(1)
    before = len(pushed)
    words = ["skopeo", "copy", "--retry-times", "5", "--src-tls-verify=false"]
    places = [f"docker://{three.proxy.host}/un/der:t0-0", f"dir:{tmp_path / 'copied'}"]
    skopeo = subprocess.run([*words, *places], check=False, capture_output=True, text=True, timeout=60)
    time.sleep(1.0)
    three.replace(1)
    time.sleep(0.5)
    stop.set()
    for thread in threads:
        thread.join(30)
    assert failures == []
    assert skopeo.returncode == 0, skopeo.stderr
    assert len(pushed) > before > 0
    for number, (tag, (digest, layer)) in enumerate(pushed.items()):
        pull(three.running[number % 3].client, tag, digest, layer)


def pull(client: Client, tag: str, digest: Digest, layer: bytes) -> None:
    manifest = client("GET", f"/v2/un/der/manifests/{tag}")
    assert (manifest.status, manifest.headers.get("docker-content-digest")) == (200, digest)
    blob = client("GET", f"/v2/un/der/blobs/{manifest.json()['layers'][0]['digest']}")
    assert (blob.status, blob.body) == (200, layer)
