"""What a route is given: the caller, the typed body, and a unit of work that an Idempotency-Key can replay.

A route reads: caller and body, `async with request.unit() as unit`, one action, `unit.answer(...)`.
"""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, TypeVar, cast

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException
from litestar.status_codes import HTTP_200_OK

from iglayers.accounts import queries
from iglayers.accounts.answers import bound_to
from iglayers.accounts.keyring import Keyring
from iglayers.accounts.model import Caller, IdempotencyInProgress, IdempotencyKeyReused, StoredAnswer
from iglayers.accounts.services import Services
from iglayers.core import body as json_body
from iglayers.core.clock import Moment
from iglayers.core.db import Connection
from iglayers.core.errors import Error, Invalid, NotFound, PayloadTooLarge, UnsupportedMediaType
from iglayers.core.ids import Id, KeyId
from iglayers.core.paging import limit_of
from iglayers.core.wire import decode_special, json_bytes

T = TypeVar("T")
IdT = TypeVar("IdT", bound=Id)

JSON = "application/json"
MAX_JSON_BYTES = 1 << 20
# For the whole body: a client that sends a byte a second would hold its slot for weeks.
BODY_DEADLINE_S = 60.0


class NoFields(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a call that takes none."""


class Replay(Exception):
    """This key was answered before; the answer goes out again, byte for byte."""

    def __init__(self, stored: StoredAnswer, body: bytes) -> None:
        super().__init__()
        self.status: int = stored.status
        self.body: bytes = body


class Unit:
    """One unit of work: its connection, and the answer that is stored with it."""

    def __init__(self, conn: Connection) -> None:
        self.conn: Connection = conn
        self.answered: Response[bytes] | None = None

    def answer(self, content: object, *, status: int = HTTP_200_OK) -> Response[bytes]:
        self.answered = answer(content, status=status)
        return self.answered


def answer(content: object, *, status: int = HTTP_200_OK) -> Response[bytes]:
    """A JSON answer outside a unit of work."""
    return Response(json_bytes(content), status_code=status, media_type=JSON)


class ApiRequest(Request[Any, Any, Any]):
    """A request of a caller that the authentication has let in."""

    @property
    def caller(self) -> Caller:
        return cast("Caller", self.scope["state"]["caller"])

    @property
    def services(self) -> Services:
        return cast("Services", self.app.state.services)

    def forget_key(self, key_id: KeyId) -> None:
        """Call it when the end of an API key has committed: this process then refuses the next call with it."""
        cast("Keyring", self.app.state.keyring).forget(key_id)

    async def raw_body(self, *, most: int = MAX_JSON_BYTES) -> bytes:
        """The body, read up to `most` bytes and no further."""
        state = self.scope["state"]
        if "raw_body" not in state:
            state["raw_body"] = await self._receive(most)
        return cast("bytes", state["raw_body"])

    async def _receive(self, most: int) -> bytes:
        parts: list[bytes] = []

        async def take(part: bytes) -> None:
            parts.append(part)

        await self._take_parts(take, most=most, within_s=BODY_DEADLINE_S)
        return b"".join(parts)

    async def stream_body(self, take: Callable[[bytes], Awaitable[None]], *, most: int, within_s: float) -> None:
        """Hand the body to `take` part by part as it comes in, up to `most` bytes; nothing of it is kept."""
        digest = hashlib.sha256()

        async def take_and_count(part: bytes) -> None:
            digest.update(part)
            await take(part)

        await self._take_parts(take_and_count, most=most, within_s=within_s)
        # What an Idempotency-Key is compared by.
        self.scope["state"]["raw_body"] = digest.digest()

    async def _take_parts(self, take: Callable[[bytes], Awaitable[None]], *, most: int, within_s: float) -> None:
        too_large = PayloadTooLarge(f"The body is over {most} bytes.")
        length = self.headers.get("content-length", "0")
        if length.isascii() and length.isdigit() and int(length) > most:
            raise too_large
        size = 0
        try:
            async with asyncio.timeout(within_s):
                async for part in self.stream():
                    size += len(part)
                    if size > most:
                        raise too_large
                    await take(part)
        except TimeoutError:
            raise Invalid(
                f"The body did not arrive within {within_s:g} s.",
                param="body",
                remedy="Send the body without pauses, or in smaller parts.",
            ) from None
        except HTTPException as error:  # also of a client that went away, which is no bug of ours
            raise Invalid(f"The body ended early: {error.detail}.", param="body") from None

    async def json_tree(self, *, most: int = MAX_JSON_BYTES) -> object:
        """The body as plain JSON values; an absent body is an empty object."""
        data = await self.raw_body(most=most)
        kind = self.headers.get("content-type", "")
        if data and kind.partition(";")[0].strip().lower() != JSON:
            raise UnsupportedMediaType(f"Content-Type must be {JSON}, not {kind[:80] or 'absent'}.")
        return json_body.parse(data) if data.strip() else {}

    async def read(self, kind: type[T]) -> T:
        """The body as a `kind`; unknown fields are refused."""
        return json_body.convert(await self.json_tree(), kind)

    async def read_nothing(self) -> None:
        """For calls that take no fields: a field that is sent all the same was meant to change something."""
        await self.read(NoFields)

    def path_id(self, kind: type[IdT], missing: type[NotFound]) -> IdT:
        """The id in the path, called `id` or by the kind's prefix; malformed and unknown are the same 404."""
        text = str(self.path_params.get(kind.prefix) or self.path_params["id"])
        try:
            return kind.parse(text)
        except ValueError:
            raise missing(f"There is no object with the id {text[:80]}.") from None

    def limit(self) -> int:
        return limit_of(self.query_params.get("limit"))

    def cursor(self, kind: type[IdT], param: str = "cursor") -> IdT | None:
        """The `?cursor=` of a list: the last id of the page before."""
        text = self.query_params.get(param)
        if text is None:
            return None
        try:
            return kind.parse(str(text))
        except ValueError as error:
            raise Invalid(f"{param}: {error}.", param=param) from None

    def flag(self, param: str) -> bool:
        """A `?param=true` or `false`, false when absent."""
        text = self.query_params.get(param, "false")
        if text not in ("true", "false"):
            raise Invalid(f"{param} must be true or false.", param=param)
        return text == "true"

    def moment(self, param: str) -> Moment | None:
        """A `?param=` that is a time with its offset."""
        text = self.query_params.get(param)
        if text is None:
            return None
        try:
            return msgspec.convert(text, Moment, dec_hook=decode_special)
        except msgspec.ValidationError as error:
            raise Invalid(f"{param}: {error}.", param=param) from None

    def only_query(self, *known: str) -> None:
        """Refuse query parameters that this route does not know, so that a typing error is not ignored.

        A route that never says which it knows has none.
        """
        self.scope["state"]["query_checked"] = True
        for name, text in self.query_params.multi_items():
            shown = name.replace("\x00", "")[:64]
            if name not in known:
                raise Invalid(f"{shown} is not a query parameter of this call.", param=shown)
            if len(self.query_params.getall(name)) > 1:
                raise Invalid(f"{name} stands more than once in the query.", param=name)
            if "\x00" in text:
                raise Invalid(f"{name} holds the character U+0000.", param=name)

    def _refuse_unasked_query(self) -> None:
        if self.scope["query_string"] and "query_checked" not in self.scope["state"]:
            self.only_query()

    def connection(self) -> AbstractAsyncContextManager[Connection]:
        """For reads."""
        self._refuse_unasked_query()
        return self.services.db.connection()

    @asynccontextmanager
    async def unit(self) -> AsyncGenerator[Unit, None]:
        """One transaction; with an Idempotency-Key also its lock, the replay and the stored answer."""
        self._refuse_unasked_query()
        if "raw_body" not in self.scope["state"]:
            await self.read_nothing()
        name = self._idempotency_key()
        body = await self.raw_body() if name else b""
        async with self.services.db.transaction() as conn:
            unit = Unit(conn)
            if name is None:
                yield unit
                return
            fingerprint = self._fingerprint(body)
            await self._replay_or_lock(conn, name, fingerprint)
            yield unit
            assert unit.answered is not None, "a unit of work ends with an answer"
            stored = StoredAnswer(
                fingerprint=fingerprint, status=unit.answered.status_code or 200, body=self._sealed(name, unit.answered)
            )
            await queries.store_answer(conn, self.caller.workspace_id, name, stored)

    async def amend(self, content: object, *, status: int = HTTP_200_OK) -> Response[bytes]:
        """For what goes on after its unit of work has committed: the answer as it is now, also to a repeat.

        Until this is called, or if it never is, a repeat gets what the unit answered.
        """
        answered, name = answer(content, status=status), self._idempotency_key()
        if name is not None:
            async with self.services.db.connection() as conn:
                await queries.amend_answer(
                    conn, self.caller.workspace_id, name, status=status, body=self._sealed(name, answered)
                )
        return answered

    def _sealed(self, name: str, answered: Response[bytes]) -> bytes:
        return self.services.vault.seal(answered.content, bound_to=bound_to(self.caller.workspace_id, name))

    async def _replay_or_lock(self, conn: Connection, name: str, fingerprint: bytes) -> None:
        workspace_id = self.caller.workspace_id
        if not await queries.lock_idempotency_key(conn, workspace_id, name):
            raise IdempotencyInProgress("A request with this Idempotency-Key is still running.")
        stored = await queries.stored_answer(conn, workspace_id, name)
        if stored is None:
            return
        if stored.fingerprint != fingerprint:
            raise IdempotencyKeyReused(
                "This Idempotency-Key was used for a different request.", param="Idempotency-Key"
            )
        raise Replay(stored, self.services.vault.open(stored.body, bound_to=bound_to(workspace_id, name)))

    def _idempotency_key(self) -> str | None:
        name = self.headers.get("idempotency-key")
        if name is None:
            return None
        if not (1 <= len(name) <= 255 and name.isascii() and name.isprintable()):
            raise Invalid("Idempotency-Key must be 1 to 255 printable ASCII characters.", param="Idempotency-Key")
        return name

    def _fingerprint(self, body: bytes) -> bytes:
        whole = hashlib.sha256()
        for part in (
            self.method,
            self.url.path,
            self.scope["query_string"].decode("latin-1"),
            str(self.caller.client_id),
        ):
            whole.update(part.encode() + b"\n")
        whole.update(body)
        return whole.digest()


def refusal(error: Error) -> dict[str, object]:
    """The `error` object of an answer: code and message as published, then the field and the next step."""
    shown: dict[str, object] = {"code": error.code, "message": error.message}
    if error.param is not None:
        shown["param"] = error.param
    if error.next_step:
        shown["remedy"] = error.next_step
    return shown
