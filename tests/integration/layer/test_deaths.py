"""A process that packs layers is killed at moments of no one's choosing: what is known afterwards is whole."""

from __future__ import annotations

import gzip
import os
import random
import signal
import subprocess
import sys
import time

from hardtack.oci.digest import Digest
from hardtack.store.layer import LayerStore
from hardtack.store.root import Root

_PACKING = """
import os, sys
from hardtack.store.layer import LayerStore
from hardtack.store.layer.pack import pack
from hardtack.store.lease import Lease
from hardtack.store.root import Root
from support.rawtar import file, tar
root = Root.open()
store = LayerStore(root)
store.driver
print("ready", flush=True)
with Lease(root, "packing") as lease:
    while True:
        pack(store, [tar(file(b"a", os.urandom(3000)), file(b"d/b", os.urandom(100_000)))], lease)
"""


def test_whatever_is_known_after_a_death_is_whole(layers: LayerStore, root: Root) -> None:
    source = random.Random(5)
    environment = {**os.environ, "PYTHONPATH": ":".join(path for path in sys.path if path)}
    for _ in range(6):
        child = subprocess.Popen([sys.executable, "-c", _PACKING], stdout=subprocess.PIPE, env=environment)
        assert child.stdout is not None
        try:
            assert child.stdout.readline() == b"ready\n"
            time.sleep(source.uniform(0.002, 0.08))
        finally:
            child.send_signal(signal.SIGKILL)
            child.wait()
            child.stdout.close()
    known = [row[0] for row in root.db.execute("SELECT diff_id FROM layer")]
    assert known
    for diff_id in known:
        assert layers.has(diff_id)
        assert sum(1 for member in layers.listing(diff_id) if member.kind == "f") == 2
    for blob, diff_id in root.db.execute("SELECT diff.blob, diff.diff_id FROM diff JOIN blob ON digest = blob"):
        content = root.blobs.read(blob, 1 << 20)
        assert Digest.of(content) == blob and Digest.of(gzip.decompress(content)) == diff_id
    list(layers.sweep())
    assert not [name for name in os.listdir(f"{root.path}/layers") if name.startswith(".")]
    assert sorted(os.listdir(f"{root.path}/layers/sha256")) == sorted(Digest(diff_id).hex for diff_id in known)
