"""The commands about images, as people call them: docker's output, docker's exit codes."""

from __future__ import annotations

import base64
import gzip
import http.server
import json
import os
import pty
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from hardtack.build import cache
from hardtack.build.state import Layer
from hardtack.image.find import find
from hardtack.oci.digest import Digest
from hardtack.store.layer import LayerStore
from hardtack.store.layer.pack import pack
from hardtack.store.lease import Lease
from hardtack.store.root import Root
from support.images import make_image
from support.layouts import Layout, sha256
from support.tars import busybox_tar, files_tar

TACK = str(Path(sys.executable).parent / "tack")
BASE = files_tar({"etc/base": b"base"})


def tack(*words: str, data: bytes = b"", code: int = 0, errors: str = "") -> str:
    """Run a command; its output, after its exit code and what it complained about were checked."""
    done = subprocess.run([TACK, *words], input=data, capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stderr.decode()) == (code, errors)
    return done.stdout.decode()


@pytest.fixture
def app(root: Root, tmp_path: Path) -> str:
    """An image app:1 of one instruction with a layer and one without; returns its id."""
    layout = Layout(tmp_path / "layout")
    history = [
        {"created": "2024-05-01T12:00:00Z", "created_by": "ADD\trootfs.tar / # buildkit and a long tail of words"},
        {"created": "2024-05-01T12:00:01Z", "created_by": 'CMD ["sh"]', "empty_layer": True, "comment": "last"},
    ]
    run = {"Cmd": ["sh"], "Env": ["A=1"], "Labels": {"team": "ships"}}
    layout.image([BASE], "docker.io/library/app:1", run, created="2024-05-01T12:00:01Z", history=history)
    assert tack("load", "-i", str(layout.path)) == "Loaded image: app:1\n"
    return tack("images", "-q", "--no-trunc").strip()


def test_images_are_listed_with_their_names_digests_and_ids(app: str) -> None:
    tack("tag", "app:1", "localhost:5000/team/app")
    lines = [line.split() for line in tack("images").splitlines()]
    assert lines[0] == ["REPOSITORY", "TAG", "IMAGE", "ID", "CREATED", "SIZE"]
    assert [line[:3] for line in lines[1:]] == [
        ["app", "1", app[7:19]],
        ["localhost:5000/team/app", "latest", app[7:19]],
    ]
    assert tack("images", "app", "--format", "{{.Repository}}:{{.Tag}} {{.Digest}}") == "app:1 <none>\n"
    assert tack("images", "-q").split() == [app[7:19]]
    row = json.loads(tack("images", "--format", "json", "app"))
    assert (row["Repository"], row["Tag"], row["ID"], row["Containers"]) == ("app", "1", app[7:19], "0")


def test_images_are_filtered(root: Root, app: str) -> None:
    make_image(root, "")
    ids = ["--format", "{{.ID}}", "--no-trunc"]
    assert tack("images", *ids, "--filter", "label=team=ships").split() == [app]
    assert tack("images", *ids, "--filter", "label=team=land") == ""
    (nameless,) = tack("images", *ids, "--filter", "dangling=true").split()
    assert nameless != app
    assert tack("images", *ids, "--filter", "since=app:1").split() == [nameless]
    assert tack("images", *ids, "--filter", f"before={nameless}").split() == [app]
    assert tack("images", *ids, "--filter", "reference=a*:[0-9]").split() == [app]
    assert tack("images", *ids, "--filter", "reference=b*") == ""
    assert tack("images", *ids, "--filter", "until=24h").split() == [app]
    known = "before, dangling, label, reference, since, until"
    errors = f"tack: invalid filter 'colour=red'. Filters of this command: {known}, as KEY=VALUE.\n"
    tack("images", "--filter", "colour=red", code=1, errors=errors)


def test_a_tag_is_an_image_s_other_name(app: str) -> None:
    tack("tag", app[7:15], "other")
    assert tack("inspect", "-f", "{{.RepoTags}}", "other") == "[app:1 other:latest]\n"
    tack("tag", "nothing", "x", code=1, errors="tack: No such image: nothing\n")
    digest = f"x@{app}"
    errors = "tack: refusing to create a tag with a digest reference. Leave the digest out of the new name.\n"
    tack("tag", "app:1", digest, code=1, errors=errors)
    errors = 'tack: invalid reference format: "UPPER": repository name (UPPER) must be lowercase.'
    errors += " Write it in lower case: upper.\n"
    tack("tag", "app:1", "UPPER", code=1, errors=errors)
    errors = "tack: refusing to create an ambiguous tag using digest algorithm as name. Choose another name.\n"
    tack("tag", "app:1", "sha256:abcd", code=1, errors=errors)


