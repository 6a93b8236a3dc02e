"""Images made directly in a store, without a pull, a build or a load: for tests of what comes after."""

from __future__ import annotations

from hardtack.oci import mediatypes
from hardtack.oci.descriptor import Descriptor
from hardtack.oci.manifest import build_manifest
from hardtack.oci.reference import Reference
from hardtack.store.content import Content
from hardtack.store.lease import Lease
from hardtack.store.reference import add_image, find_image, remove_image, set_reference
from hardtack.store.root import Root

CONFIG = b'{"architecture":"amd64","os":"linux","created":"%s","rootfs":{"type":"layers","diff_ids":[]}}'


def make_image(root: Root, name: str, *layers: bytes, config: bytes = b"") -> Descriptor:
    """An image whose layers are these bytes, whatever they are, under a name; "" for none. Costs 10 ms."""
    content = Content(root)
    with Lease(root, f"make {name}") as lease:
        found = [content.put(layer, mediatypes.OCI_LAYER, lease) for layer in layers]
        document = content.put(config or CONFIG % name.encode(), mediatypes.OCI_CONFIG, lease)
        manifest = content.put(build_manifest(document, found), mediatypes.OCI_MANIFEST, lease)
        with root.transaction() as db:
            add_image(db, manifest.digest, document.digest)
            if name:
                set_reference(db, Reference.parse(name).tagged(), manifest.digest)
    return manifest


def forget_image(root: Root, name: str) -> None:
    """Remove an image and all its names, without collecting."""
    row = find_image(root.db, name)
    assert row is not None
    with root.transaction() as db:
        remove_image(db, row.digest)
