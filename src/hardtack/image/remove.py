"""Removing names and images, by docker's rules of what may go and what must be forced.

A name goes first; the image goes with its last name, unless a container needs it. What that frees is collected at
once. The rules are `plan`, which only looks; `remove` carries a plan out.

Source: moby, daemon/images/image_delete.go.
"""

from __future__ import annotations

from hardtack.errors import TackError
from hardtack.image.catalog import entry_of
from hardtack.image.errors import ImageError
from hardtack.oci.config import chain_ids
from hardtack.oci.digest import Digest
from hardtack.oci.errors import InvalidReference
from hardtack.oci.reference import Reference
from hardtack.store.content import Content
from hardtack.store.errors import ImageUnknown
from hardtack.store.holders import containers_using
from hardtack.store.reference import drop_nameless_twin, remove_image, remove_reference

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from hardtack.image.catalog import Entry
    from hardtack.store.collect import Report
    from hardtack.store.holders import ContainerUse
    from hardtack.store.root import Root
    from hardtack.store.sqlite import Connection


class ImageInUse(ImageError):
    """Something needs the image or its name.

    Attributes:
        image_id: the image's id.
        forcible: whether `--force` would do it.
    """

    def __init__(self, message: str, image_id: str, forcible: bool, hint: str = "") -> None:
        super().__init__(f"conflict: {message}", hint)
        self.image_id = image_id
        self.forcible = forcible


class Removed:
    """What a removal did.

    Attributes:
        untagged: familiar names that went, in order.
        deleted: the image's id, then the chain ids of the layers that went, the top one first; empty when it stayed.
        freed: bytes on disk.
    """

    __slots__ = ("deleted", "freed", "untagged")

    def __init__(self) -> None:
        self.untagged: list[str] = []
        self.deleted: list[str] = []
        self.freed = 0

    def lines(self) -> list[str]:
        """As docker prints it."""
        return [f"Untagged: {name}" for name in self.untagged] + [f"Deleted: {name}" for name in self.deleted]


class Plan:
    """What a removal is going to do.

    Attributes:
        names: references that go.
        untagged: how docker lists them, the digests that are only derived included.
        image: whether the image goes too.
    """

    __slots__ = ("image", "names", "untagged")

    def __init__(self, names: Sequence[Reference], untagged: Sequence[str], image: bool) -> None:
        self.names = names
        self.untagged = untagged
        self.image = image


def remove(root: Root, text: str, force: bool = False) -> Removed:
    """Remove what a person named: a name, or an image by its id.

    Args:
        force: also names of an image in several repositories, and what stopped containers use.
    Raises:
        ImageUnknown, ImageAmbiguous: of the name.
        ImageInUse: by docker's rules it must be forced, or cannot be.
    """
    done = Removed()
    with root.transaction(durable=True) as db:
        entry = entry_of(db, text)
        if entry is None:
            raise ImageUnknown(text)
        plan = plan_removal(entry, text, _users(db, entry), force)
        diff_ids = _diff_ids(root, entry.id) if plan.image else ()
        _carry_out(db, entry, plan)
    done.untagged = list(plan.untagged)
    if plan.image:
        from hardtack.store.collect import collect

        report = collect(root)
        done.freed = report.freed
        done.deleted = [entry.id, *gone_chains(diff_ids, report)]
    return done


def plan_removal(entry: Entry, text: str, users: Sequence[ContainerUse], force: bool) -> Plan:
    """Decide what goes. Pure: rows in, a plan or a refusal out.

    Args:
        entry: the image that `text` found.
        users: containers made from it, running ones first.
    Raises:
        ImageInUse: see `remove`.
    """
    names = [reference for reference, _ in entry.references]
    meant = _meant(entry, text)
    if not meant:
        if not _is_single(names):
            _refuse_unless(force, entry, "image is referenced in multiple repositories")
        _check_users(entry, users, force)
        return Plan(names, _listed(entry, names), True)
    repository = meant[0].repository
    left = [other for other in names if other not in meant]
    if not any(other.tag for other in left if other.repository == repository):
        left = [other for other in left if other.repository != repository]  # digests go with the last tag
    going = [other for other in names if other not in left]
    if left:
        return Plan(going, _listed(entry, going), False)
    if users and not force:
        raise ImageInUse(
            f'unable to remove repository reference "{text}" (must force) - container {users[0].id[:12]} is using its'
            f" referenced image {entry.id.short}",
            entry.id,
            True,
            "Remove the container first, or use --force",
        )
    # A running container keeps its image, without a name, even from force.
    return Plan(going, _listed(entry, going), not any(user.running for user in users))


def _meant(entry: Entry, text: str) -> list[Reference]:
    """The names of the image that the text spells; none when it is an id or a manifest's digest."""
    if entry.id.startswith(text) or entry.id.hex.startswith(text):
        return []
    try:
        asked = Reference.parse(text).tagged()
    except InvalidReference:
        return []
    names = [name for name, _ in entry.references]
    if asked in names:
        return [asked]
    # A digest that no row spells stands for the tags of that repository which lead to it.
    return [
        name
        for name, digest in entry.references
        if asked.digest is not None and name.repository == asked.repository and digest == asked.digest
    ]


def _is_single(names: Sequence[Reference]) -> bool:
    """At most one tag, and every digest in its repository."""
    tags = [name for name in names if name.tag]
    return len(names) <= 1 or (len(tags) <= 1 and len({name.repository for name in names}) == 1)


def _listed(entry: Entry, going: Sequence[Reference]) -> list[str]:
    """Names as docker lists them, followed by the digests of a repository whose last tag goes."""
    shown = [name.familiar() for name in going]
    left = {name.repository for name, _ in entry.references if name not in going}
    for name, digest in entry.references:
        if name in going and name.tag and name.repository not in left:
            derived = name.with_digest(Digest(digest))
            if (name.repository, digest) in entry.origins and derived.familiar() not in shown:
                shown.append(derived.familiar())
    return shown


def _check_users(entry: Entry, users: Sequence[ContainerUse], force: bool) -> None:
    if users and users[0].running:
        raise ImageInUse(
            f"unable to delete {entry.id.short} (cannot be forced) - image is being used by running container"
            f" {users[0].id[:12]}",
            entry.id,
            False,
            "Stop and remove the container first",
        )
    if users:
        _refuse_unless(force, entry, f"image is being used by stopped container {users[0].id[:12]}")


def _refuse_unless(force: bool, entry: Entry, why: str) -> None:
    if not force:
        raise ImageInUse(f"unable to delete {entry.id.short} (must be forced) - {why}", entry.id, True, "Use --force")


def _users(db: Connection, entry: Entry) -> list[ContainerUse]:
    return containers_using(db, entry.digest, entry.id)


def _carry_out(db: Connection, entry: Entry, plan: Plan) -> None:
    for name in plan.names:
        remove_reference(db, name)
    if plan.image:
        for row in entry.rows:
            remove_image(db, row.digest)
        return
    for row in entry.rows:
        drop_nameless_twin(db, row.digest)


def _diff_ids(root: Root, image_id: str) -> Sequence[Digest]:
    try:
        return Content(root).config(image_id).diff_ids
    except TackError:
        return ()  # a damaged image can be removed too


def gone_chains(diff_ids: Iterable[Digest], report: Report) -> list[str]:
    """The chain ids of an image's layers that a collection removed, the top one first, as docker names layers."""
    ids = list(diff_ids)
    gone = {digest for digest, _ in report.layers}
    return [chain for diff_id, chain in zip(reversed(ids), reversed(chain_ids(ids)), strict=True) if diff_id in gone]
