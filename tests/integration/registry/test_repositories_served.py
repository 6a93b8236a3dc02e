"""What is set for repositories, as clients of the API meet it: quotas, immutable tags, undeleting, renaming, pulls."""

from __future__ import annotations

import http.client
import json
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from hardtack.oci.digest import Digest
from hardtack.registry.access import ALL, WRITE, Action, Grant
from hardtack.registry.collector import Collector
from hardtack.registry.repositories import moving
from hardtack.registry.repositories.rows import Settings
from hardtack.registry.repositories.store import Namespaces, Repositories
from hardtack.registry.repositories.undelete import Undelete
from support.our_registry import TACK, Client, our_registry
from support.registry_worker import GrantingGate, Worker, registry_worker

DAY = 86_400.0
ENTER = frozenset((Action.ENTER,))


@pytest.fixture
def repositories(worker: Worker) -> Repositories:
    return Repositories(worker.service.database)


def quota(worker: Worker, size: int) -> None:
    worker.run(Namespaces(worker.service.database).set_quota("ns", size))


def uploads(root: Path) -> list[str]:
    return [path.name for path in (root / "uploads").iterdir()]


def test_a_deleted_repository_is_found_under_no_name_while_it_is_taken_apart(worker: Worker) -> None:
    worker.client.push_image("ns/gone", "v1", [b"layer"])
    database = worker.service.database
    worker.run(database.free(moving.doom, "ns/gone", "kim", database.now()))
    for name in ("ns/gone", "~1"):
        for method in ("GET", "HEAD"):
            assert worker.client(method, f"/v2/{name}/manifests/v1").status in (400, 404)


def test_a_quota_is_asked_before_an_upload_is_accepted(worker: Worker, tmp_path: Path) -> None:
    layer = b"x" * 1000
    worker.client.push_blob("ns/a", layer)
    quota(worker, 1000)
    refused = worker.client("POST", "/v2/ns/b/blobs/uploads/")
    assert (refused.status, refused.code()) == (403, "DENIED")
    assert refused.json()["errors"][0]["detail"] == {"quota": "ns", "limit": 1000, "used": 1000, "needed": 0}
    assert worker.client("POST", f"/v2/ns/b/blobs/uploads/?mount={Digest.of(layer)}&from=ns/a").status == 403
    assert worker.client("POST", "/v2/other/b/blobs/uploads/").status == 202
    assert worker.client("GET", "/v2/ns/b/tags/list").status == 404


def test_a_body_that_says_how_long_it_is_is_refused_before_it_comes(worker: Worker, tmp_path: Path) -> None:
    quota(worker, 500)
    location = worker.client("POST", "/v2/ns/a/blobs/uploads/").headers["location"]
    for method, path in (
        ("POST", f"/v2/ns/a/blobs/uploads/?digest={Digest.of(b'x')}"),
        ("PATCH", location),
        ("PUT", f"{worker.client('POST', '/v2/ns/a/blobs/uploads/').headers['location']}?digest={Digest.of(b'x')}"),
    ):
        connection = http.client.HTTPConnection(worker.host, timeout=10)
        connection.putrequest(method, path)
        connection.putheader("Content-Length", "501")
        connection.endheaders()  # not a byte of the body is sent
        response = connection.getresponse()
        assert response.status == 403
        assert response.headers["Warning"].startswith('299 - "the quota of ns is used up: '), "regctl shows no more"
        assert json.loads(response.read())["errors"][0]["detail"]["needed"] == 501
        connection.close()
    assert worker.client("GET", location).status == 404
    assert uploads(tmp_path / "root") == []


def test_a_stream_of_unknown_length_ends_where_the_quota_does(worker: Worker, tmp_path: Path) -> None:
    quota(worker, 100_000)
    location = worker.client("POST", "/v2/ns/a/blobs/uploads/").headers["location"]
    assert worker.client("PATCH", location, iter([b"x" * 50_000])).status == 202
    refused = worker.client("PATCH", location, iter([b"x" * 40_000, b"x" * 20_000]))
    assert (refused.status, refused.code()) == (403, "DENIED")
    assert worker.client("GET", location).status == 404
    assert uploads(tmp_path / "root") == []


