"""Who we are to which registry, from the file that people already have: `~/.docker/config.json`.

Understood are `auths` (password, identity token, registry token), `credsStore` and `credHelpers`. Writing keeps every
field that is not ours, is atomic, and leaves a file that only its owner reads. A secret never becomes part of an error.
"""

from __future__ import annotations

import base64
import binascii
import fcntl
import json
import os

from hardtack.remote.errors import CredentialsInvalid
from hardtack.remote.helper import Helper

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

HUB_KEY = "https://index.docker.io/v1/"  # what docker has called Docker Hub in this file since its first version
_HUB_NAMES = ("docker.io", "index.docker.io", "registry-1.docker.io")
_LARGEST = 4 << 20


class Credential:
    """What to show to a registry; a name and password, or one of the tokens.

    Attributes:
        identity: a refresh token (OAuth2), from which access tokens are made.
        registry_token: an access token, used as it is.
    """

    __slots__ = ("identity", "password", "registry_token", "username")

    def __init__(self, username: str = "", password: str = "", identity: str = "", registry_token: str = "") -> None:
        self.username = username
        self.password = password
        self.identity = identity
        self.registry_token = registry_token

    def __bool__(self) -> bool:
        return bool(self.username or self.identity or self.registry_token)

    def __repr__(self) -> str:
        return f"Credential({self.username!r}, …)"  # never the secret

    def basic(self) -> str:
        """The value of an Authorization header by the basic scheme. Source: RFC 7617."""
        return "Basic " + _encoded(self.username, self.password)


class Credentials:
    """The credentials file of this user.

    Args:
        path: the file; by default `config.json` in DOCKER_CONFIG or in ~/.docker.
    """

    __slots__ = ("path",)

    def __init__(self, path: str | None = None) -> None:
        folder = os.environ.get("DOCKER_CONFIG") or os.path.expanduser("~/.docker")
        self.path = path or os.path.join(folder, "config.json")

    def find(self, host: str) -> Credential:
        """What the file has for a registry; an empty credential when it has nothing.

        Args:
            host: the registry as people write it, `docker.io` for Docker Hub.
        Raises:
            CredentialsInvalid: the file is no JSON or has the wrong shape.
            HelperFailed: a helper is named and does not work.
        """
        document = self._read()
        helper = _helper_of(document, host)
        if helper is not None:
            username, secret = helper.get(server_key(host))
            if username == "<token>":
                return Credential(identity=secret)
            if username or secret:
                return Credential(username, secret)
        entry = _entry(self.path, document, host)
        return Credential() if entry is None else self._decode(entry, host)

    def store(self, host: str, credential: Credential) -> str:
        """Keep a credential, in the helper where one is configured, else in the file.

        Returns:
            Where it lies: the helper's program, or the path of the file.
        """
        key = server_key(host)
        with _Locked(self.path):
            document = self._read()
            helper = _helper_of(document, host)
            if helper is not None:
                token = credential.identity
                helper.store(key, "<token>" if token else credential.username, token or credential.password)
                entry: dict[str, str] = {}
            else:
                entry = {"auth": _encoded(credential.username, credential.password)}
                if credential.identity:
                    entry["identitytoken"] = credential.identity
            _auths(self.path, document)[key] = entry
            self._write(document)
        return helper.program if helper is not None else self.path

    def erase(self, host: str) -> bool:
        """Forget a registry. Returns whether there was something to forget."""
        with _Locked(self.path):
            document = self._read()
            auths = _auths(self.path, document)
            keys = [key for key in auths if _host_of(key) == _host_of(host)]
            helper = _helper_of(document, host)
            if helper is not None:
                helper.erase(server_key(host))
            for key in keys:
                del auths[key]
            if keys:
                self._write(document)
        return bool(keys)

    def _read(self) -> dict[str, Any]:
        try:
            with open(self.path, "rb") as file:
                data = file.read(_LARGEST + 1)
        except (FileNotFoundError, NotADirectoryError):
            return {}
        except OSError as error:
            raise _unusable(self.path, error) from None
        if not data.strip():
            return {}
        try:
            if len(data) > _LARGEST:
                raise ValueError("larger than 4 MiB")
            document = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise CredentialsInvalid(self.path, f"no JSON ({error})") from None
        if not isinstance(document, dict):
            raise CredentialsInvalid(self.path, "not a JSON object")
        return document

    def _write(self, document: dict[str, Any]) -> None:
        """Replace the file in one step, readable by its owner alone; a symbolic link stays one."""
        target = os.path.realpath(self.path)
        draft = f"{target}.{os.getpid()}.{os.urandom(4).hex()}"
        try:
            descriptor = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise _unusable(self.path, error) from None
        try:
            with open(descriptor, "w", encoding="utf-8") as file:
                json.dump(document, file, indent="\t")
                file.flush()
                os.fsync(file.fileno())
            os.rename(draft, target)
        except BaseException:
            os.unlink(draft)
            raise

    def _decode(self, entry: dict[str, Any], host: str) -> Credential:
        def text(name: str) -> str:
            value = entry.get(name, "")
            if not isinstance(value, str):
                raise CredentialsInvalid(self.path, f"{name} of {host} is not text")
            return value

        username, password = text("username"), text("password")
        if text("auth"):
            try:
                pair = base64.b64decode(text("auth"), validate=True).decode("utf-8", "surrogateescape")
            except binascii.Error:
                raise CredentialsInvalid(self.path, f"auth of {host} is not base64") from None
            username, colon, password = pair.partition(":")
            if not colon:
                raise CredentialsInvalid(self.path, f"auth of {host} has no colon between name and password")
            password = password.strip("\x00")
        return Credential(username, password, text("identitytoken"), text("registrytoken"))