def test_removing_the_last_name_removes_the_image_and_its_layers(root: Root, app: str) -> None:
    tack("tag", "app:1", "app:2")
    assert tack("rmi", "app:1") == "Untagged: app:1\n"
    assert tack("rmi", "app:2") == f"Untagged: app:2\nDeleted: {app}\nDeleted: {sha256(BASE)}\n"
    assert list(root.blobs) == []
    assert os.listdir(f"{root.path}/layers/sha256") == []
    tack("rmi", "app:2", code=1, errors="tack: No such image: app:2\n")
    tack("rmi", "-f", "app:2", code=0, errors="tack: No such image: app:2\n")


def test_what_cannot_be_removed_does_not_keep_the_others(app: str) -> None:
    done = tack("rmi", "nothing", "app:1", code=1, errors="tack: No such image: nothing\n")
    assert done.startswith("Untagged: app:1\n")


def test_an_image_that_a_container_uses_stays(root: Root, app: str) -> None:
    root.db.execute(
        "INSERT INTO container (id, name, image, image_id, layers, created, state, document)"
        " VALUES (?, 'web', 'x', ?, '', 0, 'running', '{}')",
        ("c" * 64, app),
    )
    root.db.execute("INSERT INTO keep SELECT 'container:' || ?, digest FROM image", ("c" * 64,))
    errors = (
        f'tack: conflict: unable to remove repository reference "app:1" (must force) - container {"c" * 12}'
        f" is using its referenced image {app[7:19]}. Remove the container first, or use --force.\n"
    )
    tack("rmi", "app:1", code=1, errors=errors)
    assert tack("rmi", "-f", "app:1") == "Untagged: app:1\n"
    assert tack("image", "prune", "-af") == "Total reclaimed space: 0B\n"
    root.db.execute("UPDATE container SET state = 'exited'")
    assert tack("rmi", "-f", app) == f"Deleted: {app}\n"
    assert len(list(root.blobs)) == 3  # the container still needs it


def test_the_history_pairs_instructions_with_layers(app: str) -> None:
    lines = tack(
        "history", "--layers", "--format", "{{.ID}}|{{.CreatedBy}}|{{.Layer}}|{{.Comment}}", "app:1"
    ).splitlines()
    assert lines == [
        f'{app[7:19]}|CMD ["sh"]||last',
        f"<missing>|ADD rootfs.tar / # buildkit and a long tail …|{sha256(BASE)[7:19]}|",
    ]
    table = tack("history", "app:1").splitlines()
    assert table[0].split("  ")[0] == "IMAGE"
    assert tack("history", "-q", "--no-trunc", "app:1") == f"{app}\n<missing>\n"
    plain = tack("history", "--human=false", "--format", "{{.CreatedSince}} {{.Size}}", "app:1").splitlines()
    assert plain == ["2024-05-01T12:00:01Z 0", "2024-05-01T12:00:00Z 4"]


def test_sizes_are_those_of_the_files_and_not_what_the_disk_spends_on_them(app: str) -> None:
    assert tack("history", "--format", "{{.Size}}", "app:1").splitlines() == ["0B", "4B"]
    assert tack("images", "--format", "{{.Size}}") == "4B\n"
    assert json.loads(tack("image", "inspect", "app:1"))[0]["Size"] == 4


def test_inspect_has_docker_s_shape(root: Root, app: str) -> None:
    (found,) = json.loads(tack("image", "inspect", "app:1"))
    assert found["Id"] == app
    assert found["RepoTags"] == ["app:1"]
    assert found["Config"]["Env"] == ["A=1"]
    assert found["Config"]["Entrypoint"] is None
    assert found["RootFS"] == {"Type": "layers", "Layers": [sha256(BASE)]}
    assert found["Created"] == "2024-05-01T12:00:01Z"
    assert (found["Architecture"], found["Os"]) == ("amd64", "linux")
    assert tack("inspect", "--type", "image", "-f", "{{json .Config.Labels}}", "app:1") == '{"team":"ships"}\n'
    assert tack("image", "inspect", "nothing", code=1, errors="tack: No such image: nothing\n") == "[]\n"
    assert tack("inspect", "nothing", code=1, errors="tack: No such object: nothing\n") == "[]\n"


def test_an_archive_is_not_written_to_a_terminal(root: Root, app: str) -> None:
    leader, follower = pty.openpty()
    try:
        done = subprocess.run(
            [TACK, "save", "app:1"], stdout=follower, stderr=subprocess.PIPE, text=True, timeout=60, check=False
        )
    finally:
        os.close(leader)
        os.close(follower)
    assert done.returncode == 1
    assert done.stderr == "tack: cowardly refusing to save to a terminal. Use the -o flag or redirect.\n"


