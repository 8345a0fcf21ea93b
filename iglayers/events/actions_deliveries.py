"""Verbs of deliveries: test an endpoint, send one again, replay what happened since a moment."""

from datetime import timedelta

import msgspec

from iglayers.accounts import actions as accounts
from iglayers.accounts.model import Caller
from iglayers.core.clock import Moment, real_now
from iglayers.core.crypto import Vault
from iglayers.core.db import Connection, Database
from iglayers.core.errors import Invalid, InvalidState
from iglayers.core.ids import AttemptId, DeliveryId, EndpointId, EventId, ReplayId
from iglayers.core.outgoing import Client
from iglayers.core.wire import json_bytes
from iglayers.events import queries_deliveries as queries
from iglayers.events import queries_endpoints
from iglayers.events.actions_endpoints import lock
from iglayers.events.attempts import error_of, is_success, opened, response_of
from iglayers.events.model import EventType
from iglayers.events.model_webhooks import (
    ALL_EVENTS,
    MAX_REPLAY,
    Attempt,
    Cause,
    Delivery,
    DeliveryNotFound,
    DeliveryState,
    DeliveryWithLog,
    EndpointState,
    Replay,
    ReplayNotFound,
    ReplayRunning,
    ReplayState,
    WebhookDeliveryFailed,
    WebhookNotFound,
)
from iglayers.events.signing import Signer

TEST = "webhook.test"


