"""Content: what is registered is whole, kept while leased, and found again."""

from __future__ import annotations

import pytest

from hardtack.oci import mediatypes
from hardtack.oci.descriptor import Descriptor
from hardtack.oci.digest import Digest
from hardtack.oci.manifest import build_index, build_manifest
from hardtack.store.content import Content
from hardtack.store.errors import BlobUnknown, ContentMissing
from hardtack.store.lease import Lease
from hardtack.store.root import Root

CONFIG = b'{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' % (b"a" * 64)


def edges(root: Root) -> set[tuple[str, str, str]]:
    return set(root.db.execute("SELECT parent, child, kind FROM edge"))


def test_a_small_blob_is_put_once_and_read_back(root: Root) -> None:
    content = Content(root)
    first = content.put(b"hello", "text/plain", None)
    assert content.put(b"hello", "text/plain", None) == first
    assert content.has(first.digest)
    assert root.blobs.read(first.digest, 10) == b"hello"
    assert root.db.execute("SELECT count(*) FROM blob").fetchone() == (1,)


def test_a_manifest_brings_the_edges_to_its_config_layers_and_from_its_subject(root: Root) -> None:
    content = Content(root)
    config = content.put(CONFIG, mediatypes.OCI_CONFIG, None)
    layer = Descriptor(mediatypes.OCI_LAYER_GZIP, Digest.of(b"layer"), 5)
    subject = Descriptor(mediatypes.OCI_MANIFEST, Digest.of(b"subject"), 7)
    manifest = content.put(build_manifest(config, [layer], subject=subject), mediatypes.OCI_MANIFEST, None)
    index = content.put(build_index([manifest]), mediatypes.OCI_INDEX, None)
    assert edges(root) == {
        (config.digest, "sha256:" + "a" * 64, "diff"),
        (manifest.digest, config.digest, "config"),
        (manifest.digest, layer.digest, "layer"),
        (subject.digest, manifest.digest, "subject"),
        (index.digest, manifest.digest, "manifest"),
    }


def test_what_a_reader_parses_is_what_was_put(root: Root) -> None:
    content = Content(root)
    config = content.put(CONFIG, mediatypes.OCI_CONFIG, None)
    manifest = content.put(build_manifest(config, []), mediatypes.OCI_MANIFEST, None)
    assert content.manifest(manifest.digest).digest == manifest.digest
    assert content.config(config.digest).diff_ids == ("sha256:" + "a" * 64,)
    with pytest.raises(BlobUnknown):
        content.config(Digest.of(b"nothing"))


def test_a_row_is_refused_for_a_blob_whose_file_is_not_there(root: Root) -> None:
    with pytest.raises(ContentMissing):
        Content(root).register(Digest.of(b"x"), 1, "text/plain")


def test_a_blob_whose_file_was_lost_is_not_held_and_can_be_put_again(root: Root) -> None:
    content = Content(root)
    blob = content.put(b"hello", "text/plain", None)
    root.blobs.remove(blob.digest)
    assert not content.has(blob.digest)
    content.put(b"hello", "text/plain", None)
    assert content.has(blob.digest)


def test_a_lease_keeps_until_its_block_ends(root: Root) -> None:
    content = Content(root)
    with Lease(root, "test") as lease:
        blob = content.put(b"hello", "text/plain", lease)
        assert root.db.execute("SELECT digest FROM keep").fetchall() == [(blob.digest,)]
    assert root.db.execute("SELECT count(*) FROM keep").fetchone() == (0,)
    assert root.db.execute("SELECT count(*) FROM lease").fetchone() == (0,)
