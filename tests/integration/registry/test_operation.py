"""Running it: a configuration that is read again under load, figures, logs, drain, read-only, what systemd is told."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from hardtack.oci.digest import Digest
from support.our_registry import TACK, Client, OurRegistry, our_registry
from support.postgres_server import postgres_server
from support.weed import weed


def eventually(check: Callable[[], Any], seconds: float = 30) -> Any:
    end = time.monotonic() + seconds
    while not (found := check()):
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)
    return found


OPEN = "\n[access]\nmode = 'open'\n"
TWO = "[server]\nworkers = 2\n"


class Configured:
    """A registry with a configuration file."""

    def __init__(self, registry: OurRegistry, file: Path) -> None:
        self.registry = registry
        self.client = registry.client
        self.path = str(file)
        self._file = file

    def reload(self, text: str, said: str = "was read again and is in use") -> None:
        """Write another configuration, send SIGHUP, and wait until the log says something."""
        before = self.registry.log().count(said)
        self._file.write_text(text + OPEN)
        self.registry.process.send_signal(signal.SIGHUP)
        eventually(lambda: self.registry.log().count(said) > before)


@contextmanager
def configured(folder: Path, text: str = "", access: str = OPEN, **options: Any) -> Iterator[Configured]:
    file = folder / "registry.toml"
    file.write_text(text + access)
    with our_registry(folder / "root", "--config", str(file), workers=0, **options) as registry:
        yield Configured(registry, file)


def figures(client: Client, **headers: str) -> dict[str, float]:
    """What /metrics says, by the text before each value."""
    answer = client("GET", "/metrics", **headers)
    assert answer.status == 200, answer
    lines = [line for line in answer.body.decode().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def test_an_upload_goes_on_while_the_workers_are_replaced(tmp_path: Path) -> None:
    data = os.urandom(9 << 20)
    with configured(tmp_path, TWO) as running:
        registry = running.registry
        old = registry.workers()
        location = running.client("POST", "/v2/reload/slow/blobs/uploads/").headers["location"]
        host, port = registry.host.split(":")
        with socket.create_connection((host, int(port)), timeout=20) as sock:
            head = f"PUT {location}?digest={Digest.of(data)} HTTP/1.1\r\nHost: {registry.host}\r\n"
            sock.sendall((head + f"Content-Length: {len(data)}\r\n\r\n").encode() + data[: 5 << 20])
            running.reload("[server]\nworkers = 3\n")
            eventually(lambda: len(registry.workers()) == 4)  # three new ones, and the one that is busy
            assert len(set(registry.workers()) & set(old)) == 1
            for number in range(10):
                running.client.push_image("reload/beside", f"v{number}")
            sock.sendall(data[5 << 20 :])
            assert sock.recv(1000).startswith(b"HTTP/1.1 201 ")
        eventually(lambda: len(registry.workers()) == 3)
        assert not set(registry.workers()) & set(old)
        assert running.client("GET", f"/v2/reload/slow/blobs/{Digest.of(data)}").body == data


def test_no_request_fails_while_the_workers_are_replaced(tmp_path: Path) -> None:
    with configured(tmp_path, TWO) as running:
        running.client.push_image("reload/steady", "v1")
        for workers in (1, 3, 2):
            running.registry.process.send_signal(signal.SIGHUP)
            running.reload(f"[server]\nworkers = {workers}\n")
            for _ in range(60):
                assert running.client("GET", "/v2/reload/steady/manifests/v1").status == 200
        eventually(lambda: len(running.registry.workers()) == 2)


def test_a_wrong_configuration_leaves_the_old_one_in_use(tmp_path: Path) -> None:
    with configured(tmp_path, TWO) as running:
        workers = running.registry.workers()
        running.reload("[server]\nworkres = 1\n", "did you mean workers?")
        running.reload("[tls]\ncertificate = 'gone'\nkey = 'gone'\n", "cannot read")
        assert "the old configuration stays in use" in running.registry.log()
        assert running.registry.workers() == workers
        assert running.client("GET", "/v2/").status == 200


def test_a_configuration_that_no_worker_can_live_with_is_given_up(tmp_path: Path) -> None:
    with configured(tmp_path, TWO) as running:
        workers = running.registry.workers()
        running.reload(TWO + "access_log = '/proc/nowhere/log'\n", "a worker failed with the new one")
        assert running.client("GET", "/v2/").status == 200
        eventually(lambda: running.registry.workers() == workers)
        running.reload(TWO)
        assert running.client("GET", "/v2/").status == 200


def test_what_needs_a_restart_is_said(tmp_path: Path) -> None:
    with configured(tmp_path, TWO) as running:
        running.reload(TWO + "[metadata]\nurl = 'postgresql://x/y'\n", "[metadata] url is taken over by a restart only")
        assert running.client.push_image("reload/restart", "v1")


def test_a_registry_that_is_read_only_serves_and_changes_nothing(tmp_path: Path) -> None:
    with configured(tmp_path, TWO) as running:
        client = running.client
        digest = client.push_image("ro/app", "v1")
        location = client("POST", "/v2/ro/app/blobs/uploads/").headers["location"]
        running.reload("[server]\nworkers = 1\nread_only = true\n")
        eventually(lambda: client("POST", "/v2/ro/app/blobs/uploads/").status == 405)
        for method, path in (
            ("POST", "/v2/ro/app/blobs/uploads/"),
            ("PATCH", location),
            ("PUT", location),
            ("DELETE", location),
            ("PUT", "/v2/ro/app/manifests/v2"),
            ("DELETE", "/v2/ro/app/manifests/v1"),
            ("DELETE", f"/v2/ro/app/manifests/{digest}"),
        ):
            refused = client(method, path, b"{}")
            assert refused.status == 405, (method, path)
            assert refused.code() == "UNSUPPORTED"
            assert "read-only" in refused.json()["errors"][0]["message"]
            assert int(refused.headers["retry-after"]) > 0
        assert client("GET", "/v2/ro/app/manifests/v1").status == 200
        running.reload(TWO)
        eventually(lambda: client("PATCH", location, b"abc").status == 202)


def test_figures_are_the_sums_over_all_workers(tmp_path: Path) -> None:
    with configured(tmp_path, TWO) as running:
        registry, client = running.registry, running.client
        client.push_image("figures/app", "v1", [b"x" * 1000])
        before = figures(client)
        clients = registry.client_per_worker()
        for one in clients:
            one("GET", "/v2/")
            for _ in range(5):
                assert one("GET", "/v2/figures/app/manifests/v1").status == 200
            assert one("GET", "/v2/figures/app/manifests/none").status == 404
        seen = [figures(client) for _ in range(8)]  # by whichever worker
        for now in seen:
            name = 'hardtack_registry_requests_total{kind="manifest",method="GET",status='
            assert now[f'{name}"200"}}'] - before.get(f'{name}"200"}}', 0) == 5 * len(clients)
            assert now[f'{name}"404"}}'] - before.get(f'{name}"404"}}', 0) == len(clients)
            assert now["hardtack_registry_pulls_total"] >= 5 * len(clients)
            assert now['hardtack_registry_request_seconds_count{kind="manifest"}'] >= 6 * len(clients)
            assert now['hardtack_registry_received_bytes_total{kind="upload"}'] >= 1000
        for worker in registry.workers():
            os.kill(worker, signal.SIGKILL)
        eventually(lambda: len(registry.workers()) == 2)
        assert figures(client)["hardtack_registry_pulls_total"] == seen[0]["hardtack_registry_pulls_total"]
        eventually(lambda: figures(client)["hardtack_registry_connections_open"] < len(clients))
        stored = figures(client)
        assert stored["hardtack_registry_repositories"] == 1
        assert stored["hardtack_registry_stored_bytes"] > 1000


def test_figures_are_for_this_machine_and_for_who_has_the_token(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("open sesame\n")
    with configured(tmp_path, TWO, access="") as running:
        client = running.client
        assert client("GET", "/v2/", Authorization="Basic YTpi").status == 401
        assert figures(client)["hardtack_registry_logins_failed_total"] == 1
        assert figures(client)
        assert client("GET", "/metrics", X_Forwarded_For="192.0.2.1").status == 403
        assert client("GET", "/metrics", Host="rebound.example.org").status == 403
    with configured(tmp_path, TWO + "metrics_token_file = 'token'\n", access="") as running:
        client = running.client
        assert figures(client, Authorization="Bearer open sesame")
        assert client("GET", "/metrics").status == 403
        assert client("GET", "/metrics", Authorization="Bearer open sesam").status == 403
        assert client("GET", "/metrics", Authorization="Basic b3BlbjpzZXNhbWU=").status == 403


def test_the_registry_says_whether_it_is_ready(tmp_path: Path) -> None:
    with configured(tmp_path, TWO + "drain = '3s'\n") as running:
        client, registry = running.client, running.registry
        assert client("GET", "/healthz").json() == {"status": "ok"}
        assert client("GET", "/readyz").json() == {"status": "ready"}
        assert client("POST", "/readyz").status == 405
        (registry.root / "uploads").rename(registry.root / "elsewhere")
        assert "blobs: " in eventually(lambda: client("GET", "/readyz").json().get("problems"))[0]
        (registry.root / "elsewhere").rename(registry.root / "uploads")
        eventually(lambda: client("GET", "/readyz").status == 200)
        location = client("POST", "/v2/drain/app/blobs/uploads/").headers["location"]
        began = time.monotonic()
        registry.process.terminate()
        eventually(lambda: client("GET", "/readyz").status == 503, 2)
        assert "draining" in client("GET", "/readyz").json()["problems"][0]
        assert client("GET", "/healthz").status == 200
        assert client("PATCH", location, b"first ").status == 202
        registry.process.wait(20)
        assert time.monotonic() - began > 2.5
    with configured(tmp_path, TWO) as running:
        digest = Digest.of(b"first second")
        answer = running.client("PUT", f"{location}?digest={digest}", b"second")
        assert answer.status == 201


def test_replicas_on_one_database_and_store_share_everything_and_say_when_they_are_gone(tmp_path: Path) -> None:
    server, place = postgres_server(), weed().settings()
    name = f"operation_{uuid.uuid4().hex}"
    asyncio.run(server.execute(f"CREATE DATABASE {name}"))
    (tmp_path / "key").write_text(place.secret_key)
    text = (
        f"[server]\nworkers = 1\n[metadata]\nurl = '{server.url(name)}'\n[blobs]\ns3 = 's3://{place.bucket}/"
        f"{place.prefix}'\nendpoint = '{place.endpoint}'\naccess_key = '{place.access_key}'\nsecret_key_file = 'key'\n"
    )
    with configured(tmp_path, text) as one, our_registry(tmp_path / "b", "--config", one.path, workers=0) as two:
        one.client.push_image("replicas/app", "v1", [os.urandom(100_000)])
        assert two.client("GET", "/v2/replicas/app/manifests/v1").status == 200
        assert not list((tmp_path / "b").iterdir())
        assert two.client("GET", "/readyz").status == 200
        server.stop(signal.SIGQUIT)
        try:
            answer = eventually(lambda: (a := two.client("GET", "/readyz")).status == 503 and a)
            assert answer.json()["problems"][0].startswith("database: ")
            assert two.client("GET", "/readyz", X_Forwarded_For="192.0.2.1").status == 503
        finally:
            server.start()
        eventually(lambda: two.client("GET", "/readyz").status == 200)


def test_a_line_is_written_for_every_request_whichever_way_it_was_answered(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    text = TWO + "access_log = 'access.log'\ntrusted_proxies = ['127.0.0.0/8']\n"
    with configured(tmp_path, text) as running:
        client = running.client
        client.push_image("logged/app", "v1")
        kept = Client(client.host, keep=True)
        kept("GET", "/v2/")
        agent = "nosy\xc2\x9b2J"
        quick = kept("GET", "/v2/logged/app/manifests/v1", User_Agent=agent, X_Forwarded_For="192.0.2.7, 198.51.100.4")
        slow = kept("GET", "/v2/logged/app/tags/list?n=3&password=hunter2", Authorization="Basic aHVudGVyMg==")
        named = kept("GET", "/v2/logged/app/manifests/v1", X_Request_Id="from-the-proxy")
        missing = kept("GET", "/v2/logged/app/manifests/%0d%0anone")
        numbers = [answer.headers["x-request-id"] for answer in (quick, slow, named, missing)]
        assert numbers[2] == "from-the-proxy"
        lines = eventually(lambda: _lines(log, numbers))
        assert [line["status"] for line in lines] == [200, 200, 200, 404]
        assert lines[0]["address"] == "198.51.100.4"
        assert lines[0]["agent"] == "nosy\\x9b2J"
        assert lines[0]["path"] == "/v2/logged/app/manifests/v1"
        assert lines[0]["sent"] >= len(quick.body)
        assert lines[1]["path"] == "/v2/logged/app/tags/list?n=3&password=***"
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", lines[0]["time"])
        assert all(line["ms"] > 0 for line in lines)
        assert "hunter2" not in log.read_text()
        assert "aHVudGVyMg" not in log.read_text()
        broken = socket.create_connection((client.host.split(":")[0], int(client.host.split(":")[1])), timeout=10)
        with broken:
            broken.sendall(b"GET /v2/ HTTP/1.1\r\nHost: a\r\n\r\nnonsense\r\n\r\n")
            while broken.recv(4096):
                pass
        eventually(lambda: '"status":400' in log.read_text())
        log.rename(tmp_path / "access.log.1")
        running.reload(text)
        again = client("GET", "/v2/").headers["x-request-id"]
        eventually(lambda: log.exists() and _lines(log, [again]))


def _lines(log: Path, numbers: list[str]) -> list[dict[str, Any]]:
    """The lines of these requests, in their order; [] when not all are there."""
    found = {line["id"]: line for line in map(json.loads, log.read_text().splitlines())}
    return [found[number] for number in numbers] if set(numbers) <= set(found) else []


def test_the_log_can_be_json(tmp_path: Path) -> None:
    with configured(tmp_path, TWO + "log_format = 'json'\n") as running:
        os.kill(running.registry.workers()[0], signal.SIGKILL)
        eventually(lambda: "starting another" in running.registry.log())
        line = json.loads(running.registry.log().splitlines()[0])
        assert (line["level"], line["process"]) == ("error", running.registry.process.pid)


def test_systemd_is_told(tmp_path: Path) -> None:
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(path)
        sock.settimeout(10)

        def told(word: str) -> str:
            while word not in (text := sock.recv(4096).decode()):
                pass
            return text

        with configured(tmp_path, TWO, environment={"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "400000"}) as running:
            assert "2 workers" in told("READY=1")
            told("WATCHDOG=1")
            running.reload(TWO)
            assert "MONOTONIC_USEC=" in told("RELOADING=1")
            told("READY=1")
            running.reload("[nonsense]\n", "no such section")
            assert "old one is in use" in told("READY=1")
            running.registry.process.terminate()
            told("STOPPING=1")


@pytest.mark.parametrize("text", ["[server]\nworkers = 1\n", "[server]\nworkres = 1\n[tls]\nkey = 'x'\n"])
def test_a_configuration_is_checked_before_it_is_used(tmp_path: Path, text: str) -> None:
    (tmp_path / "c.toml").write_text(text)
    words = [TACK, "registry", "config", "check", "--config", str(tmp_path / "c.toml")]
    checked = subprocess.run(words, capture_output=True, text=True, timeout=30, check=False)
    if "workres" in text:
        assert checked.returncode == 1
        assert "did you mean workers?" in checked.stderr
        assert "[tls] certificate" in checked.stderr
    else:
        assert checked.returncode == 0, checked.stderr
        assert "workers = 1" in checked.stdout


def test_what_this_machine_contradicts_is_found_by_the_check(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "c.toml").write_text(
        "[server]\nlisten = ['192.0.2.1:5000', 'no.such.host.invalid:1', '127.0.0.1:0']\naccess_log = 'no/where'\n"
        "[data]\nroot = 'file'\n[tls]\ncertificate = 'file'\nkey = 'file'\n"
    )
    words = [TACK, "registry", "config", "check", "--config", str(tmp_path / "c.toml")]
    checked = subprocess.run(words, capture_output=True, text=True, timeout=30, check=False)
    assert checked.returncode == 1
    for said in ("192.0.2.1:5000", "no.such.host.invalid", "access_log", "is no folder", "[tls]"):
        assert said in checked.stderr
    assert "127.0.0.1:0" not in checked.stderr


def test_the_unit_is_one_that_systemd_takes(tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("needs systemd-analyze")
    unit = Path(__file__).parents[3] / "examples" / "systemd" / "hardtack-registry.service"
    here = tmp_path / unit.name
    here.write_text(unit.read_text().replace("/usr/bin/tack", TACK))
    checked = subprocess.run([analyze, "verify", "--man=no", str(here)], capture_output=True, text=True, check=False)
    said = [line for line in checked.stderr.splitlines() if unit.name in line]
    assert not said, said
