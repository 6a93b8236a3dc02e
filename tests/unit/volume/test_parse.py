"""-v, --mount and --tmpfs: every option is honoured or refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardtack.volume.errors import InvalidMount, InvalidVolumeName, MountUnsupported, VolumeError
from hardtack.volume.parse import parse_mount, parse_size, parse_tmpfs, parse_volume
from hardtack.volume.spec import MountSpec, clean, from_document, to_document


def differs(spec: MountSpec) -> dict[str, Any]:
    """What of a spec is not as it is by itself."""
    plain = MountSpec(spec.kind, spec.source, spec.target)
    names = set(MountSpec.__slots__) - {"kind", "source", "target"}
    found = {name: getattr(spec, name) for name in names if getattr(spec, name) != getattr(plain, name)}
    return {"kind": spec.kind, "source": spec.source, "target": spec.target, **found}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/data", {"kind": "volume", "source": "", "target": "/data"}),
        ("/data/../x/", {"kind": "volume", "source": "", "target": "/x"}),
        ("box:/data", {"kind": "volume", "source": "box", "target": "/data"}),
        ("box:/data:ro", {"kind": "volume", "source": "box", "target": "/data", "read_only": True, "mode": "ro"}),
        ("box:/data:nocopy", {"kind": "volume", "source": "box", "target": "/data", "copy": False, "mode": "nocopy"}),
        ("/srv:/data", {"kind": "bind", "source": "/srv", "target": "/data", "create": True}),
        ("./a:/data", {"kind": "bind", "source": "/here/a", "target": "/data", "create": True}),
        ("..:/data", {"kind": "bind", "source": "/", "target": "/data", "create": True}),
        (
            "/srv:/data:ro,rslave,z,cached",
            {
                "kind": "bind",
                "source": "/srv",
                "target": "/data",
                "create": True,
                "read_only": True,
                "propagation": "rslave",
                "mode": "ro,rslave,z,cached",
            },
        ),
    ],
)
def test_the_forms_of_v(text: str, expected: dict[str, Any]) -> None:
    assert differs(parse_volume(text, "/here")) == expected


@pytest.mark.parametrize(
    ("text", "failure", "why"),
    [
        ("", InvalidMount, "the form is"),
        ("a:b:c:d", InvalidMount, "the form is"),
        (":/data", InvalidMount, "the form is"),
        ("box:", InvalidMount, "the form is"),
        ("data", InvalidMount, "absolute"),
        ("box:data", InvalidMount, "absolute"),
        ("box:/", InvalidMount, "root itself"),
        ("box:/a/..", InvalidMount, "root itself"),
        ("/data:ro", InvalidMount, "anonymous"),
        ("x:/data", InvalidVolumeName, "includes invalid characters"),
        ("bo/x:/data", InvalidVolumeName, "includes invalid characters"),
        ("b\nx:/data", InvalidVolumeName, "includes invalid characters"),
        ("box:/data:fast", InvalidMount, "fast is no option"),
        ("box:/data:", None, ""),
        ("box:/data:ro,rw", InvalidMount, "twice"),
        ("box:/data:rslave", InvalidMount, "rslave is no option of a volume"),
        ("/srv:/data:nocopy", InvalidMount, "nocopy is no option of a bind"),
        ("/srv:/data:rshared", MountUnsupported, "rshared"),
        ("/srv:/da\0ta", InvalidMount, "NUL"),
    ],
)
def test_what_v_refuses(text: str, failure: type[VolumeError] | None, why: str) -> None:
    if failure is None:
        parse_volume(text)
        return
    with pytest.raises(failure) as caught:
        parse_volume(text)
    assert why in str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("target=/data", {"kind": "volume", "source": "", "target": "/data"}),
        (
            "type=volume,source=box,dst=/data,volume-nocopy,volume-label=a=b,volume-driver=local,readonly",
            {
                "kind": "volume",
                "source": "box",
                "target": "/data",
                "copy": False,
                "labels": {"a": "b"},
                "read_only": True,
            },
        ),
        ("type=bind,src=/srv,destination=/data", {"kind": "bind", "source": "/srv", "target": "/data"}),
        ("type=bind,src=.,target=/data", {"kind": "bind", "source": "/here", "target": "/data"}),
        (
            'type=bind,"src=/srv/a,b",target=/data,ro=false,consistency=cached',
            {"kind": "bind", "source": "/srv/a,b", "target": "/data"},
        ),
        (
            "type=bind,src=/srv,target=/data,bind-recursive=disabled,bind-propagation=slave",
            {"kind": "bind", "source": "/srv", "target": "/data", "recursive": False, "propagation": "slave"},
        ),
        (
            "type=bind,src=/srv,target=/data,ro,bind-recursive=readonly",
            {"kind": "bind", "source": "/srv", "target": "/data", "read_only": True, "read_only_below": "always"},
        ),
        (
            "type=tmpfs,target=/run,tmpfs-size=64m,tmpfs-mode=1770",
            {"kind": "tmpfs", "source": "", "target": "/run", "options": ["size=67108864", "mode=1770"]},
        ),
    ],
)
def test_the_forms_of_mount(text: str, expected: dict[str, Any]) -> None:
    spec = parse_mount(text, "/here")
    assert differs(spec) == expected
    assert from_document(to_document(spec)) == spec


@pytest.mark.parametrize(
    ("text", "failure", "why"),
    [
        ("", InvalidMount, "key=value"),
        ("type=bind,src=/srv", InvalidMount, "target is required"),
        ("type=bind,target=/data", InvalidMount, "needs a source"),
        ("type=bind,src=srv,target=/data", InvalidMount, "absolute"),
        ("type=volume,src=/srv,target=/data", InvalidVolumeName, "invalid characters"),
        ("type=npipe,target=/data", MountUnsupported, "npipe"),
        ("type=bind,src=/srv,target=/data,volume-nocopy", InvalidMount, "does not go with type bind"),
        ("type=bind,src=/srv,target=/data,colour=red", InvalidMount, "unexpected key colour"),
        ("type=bind,src=/srv,target=/data,bind-colour=red", InvalidMount, "unexpected key bind-colour"),
        ("type=bind,src=/srv,target=/data,ro=maybe", InvalidMount, "neither true nor false"),
        ("type=bind,src=/srv,target=/data,bind-recursive=readonly", InvalidMount, "needs readonly"),
        ("type=bind,src=/srv,target=/data,bind-propagation=rshared", MountUnsupported, "rshared"),
        ("type=bind,src=/srv,target=/data,bind-propagation=sideways", InvalidMount, "no propagation"),
        ("src=box,target=/data,volume-subpath=x", MountUnsupported, "subpath"),
        ("src=box,target=/data,volume-opt=type=nfs", MountUnsupported, "type"),
        ("src=box,target=/data,volume-driver=rexray", MountUnsupported, "rexray"),
        ("type=tmpfs,target=/run,src=x", InvalidMount, "no source"),
        ("type=tmpfs,target=/run,tmpfs-size=lots", InvalidMount, "no size"),
        ("type=tmpfs,target=/run,tmpfs-mode=999", InvalidMount, "octal"),
        ('type=bind,"src=/srv', InvalidMount, "not closed"),
        ('type=bind,"src=/srv"x,target=/data', InvalidMount, "follows a closing"),
        ("type=bind,src,target=/data", InvalidMount, "key=value"),
    ],
)
def test_what_mount_refuses(text: str, failure: type[VolumeError], why: str) -> None:
    with pytest.raises(failure) as caught:
        parse_mount(text)
    assert why in str(caught.value)


def test_tmpfs_takes_the_kernel_s_options() -> None:
    spec = parse_tmpfs("/run", "rw,exec,size=64m,mode=1777,uid=7")
    assert spec.options == ["exec", "size=64m", "mode=1777", "uid=7"]
    assert parse_tmpfs("/run", "ro").read_only
    for bad in ("data=x", "size=", "size", ","):
        with pytest.raises(InvalidMount):
            parse_tmpfs("/run", bad)


@pytest.mark.parametrize(
    ("text", "expected"), [("1024", 1024), ("64m", 64 << 20), ("1GiB", 1 << 30), ("1.5k", 1536), ("2kb", 2048)]
)
def test_sizes(text: str, expected: int) -> None:
    assert parse_size("", text) == expected


@given(st.text(max_size=40), st.text(alphabet='srctagetype=bindvolum,"/.-:', max_size=60))
def test_no_text_makes_the_parsers_fail_otherwise(one: str, other: str) -> None:
    for text in (one, other):
        for parse in (parse_volume, parse_mount):
            try:
                spec = parse(text)
            except VolumeError:
                continue
            assert spec.target == clean(spec.target) != "/"


@pytest.mark.parametrize(
    "entry",
    [
        None,
        {},
        {"Target": "x"},
        {"Type": "bind", "Target": "/x"},
        {"Type": "bind", "Source": "x", "Target": "/x"},
        {"Type": "cluster", "Target": "/x"},
        {"Type": "tmpfs", "Source": "x", "Target": "/x"},
        {"Target": "/x", "VolumeOptions": {"Subpath": "a"}},
        {"Target": "/x", "VolumeOptions": {"DriverConfig": {"Name": "nfs"}}},
    ],
)
def test_mounts_from_outside_are_checked(entry: Any) -> None:
    with pytest.raises(VolumeError):
        from_document(entry)
