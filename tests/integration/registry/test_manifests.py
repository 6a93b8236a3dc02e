"""Manifests come in: what is accepted, what is refused, what pushing and deleting them does to tags and blobs."""

from __future__ import annotations

import json
import socket
from typing import Any
from urllib.parse import quote

import pytest

from hardtack.oci.digest import Digest
from hardtack.oci.mediatypes import (
    DOCKER_CONFIG,
    DOCKER_INDEX,
    DOCKER_LAYER_GZIP,
    DOCKER_MANIFEST,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_LAYER_GZIP,
    OCI_MANIFEST,
)
from support.our_registry import Answer, Client

HOME = "manifests/main"


@pytest.fixture
def document(client: Client) -> dict[str, Any]:
    """An image of one layer, with its blobs pushed and its manifest not."""
    config, layer = b'{"architecture":"amd64"}', b"layer"
    return {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": {"mediaType": OCI_CONFIG, "digest": client.push_blob(HOME, config), "size": len(config)},
        "layers": [{"mediaType": OCI_LAYER_GZIP, "digest": client.push_blob(HOME, layer), "size": len(layer)}],
    }


def put(client: Client, reference: str, document: Any, media_type: str | None = OCI_MANIFEST) -> Answer:
    raw = document if isinstance(document, bytes) else json.dumps(document).encode()
    headers = {"Content_Type": media_type} if media_type else {}
    return client("PUT", f"/v2/{HOME}/manifests/{reference}", raw, **headers)


def test_docker_and_oci_forms_are_kept_in_the_type_they_came_in(client: Client, document: dict[str, Any]) -> None:
    document["config"]["mediaType"], document["layers"][0]["mediaType"] = DOCKER_CONFIG, DOCKER_LAYER_GZIP
    document["mediaType"] = DOCKER_MANIFEST
    digest = client.push_manifest(HOME, "docker", document, DOCKER_MANIFEST)
    entry = {"mediaType": DOCKER_MANIFEST, "digest": digest, "size": 10}
    index = {"schemaVersion": 2, "mediaType": DOCKER_INDEX, "manifests": [entry]}
    client.push_manifest(HOME, "list", index, DOCKER_INDEX)
    assert client("GET", f"/v2/{HOME}/manifests/docker").headers["content-type"] == DOCKER_MANIFEST
    assert client("GET", f"/v2/{HOME}/manifests/list").headers["content-type"] == DOCKER_INDEX


@pytest.mark.parametrize("said", [None, "application/json", OCI_MANIFEST + "; charset=utf-8"])
def test_a_type_said_with_parameters_or_not_at_all_is_found_in_the_manifest(
    client: Client, document: dict[str, Any], said: str | None
) -> None:
    assert put(client, "typed", document, said).status == 201
    assert client("HEAD", f"/v2/{HOME}/manifests/typed").headers["content-type"] == OCI_MANIFEST


@pytest.mark.parametrize(
    ("change", "media_type"),
    [
        ({"manifests": []}, OCI_MANIFEST),
        ({"manifests": [], "mediaType": OCI_INDEX}, OCI_INDEX),
        ({"mediaType": OCI_INDEX}, OCI_MANIFEST),
        ({"mediaType": OCI_INDEX}, OCI_INDEX),
        ({"mediaType": DOCKER_MANIFEST}, OCI_MANIFEST),
        ({}, OCI_INDEX),
        ({}, "text/html"),
        ({"schemaVersion": 1}, OCI_MANIFEST),
        ({"layers": "none"}, OCI_MANIFEST),
        ({"config": None}, OCI_MANIFEST),
        ({"Layers": []}, OCI_MANIFEST),
    ],
)
def test_a_manifest_of_mixed_or_contradicting_form_is_refused(
    client: Client, document: dict[str, Any], change: dict[str, Any], media_type: str
) -> None:
    answer = put(client, "mixed", document | change, media_type)
    assert (answer.status, answer.code()) == (400, "MANIFEST_INVALID")
    assert client("GET", f"/v2/{HOME}/manifests/mixed").status == 404


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"\xff", b"null", b'{"a":' * 5000])
def test_bytes_that_are_no_manifest_are_refused(client: Client, raw: bytes) -> None:
    answer = put(client, "broken", raw)
    assert (answer.status, answer.code()) == (400, "MANIFEST_INVALID")


@pytest.mark.parametrize("announced", [True, False])
def test_a_manifest_over_four_mebibytes_is_too_large(client: Client, announced: bool) -> None:
    raw = b"{" + b" " * (4 << 20) + b"}"
    body = raw if announced else iter([raw[: 1 << 20]] * 5)
    answer = client("PUT", f"/v2/{HOME}/manifests/large", body, Content_Type=OCI_MANIFEST)
    assert answer.status == 413


