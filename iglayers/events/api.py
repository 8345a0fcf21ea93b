"""The pull feed: the same events as the webhooks, with the same ids and bodies."""

from litestar import Response, get

from iglayers.accounts.request import ApiRequest, answer
from iglayers.core.errors import Invalid
from iglayers.core.ids import EventId
from iglayers.core.paging import page
from iglayers.events import queries
from iglayers.events.model import EventNotFound, EventType


@get("/events")
async def list_events(request: ApiRequest) -> Response[bytes]:
    """Oldest first; `after` is the last id that the reader has seen."""
    request.only_query("limit", "after", "types")
    caller, limit, after = request.caller, request.limit(), request.cursor(EventId, "after")
    types = _types(request.query_params.get("types"))
    async with request.connection() as conn:
        if after is not None and await queries.by_id(conn, caller.workspace_id, after, only=caller.client_id) is None:
            raise Invalid(
                "after names no event that is still kept (30 days).",
                param="after", remedy="Leave it out to begin with the oldest.",
            )  # fmt: skip
        found = await queries.feed(
            conn, caller.workspace_id, only=caller.client_id, types=types, after=after, limit=limit + 1
        )
    return answer(page(found, limit))


@get("/events/{id:str}")
async def show_event(request: ApiRequest) -> Response[bytes]:
    caller, event_id = request.caller, request.path_id(EventId, EventNotFound)
    async with request.connection() as conn:
        event = await queries.by_id(conn, caller.workspace_id, event_id, only=caller.client_id)
    if event is None:
        raise EventNotFound("There is no such event.")
    return answer(event)


def _types(text: str | None) -> list[EventType] | None:
    if text is None:
        return None
    try:
        return [EventType(name.strip()) for name in text.split(",")]
    except ValueError:
        raise Invalid(f"types must be one or more of {', '.join(EventType)}.", param="types") from None


ROUTES = [list_events, show_event]
