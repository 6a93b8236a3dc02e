"""The JSON API with accounts on: who may what, what changes, and that nobody in particular gets nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from hardtack.registry.admin.endpoints import TABLE
from support.our_registry import Answer
from support.registry_worker import Worker, account, registry_worker

Call = Callable[..., Answer]


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    with registry_worker(tmp_path_factory.mktemp("admin") / "root", accounts=True) as worker:
        yield worker


def caller(worker: Worker, authorization: str) -> Call:
    """Somebody who calls the API below /api/v1 with a JSON body."""

    def call(method: str, path: str, body: Any = None) -> Answer:
        headers = {"Authorization": authorization} if authorization else {}
        raw = None if body is None else json.dumps(body).encode()
        return worker.client(method, f"/api/v1{path}", raw, **headers)

    return call


@pytest.fixture(scope="module")
def root(worker: Worker) -> Call:
    return caller(worker, account(worker, "root", admin=True))


@pytest.fixture(scope="module")
def ada(worker: Worker) -> Call:
    return caller(worker, account(worker, "ada"))


@pytest.fixture(scope="module")
def bob(worker: Worker) -> Call:
    return caller(worker, account(worker, "bob"))


@pytest.fixture(scope="module")
def image(worker: Worker, ada: Call) -> str:
    """An image of ada's, as its digest."""
    authorization = account(worker, "pusher", admin=True)
    client = worker.client

    def push(method: str, path: str, body: Any = None, **headers: str) -> Answer:
        return client(method, path, body, Authorization=authorization, **headers)

    blob = b"the only layer"
    from hardtack.oci.digest import Digest

    digests = []
    for data in (blob, b'{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}'):
        digest = Digest.of(data)
        answer = push("POST", f"/v2/ada/app/blobs/uploads/?digest={digest}", data)
        assert answer.status == 201, answer
        digests.append({"mediaType": "application/octet-stream", "digest": digest, "size": len(data)})
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": digests[1],
        "layers": digests[:1],
    }
    raw = json.dumps(manifest).encode()
    answer = push("PUT", "/v2/ada/app/manifests/v1", raw, Content_Type=manifest["mediaType"])
    assert answer.status == 201, answer
    return answer.headers["docker-content-digest"]


def test_nobody_in_particular_gets_nothing(worker: Worker) -> None:
    nobody = caller(worker, "")
    for endpoint in TABLE.endpoints:
        path = re.sub(r"\{(\w+)\}", lambda match: "1" if match[1] in ("webhook", "grant") else "ada", endpoint.path)
        answer = nobody(endpoint.method, path, {} if endpoint.takes else None)
        if endpoint.path == "/repositories" and endpoint.method == "GET":
            assert (answer.status, answer.json()) == (200, [])
        else:
            assert answer.status in (400, 401), (endpoint.method, endpoint.path, answer)
            assert ("www-authenticate" in answer.headers) is (answer.status == 401)


def test_only_admins_administer(worker: Worker, bob: Call, image: str) -> None:
    forbidden = [
        ("GET", "/users", None),
        ("POST", "/users", {"name": "eve"}),
        ("PATCH", "/users/bob", {"admin": True}),
        ("PATCH", "/users/ada", {"title": "x"}),
        ("DELETE", "/users/ada", None),
        ("POST", "/users/ada/password", {}),
        ("GET", "/users/ada/tokens", None),
        ("POST", "/users/ada/tokens", {"name": "x"}),
        ("POST", "/organisations", {"name": "eve", "owner": "bob"}),
        ("POST", "/grants", {"holder": "bob", "pattern": "ada/**", "rights": "admin"}),
        ("POST", "/robots/ada", {"name": "x"}),
        ("GET", "/audit", None),
        ("GET", "/namespaces", None),
        ("PATCH", "/namespaces/bob", {"quota": 5}),
        ("GET", "/namespaces/ada", None),
        ("GET", f"/why/{image}", None),
        ("POST", "/repositories", {"name": "ada/x"}),
        ("GET", "/repositories/ada/app", None),
        ("PATCH", "/repositories/ada/app", {"visibility": "public"}),
        ("DELETE", "/repositories/ada/app", None),
        ("POST", "/repositories/ada/app/-/rename", {"name": "bob/app"}),
        ("GET", "/repositories/ada/app/-/tags", None),
        ("GET", "/repositories/ada/app/-/deleted", None),
        ("GET", f"/repositories/ada/app/-/why/{image}", None),
        ("POST", "/webhooks", {"pattern": "ada/**", "url": "https://example.org/"}),
    ]
    for method, path, body in forbidden:
        assert bob(method, path, body).status == 403, (method, path)