def test_a_file_that_is_saved_appears_whole_or_not_at_all(app: str, tmp_path: Path) -> None:
    target = tmp_path / "out" / "app.tar"
    target.parent.mkdir()
    tack("save", "-o", str(target), "app:1")
    assert [path.name for path in target.parent.iterdir()] == ["app.tar"]
    whole = target.read_bytes()
    tack("save", "-o", str(target), "app:1", "nothing", code=1, errors="tack: No such image: nothing\n")
    assert [path.name for path in target.parent.iterdir()] == ["app.tar"]
    assert target.read_bytes() == whole
    nowhere = f"{tmp_path}/nowhere/x.tar"
    errors = f"tack: cannot write {nowhere}: the directory {tmp_path}/nowhere does not exist\n"
    tack("save", "-o", nowhere, "app:1", code=1, errors=errors)


def test_an_import_makes_an_image_of_a_root_file_system(root: Root, tmp_path: Path) -> None:
    (tmp_path / "root.tar.gz").write_bytes(gzip.compress(busybox_tar(), 1))
    changes = ["-c", 'CMD ["sh"]', "--change", "ENV A=1", "-m", "from a test", "--platform", "linux/arm64"]
    ident = tack("import", *changes, str(tmp_path / "root.tar.gz"), "box:1").strip()
    (found,) = json.loads(tack("inspect", "box:1"))
    assert found["Id"] == ident
    assert (found["Config"]["Cmd"], found["Config"]["Env"]) == (["sh"], ["A=1"])
    assert (found["Architecture"], found["Comment"]) == ("arm64", "from a test")
    assert found["RootFS"]["Layers"] == [sha256(busybox_tar())]


def test_an_import_from_a_pipe_needs_no_name(root: Root) -> None:
    ident = tack("import", "-", data=BASE).strip()
    assert tack("inspect", "-f", "{{.RepoTags}} {{.Comment}}", Digest(ident).short) == "[] Imported from -\n"


def test_a_tar_without_members_makes_an_empty_image(root: Root, tmp_path: Path) -> None:
    tack("import", "-", "scratch", data=bytes(10240))
    assert tack("history", "-q", "scratch").strip()
    (found,) = json.loads(tack("inspect", "scratch"))
    layers = found["RootFS"]["Layers"]
    (tmp_path / "mounted").mkdir()
    LayerStore(root).mount([Digest(layer) for layer in layers], str(tmp_path / "mounted"), holder="test")
    assert os.listdir(tmp_path / "mounted") == []


@pytest.mark.parametrize(
    ("data", "why"),
    [(b"no tar" * 1000, "a header's checksum is wrong"), (b"", "it is empty"), (BASE[:700], "it ends inside a member")],
)
def test_an_import_of_something_else_is_refused(root: Root, data: bytes, why: str) -> None:
    tack("import", "-", "x", data=data, code=1, errors=f"tack: cannot import the tarball: {why}\n")
    assert tack("images", "-q") == ""


Seen = list[tuple[str, str | None]]


@pytest.fixture
def seen() -> Seen:
    """What the web server was asked for, with whose Authorization."""
    return []


