"""Make a container of an image and a create request: its document, its row, its hold on the image. Nothing runs yet.

`merge` is the pure rule of what the image's config adds; `create` is one transaction. A row without any directory or
mount is a whole container: what it needs on disk is made when it starts.
"""

from __future__ import annotations

import time

from hardtack import jsontext
from hardtack.container import names
from hardtack.container.errors import InvalidOption, NameInUse, StartFailed
from hardtack.container.row import Container, claim, get
from hardtack.store.errors import ContentMissing
from hardtack.store.sqlite import IntegrityError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hardtack.image.find import Image
    from hardtack.store.root import Root
    from hardtack.store.sqlite import Connection

_NAME_ATTEMPTS = 20
_LIMITS = ("NanoCpus", "CpuPeriod", "CpuQuota", "CpusetCpus", "CpusetMems", "MemorySwappiness")
_EMPTY = {"Hostname": "", "Domainname": "", "Tty": False, "OpenStdin": False, "StdinOnce": False}


def create(root: Root, body: dict[str, Any], image: Image, name: str | None = None, claimed: bool = False) -> Container:
    """Make a container.

    Args:
        body: docker's create request, see `body.make_body`.
        image: what it is made of.
        name: as it was asked for; two random words otherwise.
        claimed: this process holds it already, since it starts it next.
    Raises:
        NameInUse, InvalidName: from the name.
        InvalidOption: the command is missing, or a text in the request cannot reach a process.
        ContentMissing: the image was removed meanwhile.
    """
    ident = names.new_id()
    document = make_document(body, image, ident)
    wanted = names.check_name(name) if name else ""
    with root.transaction() as db:
        if db.execute("SELECT 1 FROM blob WHERE digest = ?", (image.digest,)).fetchone() is None:
            raise ContentMissing(image.digest)
        _claim_volumes(db, root, ident, document)
        _insert(db, ident, wanted, image, document)
        db.execute("INSERT INTO keep (holder, digest) VALUES (?, ?)", (f"container:{ident}", image.digest))
        db.execute("UPDATE image SET used = ? WHERE digest = ?", (time.time(), image.digest))
        if claimed:
            claim(db, ident)
        found = get(db, ident)
    assert found is not None
    found.take_document(document)
    return found


def _claim_volumes(db: Connection, root: Root, ident: str, document: dict[str, Any]) -> None:
    """From its creation on a container holds its volumes, and its mounts are known to make sense."""
    host_config, declared = document["HostConfig"], document["Config"].get("Volumes") or {}
    if not (declared or any(host_config.get(key) for key in ("Binds", "Mounts", "Tmpfs"))):
        return
    from hardtack.volume.mounts import claim, docker_mounts, wanted

    document["Mounts"] = docker_mounts(root, claim(db, ident, wanted(host_config), declared))


def _insert(db: Connection, ident: str, wanted: str, image: Image, document: dict[str, Any]) -> None:
    text = jsontext.dumps(document)
    automatic = bool(document["HostConfig"].get("AutoRemove"))
    for _ in range(_NAME_ATTEMPTS):
        try:
            db.execute(
                "INSERT INTO container (id, name, image, image_id, layers, created, autoremove, document)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    ident,
                    wanted or names.new_name(),
                    image.digest,
                    image.id,
                    " ".join(image.config.diff_ids),
                    time.time(),
                    int(automatic),
                    text,
                ),
            )
        except IntegrityError:
            if wanted:
                row = db.execute("SELECT id FROM container WHERE name = ?", (wanted,)).fetchone()
                raise NameInUse(wanted, row[0] if row else "") from None
        else:
            return
    wanted = f"{names.new_name()}_{ident[:6]}"  # thousands of containers: two words are not enough
    _insert(db, ident, wanted, image, document)


def make_document(body: dict[str, Any], image: Image, ident: str) -> dict[str, Any]:
    """What the row keeps: the request merged with the image's config, docker's shape.

    Raises:
        InvalidOption: there is no command, a text has a NUL in it, or a limit cannot be kept on this host.
    """
    body = dict(body)
    host_config = body.pop("HostConfig", None) or {}
    body.pop("NetworkingConfig", None)
    if any(host_config.get(key) for key in _LIMITS):
        from hardtack.container.limits import check

        check(host_config)
    config = merge(body, image.config.config)
    if not config["Entrypoint"] and not config["Cmd"]:
        raise StartFailed("no command specified, and the image names none", hint="Write one after the image")
    host_config.setdefault("NetworkMode", "bridge")
    if not config["Hostname"] and host_config["NetworkMode"] != "host":
        config["Hostname"] = ident[:12]
    _refuse_nul(config)
    return {"Config": config, "HostConfig": host_config, "Platform": image.config.platform.os}


def merge(config: dict[str, Any], image: dict[str, Any]) -> dict[str, Any]:
    """What the image's config adds to what a container was asked to be.

    Source: moby, runconfig's merge: a command without entrypoint keeps the image's entrypoint, an entrypoint of its
    own drops the image's command, an empty one means none.
    """
    merged = dict(config)
    for key in ("User", "WorkingDir", "StopSignal"):
        merged[key] = config.get(key) or image.get(key) or ""
    merged["Env"] = _merge_env(config.get("Env") or [], image.get("Env") or [])
    for key in ("Labels", "ExposedPorts", "Volumes"):
        merged[key] = {**(image.get(key) or {}), **(config.get(key) or {})}
    entrypoint, command = config.get("Entrypoint"), config.get("Cmd") or []
    if not entrypoint:
        command = command or image.get("Cmd") or []
        entrypoint = image.get("Entrypoint") if entrypoint is None else entrypoint
    elif entrypoint == [""]:
        entrypoint = []
    merged["Entrypoint"], merged["Cmd"] = entrypoint or None, command or None
    merged["Healthcheck"] = _merge_health(config.get("Healthcheck"), image.get("Healthcheck"))
    if merged["Healthcheck"] is None:
        del merged["Healthcheck"]
    if image.get("OnBuild"):
        merged["OnBuild"] = image["OnBuild"]
    for key, default in (
        ("Hostname", ""),
        ("Domainname", ""),
        ("Tty", False),
        ("OpenStdin", False),
        ("StdinOnce", False),
    ):
        merged.setdefault(key, default)
    return merged


def _merge_env(own: list[str], image: list[str]) -> list[str]:
    taken = {entry.partition("=")[0] for entry in own}
    return own + [entry for entry in image if entry.partition("=")[0] not in taken]


def _merge_health(own: dict[str, Any] | None, image: dict[str, Any] | None) -> dict[str, Any] | None:
    if own is None:
        return image
    return {**(image or {}), **{key: value for key, value in own.items() if value}}


def _refuse_nul(config: dict[str, Any]) -> None:
    texts = [
        *(config["Entrypoint"] or ()),
        *(config["Cmd"] or ()),
        *config["Env"],
        config["WorkingDir"],
        config["User"],
    ]
    for text in texts:
        if "\0" in text:
            raise InvalidOption("the command or its environment", text.replace("\0", "\\0"), "it holds a NUL character")