def test_a_user_is_made_changed_and_deleted(root: Call, worker: Worker) -> None:
    assert root("POST", "/users", {"name": "carl", "title": "Carl"}).status == 201
    assert root("POST", "/users", {"name": "carl"}).status == 409
    assert root("POST", "/users", {"name": "library"}).status == 400
    assert root("PATCH", "/users/carl", {"active": False}).json()["active"] is False
    password = root("POST", "/users/carl/password", {}).json()["secret"]
    assert len(password) > 16
    assert "carl" in [user["name"] for user in root("GET", "/users?q=ar").json()]
    assert root("DELETE", "/users/carl").status == 204
    assert root("GET", "/users/carl").status == 404


def test_an_organisation_its_teams_and_robots(root: Call, ada: Call, bob: Call) -> None:
    assert root("POST", "/organisations", {"name": "bakery", "owner": "ada"}).status == 201
    assert ada("PUT", "/organisations/bakery/members/bob", {"role": "member"}).status == 204
    assert ada("POST", "/organisations/bakery/teams", {"name": "ovens"}).status == 201
    assert ada("PUT", "/organisations/bakery/teams/ovens/members/bob").status == 204
    given = {"holder": "bakery/ovens", "pattern": "bakery/bread", "rights": "write"}
    assert ada("POST", "/grants", given).status == 201
    assert bob("GET", "/organisations/bakery/teams").json()[0]["members"] == ["bob"]
    made = ada("POST", "/robots/bakery", {"name": "ci", "grants": [{"pattern": "bakery/**", "rights": "write"}]})
    assert made.json()["robot"]["name"] == "bakery+ci"
    secret = ada("POST", "/robots/bakery/ci/secret", {"life": 3600.0}).json()["secret"]
    assert secret.startswith("tack_bot_")
    assert ada("DELETE", "/robots/bakery/ci").status == 204
    assert bob("POST", "/organisations/bakery/teams", {"name": "mine"}).status == 403


def test_a_token_is_shown_once_and_a_scoped_one_reaches_no_further(worker: Worker, ada: Call) -> None:
    scope = [{"pattern": "ada/only", "rights": "admin"}]
    made = ada("POST", "/users/ada/tokens", {"name": "laptop", "scope": scope, "life": 600.0}).json()
    assert all(
        "secret" not in token and made["text"] not in str(token) for token in ada("GET", "/users/ada/tokens").json()
    )
    scoped = caller(worker, f"Bearer {made['text']}")
    assert scoped("POST", "/repositories", {"name": "ada/only"}).status == 201
    assert scoped("POST", "/repositories", {"name": "ada/other"}).status == 403
    assert scoped("POST", "/users/ada/tokens", {"name": "more"}).status == 403
    assert scoped("DELETE", "/repositories/ada/only").status == 200
    assert ada("DELETE", f"/users/ada/tokens/{made['token']['id']}").status == 204
    assert scoped("GET", "/account").status == 401


def test_a_repository_is_described_found_renamed_and_deleted(ada: Call, bob: Call) -> None:
    said = {"name": "ada/cookies", "summary": "Crisp", "readme": "# Hi", "visibility": "internal", "immutable": ["v*"]}
    made = ada("POST", "/repositories", said)
    assert (made.status, made.json()["immutable"]) == (201, ["v*"])
    assert [found["name"] for found in bob("GET", "/repositories?q=crisp").json()] == ["ada/cookies"]
    assert ada("PATCH", "/repositories/ada/cookies", {"visibility": "private"}).json()["summary"] == "Crisp"
    assert bob("GET", "/repositories?q=crisp").json() == []
    assert ada("POST", "/repositories/ada/cookies/-/rename", {"name": "bob/cookies"}).status == 403
    assert ada("POST", "/repositories/ada/cookies/-/rename", {"name": "ada/biscuits"}).json()["name"] == "ada/biscuits"
    assert ada("GET", "/repositories/ada/cookies").status in (403, 404)
    assert ada("DELETE", "/repositories/ada/biscuits?dry_run").json()["size"] == 0
    assert ada("DELETE", "/repositories/ada/biscuits").status == 200
    assert ada("GET", "/repositories/ada/biscuits").status == 404


