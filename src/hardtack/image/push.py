"""An image goes to a registry: blobs first, then manifests, an index last, so that nothing there points at nothing.

What the registry has is not sent, what a neighbouring repository of it has is mounted. Of an index whose other
platforms are neither here nor there only the image held here is pushed, and the caller is told.
"""

from __future__ import annotations

import threading

from hardtack.errors import TackError
from hardtack.image.find import Image
from hardtack.image.held import can_be_had, is_whole
from hardtack.image.refetch import refetch
from hardtack.oci import mediatypes
from hardtack.oci.digest import Digest
from hardtack.oci.manifest import Index, Manifest
from hardtack.oci.reference import Reference
from hardtack.progress import SILENT, Progress
from hardtack.remote.client import RegistryClient
from hardtack.remote.together import run_together
from hardtack.remote.upload import Uploader
from hardtack.store.content import Content, origins, set_origin
from hardtack.store.errors import BlobUnknown
from hardtack.store.lease import Lease
from hardtack.store.reference import get_image, resolve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardtack.oci.descriptor import Descriptor
    from hardtack.oci.platform import Platform
    from hardtack.store.root import Root


class Pushed:
    """What was pushed: a name, the digest that it has there now, the size of that manifest."""

    __slots__ = ("digest", "reference", "size")

    def __init__(self, reference: Reference, digest: Digest, size: int) -> None:
        self.reference = reference
        self.digest = digest
        self.size = size


class PushFailed(TackError):
    """A push that did not end well; `cause` says why."""

    def __init__(self, name: str, cause: TackError) -> None:
        super().__init__(f"cannot push {name}: {cause.message}", cause.hint)
        self.name = name
        self.cause = cause