def test_a_manifest_that_announces_too_much_is_not_asked_for(client: Client) -> None:
    host, port = client.host.split(":")
    with socket.create_connection((host, int(port)), timeout=5) as sock:
        head = f"PUT /v2/{HOME}/manifests/large HTTP/1.1\r\nHost: {client.host}\r\nExpect: 100-continue\r\n"
        sock.sendall((head + f"Content-Length: {5 << 20}\r\n\r\n").encode())
        assert sock.recv(1000).startswith(b"HTTP/1.1 413 ")


def test_a_manifest_pushed_by_digest_must_have_it(client: Client, document: dict[str, Any]) -> None:
    raw = json.dumps(document).encode()
    assert put(client, Digest.of(raw + b" "), raw).code() == "DIGEST_INVALID"
    for algorithm in ("sha256", "sha512"):
        answer = put(client, Digest.of(raw, algorithm), raw)
        assert answer.headers["docker-content-digest"] == Digest.of(raw, algorithm)
        assert client("GET", answer.headers["location"]).body == raw


def test_tags_may_be_given_with_a_digest(client: Client, document: dict[str, Any]) -> None:
    raw = json.dumps(document).encode()
    digest = Digest.of(raw, "sha512")
    answer = put(client, f"{digest}?tag=1.2.3&tag=1.2&tag=1&tag=1", raw)
    assert (answer.status, answer.headers["oci-tag"]) == (201, "1.2.3, 1.2, 1")
    for tag in ("1.2.3", "1.2", "1"):
        assert client("HEAD", f"/v2/{HOME}/manifests/{tag}").headers["docker-content-digest"] == digest
    assert put(client, f"{digest}?tag=fine&tag=-bad", raw).code() == "MANIFEST_INVALID"
    assert client("HEAD", f"/v2/{HOME}/manifests/fine").status == 404
    assert put(client, "tagged?tag=another", raw).headers.get("oci-tag") is None


@pytest.mark.parametrize("tag", ["-a", ".a", "a" * 129, "a%20b", "%C3%A9"])
def test_a_tag_outside_the_grammar_is_refused(client: Client, document: dict[str, Any], tag: str) -> None:
    assert put(client, tag, document).code() == "MANIFEST_INVALID"


def test_an_image_without_its_blobs_is_refused_and_an_index_without_its_images_is_not(
    client: Client, document: dict[str, Any]
) -> None:
    document["layers"][0]["digest"] = "sha256:" + "1" * 64
    assert put(client, "hollow", document).code() == "MANIFEST_BLOB_UNKNOWN"
    entry = {"mediaType": OCI_MANIFEST, "digest": "sha256:" + "2" * 64, "size": 10}
    index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [entry]}
    assert put(client, "sparse", index, OCI_INDEX).status == 201


def test_a_layer_that_is_fetched_elsewhere_need_not_be_here(client: Client, document: dict[str, Any]) -> None:
    foreign = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"
    elsewhere = {"mediaType": foreign, "digest": "sha256:" + "3" * 64, "size": 9, "urls": ["https://example.org/x"]}
    document["layers"].append(elsewhere)
    assert put(client, "foreign", document).status == 201


def test_deleting_a_manifest_takes_its_tags_and_leaves_what_others_need(client: Client) -> None:
    shared, alone = b"shared layer", b"a layer of its own"
    first = client.push_image("manifests/shared", "first", [shared, alone])
    client.push_image("manifests/shared", "second", [shared])
    assert client("DELETE", f"/v2/manifests/shared/manifests/{first}").status == 202
    for reference in ("first", first):
        assert client("GET", f"/v2/manifests/shared/manifests/{reference}").status == 404
    assert client("DELETE", f"/v2/manifests/shared/manifests/{first}").status == 404
    assert client("GET", "/v2/manifests/shared/tags/list").json()["tags"] == ["second"]
    assert client("GET", f"/v2/manifests/shared/blobs/{Digest.of(shared)}").body == shared


def test_deleting_a_tag_leaves_the_manifest(client: Client) -> None:
    digest = client.push_image("manifests/tags", "one")
    client.push_image("manifests/tags", "two")
    assert client("DELETE", "/v2/manifests/tags/manifests/one").status == 202
    assert client("GET", "/v2/manifests/tags/manifests/one").status == 404
    assert client("GET", f"/v2/manifests/tags/manifests/{digest}").status == 200
    assert client("DELETE", "/v2/manifests/tags/manifests/one").status == 404


def test_a_blob_that_an_image_needs_is_not_deleted_alone(client: Client) -> None:
    layer = b"a layer in use"
    digest = client.push_image("manifests/inuse", "v1", [layer])
    answer = client("DELETE", f"/v2/manifests/inuse/blobs/{Digest.of(layer)}")
    assert (answer.status, answer.code()) == (405, "DENIED")
    client("DELETE", f"/v2/manifests/inuse/manifests/{digest}")
    assert client("DELETE", f"/v2/manifests/inuse/blobs/{Digest.of(layer)}").status == 202
    assert client("GET", f"/v2/manifests/inuse/blobs/{Digest.of(layer)}").status == 404