class Anonymous(Credentials):
    """Nobody: no file is read."""

    __slots__ = ()

    def find(self, host: str) -> Credential:  # noqa: ARG002
        """Nothing for anybody."""
        return Credential()


class Given(Credentials):
    """One credential for one host, before it is in any file: `login` tries it out with this."""

    __slots__ = ("_credential", "_host")

    def __init__(self, host: str, credential: Credential) -> None:
        super().__init__("")
        self._host = _host_of(host)
        self._credential = credential

    def find(self, host: str) -> Credential:
        """The credential for its own host, nothing for any other."""
        return self._credential if _host_of(host) == self._host else Credential()


class _Locked:
    """Two logins at once shall both be remembered: the directory is locked while its file is rewritten."""

    __slots__ = ("_descriptor", "_folder", "_path")

    def __init__(self, path: str) -> None:
        self._path = path
        self._folder = os.path.dirname(os.path.realpath(path)) or "."

    def __enter__(self) -> None:
        try:
            os.makedirs(self._folder, mode=0o700, exist_ok=True)
            self._descriptor = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise _unusable(self._path, error) from None
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        except BaseException:
            os.close(self._descriptor)
            raise

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)


def _unusable(path: str, error: OSError) -> CredentialsInvalid:
    return CredentialsInvalid(path, (error.strerror or str(error)).lower())


def _encoded(username: str, password: str) -> str:
    pair = f"{username}:{password}".encode("utf-8", "surrogateescape")
    return base64.b64encode(pair).decode()


def server_key(host: str) -> str:
    """How docker names a registry in its file and to its helpers."""
    return HUB_KEY if _host_of(host) == "docker.io" else host


def _host_of(key: str) -> str:
    """The host that a key of `auths` means: keys may be URLs, and Docker Hub has three names."""
    host = key.split("://", 1)[-1].split("/", 1)[0]
    return "docker.io" if host in _HUB_NAMES else host


def _auths(path: str, document: dict[str, Any]) -> dict[str, Any]:
    auths = document.setdefault("auths", {})
    if not isinstance(auths, dict):
        raise CredentialsInvalid(path, "auths is not an object")
    return auths


def _entry(path: str, document: dict[str, Any], host: str) -> dict[str, Any] | None:
    auths = _auths(path, document)
    for key in (server_key(host), host, *auths):
        entry = auths.get(key)
        if entry and _host_of(key) == _host_of(host):
            if not isinstance(entry, dict):
                raise CredentialsInvalid(path, f"the entry of {host} is not an object")
            return entry
    return None


def _helper_of(document: dict[str, Any], host: str) -> Helper | None:
    helpers = document.get("credHelpers")
    if isinstance(helpers, dict):
        for key, name in helpers.items():
            if isinstance(name, str) and name and _host_of(key) == _host_of(host):
                return Helper(name)
    store = document.get("credsStore")
    return Helper(store) if isinstance(store, str) and store else None