class NotHere(TackError):
    """No image of this store has the name that was to be pushed."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"an image does not exist locally with the tag: {name}", f"Name one so with: tack tag IMAGE {name}"
        )
        self.name = name


def push(
    root: Root,
    reference: Reference,
    all_tags: bool = False,
    progress: Progress = SILENT,
    platform: Platform | None = None,
    client: RegistryClient | None = None,
) -> list[Pushed]:
    """Push an image under its name.

    Args:
        reference: without a tag, `latest` is meant.
        all_tags: push every tag of the repository that is here.
        platform: push only this platform's image of an index.
        client: the registry, when the caller has one already.
    Returns:
        What was pushed, one entry a tag.
    Raises:
        PushFailed: with the cause; what the registry has taken stays there, and the next push goes on from it.
    """
    names = _tags(root, reference) if all_tags else [reference.tagged()]
    try:
        if not names or names[0].digest:
            raise NotHere(reference.familiar())
        client = client or RegistryClient(reference.domain)
        progress.say(f"The push refers to repository [{reference.repository}]")
        return [_push_one(root, name, progress, platform, client) for name in names]
    except TackError as error:
        raise PushFailed((names or [reference])[0].familiar(), error) from error


def _tags(root: Root, reference: Reference) -> list[Reference]:
    low, high = reference.repository + ":", reference.repository + ";"  # `;` comes next after `:`
    rows = root.db.execute("SELECT name FROM reference WHERE name >= ? AND name < ? ORDER BY name", (low, high))
    return [Reference.parse(row[0]) for row in rows]


def _push_one(
    root: Root, name: Reference, progress: Progress, platform: Platform | None, client: RegistryClient
) -> Pushed:
    digest = resolve(root.db, name)
    if not digest:
        raise NotHere(name.familiar())
    with Lease(root, f"push {name}") as lease:
        lease.keep([digest])
        pushed = _Push(root, name, progress, client, lease).run(digest, platform)
    progress.say(f"{name.tag}: digest: {pushed.digest} size: {pushed.size}")
    return pushed


class _Push:
    """One name being pushed."""

    def __init__(self, root: Root, name: Reference, progress: Progress, client: RegistryClient, lease: Lease) -> None:
        self._root = root
        self._name = name
        self._progress = progress
        self._client = client
        self._lease = lease
        self._content = Content(root)
        self._repository = client.repository(name.path, push=True)
        self._cancelled = threading.Event()
        self._uploader = Uploader(self._repository, root.blobs, progress, self._cancelled)
        self._quiet = Uploader(self._repository, root.blobs, SILENT, self._cancelled)

    def run(self, digest: str, platform: Platform | None) -> Pushed:
        top = self._content.manifest(digest)
        if isinstance(top, Index) and (platform is not None or not self._index_will_be_whole(top)):
            top = self._only(top, platform)
        documents = list(self._documents(top))
        self._push_blobs([found for found in documents if isinstance(found, Manifest)])
        for document in documents[:-1]:
            self._repository.push_manifest(document.digest, document.raw, document.media_type)
        self._repository.push_manifest(self._name.tag, top.raw, top.media_type)
        with self._root.transaction() as db:
            set_origin(db, [document.digest for document in documents], self._name.repository)
        return Pushed(self._name, top.digest, len(top.raw))

    def _documents(self, top: Manifest | Index) -> list[Manifest | Index]:
        """Everything held below, children before parents, each once, the top last."""
        found: dict[Digest, Manifest | Index] = {}
        if isinstance(top, Index):
            for child in top.manifests:
                if self._is_held(child):
                    for document in self._documents(self._content.manifest(child.digest)):
                        found.setdefault(document.digest, document)
        found[top.digest] = top
        return list(found.values())

    def _index_will_be_whole(self, index: Index) -> bool:
        """Whether the registry will have every child once ours are pushed."""
        for child in index.manifests:
            if not self._is_held(child) and self._repository.head(child.digest) is None:
                return False
        return True

    def _is_held(self, child: Descriptor) -> bool:
        return is_whole(self._root, child, foreign=True)

    def _only(self, index: Index, platform: Platform | None) -> Manifest:
        """The one image of an index that is pushed in its place."""
        manifest = self._chosen(index, platform)
        if platform is None:
            self._progress.say(
                f"Not every platform of this image is held here or there: only {manifest.digest} is pushed, "
                f"in place of the index {index.digest}"
            )
        return manifest

    def _chosen(self, index: Index, platform: Platform | None) -> Manifest:
        from hardtack.oci.platform import choose_one

        if platform is not None:
            document = self._content.manifest(choose_one(index.manifests, platform, self._name.familiar()).digest)
            if isinstance(document, Manifest):
                return document
            raise NotHere(self._name.familiar())
        row = get_image(self._root.db, index.digest)
        if row is not None:
            manifest = Image(self._root, row.digest, row.config, self._content.config(row.config)).manifest
            if all(can_be_had(self._root, blob, foreign=True) for blob in manifest.children()):
                return manifest
        raise NotHere(self._name.familiar())

    def _push_blobs(self, manifests: list[Manifest]) -> None:
        """Every blob that the manifests need, each once, largest first, several at once."""
        layers = {layer.digest: layer for manifest in manifests for layer in manifest.layers}
        others = {manifest.config.digest: manifest.config for manifest in manifests}
        for digest in layers:
            self._progress.begin(str(digest), "Preparing")
        blobs = sorted((layers | others).values(), key=lambda blob: -blob.size)
        jobs = [lambda blob=blob: self._push_blob(blob, blob.digest in layers) for blob in blobs]
        run_together(jobs, self._client.config.threads, self._cancelled, self._client.transport.abort)

    def _push_blob(self, blob: Descriptor, shown: bool) -> None:
        if mediatypes.is_foreign(blob.media_type):
            self._progress.finish(str(blob.digest), "Skipped foreign layer")
            return
        uploader = self._uploader if shown else self._quiet
        known = [Reference.parse(text) for text in origins(self._root.db, blob.digest)]
        neighbours = [
            place.path for place in known if place.domain == self._name.domain and place.path != self._name.path
        ]
        try:
            done = uploader.push(blob.digest, blob.size, neighbours)
        except BlobUnknown:
            refetch(self._root, blob, self._lease, self._progress, self._client.transport, self._cancelled)
            done = uploader.push(blob.digest, blob.size)
        if shown:
            self._progress.finish(str(blob.digest), done)
        with self._root.transaction() as db:
            set_origin(db, [blob.digest], self._name.repository)
