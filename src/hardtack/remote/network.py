"""TLS as it is configured for a host, and the network's many failures as the few of this layer."""

from __future__ import annotations

import os
import socket
import ssl

from hardtack.remote.errors import BadAnswer, RemoteError, Unreachable, Untrusted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardtack.remote.config import HostConfig
    from hardtack.remote.origin import Origin

_BUNDLES = (  # where systems keep the authorities they trust, for a Python whose OpenSSL was built for another system
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
_NO_TLS = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG", "UNEXPECTED_EOF_WHILE_READING")


def tls_context(host: HostConfig) -> ssl.SSLContext:
    context = ssl.create_default_context()
    paths = ssl.get_default_verify_paths()
    if not (paths.cafile or paths.capath):
        for bundle in filter(os.path.exists, _BUNDLES):
            context.load_verify_locations(bundle)
            break
    try:
        for path in host.ca:
            context.load_verify_locations(path)
        if host.client:
            context.load_cert_chain(*host.client)
    except (OSError, ssl.SSLError) as error:
        raise Untrusted(host.host, f"a configured certificate cannot be read: {reason_of(error)}") from None
    if host.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["http/1.1"])
    return context


def translated(error: Exception, origin: Origin, connecting: bool = False) -> RemoteError:
    """The error of this layer for one of the network's."""
    host = origin.authority
    if isinstance(error, RemoteError):
        return error
    if isinstance(error, ssl.SSLCertVerificationError):
        return Untrusted(host, error.verify_message)
    if isinstance(error, ssl.SSLError) and connecting:
        if error.reason in _NO_TLS:
            return Unreachable(
                host,
                "it does not speak TLS",
                hint=f'If that is meant to be so, set plain_http = true under [registry."{host}"] in config.toml',
            )
        return Untrusted(host, reason_of(error))
    if isinstance(error, ConnectionRefusedError):
        return Unreachable(host, "connection refused")
    if isinstance(error, socket.gaierror):
        return Unreachable(host, "its name cannot be resolved")
    if isinstance(error, (ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError)):
        return Unreachable(host, "the connection was closed before an answer", transient=True)
    if isinstance(error, OSError):
        return Unreachable(host, reason_of(error))
    return BadAnswer(host, f"{type(error).__name__}: {error}" if str(error) else type(error).__name__)


def reason_of(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return (error.reason or "TLS failed").replace("_", " ").lower()
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return text.lower() or type(error).__name__
