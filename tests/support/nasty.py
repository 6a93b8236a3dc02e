"""Layers that are hard to read, each with what it has to become, or with why it has to be refused.

One table for both drivers and for the reader of headers alone. Paths to facts as in `support.trees`; only what is named
is compared.
"""

from __future__ import annotations

import stat
from typing import Any

from support.rawtar import (
    BLOCKDEV,
    CHAR,
    DIR,
    END,
    FIFO,
    FILE,
    LINK,
    directory,
    expand,
    file,
    hardlink,
    header,
    long_name,
    old_sparse,
    padded,
    patched,
    pax,
    pax_sparse,
    symlink,
    tar,
)

X = b"SCHILY.xattr."
LONG = b"/".join([b"d" * 90] * 12) + b"/" + b"f" * 255
WHITEOUT = {"mode": oct(stat.S_IFCHR), "device": 0}
OPAQUE = {"trusted.overlay.opaque": b"y"}
_CAPABILITY = bytes.fromhex("0100000202000000000000000000000000000000")
_SEGMENTS = [(0, b"a" * 512), (8192, b"b" * 4096), (1 << 20, b"c" * 100)]
_ODD = [(10, b"a" * 700), (5000, b"b" * 3), (5010, b"c" * 9000), (40_000, b"d" * 5)]
_MANY = [(n * 1024, bytes([n % 251]) * 512) for n in range(100)]

_CROWD = [b"d/%s%04d" % (b"n" * (i % 200), i) for i in range(700)]


def reads(data: bytes) -> dict[str, Any]:
    """The facts of a file with this content."""
    return {"read": data}


