"""One raw connection, to send what no client library would, and to read although sending has failed."""

import asyncio
import json
import socket
from pathlib import Path
from urllib.parse import urlsplit

from multidict import CIMultiDict

from tests.serving import Answer


class Wire:
    """One raw connection, to send what no client library would, and to read although sending has failed."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self.sent_bytes = 0

    @classmethod
    async def opened(cls, base: str) -> "Wire":
        where = urlsplit(base)
        connected = socket.socket()
        connected.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connected, (where.hostname, where.port))
        return cls(connected)

    async def send(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self._socket, data)
        self.sent_bytes += len(data)

    def left_bytes(self) -> int:
        """What was sent and no kernel holds any more: the other side has read it. Where Linux does not tell, all."""
        table = Path("/proc/net/tcp")
        ours, theirs = self._socket.getsockname()[1], self._socket.getpeername()[1]
        held = 0
        for line in table.read_text().splitlines()[1:] if table.exists() else []:
            _, local, remote, _, queues, *_ = line.split()
            ports = int(local.rpartition(":")[2], 16), int(remote.rpartition(":")[2], 16)
            sending, unread = (int(each, 16) for each in queues.split(":"))
            held += {(ours, theirs): sending, (theirs, ours): unread}.get(ports, 0)
        return self.sent_bytes - held

    async def head(self, path: str, key: str, *headers: str, method: str = "POST") -> None:
        lines = [f"{method} /api/v1{path} HTTP/1.1", "Host: localhost", f"Authorization: Bearer {key}", *headers]
        await self.send("\r\n".join(lines).encode() + b"\r\n\r\n")

    async def answer(self) -> Answer:
        """The answer, once it is whole."""
        received = b""
        async with asyncio.timeout(20):
            while True:
                head, _, raw = received.partition(b"\r\n\r\n")
                lines = head.decode("latin-1").split("\r\n")
                headers = CIMultiDict(
                    [(name, text.strip()) for name, _, text in (line.partition(":") for line in lines[1:])]
                )
                if "content-length" in headers and len(raw) == int(headers["content-length"]):
                    return Answer(int(lines[0].split()[1]), headers, raw, json.loads(raw))
                more = await asyncio.get_running_loop().sock_recv(self._socket, 65_536)
                assert more, received
                received += more

    def close(self) -> None:
        self._socket.close()