@pytest.fixture
def web(tmp_path: Path, seen: Seen) -> Iterator[str]:
    """A web server on the loopback that sends a layer at /whole and a part of it at /cut. Costs nothing."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/away":
                self.send_response(302)
                self.send_header("Location", f"http://localhost:{server.server_port}/whole")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            seen.append((self.path, self.headers.get("Authorization")))
            self.send_response(200 if self.path.partition("?")[0] in ("/whole", "/cut", "/chunks") else 404)
            if self.path == "/chunks":
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                self.wfile.write(b"400\r\n" + BASE[:100])
                return
            self.send_header("Content-Length", str(len(BASE)))
            self.end_headers()
            self.wfile.write(BASE if self.path.startswith("/whole") else BASE[:1024])

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_import_from_the_web_is_whole_or_refused(root: Root, web: str) -> None:
    tack("import", f"{web}/whole", "web:1")
    assert tack("inspect", "-f", "{{.Comment}}", "web:1") == f"Imported from {web}/whole\n"
    left = len(BASE) - 1024
    errors = f"tack: cannot import the tarball: {web}/cut: the server closed {left:,} bytes before the end\n"
    tack("import", f"{web}/cut", "cut:1", code=1, errors=errors)
    errors = f"tack: cannot import the tarball: {web}/chunks: the server closed before the end\n"
    tack("import", f"{web}/chunks", code=1, errors=errors)
    errors = f"tack: cannot import the tarball: {web}/nothing: not found\n"
    tack("import", f"{web}/nothing", code=1, errors=errors)
    errors = "tack: cannot import from file://…: only http and https addresses are fetched\n"
    tack("import", "file:///etc/passwd", code=1, errors=errors)


def test_what_is_secret_in_an_address_goes_to_its_host_alone(root: Root, web: str, seen: Seen) -> None:
    host = web.removeprefix("http://")
    tack("import", f"http://me:hush@{host}/whole?token=hush", "web:1")
    assert seen == [("/whole?token=hush", "Basic " + base64.b64encode(b"me:hush").decode())]
    assert tack("inspect", "-f", "{{.Comment}}", "web:1") == f"Imported from {web}/whole?…\n"
    tack("import", f"http://me:hush@{host}/away", "web:2")
    assert seen[1:] == [("/whole", None)]
    errors = f"tack: cannot import the tarball: {web}/nothing?…: not found\n"
    tack("import", f"http://me:hush@{host}/nothing?hush", code=1, errors=errors)


@pytest.mark.parametrize("address", ["http://me:hush/x@h/", "http://[", "http://", "http://h/a b", "http://h/\xfc"])
def test_an_address_that_is_none_is_not_repeated(root: Root, address: str) -> None:
    tack("import", address, code=1, errors="tack: cannot import the tarball: its address cannot be read\n")


def test_pruning_asks_and_says_what_it_freed(root: Root, app: str) -> None:
    make_image(root, "", b"x" * 100_000)
    question = "WARNING! This will remove all dangling images.\nAre you sure you want to continue? [y/N] "
    assert tack("image", "prune", data=b"n\n") == question
    said = tack("image", "prune", data=b"y\n").removeprefix(question)
    assert said.startswith("Deleted Images:\ndeleted: sha256:")
    assert "Total reclaimed space: 1" in said
    said = tack("image", "prune", "-a", "-f", "--filter", "until=2024-01-01")
    assert said == "Total reclaimed space: 0B\n"
    said = tack("image", "prune", "-a", "-f", "--filter", "unused-since=24h")
    assert said == "Total reclaimed space: 0B\n"
    said = tack("image", "prune", "-a", "-f", "--filter", "until=24h")
    assert said.startswith(f"Deleted Images:\nuntagged: app:1\ndeleted: {app}\ndeleted: {sha256(BASE)}\n\n")


def test_the_store_says_what_it_holds_why_and_whether_it_is_sound(root: Root, app: str) -> None:
    kinds = [line.split("  ")[0] for line in tack("system", "df").splitlines()]
    assert kinds[:5] == ["TYPE", "Images", "Containers", "Local Volumes", "Build Cache"]
    assert "Images space usage:" in tack("system", "df", "-v")
    said = tack("system", "why", sha256(BASE)[:19])
    assert said.startswith("image docker.io/library/app:1\n  keeps sha256:")
    assert f"diff {sha256(BASE)}" in said
    assert "would free" in said
    assert tack("system", "fsck") == "Nothing is wrong.\n"
    assert tack("system", "fsck", "--format", "json") == "[]\n"
    os.unlink(root.blobs.path_of(app))
    said = tack("system", "fsck", code=1)
    assert f"blob-missing {app}: its file is gone" in said
    assert "tack system fsck --repair" in said
    rows = json.loads(tack("system", "fsck", "--format", "json", code=1))
    assert {row["Kind"] for row in rows} == {"blob-missing", "image-incomplete"}
    tack("system", "fsck", "--repair", code=1)
    tack("load", "-i", str(Path(root.path).parent / "layout"))
    assert tack("system", "fsck") == "Nothing is wrong.\n"


def test_a_system_prune_takes_every_kind_that_is_unused(root: Root, app: str) -> None:
    make_image(root, "", b"x" * 100_000)
    with Lease(root, "test") as lease:
        blob, layer = pack(LayerStore(root), [files_tar({"only": b"cached"})], lease)
        cache.StepCache(root).store(["lonely"], cache.Result(Layer(layer.diff_id, blob), ""), "COPY x /")
    image = find(root, "app:1")
    shared = Layer(image.config.diff_ids[0], image.manifest.layers[0])
    cache.StepCache(root).store(["shared"], cache.Result(shared, ""), "COPY y /")
    with root.blobs.ingest(Digest.of(b"cut")) as ingest:
        ingest.write(b"c")
    said = tack("system", "prune", data=b"n\n")
    assert said == (
        "WARNING! This will remove:\n  - all stopped containers\n  - all dangling images\n"
        "  - all dangling build cache\n\nAre you sure you want to continue? [y/N] "
    )
    said = tack("system", "prune", "-f")
    assert said.startswith("Deleted Images:\ndeleted: sha256:")
    assert "\n\nDeleted build cache objects:\nlonely\n\nTotal" in said
    assert "Total reclaimed space: 1" in said
    assert len(os.listdir(f"{root.path}/ingest")) == 1
    said = tack("system", "prune", "-af", "--filter", "label=none")
    assert said == "Total reclaimed space: 4.1kB\n"  # the unfinished download
    said = tack("system", "prune", "-af", "--volumes")
    assert f"untagged: app:1\ndeleted: {app}\n" in said
    assert root.db.execute("SELECT count(*) FROM build_step").fetchone() == (0,)
