"""Eight real clients against a registry with accounts: what each may it can, and what it may not it can read why.

`./dev test tests/clients/test_registry_accounts_matrix.py -n0 -s` prints the table of docs/registry/clients.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from support.peer_engines import Docker
from support.peer_stage import PEERS, Authority, Matrix, Stage, stage
from support.peers import ARTIFACT, Done, Peer, said

pytestmark = pytest.mark.clients
WRONG = r"invalid username/password|unauthorized|the name or the password is wrong|refused the name or the password"
NOT_LOGGED_IN = r"authentication is required|unauthorized|denies access|403 Forbidden"


@pytest.fixture(scope="module")
def matrix() -> Iterator[Matrix]:
    made = Matrix()
    yield made
    print(f"\n{made.table()}")


@pytest.fixture(scope="module")
def registry() -> Iterator[Stage]:
    """Over plain HTTP, with what many tests need: something public, something private, a full namespace. Costs 2 s."""
    with stage() as made:
        admin, image = made.admin, made.layouts.image
        admin.upload(image, "library/open")
        admin.upload(image, "bob/secret")
        admin.ask("PATCH", "namespaces/full", quota=50)
        for peer in PEERS:
            admin.ask("POST", "grants", holder=peer.program, pattern="full/**", rights="write")
        yield made


@pytest.fixture(scope="module")
def read_only() -> Iterator[Stage]:
    with stage("--read-only") as made:
        yield made


@pytest.fixture(scope="module")
def encrypted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    authority = Authority(tmp_path_factory.mktemp("authority"))
    with stage(authority=authority) as made:
        made.admin.upload(made.layouts.image, "library/open")
        yield made


def peers(doing: str = "", but: tuple[str, ...] = ()) -> pytest.MarkDecorator:
    """All clients, or those that can do something."""
    kinds = [peer for peer in PEERS if (not doing or doing in peer.can) and peer.program not in but]
    return pytest.mark.parametrize("kind", kinds, ids=lambda kind: kind.program)


@pytest.fixture(autouse=True)
def _daemon(request: pytest.FixtureRequest) -> None:
    """docker's daemon, for the tests of docker."""
    if request.getfixturevalue("kind") is Docker:
        for name in ("registry", "encrypted", "read_only"):
            if name in request.fixturenames:
                request.getfixturevalue(name).daemon = request.getfixturevalue("docker")


def well(done: Done) -> Done:
    assert done.returncode == 0, said(done)
    return done


def refused(done: Done, why: str) -> None:
    """It failed, and whoever reads what it printed knows why."""
    assert done.returncode != 0, said(done)
    assert re.search(why, said(done)), said(done)


@peers()
def test_a_wrong_password_is_refused(registry: Stage, kind: type[Peer], matrix: Matrix) -> None:
    peer = registry.peer(kind, "stranger")
    refused(peer.login(kind.program, "not this one"), WRONG)
    matrix.note(peer, "login")


@pytest.mark.parametrize("secret", ["password", "token", "ci"])
@peers()
def test_what_was_pushed_is_pulled(registry: Stage, kind: type[Peer], secret: str, matrix: Matrix) -> None:
    peer, name = registry.logged_in(kind, secret), f"{kind.program}/by-{secret}:v1"
    matrix.note(peer, "login")
    well(peer.push(name))
    assert registry.served(name)
    matrix.note(peer, "push")
    well(peer.pull(name))
    assert peer.held(name) == registry.served(name)
    matrix.note(peer, "pull")


@peers()
def test_what_is_public_is_pulled_by_anybody(registry: Stage, kind: type[Peer], matrix: Matrix) -> None:
    peer = registry.peer(kind, "nobody")
    well(peer.pull("library/open:v1"))
    assert peer.held("library/open:v1") == registry.served("library/open:v1")
    refused(peer.pull("bob/secret:v1"), NOT_LOGGED_IN)
    matrix.note(peer, "anonymous")


