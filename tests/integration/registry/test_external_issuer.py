"""A registry whose tokens somebody else issues, as a process: what its clients are told, and what a token opens."""

from __future__ import annotations

import time
from pathlib import Path

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hardtack.oci.digest import Digest
from support.our_registry import our_registry

ACCESS = """
[access]
token_server = "https://auth.example.org/token"
token_issuer = "auth.example.org"
token_service = "registry.example.org"
token_keys = "issuer.pem"
"""


def issued(key: ec.EllipticCurvePrivateKey, *actions: str, repository: str = "team/app") -> str:
    claims = {
        "iss": "auth.example.org",
        "aud": "registry.example.org",
        "sub": "ada",
        "exp": time.time() + 300,
        "access": [{"type": "repository", "name": repository, "actions": list(actions)}],
    }
    return f"Bearer {jwt.encode(claims, key, 'ES256')}"


def public(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def test_an_issuer_elsewhere_decides_who_pushes_and_pulls(tmp_path: Path) -> None:
    """Costs 2 s."""
    first, second = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    (tmp_path / "issuer.pem").write_bytes(public(first))
    (tmp_path / "registry.toml").write_text(ACCESS)
    upload = f"/v2/team/app/blobs/uploads/?digest={Digest.of(b'layer')}"
    blob = f"/v2/team/app/blobs/{Digest.of(b'layer')}"
    with our_registry(tmp_path / "root", "--config", str(tmp_path / "registry.toml")) as registry:
        ask = registry.client
        stranger = ask("POST", upload, b"layer")
        assert stranger.status == 401
        where = 'Bearer realm="https://auth.example.org/token",service="registry.example.org"'
        assert stranger.headers["www-authenticate"].startswith(where)
        assert 'scope="repository:team/app:' in stranger.headers["www-authenticate"]
        assert ask("POST", upload, b"layer", Authorization=issued(first, "pull")).status == 401
        assert ask("POST", upload, b"layer", Authorization=issued(first, "pull", "push")).status == 201
        assert ask("GET", blob, Authorization=issued(first, "pull")).body == b"layer"
        assert ask("GET", blob, Authorization=issued(first, "pull", repository="team/other")).status == 401
        assert ask("GET", blob, Authorization=issued(second, "pull")).status == 401
        (tmp_path / "issuer.pem").write_bytes(public(second) + b"\n")
        time.sleep(1.2)  # workers look at the file once a second
        assert ask("GET", blob, Authorization=issued(second, "pull")).status == 200
        assert ask("GET", blob, Authorization=issued(first, "pull")).status == 401