def test_an_image_is_accounted_for_deleted_and_brought_back(worker: Worker, ada: Call, image: str) -> None:
    path = "/repositories/ada/app/-"
    assert [tag["name"] for tag in ada("GET", f"{path}/tags").json()] == ["v1"]
    assert [event["who"] for event in ada("GET", f"{path}/tags/v1/history").json()] == ["pusher"]
    assert [(change["tag"], change["digest"]) for change in ada("GET", f"{path}/history").json()] == [("v1", image)]
    rules = json.dumps([{"keep_newest": 1}])
    assert ada("PATCH", "/repositories/ada/app", {"retention": rules}).status == 200
    judged = ada("GET", f"{path}/retention").json()
    assert [(verdict["tag"], verdict["stays"]) for verdict in judged["tags"]] == [("v1", True)]
    (chain,) = ada("GET", f"{path}/why/{image}").json()
    assert chain["reason"] == "tag"
    assert ada("GET", f"{path}/manifests/v1/freed").json()["blobs"] == 2
    authorization = account(worker, "cleaner", admin=True)
    gone = worker.client("DELETE", f"/v2/ada/app/manifests/{image}", Authorization=authorization)
    assert gone.status == 202
    (grave,) = ada("GET", f"{path}/deleted").json()
    assert (grave["digest"], grave["deleted_by"]) == (image, "cleaner")
    assert ada("POST", f"{path}/deleted/{image}/restore").json() == {"digests": [image], "tags": ["v1"]}
    assert [tag["name"] for tag in ada("GET", f"{path}/tags").json()] == ["v1"]


def test_a_quota_is_the_admins_to_set(root: Call, ada: Call, image: str) -> None:
    assert root("PATCH", "/namespaces/ada", {"quota": 10_000_000}).json()["quota"] == 10_000_000
    assert ada("GET", "/namespaces/ada").json()["used"] > 0
    assert root("PATCH", "/namespaces/ada", {"quota": -1}).json()["quota"] is None
    assert root("PATCH", "/namespaces/ada", {"quota": -2}).status == 400


def test_webhooks_belong_to_whom_they_are_about(ada: Call, bob: Call, root: Call) -> None:
    # Of what other tests push, nothing is in this pattern.
    made = ada("POST", "/webhooks", {"pattern": "ada/quiet/**", "url": "https://example.org/hook"})
    assert (made.status, made.json()["secret"][:6]) == (201, "whsec_")
    number = made.json()["webhook"]["id"]
    assert bob("GET", f"/webhooks/{number}").status == 404
    refused = bob("POST", "/webhooks", {"pattern": "ada/quiet/**", "url": "https://example.org/hook"})
    assert (refused.status, refused.json()["errors"][0]["message"]) == (403, "not allowed to administer ada/quiet/**")
    assert bob("GET", "/webhooks").json() == []
    assert "secret" not in root("GET", f"/webhooks/{number}").json()
    assert ada("PATCH", f"/webhooks/{number}", {"active": False}).json()["active"] is False
    assert ada("GET", f"/webhooks/{number}/deliveries").json() == []
    assert ada("DELETE", f"/webhooks/{number}").status == 204


def test_what_was_done_is_in_the_audit_log(root: Call, ada: Call) -> None:
    ada("PATCH", "/users/ada", {"title": "Ada L."})
    entries = root("GET", "/audit?who=ada&n=5").json()
    assert (entries[0]["action"], entries[0]["target"], entries[0]["address"]) == ("account.edit", "ada", "127.0.0.1")
    number = ada("POST", "/webhooks", {"pattern": "ada/**", "url": "https://example.org/hook"}).json()["webhook"]["id"]
    ada("PATCH", f"/webhooks/{number}", {"active": False})
    ada("DELETE", f"/webhooks/{number}")
    done = [(one["action"], one["target"], one["detail"]) for one in root("GET", "/audit?who=ada&n=3").json()]
    assert done == [(f"webhook.{verb}", "ada/**", str(number)) for verb in ("remove", "disable", "create")]
    last = root("GET", "/audit?n=2").json()[-1]["id"]
    assert root("GET", f"/audit?before={last}&n=1").json()[0]["id"] < last


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/nowhere", None, 404),
        ("PUT", "/users", None, 405),
        ("POST", "/users", {"name": "x", "colour": "red"}, 400),
        ("POST", "/users", {"name": 5}, 400),
        ("GET", "/users?n=many", None, 400),
        ("GET", "/webhooks/x", None, 400),
        ("GET", "/audit?before=yesterday", None, 400),
        ("GET", "/grants?last=-1", None, 400),
        ("GET", "/repositories/UPPER", None, 400),
        ("POST", "/repositories", {"name": "root/x", "readme": "x" * 2_000_000}, 413),
    ],
)
def test_what_cannot_be_meant_is_refused(root: Call, method: str, path: str, body: Any, status: int) -> None:
    assert root(method, path, body).status == status


