"""A browser without its window: cookies kept, forms sent with their token, as the headers of one say."""

import re
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
from yarl import URL

from iglayers.accounts.model_people import Role
from iglayers.dashboard.request import SESSION_COOKIE

_TOKEN = re.compile(r'name="form_token" value="(\w+)"')


class Visit:
    """Somebody's cookies at one server."""

    def __init__(self, http: aiohttp.ClientSession, base: str, session: str | None = None) -> None:
        self._http: aiohttp.ClientSession = http
        self.base: str = base
        # By either name: an installation that is reached by https asks for the second.
        names = (SESSION_COOKIE, f"__Host-{SESSION_COOKIE}")
        self.cookies: dict[str, str] = dict.fromkeys(names, session) if session else {}

    async def get(self, path: str, **headers: str) -> tuple[int, str, Any]:
        return await self._call("GET", path, None, headers)

    async def post(self, path: str, fields: Any, **headers: str) -> tuple[int, str, Any]:
        """Without a token of its own."""
        return await self._call("POST", path, fields, headers)

    async def submit(self, page: str, action: str, **fields: str) -> tuple[int, str, Any]:
        """Open a page and send the form on it."""
        found = _TOKEN.search((await self.get(page))[1])
        assert found, page
        return await self.post(action, fields | {"form_token": found[1]})

    async def _call(self, method: str, path: str, fields: Any, headers: dict[str, str]) -> tuple[int, str, Any]:
        sent = {"Accept": "text/html", "Origin": self.base}
        sent |= {name.replace("_", "-"): text for name, text in headers.items()}
        if not sent["Origin"]:
            del sent["Origin"]
        sent["Cookie"] = "; ".join(f"{name}={text}" for name, text in self.cookies.items())
        url = URL(self.base + path)
        async with self._http.request(method, url, data=fields, headers=sent, allow_redirects=False) as answer:
            for name, cookie in answer.cookies.items():
                self.cookies[name] = cookie.value
            return answer.status, await answer.text(), answer.headers


As = Callable[[Role], Awaitable[Visit]]
