"""An image comes from a registry: its name is resolved, what is missing is fetched, then name and image appear at once.

A pull that dies leaves whole blobs and partial ones behind; the next one continues with them. Nothing that a pull has
fetched or relies on is collected while it runs. How bytes move is `remote.fetch`'s business.
"""

from __future__ import annotations

from hardtack.errors import TackError
from hardtack.oci.config import ImageConfig
from hardtack.oci.descriptor import Descriptor
from hardtack.oci.digest import Digest
from hardtack.oci.errors import InvalidManifest, NoMatchingPlatform
from hardtack.oci.manifest import Index, Manifest, parse_manifest
from hardtack.oci.platform import choose, choose_one, host
from hardtack.progress import SILENT, Progress
from hardtack.remote.client import RegistryClient
from hardtack.remote.errors import ImageNotFound, NotFound, RemoteError
from hardtack.remote.fetch import Fetcher
from hardtack.remote.plan import check_image, plan_layers
from hardtack.remote.sources import RepositorySource, mirrors_of
from hardtack.store.content import Content, set_origin
from hardtack.store.layer import LayerStore
from hardtack.store.lease import Lease
from hardtack.store.reference import add_image, resolve, set_reference

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from hardtack.oci.platform import Platform
    from hardtack.oci.reference import Reference
    from hardtack.remote.repository import Repository
    from hardtack.store.root import Root

    T = TypeVar("T")

NEW = "new"
SAME = "same"
_DEEPEST = 3  # indexes inside indexes


class Pulled:
    """What a pull brought.

    Attributes:
        reference: the name that points at it now, with a tag or a digest.
        digest: of the manifest or index.
        image_id: the digest of the config for the platform.
        status: "new", or "same" when everything was here already under this name.
    """

    __slots__ = ("digest", "image_id", "reference", "status")

    def __init__(self, reference: Reference, digest: Digest, image_id: Digest, status: str) -> None:
        self.reference = reference
        self.digest = digest
        self.image_id = image_id
        self.status = status


class PullFailed(TackError):
    """A pull that did not end well; `cause` says why."""

    def __init__(self, name: str, cause: TackError) -> None:
        super().__init__(f"cannot pull {name}: {cause.message}", cause.hint)
        self.name = name
        self.cause = cause


def pull(
    root: Root,
    reference: Reference,
    platform: Platform | None = None,
    progress: Progress = SILENT,
    client: RegistryClient | None = None,
) -> Pulled:
    """Pull one image.

    Args:
        reference: without tag and digest, `latest` is meant; a digest wins over a tag.
        platform: which image of an index; this host's when not given.
        client: the registry, when the caller has one already.
    Raises:
        PullFailed: with the cause; what has arrived is kept and continued by the next pull.
    """
    name = reference.with_digest(reference.digest) if reference.digest else reference.tagged()
    try:
        client = client or RegistryClient(name.domain)
        pulled = _Pull(root, name, platform, progress, client).run()
    except TackError as error:
        raise PullFailed(name.familiar(), error) from error
    progress.say(f"Digest: {pulled.digest}")
    progress.say(_status(name.familiar(), pulled.status))
    return pulled


def pull_all_tags(
    root: Root,
    reference: Reference,
    platform: Platform | None = None,
    progress: Progress = SILENT,
    client: RegistryClient | None = None,
) -> list[Pulled]:
    """Pull every tag of a repository, in the registry's order.

    Raises:
        PullFailed: at the first tag that cannot be pulled; those before it stay.
    """
    name = reference.familiar_repository()
    found: list[Pulled] = []
    try:
        client = client or RegistryClient(reference.domain)
        tags = _tags(client, reference)
        for tag in tags:
            name = f"{reference.familiar_repository()}:{tag}"
            found.append(_Pull(root, reference.with_tag(tag), platform, progress, client).run())
            progress.say(f"Digest: {found[-1].digest}")
    except TackError as error:
        raise PullFailed(name, error) from error
    status = NEW if any(pulled.status == NEW for pulled in found) else SAME
    progress.say(_status(reference.familiar_repository(), status))
    return found


def _tags(client: RegistryClient, reference: Reference) -> list[str]:
    try:
        tags = client.repository(reference.path).tags()
    except NotFound as error:
        repository = reference.familiar_repository()
        raise ImageNotFound(error.host, repository, repository, "NAME_UNKNOWN") from error
    if not tags:
        raise NotFound(client.domain, f"tag in {reference.path}")
    return tags


def _status(name: str, status: str) -> str:
    if status == NEW:
        return f"Status: Downloaded newer image for {name}"
    return f"Status: Image is up to date for {name}"


