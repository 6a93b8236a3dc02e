"""Several workers on one port: what one does the others see, and none of them dies for good."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from hardtack.oci.digest import Digest
from support.our_registry import TACK, Client, OurRegistry, our_registry


def eventually(check: Callable[[], bool], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


def answered_by(registry: OurRegistry) -> int:
    """How many workers have connections of the clients made by `client_per_worker`."""
    listing = subprocess.run(
        ["ss", "-tnpH", f"( sport = :{registry.host.split(':')[1]} )"], capture_output=True, text=True, check=False
    )
    return len({pid for pid in registry.workers() if f"pid={pid}," in listing.stdout})


def test_a_delete_is_seen_at_once_by_every_worker(registry: OurRegistry) -> None:
    clients = registry.client_per_worker()
    layer = b"soon gone"
    digest = registry.client.push_image("processes/delete", "v1", [layer])
    blob = registry.client.push_blob("processes/delete", b"a blob alone")
    paths = [f"/v2/processes/delete/manifests/{reference}" for reference in ("v1", digest)]
    paths.append(f"/v2/processes/delete/blobs/{blob}")
    for client in clients:
        client("GET", "/v2/")
        assert [client("GET", path).status for path in paths] == [200] * 3
    assert answered_by(registry) == 2
    assert clients[0]("DELETE", paths[1]).status == 202
    assert clients[1]("DELETE", paths[2]).status == 202
    for client in clients:
        assert [client("GET", path).status for path in paths] == [404] * 3


def test_a_push_is_seen_at_once_by_every_worker(registry: OurRegistry) -> None:
    clients = registry.client_per_worker()
    for number in range(20):
        clients[number % len(clients)].push_image("processes/push", f"v{number}")
        for client in clients:
            assert client("HEAD", f"/v2/processes/push/manifests/v{number}").status == 200


def test_a_worker_that_dies_is_replaced(tmp_path: Path) -> None:
    with our_registry(tmp_path / "root") as registry:
        registry.client.push_image("processes/dead", "v1")
        for _ in range(3):
            before = registry.workers()
            os.kill(before[0], signal.SIGKILL)
            eventually(lambda before=before: len(set(registry.workers()) - set(before)) == 1)  # type: ignore[misc]
            for _ in range(20):
                assert registry.client("GET", "/v2/processes/dead/manifests/v1").status == 200


def test_workers_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    with our_registry(tmp_path / "root") as registry:
        workers = registry.workers()
        registry.process.kill()
        eventually(lambda: not any(map(alive, workers)))


def test_a_request_in_progress_is_finished_before_the_end(tmp_path: Path) -> None:
    data = os.urandom(400_000)
    with our_registry(tmp_path / "root", workers=1) as registry:
        location = registry.client("POST", "/v2/processes/drain/blobs/uploads/").headers["location"]
        host, port = registry.host.split(":")
        with socket.create_connection((host, int(port)), timeout=10) as sock:
            head = f"PUT {location}?digest={Digest.of(data)} HTTP/1.1\r\nHost: {registry.host}\r\n"
            sock.sendall((head + f"Content-Length: {len(data)}\r\n\r\n").encode() + data[:200_000])
            eventually(lambda: any((registry.root / "uploads").iterdir()))
            time.sleep(0.1)
            registry.process.terminate()
            eventually(lambda: _refused(host, int(port)))
            assert registry.process.poll() is None
            sock.sendall(data[200_000:])
            assert sock.recv(1000).startswith(b"HTTP/1.1 201 ")
        assert registry.process.wait(10) == 0
    with our_registry(tmp_path / "root", workers=1) as registry:
        assert registry.client("GET", f"/v2/processes/drain/blobs/{Digest.of(data)}").body == data


def _refused(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=1):
            return False
    except OSError:
        return True


def test_an_upload_goes_on_after_a_restart(tmp_path: Path) -> None:
    data = os.urandom(100_000)
    with our_registry(tmp_path / "root") as registry:
        location = registry.client("POST", "/v2/processes/restart/blobs/uploads/").headers["location"]
        assert registry.client("PATCH", location, data[:60_000]).status == 202
    with our_registry(tmp_path / "root") as registry:
        assert registry.client("GET", location).headers["range"] == "0-59999"
        path = f"{location}?digest={Digest.of(data)}"
        assert registry.client("PUT", path, data[60_000:], Content_Range="60000-99999").status == 201


def test_what_was_acknowledged_survives_the_death_of_all_processes(tmp_path: Path) -> None:
    kept: dict[str, bytes] = {}
    for number in range(4):
        with our_registry(tmp_path / "root") as registry:
            layer = os.urandom(50_000)
            registry.client.push_image("processes/killed", f"v{number}", [layer])
            kept[f"v{number}"] = layer
            for pid in registry.workers():
                os.kill(pid, signal.SIGKILL)
            registry.process.kill()
    with our_registry(tmp_path / "root") as registry:
        for tag, layer in kept.items():
            assert registry.client("GET", f"/v2/processes/killed/manifests/{tag}").status == 200
            assert registry.client("GET", f"/v2/processes/killed/blobs/{Digest.of(layer)}").body == layer


def test_an_address_that_others_reach_asks_who_calls(tmp_path: Path) -> None:
    words = [TACK, "registry", "serve", "--root", str(tmp_path / "root"), "--listen", "0.0.0.0:0", "--workers", "1"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = "".join(process.stdout.readline() for _ in range(9))
        try:
            assert "with accounts" in said
            port = said.split("\n")[0].rsplit(":", 1)[1]
            client = Client(f"127.0.0.1:{port}")
            assert client("GET", "/v2/").status == 401
            assert client("POST", "/v2/a/b/blobs/uploads/").status == 401
        finally:
            process.terminate()


def test_an_opened_registry_says_so_and_answers_to_any_name(tmp_path: Path) -> None:
    words = [TACK, "registry", "serve", "--root", str(tmp_path / "root"), "--listen", "0.0.0.0:0", "--open"]
    with subprocess.Popen([*words, "--workers", "1"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = "".join(process.stdout.readline() for _ in range(6))
        try:
            assert "everybody who can reach it" in said
            port = said.split("\n")[0].rsplit(":", 1)[1]
            assert Client(f"127.0.0.1:{port}")("GET", "/v2/", Host="registry.example.org").status == 200
        finally:
            process.terminate()


def test_a_port_in_use_is_not_shared_with_another_registry(registry: OurRegistry, tmp_path: Path) -> None:
    words = [TACK, "registry", "serve", "--root", str(tmp_path / "root"), "--listen", registry.host]
    refused = subprocess.run(words, capture_output=True, text=True, timeout=30, check=False)
    assert refused.returncode == 1
    assert "in use" in refused.stderr


def test_a_newer_database_is_refused(tmp_path: Path) -> None:
    import sqlite3

    (tmp_path / "root").mkdir()
    database = sqlite3.connect(tmp_path / "root" / "registry.db")
    database.execute("PRAGMA user_version = 999")
    database.close()
    words = [TACK, "registry", "serve", "--root", str(tmp_path / "root"), "--listen", "127.0.0.1:0"]
    refused = subprocess.run(words, capture_output=True, text=True, timeout=30, check=False)
    assert refused.returncode == 1
    assert "version is 999" in refused.stderr
