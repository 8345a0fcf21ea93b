"""Routes of suppressions."""

import asyncio

from litestar import Response, delete, get, post
from litestar.response import Stream

from iglayers.accounts.request import ApiRequest, answer, refusal
from iglayers.clients.model import ClientNotFound
from iglayers.contacts import actions, queries
from iglayers.contacts.actions import MAX_LIST_BYTES, Suppressed
from iglayers.contacts.export import FILE_NAME, Whose, as_csv
from iglayers.contacts.model import ContactRow, Suppression
from iglayers.contacts.usernames import canonical
from iglayers.core import body as json_body
from iglayers.core.csv_text import MEDIA_TYPE, read_rows
from iglayers.core.errors import Invalid, UnsupportedMediaType
from iglayers.core.ids import ClientId, SuppressionId
from iglayers.core.paging import page


@post("/suppressions")
async def create_suppressions(request: ApiRequest) -> Response[bytes]:
    tree = await request.json_tree(most=MAX_LIST_BYTES)
    caller, pepper = request.caller, request.services.pepper
    if _names_many(tree):
        wanted = json_body.convert(tree, actions.WantedSuppressions)
        async with request.unit() as unit:
            done = await actions.suppress_many(unit.conn, caller, wanted.suppressions, pepper=pepper)
            return unit.answer(_many(done), status=201)
    one = json_body.convert(tree, actions.WantedSuppression)
    async with request.unit() as unit:
        return unit.answer(await actions.suppress(unit.conn, caller, one, pepper=pepper), status=201)


@post("/suppressions/import")
async def import_suppressions(request: ApiRequest) -> Response[bytes]:
    request.only_query("clientId")
    kind = request.headers.get("content-type", "")
    if kind.partition(";")[0].strip().lower() != MEDIA_TYPE:
        raise UnsupportedMediaType(
            f"Content-Type must be text/csv, not {kind[:80] or 'absent'}.", remedy="Send Content-Type: text/csv."
        )
    data = await request.raw_body(most=MAX_LIST_BYTES)
    caller = request.caller
    client_id = _client_id(request) or caller.client_id
    # A long list takes seconds to read, in which others are to be answered.
    reading = await asyncio.to_thread(
        lambda: actions.read_sheet(read_rows(data), pepper=request.services.pepper, client_id=client_id, now=caller.now)
    )
    async with request.unit() as unit:
        await actions.check_client(unit.conn, caller, client_id)
        done = await actions.suppress_read(unit.conn, caller, reading, source="import")
        return unit.answer(_imported(done), status=201)


@get("/suppressions")
async def list_suppressions(request: ApiRequest) -> Response[bytes] | Stream:
    request.only_query("limit", "cursor", "instagramUsername", "clientId", "format")
    caller, wanted = request.caller, request.query_params.get("format", "json")
    if wanted not in ("json", "csv"):
        raise Invalid("format must be json or csv.", param="format")
    limit, before, client_id = request.limit(), request.cursor(SuppressionId), _client_filter(request)
    named = request.query_params.get("instagramUsername")
    async with request.connection() as conn:
        contact = named and await queries.by_username(
            conn, caller.workspace_id, canonical(named), pepper=request.services.pepper
        )
        if wanted == "csv":
            return _csv(request, client_id, contact or None, nobody=bool(named) and not contact)
        found: list[Suppression] = []
        if contact or not named:
            found = await queries.page(
                conn, caller.workspace_id, client_id=client_id, contact_id=contact.id if contact else None,
                now=caller.now, before=before, limit=limit + 1,
            )  # fmt: skip
    return answer(page(found, limit))


@delete("/suppressions/{username:str}", status_code=200)
async def lift_suppression(request: ApiRequest) -> Response[bytes]:
    request.only_query("clientId")
    username, client_id = str(request.path_params["username"]), _client_id(request)
    async with request.unit() as unit:
        return unit.answer(
            await actions.unsuppress(
                unit.conn, request.caller, username, client_id=client_id, pepper=request.services.pepper
            )
        )


def _names_many(tree: object) -> bool:
    return isinstance(tree, dict) and "suppressions" in tree


def _client_id(request: ApiRequest) -> ClientId | None:
    text = request.query_params.get("clientId")
    if text is None:
        return None
    try:
        return ClientId.parse(text)
    except ValueError as error:
        raise Invalid(f"clientId: {error}.", param="clientId") from None


def _client_filter(request: ApiRequest) -> ClientId | None:
    """The client whose suppressions are wanted; a key that is bound to one sees no other's."""
    client_id, bound = _client_id(request), request.caller.client_id
    if bound is not None and client_id not in (None, bound):
        raise ClientNotFound("There is no such client.", param="clientId")
    return client_id or bound


def _many(done: Suppressed) -> dict[str, object]:
    results: dict[int, dict[str, object]] = {
        at: {"index": at, "instagramUsername": each.username, "status": "accepted", "id": each.id}
        for at, each in done.accepted.items()
    }
    for each in done.refused:
        results[each.place] = {
            "index": each.place, "instagramUsername": each.username[:200], "status": "rejected",
            "error": refusal(each.error),
        }  # fmt: skip
    return _unless_all_refused(done, {
        "accepted": len(done.accepted),
        "rejected": len(done.refused),
        "results": [results[at] for at in sorted(results)],
    })  # fmt: skip


def _imported(done: Suppressed) -> dict[str, object]:
    rejects = [
        {"line": each.place, "instagramUsername": each.username[:200], "error": refusal(each.error)}
        for each in done.refused[: actions.MOST_REJECTS_SHOWN]
    ]
    return _unless_all_refused(done, {
        "accepted": len(done.accepted),
        "rejected": len(done.refused),
        "rejects": rejects,
        "rejectsLeftOut": len(done.refused) - len(rejects),
    })  # fmt: skip


def _unless_all_refused(done: Suppressed, shown: dict[str, object]) -> dict[str, object]:
    """The answer; where no row was accepted, the first row's refusal with the answer beside it."""
    if done.refused and not done.accepted:
        first = done.refused[0].error
        first.details |= shown
        raise first
    return shown


def _csv(request: ApiRequest, client_id: ClientId | None, contact: ContactRow | None, *, nobody: bool) -> Stream:
    whose = Whose(client_id=client_id, contact_id=contact.id if contact else None, nobody=nobody)
    return Stream(
        as_csv(request.services.db, request.caller, whose), media_type=MEDIA_TYPE,
        headers={"Content-Disposition": f'attachment; filename="{FILE_NAME}"'},
    )  # fmt: skip


ROUTES = [create_suppressions, import_suppressions, list_suppressions, lift_suppression]