def test_the_api_describes_itself(ada: Call) -> None:
    assert ada("GET", "/openapi.json").json()["openapi"] == "3.1.0"


def test_who_administers_one_repository_decides_nothing_for_its_namespace(worker: Worker, root: Call) -> None:
    eve = caller(worker, account(worker, "eve"))
    for pattern in ("team/any", "team/*", "team/x/**"):
        assert root("POST", "/grants", {"holder": "eve", "pattern": pattern, "rights": "admin"}).status == 201
    assert eve("PATCH", "/namespaces/team", {"visibility": "public"}).status == 403
    assert eve("GET", "/namespaces/team").status == 403
    assert eve("PATCH", "/namespaces/eve", {"visibility": "public"}).json()["visibility"] == "public"
    for name in ("eve%2Fx", "Eve", "eve%2F..", "login"):
        assert root("PATCH", f"/namespaces/{name}", {"visibility": "public"}).status == 400, name


def test_a_token_for_a_repository_shows_nothing_of_accounts(worker: Worker, root: Call, image: str) -> None:
    frank = account(worker, "frank")
    assert root("POST", "/organisations", {"name": "quarry", "owner": "frank"}).status == 201
    scope = [{"pattern": "frank/app", "rights": "read"}]
    made = caller(worker, frank)("POST", "/users/frank/tokens", {"name": "ci", "scope": scope}).json()
    asked = worker.client("GET", "/token?scope=repository:frank/app:pull", Authorization=frank)
    scoped, docker = caller(worker, f"Bearer {made['text']}"), caller(worker, f"Bearer {asked.json()['token']}")
    for who in (scoped, docker):
        for method, path, body in (
            ("GET", "/organisations/quarry/members", None),
            ("GET", "/organisations/quarry/teams", None),
            ("GET", "/users/frank", None),
            ("GET", "/users/frank/tokens", None),
            ("PATCH", "/users/frank", {"email": "eve@example.org"}),
            ("GET", "/grants?holder=frank", None),
        ):
            assert who(method, path, body).status == 403, (method, path)
    assert docker("GET", "/account").status == 403
    assert caller(worker, frank)("GET", "/organisations/quarry/members").status == 200


def test_the_number_of_a_grant_tells_nobody_what_it_is_for(worker: Worker, root: Call, ada: Call) -> None:
    ada_s = ada("POST", "/grants", {"holder": "root", "pattern": "ada/secret-plans", "rights": "read"}).json()
    eve = caller(worker, account(worker, "grace"))
    answers = [eve("DELETE", f"/grants/{number}") for number in (ada_s["id"], 999_999)]
    assert [answer.status for answer in answers] == [404, 404]
    assert b"secret-plans" not in answers[0].body
    assert ada("DELETE", f"/grants/{ada_s['id']}").status == 204


def test_figures_are_for_admins_and_not_for_their_tokens_of_less(worker: Worker, root: Call) -> None:
    chief = account(worker, "chief", admin=True)
    remote = {"X_Forwarded_For": "192.0.2.1"}  # else everybody on this machine may
    made = caller(worker, chief)(
        "POST", "/users/chief/tokens", {"name": "ci", "scope": [{"pattern": "chief/app", "rights": "read"}]}
    ).json()
    assert worker.client("GET", "/metrics", Authorization=chief, **remote).status == 200
    assert worker.client("GET", "/metrics", Authorization=f"Bearer {made['text']}", **remote).status == 403
    assert worker.client("GET", "/metrics", **remote).status == 403


@pytest.mark.parametrize("said", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}])
def test_a_password_that_a_browser_remembers_serves_no_other_site_s_page(worker: Worker, said: dict[str, str]) -> None:
    name = "heidi" if "Origin" in said else "ivan"
    authorization, body = account(worker, name), json.dumps({"name": "stolen"}).encode()
    path = f"/api/v1/users/{name}/tokens"
    forged = worker.client("POST", path, body, Authorization=authorization, Content_Type="text/plain", **said)
    assert forged.status == 403
    ours = {"Origin": f"http://{worker.host}", "Sec-Fetch-Site": "same-origin"}
    assert worker.client("POST", path, body, Authorization=authorization, **ours).status == 201
    assert worker.client("POST", path, body, Authorization=authorization).status == 201