def _artifact(client: Client, home: str, subject: Digest, kind: str, number: int = 0) -> Digest:
    empty = client.push_blob(home, b"{}")
    config = {"mediaType": "application/vnd.oci.empty.v1+json", "digest": empty, "size": 2}
    return client.push_manifest(
        home,
        Digest.of(f"{kind}{number}".encode()).hex[:20],
        {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "artifactType": kind,
            "config": config,
            "layers": [],
            "subject": {"mediaType": OCI_MANIFEST, "digest": subject, "size": 1},
            "annotations": {"number": str(number)},
        },
    )


def test_referrers_are_listed_and_filtered(client: Client) -> None:
    home = "manifests/referrers"
    subject = client.push_image(home, "v1")
    path = f"/v2/{home}/referrers/{subject}"
    assert client("GET", path).json()["manifests"] == []
    signature = _artifact(client, home, subject, "application/x-signature", 7)
    sbom = _artifact(client, home, subject, "application/x-sbom")
    everything = client("GET", path)
    assert everything.headers["content-type"] == OCI_INDEX
    assert {entry["digest"] for entry in everything.json()["manifests"]} == {signature, sbom}
    some = client("GET", f"{path}?artifactType=application/x-signature")
    assert some.headers["oci-filters-applied"] == "artifactType"
    (entry,) = some.json()["manifests"]
    assert (entry["digest"], entry["annotations"]) == (signature, {"number": "7"})
    client("DELETE", f"/v2/{home}/manifests/{signature}")
    assert [entry["digest"] for entry in client("GET", path).json()["manifests"]] == [sbom]


def test_referrers_come_by_pages_that_keep_the_filter(client: Client) -> None:
    home, kind = "manifests/many-referrers", "application/x-sbom+json; v=1&2"
    subject = client.push_image(home, "v1")
    wanted = sorted(_artifact(client, home, subject, kind, number) for number in range(5))
    _artifact(client, home, subject, "application/x-signature")
    path = f"/v2/{home}/referrers/{subject}"
    pages: list[list[str]] = []
    following = f"{path}?n=2&artifactType={quote(kind, safe='')}"
    while following:
        answer = client("GET", following)
        assert answer.headers["oci-filters-applied"] == "artifactType"
        pages.append([entry["digest"] for entry in answer.json()["manifests"]])
        following = answer.headers.get("link", "").partition(">")[0].lstrip("<")
    assert [len(page) for page in pages] == [2, 2, 1]
    assert [digest for page in pages for digest in page] == wanted
    whole = client("GET", path)
    assert (len(whole.json()["manifests"]), whole.headers.get("link")) == (6, None)
    assert client("GET", f"{path}?n=-1").code() == "PAGINATION_NUMBER_INVALID"


def test_an_older_client_finds_referrers_under_the_tag_it_looks_for(client: Client) -> None:
    home = "manifests/fallback"
    subject = client.push_image(home, "v1")
    tag = f"/v2/{home}/manifests/sha256-{subject.hex}"
    assert client("GET", tag).status == 404
    sbom = _artifact(client, home, subject, "application/x-sbom")
    answer = client("GET", tag)
    assert answer.headers["docker-content-digest"] == Digest.of(answer.body)
    assert [entry["digest"] for entry in answer.json()["manifests"]] == [sbom]


def test_tags_and_repositories_are_listed_by_pages(client: Client) -> None:
    for tag in ("a", "B", "c", "10", "9"):
        client.push_image("manifests/paged", tag)
    path = "/v2/manifests/paged/tags/list"
    assert client("GET", path).json() == {"name": "manifests/paged", "tags": ["10", "9", "B", "a", "c"]}
    seen: list[str] = []
    following = f"{path}?n=2"
    while following:
        answer = client("GET", following)
        seen += answer.json()["tags"]
        link = answer.headers.get("link", "")
        assert not link or link.endswith('>; rel="next"')
        following = link.partition(">")[0].lstrip("<")
    assert seen == ["10", "9", "B", "a", "c"]
    none = client("GET", f"{path}?n=0")
    assert (none.json()["tags"], none.headers.get("link")) == ([], None)
    assert client("GET", f"{path}?n=99999999999999999999").status == 200
    first = client("GET", "/v2/_catalog?n=1")
    assert len(first.json()["repositories"]) == 1
    second = client("GET", first.headers["link"].partition(">")[0].lstrip("<"))
    assert second.json()["repositories"][0] > first.json()["repositories"][0]
