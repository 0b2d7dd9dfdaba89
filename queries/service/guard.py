"""Who may ask: the service answers its own page and whoever has the token, and nobody else.

A page of another site can make a browser send requests here. It cannot read a page of a name that
it made point here (`Host` has to be a name of this service), cannot write (`Origin` has to be this
service), and what is served cannot load anything from elsewhere (the content security policy).
"""

from __future__ import annotations

import hmac
import ipaddress
import json
import socket
from dataclasses import dataclass
from urllib.parse import parse_qs, quote

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["POLICY", "Door", "Guard"]

COOKIE = "lib_graph_token"
LOOPBACK = ("localhost", "127.0.0.1", "::1")
LARGEST = 4 << 20  # bytes of a request
READING = ("GET", "HEAD", "OPTIONS")
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


@dataclass(frozen=True)
class Door:
    """Under which names the service may be asked, and with which token if not from here alone."""

    host: str = "127.0.0.1"
    port: int = 0
    token: str | None = None

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach it."""
        return self.host in LOOPBACK

    @property
    def cookie(self) -> str:
        """The name of the cookie with the token; cookies are for all ports of a host."""
        return f"{COOKIE}_{self.port}"

    def opens_to(self, host: str) -> bool:
        """Return whether a Host header names this service.

        >>> door = Door("127.0.0.1", 8000)
        >>> door.opens_to("localhost:8000"), door.opens_to("evil.example:8000")
        (True, False)
        """
        name, _, port = host.rpartition(":") if _has_port(host) else (host, "", "80")
        name = name.removeprefix("[").removesuffix("]").lower()
        if port != str(self.port):
            return False
        if name in (*LOOPBACK, self.host.lower()):
            return True
        return not self.is_local and (_is_address(name) or name == socket.gethostname().lower())


class Guard:
    """Refuses what no page of this service would ask, before anything else sees it."""

    def __init__(self, app: ASGIApp, door: Door) -> None:
        self._app = app
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it here."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        if refusal := self._refusal(scope, headers):
            await _reply(guarded, *refusal)
        elif self._has_token_in_address(scope):
            await _enter(guarded, self._door)
        else:
            await self._app(scope, receive, guarded)

    def _refusal(self, scope: Scope, headers: Headers) -> tuple[int, str] | None:
        """Return status and reason for a request that is refused."""
        host = headers.get("host", "")
        if not self._door.opens_to(host):
            return 421, f"The host {host!r} is not this service. Open the address that it printed."
        origin = headers.get("origin")
        if origin is not None and origin.lower() != f"http://{host.lower()}":
            return 403, f"The page {origin!r} is not of this service and may not ask it."
        foreign = headers.get("sec-fetch-site", "none") not in ("none", "same-origin")
        if foreign and (scope["method"] not in READING or scope["path"].startswith("/api/")):
            return 403, "Another site's page may neither read nor write here."
        length = headers.get("content-length", "0")
        if not length.isdecimal():
            return 400, "The length of the request is no number."
        if len(length) > 20 or int(length) > LARGEST:
            return 413, f"The request is larger than {LARGEST >> 20} MB."
        if headers.get("transfer-encoding"):
            return 411, "The request does not say how long it is. Send it with its length."
        if not (self._has_token(headers) or self._has_token_in_address(scope)):
            return 401, "A token is needed. Open the address that 'lib-graph serve' printed."
        return None

    def _has_token(self, headers: Headers) -> bool:
        if self._door.token is None:
            return True
        given = headers.get("authorization", "").removeprefix("Bearer ")
        cookie = cookie_parser(headers.get("cookie", "")).get(self._door.cookie, "")
        return any(self._fits(text) for text in (given, cookie))

    def _has_token_in_address(self, scope: Scope) -> bool:
        """Return whether the page is opened with the token: it is then kept as a cookie."""
        if self._door.token is None or scope["path"] != "/" or scope["method"] != "GET":
            return False
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])
        return self._fits(given[0])

    def _fits(self, text: str) -> bool:
        wanted = str(self._door.token).encode()
        return hmac.compare_digest(text.encode("utf-8", "surrogateescape"), wanted)


def _has_port(host: str) -> bool:
    return host.rpartition(":")[0].endswith("]") if host.startswith("[") else ":" in host


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


async def _reply(send: Send, status: int, line: str) -> None:
    body = json.dumps({"error": line, "kind": "Refused"}).encode()
    kind = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": kind})
    await send({"type": "http.response.body", "body": body})


async def _enter(send: Send, door: Door) -> None:
    """Keep the token as a cookie that no script and no other site sees, and show the page."""
    cookie = f"{door.cookie}={quote(str(door.token))}; HttpOnly; SameSite=Strict; Path=/"
    headers = [(b"location", b"/"), (b"set-cookie", cookie.encode()), (b"content-length", b"0")]
    await send({"type": "http.response.start", "status": 303, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