ACCEPTED: dict[str, tuple[bytes, dict[bytes, dict[str, Any] | None]]] = {
    "nothing at all": (b"", {b".": {"mode": oct(0o40755)}}),
    "an end and nothing else": (END, {b".": {"mode": oct(0o40755)}}),
    "no end": (tar(file(b"a", b"1"), end=b""), {b"a": reads(b"1")}),
    "a lone block of zeros at the end": (tar(file(b"a", b"1"), end=bytes(512)), {b"a": reads(b"1")}),
    "an end filled up to a record": (tar(file(b"a", b"1"), end=bytes(10240)), {b"a": reads(b"1")}),
    "the root itself": (
        tar(directory(b"./", 0o700, uid=5, gid=6, mtime=77)),
        {b".": {"mode": oct(0o40700), "uid": 5, "gid": 6, "mtime": 77 * 10**9}},
    ),
    "names with dots and slashes": (
        tar(directory(b".//a/./"), file(b"./a//b", b"1"), file(b"/./a/c", b"2"), file(b"a/.hidden", b"3")),
        {b"a/b": reads(b"1"), b"a/c": reads(b"2"), b"a/.hidden": reads(b"3")},
    ),
    "absolute names": (tar(directory(b"/etc/"), file(b"/etc/x", b"1")), {b"etc/x": reads(b"1")}),
    "directories as the oldest tars write them": (
        tar(header(b"d/", b"\0", mode=0o750), file(b"e/", b"data that nobody wants", mode=0o700)),
        {b"d": {"mode": oct(0o40750)}, b"e": {"mode": oct(0o40700)}},
    ),
    "files of every size around a block": (
        tar(*(file(b"%d" % n, b"x" * n) for n in (0, 1, 511, 512, 513, 4095, 4096, 4097, 70_000))),
        {b"%d" % n: reads(b"x" * n) for n in (0, 1, 511, 512, 513, 4095, 4096, 4097, 70_000)},
    ),
    "set-id bits and owners beyond 16 bits": (
        tar(file(b"s", b"1", mode=0o6755, uid=70_000, gid=3_000_000_000), directory(b"t/", 0o1777)),
        {b"s": {"mode": oct(0o106755), "uid": 70_000, "gid": 3_000_000_000}, b"t": {"mode": oct(0o41777)}},
    ),
    "times before 1970 and in nanoseconds": (
        tar(
            file(b"old", mtime=-1_000_000),
            pax((b"mtime", b"1350244992.023960108")),
            file(b"new"),
            pax((b"mtime", b"-5.25")),
            file(b"past"),
            pax((b"mtime", b"4294967300.5")),
            file(b"future"),
        ),
        {
            b"old": {"mtime": -1_000_000 * 10**9},
            b"new": {"mtime": 1350244992023960108},
            b"past": {"mtime": -5_250_000_000},
            b"future": {"mtime": 4294967300_500_000_000},
        },
    ),
    "PAX overrides": (
        tar(
            pax((b"path", b"real/name"), (b"uid", b"123456"), (b"gid", b"7"), (b"size", b"3"), (b"comment", b"no")),
            header(b"cut", FILE, 0) + padded(b"abc"),
            pax((b"uid", b"5"), (b"uid", b"")),
            file(b"taken-back", uid=9),
            pax((b"linkpath", b"l" * 300)),
            symlink(b"link", b"cut"),
        ),
        {
            b"real/name": {**reads(b"abc"), "uid": 123456, "gid": 7},
            b"taken-back": {"uid": 9},
            b"link": {"link": b"l" * 300},
        },
    ),
    "global PAX headers and volume labels": (
        tar(pax((b"comment", b"commit"), kind=b"g"), header(b"label", b"V"), file(b"a", b"1")),
        {b"a": reads(b"1")},
    ),
    "GNU long names": (
        tar(long_name(LONG), file(LONG, b"1"), long_name(b"t" * 3000, b"K"), symlink(b"l", b"t")),
        {LONG: reads(b"1"), b"l": {"link": b"t" * 3000}},
    ),
    "a ustar prefix": (
        tar(file(b"n" * 100, b"1", prefix=b"p" * 155)),
        {b"p" * 155 + b"/" + b"n" * 100: reads(b"1")},
    ),
    "names that are no text": (
        tar(file(b"\xff\xfe\x01", b"1"), file("ä".encode(), b"2"), file(b"new\nline", b"3")),
        {b"\xff\xfe\x01": reads(b"1"), "ä".encode(): reads(b"2"), b"new\nline": reads(b"3")},
    ),
    "names that sort around the dots": (
        tar(*(file(name, name) for name in (b"!", b"-", b"..a", b".a", b"/".join([b"d", b"!"]), b"...", b"0", b"~"))),
        {name: reads(name) for name in (b"!", b"-", b"..a", b".a", b"d/!", b"...", b"0", b"~")},
    ),
    "a directory of many blocks": (
        tar(*(pax((b"path", name)) + file(b"x", name) for name in _CROWD)),
        {name: reads(name) for name in _CROWD[::7]},
    ),
    "symbolic links of every length": (
        tar(
            *(symlink(b"%d" % n, b"x" * n) for n in (1, 100)),
            long_name(b"y" * 447, b"K"),
            symlink(b"447", b"y"),
            long_name(b"z" * 4000, b"K"),
            symlink(b"4000", b"z"),
        ),
        {
            b"1": {"link": b"x"},
            b"100": {"link": b"x" * 100},
            b"447": {"link": b"y" * 447},
            b"4000": {"link": b"z" * 4000},
        },
    ),
    "symbolic links to anywhere": (
        tar(symlink(b"up", b"../../../etc/passwd"), symlink(b"abs", b"/etc/passwd"), symlink(b"self", b"self")),
        {b"up": {"link": b"../../../etc/passwd"}, b"abs": {"link": b"/etc/passwd"}, b"self": {"link": b"self"}},
    ),
    "devices and pipes": (
        tar(
            header(b"null", CHAR, mode=0o666, device=(1, 3)),
            header(b"disk", BLOCKDEV, mode=0o660, device=(259, 70_000)),
            header(b"pipe", FIFO, mode=0o600),
        ),
        {
            b"null": {"mode": oct(0o20666), "device": 0x103},
            b"disk": {"mode": oct(0o60660), "device": (70_000 & 0xFF) | (259 << 8) | ((70_000 & ~0xFF) << 12)},
            b"pipe": {"mode": oct(0o10600)},
        },
    ),
    "directories and links with a size that means nothing": (
        tar(header(b"d/", DIR, 1 << 33, mode=0o755), file(b"f", b"1"), header(b"l", LINK, 1, link=b"f")),
        {b"d": {"mode": oct(0o40755)}, b"l": reads(b"1")},
    ),
    "hard links": (
        tar(
            file(b"a", b"1", mtime=5),
            hardlink(b"b", b"a"),
            hardlink(b"d/c", b"./b"),
            symlink(b"s", b"nowhere"),
            hardlink(b"s2", b"/s"),
            hardlink(b"a", b"a"),
        ),
        {
            b"a": {"nlink": 3, "mtime": 5 * 10**9, **reads(b"1")},
            b"b": {"nlink": 3, **reads(b"1")},
            b"d/c": {"nlink": 3},
            b"s": {"nlink": 2, "link": b"nowhere"},
            b"s2": {"nlink": 2, "link": b"nowhere"},
        },
    ),
    "a hard link through a link among its parents": (
        tar(file(b"real/a", b"1"), symlink(b"alias", b"real"), hardlink(b"b", b"alias/a")),
        {b"b": {"nlink": 2, **reads(b"1")}},
    ),
    "a hard link whose first name is replaced": (
        tar(file(b"a", b"1"), hardlink(b"b", b"a"), file(b"a", b"2")),
        {b"a": {"nlink": 1, **reads(b"2")}, b"b": {"nlink": 1, **reads(b"1")}},
    ),
    "parents after children": (
        tar(file(b"p/q/f", b"1"), directory(b"p/q", 0o700, mtime=3), directory(b"p", 0o711, uid=4, mtime=2)),
        {
            b"p": {"mode": oct(0o40711), "uid": 4, "mtime": 2 * 10**9},
            b"p/q": {"mode": oct(0o40700), "mtime": 3 * 10**9},
            b"p/q/f": reads(b"1"),
        },
    ),
    "parents that never come": (
        tar(file(b"p/q/f", b"1")),
        {b"p": {"mode": oct(0o40755), "uid": 0, "mtime": 0}, b"p/q/f": reads(b"1")},
    ),
    "the last of two files": (
        tar(file(b"a", b"1"), file(b"a", b"22", mode=0o600)),
        {b"a": {"mode": oct(0o100600), **reads(b"22")}},
    ),
    "a directory, then a file": (
        tar(directory(b"a"), file(b"a/b/c", b"1"), file(b"a", b"2")),
        {b"a": reads(b"2")},
    ),
    "a directory with hard links elsewhere, then a link": (
        tar(file(b"a/f", b"1"), hardlink(b"kept", b"a/f"), symlink(b"a", b"kept"), file(b"z", b"2")),
        {b"a": {"link": b"kept"}, b"kept": {"nlink": 1, **reads(b"1")}},
    ),
    "a file, then a directory": (
        tar(file(b"a", b"1"), directory(b"a", 0o700), file(b"a/b", b"2")),
        {b"a": {"mode": oct(0o40700)}, b"a/b": reads(b"2")},
    ),
    "a directory twice keeps what is in it": (
        tar(directory(b"a", 0o700), file(b"a/b", b"1"), directory(b"a", 0o750)),
        {b"a": {"mode": oct(0o40750)}, b"a/b": reads(b"1")},
    ),
    "a link, then a directory": (
        tar(directory(b"real"), symlink(b"a", b"real"), directory(b"a"), file(b"a/f", b"1")),
        {b"a": {"mode": oct(0o40755)}, b"a/f": reads(b"1"), b"real/f": None},
    ),
    "links among the parents stay inside": (
        tar(
            directory(b"usr/lib"),
            symlink(b"lib", b"usr/lib"),
            file(b"lib/one", b"1"),
            symlink(b"out", b"../../../../usr"),
            file(b"out/two", b"2"),
            symlink(b"abs", b"/usr"),
            file(b"abs/three", b"3"),
            symlink(b"dangling", b"not/there"),
            file(b"dangling/four", b"4"),
        ),
        {
            b"lib": {"link": b"usr/lib"},
            b"usr/lib/one": reads(b"1"),
            b"usr/two": reads(b"2"),
            b"usr/three": reads(b"3"),
            b"not/there/four": reads(b"4"),
        },
    ),
    "a link that is replaced leads elsewhere afterwards": (
        tar(
            directory(b"one"),
            directory(b"two"),
            symlink(b"a", b"one"),
            file(b"a/f", b"1"),
            symlink(b"a", b"two"),
            file(b"a/f", b"2"),
        ),
        {b"one/f": reads(b"1"), b"two/f": reads(b"2")},
    ),
    "extended attributes": (
        tar(
            pax((X + b"security.capability", _CAPABILITY), (X + b"user.a", b"x=y\nz\0")),
            file(b"f", b"data" * 200),
            pax((X + b"user.d", b""), (X + b"trusted.t", b"v" * 600)),
            directory(b"d"),
            pax((X + b"user.big", bytes(range(256)) * 12)),
            file(b"g", b"1"),
            pax((X + b"trusted.l", b"on a link")),
            symlink(b"s", b"f"),
        ),
        {
            b"f": {
                "xattrs": {"security.capability": _CAPABILITY, "user.a": b"x=y\nz\0"},
                **reads(b"data" * 200),
            },
            b"d": {"xattrs": {"user.d": b"", "trusted.t": b"v" * 600}},
            b"g": {"xattrs": {"user.big": bytes(range(256)) * 12}, **reads(b"1")},
            b"s": {"xattrs": {"trusted.l": b"on a link"}, "link": b"f"},
        },
    ),
    "attributes that steer overlayfs, or mean nothing, are left out": (
        tar(
            pax(
                (X + b"trusted.overlay.redirect", b"/etc"),
                (X + b"trusted.overlay.opaque", b"y"),
                (X + b"user.overlay.opaque", b"y"),
                (X + b"system.nfs4_acl", b"1"),
                (X + b"com.apple.quarantine", b"1"),
                (X + b"user.ok", b"1"),
            ),
            directory(b"d"),
        ),
        {b"d": {"xattrs": {"user.ok": b"1"}}},
    ),
    "whiteouts": (
        tar(file(b"d/.wh.gone"), file(b".wh.top", b"content is ignored"), directory(b"e"), file(b"e/.wh..wh..opq")),
        {b"d/gone": WHITEOUT, b"top": WHITEOUT, b"e": {"xattrs": OPAQUE}, b"e/.wh..wh..opq": None},
    ),
    "a whiteout never hides its own layer": (
        tar(
            file(b"a", b"1"),
            file(b".wh.a"),
            file(b".wh.b"),
            file(b"b", b"2"),
            file(b"d/f", b"3"),
            file(b".wh.d"),
            file(b".wh.e"),
            directory(b"e"),
            file(b".wh.i"),
            file(b"i/f", b"4"),
            file(b"o/.wh..wh..opq"),
            file(b"o/f", b"5"),
        ),
        {
            b"a": reads(b"1"),
            b"b": reads(b"2"),
            b"d": {"xattrs": OPAQUE},
            b"d/f": reads(b"3"),
            b"e": {"xattrs": OPAQUE},
            b"i": {"xattrs": OPAQUE},
            b"i/f": reads(b"4"),
            b"o": {"xattrs": OPAQUE},
            b"o/f": reads(b"5"),
        },
    ),
    "an opaque root": (tar(file(b".wh..wh..opq"), file(b"a", b"1")), {b".": {"xattrs": OPAQUE}, b"a": reads(b"1")}),
    "what aufs left behind": (
        tar(file(b".wh..wh.aufs"), directory(b".wh..wh.plnk"), file(b".wh..wh.plnk/12.34", b"x"), file(b"a", b"1")),
        {b"a": reads(b"1"), b".wh..wh.plnk": None},
    ),
    "a sparse file in GNU's old format": (
        tar(old_sparse(b"s", 1 << 20 | 100, _SEGMENTS), file(b"z", b"1")),
        {b"s": {"size": 1 << 20 | 100, **reads(expand(1 << 20 | 100, _SEGMENTS))}, b"z": reads(b"1")},
    ),
    "a sparse file with many segments": (
        tar(old_sparse(b"s", 200_000, _MANY), file(b"z", b"1")),
        {b"s": reads(expand(200_000, _MANY)), b"z": reads(b"1")},
    ),
    "sparse files in the PAX formats": (
        tar(*(pax_sparse(v.encode(), 1 << 20 | 100, _SEGMENTS, v) for v in ("0.0", "0.1", "1.0")), file(b"z", b"1")),
        {v: reads(expand(1 << 20 | 100, _SEGMENTS)) for v in (b"0.0", b"0.1", b"1.0")} | {b"z": reads(b"1")},
    ),
    "a sparse file that fits no block": (
        tar(pax_sparse(b"s", 45_000, _ODD, "1.0"), pax_sparse(b"t", 40_005, _ODD, "0.1"), file(b"z", b"1")),
        {b"s": reads(expand(45_000, _ODD)), b"t": reads(expand(40_005, _ODD)), b"z": reads(b"1")},
    ),
    "sparse files that are all hole or have none": (
        tar(
            pax_sparse(b"hole", 1 << 30, [(1 << 30, b"")], "1.0"),
            pax_sparse(b"full", 1000, [(0, b"f" * 1000)], "1.0"),
            pax_sparse(b"empty", 0, [], "1.0"),
        ),
        {b"hole": {"size": 1 << 30}, b"full": reads(b"f" * 1000), b"empty": reads(b"")},
    ),
    "a name of 255 bytes in a deep place": (
        tar(pax((b"path", LONG)), file(b"x", b"1")),
        {LONG: reads(b"1")},
    ),
}

