"""A small OpenID Connect provider: it logs in whomever a test says, and can be told to do each thing wrong."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey, OctKey

CLIENT, SECRET = "the registry", "s3cr:t/+"


class Provider:
    """A running provider.

    Attributes:
        user: the claims of whoever logs in next.
        claims: overwrites claims of the identity; None takes one out.
        algorithm, key: what signs.
        asked: requests to the token endpoint.
    """

    def __init__(self) -> None:
        self.user: dict[str, Any] = {"sub": "1", "preferred_username": "ada", "name": "Ada L."}
        self.claims: dict[str, Any] = {}
        self.key: Any = ECKey.generate_key("P-256", parameters={"kid": "one"})
        self.published = self.key
        self.algorithm = "ES256"
        self.document: dict[str, Any] = {}
        self.error = ""
        self.asked: list[dict[str, str]] = []
        self.issuer = ""
        self._codes: dict[str, dict[str, str]] = {}

    def discovery(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "id_token_signing_alg_values_supported": ["ES256", "HS256", "none"],
            **self.document,
        }

    def keys(self) -> dict[str, Any]:
        return {"keys": [{**self.published.as_dict(private=False), "use": "sig"}]}

    def authorize(self, fields: dict[str, str]) -> str:
        """Log somebody in at once. Returns where the browser goes."""
        if self.error:
            return f"{fields['redirect_uri']}?" + urlencode({"error": self.error, "state": fields["state"]})
        code = secrets.token_urlsafe(8)
        self._codes[code] = fields
        return f"{fields['redirect_uri']}?" + urlencode({"code": code, "state": fields["state"]})

    def token(self, fields: dict[str, str], authorization: str) -> dict[str, Any] | None:
        self.asked.append({**fields, "authorization": authorization})
        begun = self._codes.pop(fields.get("code", ""), None)
        if begun is None or fields.get("redirect_uri") != begun["redirect_uri"]:
            return None
        challenge = base64.urlsafe_b64encode(hashlib.sha256(fields["code_verifier"].encode()).digest())
        if challenge.rstrip(b"=").decode() != begun["code_challenge"]:
            return None
        now = int(time.time())
        right = {"iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 60, "nonce": begun["nonce"], **self.user}
        claims = {name: value for name, value in {**right, **self.claims}.items() if value is not None}
        header = {"alg": self.algorithm, "kid": "one"}
        return {"id_token": jwt.encode(header, claims, self.key, algorithms=[self.algorithm]), "token_type": "Bearer"}

    def sign_by_secret(self) -> None:
        """Sign with the published key's bytes as if they were a secret."""
        self.algorithm = "HS256"
        self.key = OctKey.import_key(json.dumps(self.published.as_dict(private=False)))


def _handler(provider: Provider) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            if parts.path == "/.well-known/openid-configuration":
                self._json(200, provider.discovery())
            elif parts.path == "/keys":
                self._json(200, provider.keys())
            else:
                self._json(404, {})

        def do_POST(self) -> None:
            text = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            fields = {name: values[0] for name, values in parse_qs(text).items()}
            answer = provider.token(fields, self.headers.get("Authorization", ""))
            self._json(400 if answer is None else 200, answer or {"error": "invalid_grant"})

        def _json(self, status: int, value: Any) -> None:
            body = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *words: object) -> None:
            """Say nothing."""

    return Handler


@contextmanager
def oidc_provider() -> Iterator[Provider]:
    """A provider on loopback. Costs 10 ms."""
    provider = Provider()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(provider))
    provider.issuer = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
