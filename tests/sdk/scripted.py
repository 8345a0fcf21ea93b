"""A server on loopback that plays a script: one entry a request, with what came in kept."""

import json
import socket
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

CUT = b""


def answer(status: int, body: object = None, *, raw: bytes | None = None, **headers: object) -> bytes:
    """An answer that ends its connection; `raw` in the place of a JSON body."""
    sent = json.dumps(body).encode() if raw is None else raw
    fields = {"Content-Type": "application/json", "Content-Length": len(sent), "Connection": "close"}
    fields |= {name.replace("_", "-"): item for name, item in headers.items()}
    lines = [f"HTTP/1.1 {status} Said", *(f"{name}: {item}" for name, item in fields.items() if item is not None)]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + sent


def refusal(status: int, code: str, **headers: Any) -> bytes:
    error = {"code": code, "message": "No.", "param": "name", "remedy": "Do.", "requestId": "req_1"}
    return answer(status, {"error": error}, **headers)


class Scripted:
    """Where it listens, and the requests it saw: first line, headers in lower case, body."""

    def __init__(self, script: list[bytes]) -> None:
        self._script: list[bytes] = script
        self._listening: socket.socket = socket.create_server(("127.0.0.1", 0))
        self.seen: list[tuple[str, dict[str, str], bytes]] = []
        self.url: str = f"http://127.0.0.1:{self._listening.getsockname()[1]}"

    def keys(self) -> list[str | None]:
        return [headers.get("idempotency-key") for _, headers, _ in self.seen]

    def play(self) -> None:
        for said in self._script:
            try:
                conn, _ = self._listening.accept()
            except OSError:
                return
            with conn:
                self.seen.append(_read(conn))
                conn.sendall(said)

    def end(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()


@contextmanager
def scripted(*script: bytes) -> Generator[Scripted]:
    server = Scripted(list(script))
    thread = threading.Thread(target=server.play)
    thread.start()
    try:
        yield server
    finally:
        server.end()
        thread.join()


def _read(conn: socket.socket) -> tuple[str, dict[str, str], bytes]:
    with conn.makefile("rb") as stream:
        first = stream.readline().decode().strip()
        headers: dict[str, str] = {}
        while line := stream.readline().decode().strip():
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        return first, headers, stream.read(int(headers.get("content-length", 0)))


def page(*items: Any, cursor: str | None = None) -> bytes:
    return answer(200, {"data": list(items), "hasMore": cursor is not None, "nextCursor": cursor})