REFUSED: dict[str, tuple[bytes, str]] = {
    "a name that climbs out": (tar(file(b"../x", b"1")), "climbs out"),
    "a name that climbs out in its middle": (tar(file(b"a/../../x", b"1")), "climbs out"),
    "a name that climbs out, absolute": (tar(file(b"/../x", b"1")), "climbs out"),
    "a name that climbs out in PAX": (tar(pax((b"path", b"a/..")), file(b"x", b"1")), "climbs out"),
    "a hard link that climbs out": (tar(hardlink(b"x", b"../../etc/passwd")), "climbs out"),
    "a hard link to nothing": (tar(hardlink(b"x", b"/etc/passwd")), "points at nothing"),
    "a hard link through a link to the outside": (
        tar(symlink(b"etc", b"../../etc2"), hardlink(b"x", b"etc/passwd")),
        "points at nothing",
    ),
    "a hard link to a directory": (tar(directory(b"d"), hardlink(b"x", b"d")), "points at nothing"),
    "a hard link to a whiteout": (tar(file(b".wh.d"), hardlink(b"x", b"d")), "points at nothing"),
    "a hard link over the directory it points into": (
        tar(file(b"d/f", b"1"), hardlink(b"d", b"d/f")),
        "points at nothing",
    ),
    "a hard link before its target": (tar(hardlink(b"x", b"y"), file(b"y", b"1")), "points at nothing"),
    "a file as a parent": (tar(file(b"a", b"1"), file(b"a/b", b"2")), "no directory"),
    "links among the parents in a circle": (
        tar(symlink(b"a", b"b"), symlink(b"b", b"a"), file(b"a/x", b"1")),
        "circles",
    ),
    "a file as the root": (tar(file(b"./.", b"1")), "root"),
    "a link as the root": (tar(symlink(b".", b"/etc")), "root"),
    "a whiteout of the parent": (tar(file(b"a/.wh...")), "whiteout"),
    "a whiteout of the directory": (tar(file(b"a/.wh..")), "whiteout"),
    "a whiteout of nothing": (tar(file(b"a/.wh.")), "whiteout"),
    "a whiteout with members": (tar(file(b"a/.wh.b/c")), "whiteout"),
    "a wrong checksum": (tar(file(b"a", b"1", checksum=b"0000000\0")), "checksum"),
    "no checksum": (tar(file(b"a", b"1", checksum=b"xxxxxxx\0")), "checksum"),
    "noise": (b"\x5a" * 1024, "checksum"),
    "half a header": (tar(file(b"a", b"1"), end=b"b" * 100), "inside"),
    "half a member": (tar(file(b"a", b"1" * 2000))[:1500], "inside"),
    "half a padding": (tar(file(b"a", b"1" * 600))[:1200], "inside"),
    "an extended header and then the end": (tar(pax((b"path", b"x"))), "before the end"),
    "an extended header and then nothing": (tar(pax((b"path", b"x")), end=b""), "after an extended header"),
    "something after the end": (tar(file(b"a", b"1")) + file(b"b", b"2"), "follow"),
    "a lone block of zeros between members": (file(b"a", b"1") + bytes(512) + file(b"b", b"2"), "zeros"),
    "an unknown type": (tar(header(b"a", b"M")), "unknown type"),
    "a negative size": (tar(header(b"a", FILE, -1)), "negative"),
    "an owner beyond 32 bits": (tar(pax((b"uid", b"4294967296")), file(b"a")), "32 bits"),
    "an owner below zero": (tar(file(b"a", uid=-5)), "32 bits"),
    "a device number too large": (tar(header(b"a", CHAR, device=(4096, 0))), "device number"),
    "letters in a number": (tar(patched(file(b"a"), 108, b"12x4567\0")), "no number"),
    "a digit that is not octal": (tar(patched(file(b"a"), 100, b"0000689\0")), "octal"),
    "a number beyond all bounds": (tar(patched(file(b"a"), 124, b"\x80" + b"\x7f" * 11)), "too large"),
    "a link without a target": (tar(symlink(b"a", b"")), "target"),
    "a part of a name that is too long": (tar(pax((b"path", b"a/" + b"n" * 256)), file(b"a")), "longer than 255"),
    "a name that is too long": (tar(pax((b"path", b"/".join([b"n" * 200] * 21))), file(b"a")), "longer than 4095"),
    "a name that is too deep": (tar(pax((b"path", b"/".join([b"n"] * 600))), file(b"a")), "deeper"),
    "a long name without an end": (tar(header(b"x", b"L", 1 << 30, gnu=True)), "extended header"),
    "a name with NUL in it": (tar(pax((b"path", b"a\0b")), file(b"a")), "NUL"),
    "a PAX record without a length": (tar(header(b"x", b"x", 5) + padded(b"path="), file(b"a")), "length"),
    "a PAX record that is longer than its header": (
        tar(header(b"x", b"x", 10) + padded(b"99 path=a\n"), file(b"a")),
        "malformed",
    ),
    "a PAX record without a newline": (tar(header(b"x", b"x", 10) + padded(b"10 path=ab"), file(b"a")), "malformed"),
    "a PAX record of nothing": (tar(header(b"x", b"x", 4) + padded(b"0 =\n"), file(b"a")), "malformed"),
    "a PAX size that is none": (tar(pax((b"size", b"1e9")), file(b"a")), "no number"),
    "a PAX size with many digits": (tar(pax((b"size", b"9" * 30)), file(b"a")), "no number"),
    "a PAX time that is none": (tar(pax((b"mtime", b"1.x")), file(b"a")), "time"),
    "an attribute that is too large": (tar(pax((X + b"user.a", bytes(70_000))), file(b"a")), "too large"),
    "attributes that are too many": (
        tar(pax(*((X + b"user.%d" % n, bytes(30_000)) for n in range(5))), file(b"a")),
        "too large",
    ),
    "sparse segments that overlap": (
        tar(pax_sparse(b"s", 100, [(0, b"a" * 10), (5, b"b" * 10)], "1.0")),
        "contradicts",
    ),
    "sparse segments beyond the end": (tar(pax_sparse(b"s", 15, [(10, b"a" * 10)], "0.1")), "contradicts"),
    "a sparse map that does not fit the data": (
        tar(pax((b"GNU.sparse.size", b"100"), (b"GNU.sparse.map", b"0,5")), file(b"s", b"123")),
        "stored data",
    ),
    "a sparse map with a lone value": (
        tar(pax((b"GNU.sparse.size", b"100"), (b"GNU.sparse.map", b"0,5,7")), file(b"s", b"12345")),
        "odd number",
    ),
    "a sparse map without a length": (tar(pax((b"GNU.sparse.map", b"0,5")), file(b"s", b"12345")), "no length"),
    "a sparse map in front that never ends": (
        tar(
            pax((b"GNU.sparse.major", b"1"), (b"GNU.sparse.minor", b"0"), (b"GNU.sparse.realsize", b"9")),
            file(b"s", b"200000\n" + b"1\n" * 1000),
        ),
        "longer than its member",
    ),
    "a sparse map in front with too many segments": (
        tar(
            pax((b"GNU.sparse.major", b"1"), (b"GNU.sparse.minor", b"0"), (b"GNU.sparse.realsize", b"9")),
            file(b"s", b"99999999\n" + bytes(600)),
        ),
        "too many segments",
    ),
}