@peers()
def test_an_image_is_copied_within_the_registry(registry: Stage, kind: type[Peer], matrix: Matrix) -> None:
    peer, here = registry.logged_in(kind), kind.program
    registry.admin.upload(registry.layouts.image, f"{here}/original")
    well(peer.copy(f"{here}/original:v1", f"{here}/copy:v2"))
    copied = registry.served(f"{here}/copy:v2")
    assert copied
    assert peer.compresses_again or copied == registry.served(f"{here}/original:v1")
    matrix.note(peer, "copy")


@peers("indexes")
def test_an_index_is_copied_whole(registry: Stage, kind: type[Peer], matrix: Matrix) -> None:
    peer, here = registry.logged_in(kind), kind.program
    digest = registry.admin.upload(registry.layouts.index, f"{here}/several")
    well(peer.copy(f"{here}/several:v1", f"{here}/several-copied:v1"))
    assert registry.served(f"{here}/several-copied:v1") == digest
    matrix.note(peer, "copy")


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("bob/new:v1", r"not allowed to pu(sh|ll) (to|from) bob/new"),
        ("full/image:v1", r"the quota of full is used up"),
        ("{here}/frozen:v1", r"the tag v1 is immutable here: tags like v\* are neither moved nor deleted"),
    ],
    ids=["a namespace of others", "quota", "immutable tag"],
)
@peers()
def test_a_push_that_is_not_allowed_says_why(
    registry: Stage, kind: type[Peer], target: str, why: str, matrix: Matrix
) -> None:
    peer, target = registry.logged_in(kind), target.format(here=kind.program)
    if "frozen" in target:
        registry.admin.upload(registry.layouts.other, f"{kind.program}/frozen")
        registry.admin.ask("PATCH", f"repositories/{kind.program}/frozen", immutable=["v*"])
    before = registry.served(target)
    refused(peer.push(target), why)
    assert registry.served(target) == before
    matrix.note(peer, "refusals")


@peers()
def test_nothing_is_copied_from_or_to_what_is_private_of_others(
    registry: Stage, kind: type[Peer], matrix: Matrix
) -> None:
    peer, here = registry.logged_in(kind), kind.program
    refused(peer.copy("bob/secret:v1", f"{here}/stolen:v1"), "not allowed to pull from bob/secret")
    assert not registry.served(f"{here}/stolen:v1")
    registry.admin.upload(registry.layouts.other, f"{here}/mine")
    before = registry.served("bob/secret:v1")
    refused(peer.copy(f"{here}/mine:v1", "bob/secret:v1"), r"not allowed to pu(sh|ll) (to|from) bob/secret")
    assert registry.served("bob/secret:v1") == before
    matrix.note(peer, "refusals")


@peers()
def test_a_robot_that_only_pulls_does_not_push(registry: Stage, kind: type[Peer], matrix: Matrix) -> None:
    peer, here = registry.logged_in(kind, "reader"), kind.program
    registry.admin.upload(registry.layouts.other, f"{here}/read")
    well(peer.pull(f"{here}/read:v1"))
    refused(peer.push(f"{here}/read:v2"), f"not allowed to push to {here}/read")
    matrix.note(peer, "refusals")


@peers(but=("docker", "oras"))  # these look for what they have pushed
def test_a_robot_that_only_pushes_does_not_pull(registry: Stage, kind: type[Peer], matrix: Matrix) -> None:
    peer, name = registry.logged_in(kind, "pusher"), f"{kind.program}/dropped:v1"
    well(peer.push(name))
    assert registry.served(name)
    refused(peer.pull(name), f"not allowed to pull from {name.removesuffix(':v1')}")
    matrix.note(peer, "refusals")


@peers()
def test_a_registry_that_is_read_only_says_so(read_only: Stage, kind: type[Peer], matrix: Matrix) -> None:
    peer = read_only.logged_in(kind)
    refused(peer.push(f"{kind.program}/new:v1"), "the registry is read-only at present")
    matrix.note(peer, "refusals")