def test_an_immutable_tag_is_moved_and_deleted_by_nobody(worker: Worker, repositories: Repositories) -> None:
    digest = worker.client.push_image("a/b", "v1", [b"one"])
    worker.run(repositories.change("a/b", Settings(immutable=("v*",))))
    worker.client.push_image("a/b", "v1", [b"one"])
    raw = b'{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}'
    headers = {"Content_Type": "application/vnd.oci.image.index.v1+json"}
    for answer in (
        worker.client("PUT", "/v2/a/b/manifests/v1", raw, **headers),
        worker.client("PUT", f"/v2/a/b/manifests/{Digest.of(raw)}?tag=v1", raw, **headers),
        worker.client("DELETE", "/v2/a/b/manifests/v1"),
        worker.client("DELETE", f"/v2/a/b/manifests/{digest}"),
    ):
        assert (answer.status, answer.code()) == (403, "DENIED")
        assert "v1 is immutable here" in answer.json()["errors"][0]["message"]
    assert worker.client("GET", "/v2/a/b/manifests/v1").headers["docker-content-digest"] == digest
    assert worker.client("PUT", "/v2/a/b/manifests/latest", raw, **headers).status == 201


def test_a_deleted_image_cannot_be_pulled_until_it_is_brought_back(worker: Worker) -> None:
    layer = b"a layer of its own"
    digest = worker.client.push_image("a/b", "v1", [layer])
    service = worker.service
    worker.run(service.metadata.drop_links(-1.0))
    object.__setattr__(service.limits, "grace", -1.0)
    assert worker.client("DELETE", f"/v2/a/b/manifests/{digest}").status == 202
    assert worker.run(Collector(service).collect()).blobs == 0
    for path in ("manifests/v1", f"manifests/{digest}", f"blobs/{Digest.of(layer)}"):
        assert worker.client("GET", f"/v2/a/b/{path}").status == 404
    mounted = worker.client("POST", f"/v2/a/c/blobs/uploads/?mount={Digest.of(layer)}&from=a/b")
    assert mounted.status == 202
    worker.client("DELETE", mounted.headers["location"])
    worker.run(Undelete(service.database, DAY).restore("a/b", str(digest), "kim"))
    assert worker.client("GET", "/v2/a/b/manifests/v1").status == 200
    assert worker.client("GET", f"/v2/a/b/blobs/{Digest.of(layer)}").body == layer


def test_a_rename_ends_what_was_on_its_way_to_the_old_name(worker: Worker, repositories: Repositories) -> None:
    digest = worker.client.push_image("a/old", "v1", [b"layer"])
    location = worker.client("POST", "/v2/a/old/blobs/uploads/").headers["location"]
    worker.client("PATCH", location, b"half of")
    worker.run(repositories.rename("a/old", "b/new", "ada"))
    answer = worker.client("GET", f"/v2/a/old/manifests/{digest}")
    assert (answer.status, answer.code()) == (404, "NAME_UNKNOWN")
    for method, path in (("PATCH", location), ("PUT", f"{location}?digest={Digest.of(b'half of it')}")):
        answer = worker.client(method, path, b" it")
        assert (answer.status, answer.code()) == (404, "BLOB_UPLOAD_UNKNOWN")
    assert worker.client("GET", "/v2/_catalog").json()["repositories"] == ["b/new"]
    assert worker.client("GET", "/v2/b/new/manifests/v1").headers["docker-content-digest"] == digest


def test_fetching_a_manifest_counts_and_looking_for_it_does_not(worker: Worker, repositories: Repositories) -> None:
    digest = worker.client.push_image("a/b", "v1")
    for method, path, headers in (
        ("GET", "v1", {}),
        ("GET", "v1", {"Authorization": "Basic eDp5"}),  # the ordinary way
        ("GET", str(digest), {}),
        ("HEAD", "v1", {}),
        ("HEAD", "v1", {"Authorization": "Basic eDp5"}),
        ("GET", "v2", {}),
        ("GET", "v1", {"If-None-Match": f'"{digest}"'}),
    ):
        worker.client(method, f"/v2/a/b/manifests/{path}", **headers)
    worker.run(worker.service.pulls.flush())
    found = worker.run(repositories.pulled("a/b", ["", "v1", "v2", str(digest)]))
    assert {name: count for name, (count, _) in found.items()} == {"": 3, "v1": 2, str(digest): 3}


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[Worker]:
    gate = GrantingGate({"root": [("**", set(ALL))], "bob": [("bob/**", set(WRITE))], "pub": [], "": []})
    gate._callers["pub"] = gate._callers["bob"].__class__("pub", (Grant("library/**", WRITE), Grant("**", ENTER)))
    with registry_worker(tmp_path / "root", gate) as running:
        yield running


def test_only_admins_and_those_who_were_granted_it_push_official_images(shared: Worker) -> None:
    answers = {
        who: shared.client(
            "POST", "/v2/library/alpine/blobs/uploads/", **({"Authorization": who} if who else {})
        ).status
        for who in ("root", "bob", "pub", "")
    }
    assert answers == {"root": 202, "bob": 403, "pub": 202, "": 401}


