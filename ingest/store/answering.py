"""What answers at an address where Bolt was not understood: TLS, a web page, or nothing known."""

from __future__ import annotations

import re
import socket
import ssl
from urllib.parse import urlsplit

from lib_graph.errors import StoreUnavailableError

__all__ = ["misunderstood"]

LIMIT_S = 1.0
BOLT_PORT = 7687
NO_TLS = ("UNEXPECTED_EOF_WHILE_READING", "WRONG_VERSION_NUMBER")  # as OpenSSL says it


def misunderstood(name: str, error: BaseException) -> StoreUnavailableError | None:
    """Return what is really the matter with a server that answers, None where none does.

    `error` is what went wrong first at the address `name`. A connection or two are tried there.
    """
    plain = re.sub(r"\+s(sc)?://", "://", name)
    own = plain.replace("://", "+ssc://", 1)
    if isinstance(error, ssl.SSLCertVerificationError):
        return StoreUnavailableError(
            f"{name!r} answers, but its certificate is not trusted: {error.verify_message}. Use "
            f"{own} if you know the server"
        )
    if isinstance(error, ssl.SSLError) and error.reason in NO_TLS:
        return StoreUnavailableError(f"{name!r} answers, but without TLS. Use {plain}")
    if plain != name or isinstance(error, ConnectionRefusedError | socket.gaierror):
        return None
    address = urlsplit(name)
    where = address.hostname or "localhost", address.port or BOLT_PORT
    if _speaks_tls(where):
        return StoreUnavailableError(
            f"{name!r} answers, but only with TLS. Use {plain.replace('://', '+s://', 1)}, or "
            f"{own} where the certificate is the server's own"
        )
    if _speaks_http(where):
        return StoreUnavailableError(
            f"{name!r} answers, but as a web page. Bolt has a port of its own, usually "
            f"{BOLT_PORT}: use {address.scheme}://{where[0]}:{BOLT_PORT}"
        )
    return None


def _speaks_tls(where: tuple[str, int]) -> bool:
    """Return whether a server shakes hands, whoever signed its certificate: nothing is sent."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with (
            socket.create_connection(where, LIMIT_S) as connection,
            context.wrap_socket(connection),
        ):
            return True
    except OSError:
        return False


def _speaks_http(where: tuple[str, int]) -> bool:
    try:
        with socket.create_connection(where, LIMIT_S) as connection:
            connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
            return connection.recv(5) == b"HTTP/"
    except OSError:
        return False