class _Pull:
    """One name being pulled."""

    def __init__(
        self, root: Root, name: Reference, platform: Platform | None, progress: Progress, client: RegistryClient
    ) -> None:
        self._root = root
        self._name = name
        self._platform = platform
        self._progress = progress
        self._client = client
        self._content = Content(root)
        self._layers = LayerStore(root)
        self._repositories = [*mirrors_of(client, name.path), client.repository(name.path)]

    def run(self) -> Pulled:
        name = self._name
        with Lease(self._root, f"pull {name}") as lease:
            sources = [RepositorySource(repository) for repository in self._repositories]
            fetcher = Fetcher(self._root, sources, self._client.transport, lease, self._progress)
            top = self._resolve(fetcher, lease)
            self._progress.say(f"{name.tag or name.digest}: Pulling from {name.path}")
            manifest = self._for_platform(top, fetcher, lease)
            self._fetch(manifest, fetcher, lease)
            before = self._publish(top, manifest)
        status = NEW if before != top.digest or fetcher.fetched else SAME
        return Pulled(name, top.digest, manifest.config.digest, status)

    def _resolve(self, fetcher: Fetcher, lease: Lease) -> Manifest | Index:
        """The manifest or index that the name points at, from the store where that is certain to be the same."""
        name = self._name
        if name.digest:
            return self._document(name.digest, fetcher, lease)
        if resolve(self._root.db, name):
            # Only a question: registries do not count it as a pull, and mostly the answer is what we have.
            found = self._ask(lambda repository: repository.head(name.tag))
            if found is None:
                raise ImageNotFound(name.domain, name.familiar(), name.familiar_repository())
            return self._document(found.digest, fetcher, lease)
        raw, media_type, digest = self._fetched(name)
        return self._take(raw, media_type, digest, fetcher, lease)

    def _document(self, digest: Digest, fetcher: Fetcher, lease: Lease) -> Manifest | Index:
        """A manifest or index by its digest, from the store or fetched."""
        lease.keep([digest])
        if self._content.has(digest):
            return self._content.manifest(digest)
        raw, media_type, _ = self._fetched(self._name.with_digest(digest))
        return self._take(raw, media_type, digest, fetcher, lease)

    def _fetched(self, name: Reference) -> tuple[bytes, str, Digest]:
        """A manifest or index from a registry, by its digest or its tag."""
        try:
            return self._ask(lambda repository: repository.manifest(name.digest or name.tag))
        except NotFound as error:
            raise ImageNotFound(error.host, name.familiar(), name.familiar_repository(), error.text) from error

    def _take(self, raw: bytes, media_type: str, digest: Digest, fetcher: Fetcher, lease: Lease) -> Manifest | Index:
        parsed = parse_manifest(raw, media_type, digest)
        lease.keep([digest])
        fetcher.take(raw, parsed.media_type, digest)
        return parsed

    def _ask(self, question: Callable[[Repository], T]) -> T:
        """Ask the mirrors, then the registry itself. Only the registry's own word is a failure."""
        *mirrors, origin = self._repositories
        for mirror in mirrors:
            try:
                answer = question(mirror)
            except RemoteError:
                continue
            if answer is not None:
                return answer
        return question(origin)

    def _for_platform(self, top: Manifest | Index, fetcher: Fetcher, lease: Lease) -> Manifest:
        found: Manifest | Index = top
        for _ in range(_DEEPEST):
            if isinstance(found, Manifest):
                check_image(found)
                return found
            chosen = choose_one(found.manifests, self._platform or host(), self._name.familiar())
            found = self._document(chosen.digest, fetcher, lease)
        if isinstance(found, Manifest):
            check_image(found)
            return found
        raise InvalidManifest(f"indexes are nested more than {_DEEPEST} deep")

    def _fetch(self, manifest: Manifest, fetcher: Fetcher, lease: Lease) -> None:
        """Bring the config and the layers, as far as they are missing."""
        lease.keep([child.digest for child in manifest.children()])
        config = ImageConfig.parse(fetcher.document(manifest.config, "the image's config"))
        self._check_platform(config)
        lease.keep(config.diff_ids)
        there, missing = plan_layers(manifest.layers, config.diff_ids, self._layers.has)
        wanted = {task.descriptor.digest for task in missing}
        for layer in dict.fromkeys(manifest.layers):
            if layer.digest in wanted:
                self._progress.begin(str(layer.digest), "Pulling fs layer")
        for task in there:
            self._progress.finish(str(task.descriptor.digest), "Already exists")
        fetcher.layers(missing, self._layers, self._client.config.threads)

    def _check_platform(self, config: ImageConfig) -> None:
        """An image that stands alone is taken as it is, unless somebody asked for another platform."""
        if self._platform is None:
            return
        offered = Descriptor("", Digest.of(b""), 0, config.platform)
        if not choose([offered], self._platform):
            raise NoMatchingPlatform(str(self._platform), [str(config.platform)], self._name.familiar())

    def _publish(self, top: Manifest | Index, manifest: Manifest) -> str:
        """Make the image and its name known, in one transaction. Returns what the name pointed at before."""
        held = [top.digest, manifest.digest, *(child.digest for child in manifest.children())]
        with self._root.transaction(durable=True) as db:  # a name that was told as pulled survives a loss of power
            add_image(db, top.digest, manifest.config.digest)
            before = set_reference(db, self._name, top.digest)
            set_origin(db, held, self._name.repository)
        return before