def test_everybody_pulls_official_images_and_sees_that_they_are(shared: Worker) -> None:
    raw = b'{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}'
    headers = {"Authorization": "root", "Content_Type": "application/vnd.oci.image.index.v1+json"}
    for name in ("library/alpine", "bob/own"):
        assert shared.client("PUT", f"/v2/{name}/manifests/v1", raw, **headers).status == 201
    assert shared.client("GET", "/v2/library/alpine/manifests/v1").status == 200
    assert shared.client("GET", "/v2/bob/own/manifests/v1").status == 401
    catalog = shared.client("GET", "/v2/_catalog", Authorization="pub").json()["repositories"]
    assert catalog == ["library/alpine"]
    (found,) = shared.run(Repositories(shared.service.database).search(shared.service.gate.anonymous()))
    assert (found.name, found.official, found.visibility) == ("library/alpine", True, "public")


def test_the_shell_works_beside_a_server(tmp_path: Path) -> None:
    """One server for all that the commands do: each says what the API then shows. Costs 5 s of commands."""
    root, config = tmp_path / "root", tmp_path / "registry.toml"
    config.write_text('[access]\nmode = "open"\n[limits]\ngrace = "0s"\npause = "1h"\n')
    layer = b"layer" * 1000

    def tack(*words: str) -> str:
        where = ("--root", str(root), "--config", str(config))
        done = subprocess.run([TACK, "registry", *words, *where], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    with our_registry(root, "--config", str(config), workers=1) as registry:
        client: Client = registry.client
        first = client.push_image("a/b", "v1", [layer])
        client.push_image("a/b", "v2", [b"other"])
        tack("repo", "set", "a/b", "--summary", "Ours", "--retention", '[{"keep_newest":1}]')
        assert json.loads(tack("repo", "show", "a/b"))["summary"] == "Ours"
        assert tack("why", Digest.of(layer)).splitlines()[1] == "  tag v1"
        told = tack("retention", "--dry-run")
        assert f"a/b: manifest {first} goes: all its tags go (frees 5" in told
        assert client("GET", "/v2/a/b/manifests/v1").status == 200
        assert tack("retention") == "a/b: 1 tags, 1 manifests gone\n"
        assert tack("retention", "--dry-run", "a/b") == "a/b: nothing would go\n"
        assert client("GET", "/v2/a/b/manifests/v1").status == 404
        assert str(first) in tack("repo", "deleted", "a/b")
        tack("repo", "restore", "a/b", "v1")
        assert client("GET", "/v2/a/b/manifests/v1").status == 200
        client("DELETE", f"/v2/a/b/manifests/{first}")
        told = tack("gc", "--dry-run", "--forget-deleted")
        assert "1 deleted images and 1 blobs would go, which frees 5kB" in told
        assert "1 deleted images, 0 empty repositories and 1 blobs are gone" in tack("gc", "--forget-deleted")
        assert not list((root / "blobs").rglob(str(Digest.of(layer)).partition(":")[2]))
        tack("repo", "rename", "a/b", "c/d")
        assert client("GET", "/v2/c/d/tags/list").json()["tags"] == ["v2"]
        tack("repo", "delete", "c/d", "--force")
        assert client("GET", "/v2/_catalog").json()["repositories"] == []


def test_a_command_beside_a_server_collects_nothing_that_the_server_keeps(tmp_path: Path) -> None:
    """It was told the folder only, so it knows nothing of what the server was started with."""
    root = tmp_path / "root"
    with our_registry(root, "--undelete", "720h", "--grace", "3h") as registry:
        digest = registry.client.push_image("a/b", "v1", [b"layer"])
        registry.client("DELETE", f"/v2/a/b/manifests/{digest}")
        spare = registry.client.push_blob("a/c", b"of a push that goes on tomorrow")
        with closing(sqlite3.connect(root / "registry.db")) as database, database:
            database.execute("UPDATE grave SET deleted = deleted - ?", (2 * DAY,))
            database.execute("UPDATE link SET idle = idle - 3600, created = created - 3600 WHERE idle IS NOT NULL")
            database.execute("UPDATE upload SET touched = touched - 3600")
        gc = subprocess.run([TACK, "registry", "gc", "--root", str(root)], capture_output=True, text=True, check=True)
        assert " 0 deleted images, 0 empty repositories and 0 blobs are gone" in gc.stdout
        assert registry.client("HEAD", f"/v2/a/c/blobs/{spare}").status == 200
        restore = [TACK, "registry", "repo", "restore", "--root", str(root), "a/b", str(digest)]
        subprocess.run(restore, capture_output=True, check=True)
        assert registry.client("GET", "/v2/a/b/manifests/v1").status == 200
