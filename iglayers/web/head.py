"""HEAD: whatever GET answers, without its body."""

from litestar.types import ASGIApp, Message, Receive, Scope, Send


class Head:
    """Lets the routes of GET answer HEAD too; what a route sends after its first part is not waited for."""

    def __init__(self, app: ASGIApp) -> None:
        self._app: ASGIApp = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return
        has_ended = False

        async def send_without_body(message: Message) -> None:
            nonlocal has_ended
            if message["type"] == "http.response.body":
                if has_ended:
                    return
                has_ended = True
                message = {"type": "http.response.body", "body": b"", "more_body": False}
            await send(message)

        scope["method"] = "GET"
        await self._app(scope, receive, send_without_body)
