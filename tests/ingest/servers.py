"""Servers that are no Neo4j 5: what a person may point `--store` at by mistake."""

from __future__ import annotations

import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BOLT_4_4 = bytes([0, 0, 4, 4])
HTTP = b"HTTP/1.1 400 Bad Request\r\n\r\n"


@contextmanager
def answering(*answers: bytes) -> Iterator[str]:
    """Yield the address of a server that gives these answers, one for each message it gets."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                for answer in answers:
                    connection.recv(4096)
                    connection.sendall(answer)
                while connection.recv(4096):
                    pass

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"bolt://127.0.0.1:{listening.getsockname()[1]}"
        thread.join(10)


def hello(server: str) -> bytes:
    """The Bolt message SUCCESS {server: …, connection_id: "x"}."""
    fields = {"server": server, "connection_id": "x"}
    packed = b"".join(_string(text) for item in fields.items() for text in item)
    message = bytes([0xB1, 0x70, 0xA0 + len(fields)]) + packed
    return len(message).to_bytes(2, "big") + message + bytes(2)


def _string(text: str) -> bytes:
    return bytes([0xD0, len(text)]) + text.encode()


@contextmanager
def nobody(scheme: str) -> Iterator[str]:
    """Yield an address that stays taken, and that nobody answers at."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"{scheme}://127.0.0.1:{taken.getsockname()[1]}"


@contextmanager
def with_tls(context: ssl.SSLContext) -> Iterator[str]:
    """Yield the host of a server that hangs up on whoever does not begin with TLS."""

    class Hello(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with suppress(OSError), context.wrap_socket(self.request, server_side=True) as secure:
                secure.recv(4096)

    with _serving(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Hello)) as host:
        yield host


@contextmanager
def web_page() -> Iterator[str]:
    """Yield the host of a web page."""

    class Quiet(BaseHTTPRequestHandler):
        def log_message(self, format: str, *values: object) -> None:
            pass

    with _serving(ThreadingHTTPServer(("127.0.0.1", 0), Quiet)) as host:
        yield host


@contextmanager
def _serving(server: socketserver.TCPServer) -> Iterator[str]:
    with server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join(10)
