"""Take a port, say where the page is, and answer until Ctrl-C."""

from __future__ import annotations

import errno
import secrets
import socket
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from lib_graph.errors import ConflictError, UsageError
from queries.service.guard import Door

__all__ = ["address", "listening", "make_door", "serve"]


def make_door(host: str, port: int) -> Door:
    """Return the door of an address: one that others can reach has a new token."""
    door = Door(host, port)
    return door if door.is_local else Door(host, port, secrets.token_urlsafe(24))


def address(door: Door) -> str:
    """Return what to open in a browser.

    >>> address(Door("127.0.0.1", 8000))
    'http://127.0.0.1:8000/'
    """
    host = socket.gethostname() if door.host in ("0.0.0.0", "::") else door.host
    named = f"[{host}]" if ":" in host else host
    asked = "" if door.token is None else f"?token={door.token}"
    return f"http://{named}:{door.port}/{asked}"


@contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """Yield a socket that listens; port 0 takes one that is free.

    Raises ConflictError if the port is taken, UsageError for an address that cannot be used.
    """
    try:
        family, kind, _, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (OSError, OverflowError, UnicodeError) as error:
        raise UsageError(f"{host!r} is no address of this machine. Give another --host.") from error
    with socket.socket(family, kind) as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taken.bind(place)
            taken.listen(2048)
        except OSError as error:
            raise _refused(host, port, error) from error
        yield taken


def serve(app: Callable[..., object], taken: socket.socket, *, open_at: str | None = None) -> None:
    """Answered on a socket until Ctrl-C; `open_at` is opened in the browser first."""
    import uvicorn

    settings = uvicorn.Config(
        app, log_level="warning", access_log=False, lifespan="off", server_header=False,
        timeout_keep_alive=30, timeout_graceful_shutdown=2, ws="none",
    )  # fmt: skip
    if open_at is not None:
        webbrowser.open(open_at)
    uvicorn.Server(settings).run(sockets=[taken])


def _refused(host: str, port: int, error: OSError) -> ConflictError | UsageError:
    if error.errno == errno.EADDRINUSE:
        return ConflictError(
            f"Port {port} of {host} is taken, perhaps by a service that runs already. "
            "Give another --port, or 0 for one that is free."
        )
    return UsageError(f"{host!r}, port {port} cannot be used: {error.strerror}. Give others.")