@peers("delete tag")
def test_a_tag_is_deleted(registry: Stage, kind: type[Peer], matrix: Matrix) -> None:
    peer, here = registry.logged_in(kind), kind.program
    for tag in ("v1", "v2"):
        registry.admin.upload(registry.layouts.image, f"{here}/tags", tag)
    well(peer.delete_tag(f"{here}/tags:v1"))
    assert not registry.served(f"{here}/tags:v1")
    matrix.note(peer, "delete")


@peers("delete manifest")
def test_a_manifest_is_deleted(registry: Stage, kind: type[Peer], matrix: Matrix) -> None:
    peer, here = registry.logged_in(kind), kind.program
    digest = registry.admin.upload(registry.layouts.image, f"{here}/gone")
    well(peer.delete_manifest(f"{here}/gone", digest))
    assert not registry.served(f"{here}/gone:v1")
    robot = registry.logged_in(kind, "ci")
    digest = registry.admin.upload(registry.layouts.image, f"{here}/stays")
    refused(robot.delete_manifest(f"{here}/stays", digest), f"not allowed to delete from {here}/stays|403 Forbidden")
    assert registry.served(f"{here}/stays:v1") == digest
    matrix.note(peer, "delete")


@peers("delete manifest")
def test_an_immutable_tag_is_not_deleted(registry: Stage, kind: type[Peer], matrix: Matrix) -> None:
    peer, name = registry.logged_in(kind), f"{kind.program}/kept"
    digest = registry.admin.upload(registry.layouts.image, name)
    registry.admin.ask("PATCH", f"repositories/{name}", immutable=["v*"])
    why = "the tag v1 is immutable here"
    refused(peer.delete_manifest(name, digest), why)
    if "delete tag" in kind.can:
        refused(peer.delete_tag(f"{name}:v1"), why)
    assert registry.served(f"{name}:v1") == digest
    matrix.note(peer, "refusals")


@peers("tags")
def test_tags_are_listed(registry: Stage, kind: type[Peer]) -> None:
    here = kind.program
    for tag in ("v1", "v2"):
        registry.admin.upload(registry.layouts.image, f"{here}/listed", tag)
    assert set(re.findall(r"\bv\d\b", well(registry.logged_in(kind).tags(f"{here}/listed")).stdout)) == {"v1", "v2"}


@peers("catalog")
def test_the_catalog_shows_what_one_may_pull(registry: Stage, kind: type[Peer]) -> None:
    here = kind.program
    registry.admin.upload(registry.layouts.image, f"{here}/shown")
    shown = well(registry.logged_in(kind).catalog()).stdout
    assert f"{here}/shown" in shown
    assert "library/open" in shown
    assert "bob/secret" not in shown
    nobody = registry.peer(kind, "catalog").catalog()
    assert "library/open" in nobody.stdout or nobody.returncode
    assert f"{here}/shown" not in said(nobody)


@pytest.mark.parametrize("of", ["image", "index"])
@peers("referrers")
def test_what_refers_to_an_image_is_listed(registry: Stage, kind: type[Peer], of: str, matrix: Matrix) -> None:
    peer, name = registry.logged_in(kind), f"{kind.program}/signed-{of}"
    digest = registry.admin.upload(getattr(registry.layouts, of), name)
    well(peer.attach(f"{name}:v1"))
    assert ARTIFACT in well(peer.referrers(f"{name}:v1")).stdout
    listed = registry.admin("GET", f"/v2/{name}/referrers/{digest}").json()["manifests"]
    assert [entry["artifactType"] for entry in listed] == [ARTIFACT]
    matrix.note(peer, "referrers")


@peers()
def test_the_same_over_tls(encrypted: Stage, kind: type[Peer], matrix: Matrix) -> None:
    peer, name = encrypted.logged_in(kind), f"{kind.program}/safe:v1"
    well(peer.push(name))
    well(peer.pull(name))
    assert peer.held(name) == encrypted.served(name)
    refused(peer.push("bob/new:v1"), r"not allowed to pu(sh|ll) (to|from) bob/new")
    matrix.note(peer, "TLS")
