"""Who may what: every route asks, rights are apart from each other, and links decide about blobs."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hardtack.oci.digest import Digest
from hardtack.registry.access import ALL, Action
from hardtack.registry.api.path import Kind
from hardtack.registry.api.routes import ROUTES
from support.our_registry import Answer, Client
from support.registry_worker import GrantingGate, Worker, registry_worker

A, B = Action, frozenset
READ, WRITE = {A.ENTER, A.PULL}, {A.ENTER, A.PULL, A.PUSH}
GRANTS = {
    "": [("public/**", READ), ("**", {A.ENTER})],
    "root": [("**", set(ALL))],
    "ada": [("ada/**", set(ALL)), ("public/**", READ), ("**", {A.ENTER})],
    "bob": [("bob/**", set(ALL)), ("public/**", READ), ("**", {A.ENTER})],
    "creator": [("**", WRITE | {A.TAG_CREATE})],
    "updater": [("**", WRITE | {A.TAG_UPDATE})],
    "untagger": [("**", WRITE | {A.TAG_DELETE})],
    "deleter": [("**", WRITE | {A.DELETE})],
}


class As:
    """A client that says who it is."""

    def __init__(self, client: Client, who: str) -> None:
        self._client = client
        self._who = who

    def __call__(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        named = {"Authorization": self._who} if self._who else {}
        return self._client(method, path, body, **named, **headers)


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Worker]:
    with registry_worker(tmp_path / "root", GrantingGate(GRANTS)) as running:
        yield running


@pytest.fixture
def who(guarded: Worker) -> Callable[[str], As]:
    return lambda name: As(guarded.client, name)


def push_blob(caller: As, repository: str, data: bytes) -> str:
    answer = caller("POST", f"/v2/{repository}/blobs/uploads/?digest={Digest.of(data)}", data)
    assert answer.status == 201, answer
    return f"/v2/{repository}/blobs/{Digest.of(data)}"


def push_manifest(caller: As, repository: str, tag: str, mark: str = "") -> Answer:
    raw = f'{{"schemaVersion":2,"manifests":[],"annotations":{{"mark":"{mark}"}}}}'.encode()
    return caller(
        "PUT", f"/v2/{repository}/manifests/{tag}", raw, Content_Type="application/vnd.oci.image.index.v1+json"
    )


DIGEST = "sha256:" + "0" * 64
ADDRESSES = {
    Kind.BASE: ["/v2/"],
    Kind.CATALOG: ["/v2/_catalog"],
    Kind.TAGS: ["/v2/secret/a/tags/list"],
    Kind.MANIFEST: ["/v2/secret/a/manifests/v1", f"/v2/secret/a/manifests/{DIGEST}"],
    Kind.BLOB: [f"/v2/secret/a/blobs/{DIGEST}"],
    Kind.UPLOADS: ["/v2/secret/a/blobs/uploads/", f"/v2/secret/a/blobs/uploads/?mount={DIGEST}"],
    Kind.UPLOAD: [f"/v2/secret/a/blobs/uploads/{uuid.uuid4()}"],
    Kind.REFERRERS: [f"/v2/secret/a/referrers/{DIGEST}"],
}
EVERY_ROUTE = [(method, path) for kind in Kind for method in ROUTES[kind] for path in ADDRESSES[kind]]


def test_every_route_refuses_who_has_no_right(tmp_path: Path) -> None:
    with registry_worker(tmp_path / "root", GrantingGate({"nobody": []})) as running:
        running.run(running.service.metadata.claim("x", "secret/a", "", DIGEST, 1))
        running.run(running.service.metadata.claim("x", "secret/a", "", DIGEST, 1))
        running.run(running.service.metadata.finish_upload("x", "secret/a", DIGEST, 1))
        for method, path in [*EVERY_ROUTE, ("GET", "/v2/no/address"), ("GET", "/v2/secret/a/nonsense")]:
            stranger = running.client(method, path, b"" if method in ("PUT", "POST", "PATCH") else None)
            assert stranger.status == 401, (method, path)
            assert "Basic" in stranger.headers["www-authenticate"]
            known = running.client(method, path, b"", Authorization="nobody")
            unseen = method == "HEAD" and "/blobs/sha256" in path
            assert known.status == (404 if unseen else 403), (method, path)
            wrong = running.client(method, path, b"", Authorization="forged")
            assert wrong.status == 401, (method, path)


def test_the_pages_show_nothing_to_who_may_not_pull(who: Callable[[str], As]) -> None:
    push_manifest(who("root"), "secret/plans", "v1")
    push_manifest(who("root"), "public/menu", "v1")
    home = who("")("GET", "/").body
    assert b"public/" in home
    assert b"secret" not in home
    for path in ("/secret/plans", "/secret/plans:v1"):
        assert who("")("GET", path).status == 404
        assert who("root")("GET", path).status == 200


def test_the_quick_lane_asks_as_well(guarded: Worker, who: Callable[[str], As]) -> None:
    push_manifest(who("root"), "secret/plans", "v1")
    push_manifest(who("root"), "public/menu", "v1")
    reader = Client(guarded.host, keep=True)
    for _ in range(3):
        assert reader("GET", "/v2/public/menu/manifests/v1").status == 200
        assert reader("GET", "/v2/secret/plans/manifests/v1").status == 401


def test_the_catalog_lists_only_what_the_caller_may_pull(who: Callable[[str], As]) -> None:
    for name in ("ada/one", "bob/one", "public/one", "secret/one"):
        push_manifest(who("root"), name, "v1")
    assert who("ada")("GET", "/v2/_catalog").json()["repositories"] == ["ada/one", "public/one"]
    first = who("ada")("GET", "/v2/_catalog?n=1")
    assert first.json()["repositories"] == ["ada/one"]
    second = who("ada")("GET", first.headers["link"].partition(">")[0].lstrip("<"))
    assert second.json()["repositories"] == ["public/one"]
    assert "link" not in second.headers


def test_a_refusal_without_a_body_says_why_in_a_header(who: Callable[[str], As]) -> None:
    push_manifest(who("ada"), "ada/plans", "v1")
    refused = who("bob")("HEAD", "/v2/ada/plans/manifests/v1")
    assert (refused.status, refused.body) == (403, b"")
    assert refused.headers["warning"] == '299 - "not allowed to pull from ada/plans"'
    assert "warning" not in who("bob")("GET", "/v2/ada/plans/manifests/v1").headers
    assert "warning" not in who("bob")("HEAD", "/v2/bob/plans/manifests/v1").headers


def test_who_may_not_look_for_a_blob_is_told_at_the_upload(who: Callable[[str], As]) -> None:
    blob = push_blob(who("ada"), "ada/private", b"nobody's business")
    assert who("bob")("HEAD", blob).status == 404, "so that clients go on to what has a body to tell"
    assert who("bob")("GET", blob).status == 403
    assert who("")("HEAD", blob).status == 401
    refused = who("bob")("POST", "/v2/ada/private/blobs/uploads/")
    assert (refused.status, refused.json()["errors"][0]["message"]) == (403, "not allowed to push to ada/private")


@pytest.mark.parametrize("parameters", ["&from=ada/private", ""])
def test_a_mount_without_the_right_to_pull_becomes_an_upload(who: Callable[[str], As], parameters: str) -> None:
    blob = push_blob(who("ada"), "ada/private", b"nobody's business")
    path = f"/v2/bob/copy/blobs/uploads/?mount={blob.rsplit('/', 1)[1]}{parameters}"
    refused = who("bob")("POST", path)
    assert refused.status == 202
    assert who("bob")("HEAD", blob.replace("ada/private", "bob/copy")).status == 404
    granted = who("root")("POST", path)
    assert granted.status == 201
    assert who("bob")("GET", granted.headers["location"]).body == b"nobody's business"


def test_a_mount_of_what_the_source_does_not_link_becomes_an_upload(who: Callable[[str], As]) -> None:
    blob = push_blob(who("root"), "public/one", b"here")
    push_blob(who("root"), "public/other", b"something else")
    digest = blob.rsplit("/", 1)[1]
    for source in ("public/other", "no/such", "../etc", ""):
        status = who("root")("POST", f"/v2/x/y/blobs/uploads/?mount={digest}&from={source}").status
        assert status == (201 if not source else 202)
        who("root")("DELETE", f"/v2/x/y/blobs/{digest}")
    assert who("root")("POST", f"/v2/x/y/blobs/uploads/?mount={DIGEST}").status == 202


def test_an_upload_belongs_to_who_began_it(who: Callable[[str], As]) -> None:
    location = who("ada")("POST", "/v2/ada/mine/blobs/uploads/").headers["location"]
    for method in ("GET", "PATCH", "PUT", "DELETE"):
        answer = who("root")(method, f"{location}?digest={Digest.of(b'')}", b"")
        assert (answer.status, answer.code()) == (404, "BLOB_UPLOAD_UNKNOWN"), method
    assert who("ada")("GET", location).status == 204


def test_creating_and_updating_a_tag_are_two_rights(who: Callable[[str], As]) -> None:
    assert push_manifest(who("updater"), "t/a", "v1").status == 403
    assert push_manifest(who("creator"), "t/a", "v1", "first").status == 201
    assert push_manifest(who("creator"), "t/a", "v1", "second").status == 403
    assert push_manifest(who("creator"), "t/a", "v1", "first").status == 201  # nothing changes
    assert push_manifest(who("updater"), "t/a", "v1", "second").status == 201
    refused = push_manifest(who("creator"), "t/a", f"{Digest.of(RAW)}?tag=v2&tag=v1", "third")
    assert refused.status == 403
    assert who("root")("GET", "/v2/t/a/tags/list").json()["tags"] == ["v1"]


RAW = b'{"schemaVersion":2,"manifests":[],"annotations":{"mark":"third"}}'


def test_deleting_a_tag_and_deleting_a_manifest_are_two_rights(who: Callable[[str], As]) -> None:
    digest = push_manifest(who("root"), "t/a", "v1").headers["docker-content-digest"]
    for name in ("creator", "updater", "deleter"):
        assert who(name)("DELETE", "/v2/t/a/manifests/v1").status == 403
    for name in ("creator", "updater", "untagger"):
        assert who(name)("DELETE", f"/v2/t/a/manifests/{digest}").status == 403
    blob = push_blob(who("root"), "t/a", b"data")
    assert who("untagger")("DELETE", blob).status == 403
    assert who("untagger")("DELETE", "/v2/t/a/manifests/v1").status == 202
    assert who("deleter")("DELETE", f"/v2/t/a/manifests/{digest}").status == 202
    assert who("deleter")("DELETE", blob).status == 202


def test_a_tag_remembers_who_changed_it(guarded: Worker, who: Callable[[str], As]) -> None:
    first = push_manifest(who("creator"), "t/a", "v1", "first").headers["docker-content-digest"]
    second = push_manifest(who("updater"), "t/a", "v1", "second").headers["docker-content-digest"]
    who("untagger")("DELETE", "/v2/t/a/manifests/v1")
    history = guarded.run(guarded.service.metadata.tag_history("t/a", "v1"))
    assert [(event.digest, event.who) for event in history] == [
        ("", "untagger"),
        (second, "updater"),
        (first, "creator"),
    ]
