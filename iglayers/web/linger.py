"""An answer that comes before the end of the request's body, and reaches a client that is still sending."""

import asyncio
from contextlib import suppress

from litestar.datastructures import Headers
from litestar.types import ASGIApp, HTTPReceiveMessage, Receive, Scope, Send

# The rest of a body is thrown away for so long and so far.
LINGER_S = 5.0
LINGER_BYTES = 64 << 20


class Linger:
    """Reads on after an early answer: a connection closed on a client that sends is reset, and takes the answer along.

    Most clients stop when they see the answer, or read it only when they have sent everything.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app: ASGIApp = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _sends_a_body(Headers.from_scope(scope)):
            await self._app(scope, receive, send)
            return
        has_ended = False

        async def received() -> HTTPReceiveMessage:
            nonlocal has_ended
            message = await receive()
            has_ended = message["type"] != "http.request" or not message.get("more_body")
            return message  # type: ignore[return-value]

        await self._app(scope, received, send)
        left = LINGER_BYTES
        with suppress(TimeoutError):
            async with asyncio.timeout(LINGER_S):
                while not has_ended and left > 0:
                    message = await received()
                    left -= len(message.get("body", b""))  # type: ignore[arg-type]


def _sends_a_body(headers: Headers) -> bool:
    """Whether one is on its way: who asked whether to continue waits for the answer."""
    if "expect" in headers:
        return False
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"