class WantedReplay(msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    since: Moment
    types: list[EventType] | None = None


async def test(db: Database, caller: Caller, endpoint_id: EndpointId, *, client: Client, vault: Vault) -> Delivery:
    """Send a test event now, signed like any other, and write down how it went; WebhookDeliveryFailed unless taken.

    Not one unit of work: nothing of the database is held while the endpoint is waited for.
    """
    async with db.connection() as conn:
        endpoint = await queries_endpoints.by_id(conn, caller.workspace_id, endpoint_id, only=caller.client_id)
        stored = await queries_endpoints.secrets(conn, caller.workspace_id, endpoint_id)
    if endpoint is None or stored is None:
        raise WebhookNotFound("There is no such webhook endpoint.")
    delivery_id, event_id, started_at = DeliveryId.new(), EventId.new(), real_now()
    body = json_bytes({
        "id": event_id, "type": TEST, "createdAt": caller.now, "workspaceId": caller.workspace_id, "sequence": 0,
        "data": {"webhook": endpoint},
    })  # fmt: skip
    headers = Signer(opened(stored, endpoint_id, vault=vault, now=started_at)).headers(
        body, event_id=str(event_id), kind=TEST, delivery_id=str(delivery_id), timestamp=int(started_at.timestamp())
    )
    answer = await client.post(endpoint.url, body, headers=headers)
    attempt = Attempt(
        id=AttemptId.new(), cause=Cause.TEST, started_at=started_at, duration_ms=answer.duration_ms,
        address=answer.address, status=answer.status, error=error_of(answer), response=response_of(answer),
    )  # fmt: skip
    state = DeliveryState.DELIVERED if is_success(answer) else DeliveryState.FAILED
    async with db.transaction() as conn:
        await queries.insert_test(
            conn, caller.workspace_id, endpoint_id, delivery_id=delivery_id, event_id=event_id, attempt=attempt,
            state=state,
        )  # fmt: skip
        shown = await show(conn, caller, delivery_id)
    if state is DeliveryState.FAILED:
        told = f"It answered {answer.status}." if answer.status else f"There was no answer ({attempt.error})."
        raise WebhookDeliveryFailed(f"The endpoint did not take the test event. {told}", details={"delivery": shown})
    return shown


async def show(conn: Connection, caller: Caller, delivery_id: DeliveryId) -> DeliveryWithLog:
    """A delivery with its attempts."""
    found = await queries.by_id(conn, caller.workspace_id, delivery_id, only=caller.client_id)
    if found is None:
        raise DeliveryNotFound("There is no such delivery.")
    log = await queries.attempts(conn, caller.workspace_id, delivery_id)
    return DeliveryWithLog(**msgspec.structs.asdict(found), log=log)


async def redeliver(conn: Connection, caller: Caller, delivery_id: DeliveryId) -> DeliveryWithLog:
    """Send one once more, with the same event id, whatever came of it before."""
    found = await show(conn, caller, delivery_id)
    endpoint = await lock(conn, caller, found.endpoint_id)
    if endpoint.state is EndpointState.DISABLED:
        raise InvalidState(f"The endpoint is disabled ({endpoint.disabled_reason}).", remedy="Enable it first.")
    if not await queries.event_is_kept(conn, caller.workspace_id, found.event_id):
        raise InvalidState(
            "This was a test, or its event is not kept any more.", remedy="Use /test for another test event."
        )
    await queries.send_again(conn, caller.workspace_id, delivery_id)
    await accounts.audit(conn, caller, "delivery.redelivered", delivery_id)
    return await show(conn, caller, delivery_id)


async def replay(conn: Connection, caller: Caller, endpoint_id: EndpointId, wanted: WantedReplay) -> Replay:
    """Send what the endpoint hears of since a moment once more, whatever came of it, what was never queued too.

    Types that are asked for by name come even if the endpoint does not hear of them.
    """
    if wanted.types == []:
        raise Invalid(
            "types must name at least one event.", param="types", remedy="Leave it out for all that it hears of."
        )
    endpoint = await lock(conn, caller, endpoint_id)
    if endpoint.state is EndpointState.DISABLED:
        raise InvalidState(f"The endpoint is disabled ({endpoint.disabled_reason}).", remedy="Enable it first.")
    now = real_now()
    floor = caller.clock.real(wanted.since)
    if not now - MAX_REPLAY <= floor <= now:
        raise Invalid(f"since must be within the last {MAX_REPLAY / timedelta(days=1):g} days.", param="since")
    if await queries.has_running_replay(conn, caller.workspace_id, endpoint_id):
        raise ReplayRunning("A replay to this endpoint is running.")
    asked = wanted.types or (endpoint.events if endpoint.events != [ALL_EVENTS] else [])
    types = [str(each) for each in asked] or None
    begun = Replay(
        id=ReplayId.new(), endpoint_id=endpoint_id, since=wanted.since, types=types, state=ReplayState.RUNNING, total=0,
        queued=0, pending=0, created_at=now, ended_at=None,
    )  # fmt: skip
    total = await queries.start_replay(conn, begun, workspace_id=caller.workspace_id, floor=floor)
    await accounts.audit(conn, caller, "webhook.replayed", endpoint_id, after={"since": wanted.since, "types": types})
    return msgspec.structs.replace(begun, total=total)


async def cancel_replay(conn: Connection, caller: Caller, endpoint_id: EndpointId, replay_id: ReplayId) -> Replay:
    """Stop a replay; doing it again, or when it has ended, changes nothing."""
    await lock(conn, caller, endpoint_id)
    before = await _replay(conn, caller, endpoint_id, replay_id)
    if before.state is not ReplayState.RUNNING and not before.pending:
        return before
    await queries.cancel_replay(conn, caller.workspace_id, endpoint_id, replay_id, at=real_now())
    await accounts.audit(conn, caller, "webhook.replay_cancelled", endpoint_id, after={"replayId": str(replay_id)})
    return await _replay(conn, caller, endpoint_id, replay_id)


async def _replay(conn: Connection, caller: Caller, endpoint_id: EndpointId, replay_id: ReplayId) -> Replay:
    found = await queries.replay(conn, caller.workspace_id, endpoint_id, replay_id)
    if found is None:
        raise ReplayNotFound("There is no such replay.")
    return found


async def go_on_with_replays(db: Database) -> bool:
    """Queue the next part of one replay; False when none has anything to queue now. Killed half-way, it did nothing."""
    async with db.transaction() as conn:
        running = await queries.next_replay(conn)
        return running is not None and await queries.queue_replay(conn, running, now=real_now()) > 0
