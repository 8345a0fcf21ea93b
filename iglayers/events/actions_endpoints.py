"""Verbs of webhook endpoints: create, change, rotate the secret, enable, disable, delete."""

from datetime import timedelta
from typing import Annotated

import msgspec

from iglayers.accounts import actions as accounts
from iglayers.accounts import queries as account_queries
from iglayers.accounts.model import AuditEntry, Caller
from iglayers.core.addresses import checked_url, listens_on_loopback
from iglayers.core.clock import Moment, real_now
from iglayers.core.config import Settings
from iglayers.core.crypto import Vault, new_webhook_secret
from iglayers.core.db import Connection
from iglayers.core.errors import Invalid
from iglayers.core.fields import optional_line
from iglayers.core.ids import AuditId, EndpointId, WorkspaceId
from iglayers.events import queries, queries_endpoints
from iglayers.events.model import EventType, NewEvent
from iglayers.events.model_webhooks import (
    ALL_EVENTS,
    MAX_ENDPOINTS,
    MAX_ROTATION_OVERLAP,
    DisabledReason,
    Endpoint,
    EndpointState,
    EndpointWithMissed,
    EndpointWithSecret,
    Missed,
    Secrets,
    TooManyEndpoints,
    WebhookNotFound,
    replayable_since,
)

PerSecond = Annotated[int, msgspec.Meta(ge=1, le=10_000)]


class NewEndpoint(msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    url: str
    events: list[str]
    description: str | None = None
    max_per_second: PerSecond | None = None


class EndpointChange(msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    url: str | msgspec.UnsetType = msgspec.UNSET
    events: list[str] | msgspec.UnsetType = msgspec.UNSET
    description: str | msgspec.UnsetType | None = msgspec.UNSET
    max_per_second: PerSecond | msgspec.UnsetType | None = msgspec.UNSET
    state: EndpointState | msgspec.UnsetType = msgspec.UNSET


async def create(
    conn: Connection, caller: Caller, new: NewEndpoint, *, vault: Vault, settings: Settings
) -> EndpointWithSecret:
    """An endpoint with its secret, shown in this answer and never again. A client's key makes it deaf to others."""
    if await queries_endpoints.count_locked(conn, caller.workspace_id) >= MAX_ENDPOINTS:
        raise TooManyEndpoints(f"This workspace has {MAX_ENDPOINTS} webhook endpoints already.")
    now = real_now()
    endpoint = Endpoint(
        id=EndpointId.new(), url=_url(new.url, settings), description=_description(new.description),
        events=_events(new.events), client_id=caller.client_id, max_per_second=new.max_per_second,
        state=EndpointState.ENABLED, disabled_reason=None, disabled_at=None, failing_since=None,
        previous_secret_until=None, created_at=now, updated_at=now,
    )  # fmt: skip
    secret = new_webhook_secret()
    sealed = vault.seal(secret.encode(), bound_to=bound_to(endpoint.id))
    await queries_endpoints.insert(conn, endpoint, workspace_id=caller.workspace_id, secret=sealed)
    await accounts.audit(conn, caller, "webhook.created", endpoint.id, after=endpoint)
    return EndpointWithSecret(**msgspec.structs.asdict(endpoint), secret=secret)


async def change(
    conn: Connection, caller: Caller, endpoint_id: EndpointId, wanted: EndpointChange, *, settings: Settings
) -> EndpointWithMissed:
    """Change what `wanted` names; it holds for what is delivered from now on."""
    before = await lock(conn, caller, endpoint_id)
    fields = {name: item for name, item in msgspec.structs.asdict(wanted).items() if item is not msgspec.UNSET}
    state = fields.pop("state", before.state)
    if "url" in fields:
        fields["url"] = _url(fields["url"], settings)
    if "events" in fields:
        fields["events"] = _events(fields["events"])
    if "description" in fields:
        fields["description"] = _description(fields["description"])
    now = real_now()
    await queries_endpoints.change(
        conn, msgspec.structs.replace(before, **fields, updated_at=now), workspace_id=caller.workspace_id
    )
    missed = None
    if state is EndpointState.DISABLED:
        await queries_endpoints.disable(conn, caller.workspace_id, endpoint_id, reason=DisabledReason.BY_PERSON, at=now)
    elif before.state is EndpointState.DISABLED:
        missed = await _enable(conn, caller, before)
    after = await lock(conn, caller, endpoint_id)
    old, new = accounts.changed(before, after)
    await accounts.audit(conn, caller, "webhook.changed", endpoint_id, before=old, after=new)
    if before.state is EndpointState.ENABLED and after.state is EndpointState.DISABLED:
        await queries.record(conn, disabled_event(caller.workspace_id, after, at=caller.now))
    return EndpointWithMissed(**msgspec.structs.asdict(after), missed=missed)


async def enable(conn: Connection, caller: Caller, endpoint_id: EndpointId) -> EndpointWithMissed:
    """Deliver again, at once what waits; doing it again changes nothing. What happened meanwhile: replay."""
    before = await lock(conn, caller, endpoint_id)
    if before.state is EndpointState.ENABLED:
        return EndpointWithMissed(**msgspec.structs.asdict(before), missed=None)
    missed = await _enable(conn, caller, before)
    after = await lock(conn, caller, endpoint_id)
    old, new = accounts.changed(before, after)
    await accounts.audit(conn, caller, "webhook.enabled", endpoint_id, before=old, after=new)
    return EndpointWithMissed(**msgspec.structs.asdict(after), missed=missed)


async def _enable(conn: Connection, caller: Caller, before: Endpoint) -> Missed:
    """Nothing is replayed by itself: who disabled an endpoint may not want what happened meanwhile, but must know."""
    assert before.disabled_at is not None
    now = real_now()
    since = replayable_since(before.disabled_at, now=now)
    events = await queries_endpoints.count_missed(conn, caller.workspace_id, before.id, since=since)
    await queries_endpoints.enable(conn, caller.workspace_id, before.id, at=now)
    return Missed(since=caller.clock.shows(since), events=events)


async def rotate_secret(
    conn: Connection, caller: Caller, endpoint_id: EndpointId, *, overlap_hours: float, vault: Vault
) -> EndpointWithSecret:
    """A new secret; the old one signs beside it for the overlap, 0 to revoke it now."""
    most_hours = MAX_ROTATION_OVERLAP / timedelta(hours=1)
    if not 0 <= overlap_hours <= most_hours:
        raise Invalid(f"overlapHours must be from 0 to {most_hours:g}.", param="overlapHours")
    await lock(conn, caller, endpoint_id)
    old = await queries_endpoints.secrets(conn, caller.workspace_id, endpoint_id)
    assert old is not None
    secret, now = new_webhook_secret(), real_now()
    until = Moment.of(now + timedelta(hours=overlap_hours)) if overlap_hours else None
    sealed = vault.seal(secret.encode(), bound_to=bound_to(endpoint_id))
    new = Secrets(secret=sealed, previous_secret=old.secret if until else None, previous_until=until)
    await queries_endpoints.change_secret(conn, caller.workspace_id, endpoint_id, new, at=now)
    after = await lock(conn, caller, endpoint_id)
    await accounts.audit(conn, caller, "webhook.secret_rotated", endpoint_id, after={"previousSecretUntil": until})
    return EndpointWithSecret(**msgspec.structs.asdict(after), secret=secret)


async def delete(conn: Connection, caller: Caller, endpoint_id: EndpointId) -> Endpoint:
    """Away with it; the answer shows it as it was."""
    endpoint = await lock(conn, caller, endpoint_id)
    await queries_endpoints.delete(conn, caller.workspace_id, endpoint_id, at=real_now())
    await accounts.audit(conn, caller, "webhook.deleted", endpoint_id, before=endpoint)
    return endpoint


async def disable(
    conn: Connection, workspace_id: WorkspaceId, endpoint_id: EndpointId, *, reason: DisabledReason, now: Moment
) -> None:
    """Stop by rule: told to the workspace's other endpoints and in the audit log, once."""
    if not await queries_endpoints.disable(conn, workspace_id, endpoint_id, reason=reason, at=now):
        return
    endpoint = await queries_endpoints.by_id(conn, workspace_id, endpoint_id, only=None)
    clock = await account_queries.clock(conn, workspace_id)
    assert endpoint is not None
    assert clock is not None
    entry = AuditEntry(
        id=AuditId.new(), at=now, actor="system", action="webhook.disabled", object_id=str(endpoint_id), before=None,
        after={"state": endpoint.state, "failingSince": endpoint.failing_since}, reason=reason, request_id=None,
    )  # fmt: skip
    await account_queries.insert_audit(conn, entry, workspace_id=workspace_id, contact_id=None)
    await queries.record(conn, disabled_event(workspace_id, endpoint, at=clock.shows(now)))


async def lock(conn: Connection, caller: Caller, endpoint_id: EndpointId) -> Endpoint:
    """The caller's endpoint, locked."""
    endpoint = await queries_endpoints.lock(conn, caller.workspace_id, endpoint_id, only=caller.client_id)
    if endpoint is None:
        raise WebhookNotFound("There is no such webhook endpoint.")
    return endpoint


def disabled_event(workspace_id: WorkspaceId, endpoint: Endpoint, *, at: Moment) -> NewEvent:
    """What the workspace's other endpoints hear when one is disabled."""
    return NewEvent(
        type=EventType.WEBHOOK_DISABLED, workspace_id=workspace_id, at=at, client_id=endpoint.client_id,
        data={"webhook": endpoint},
    )  # fmt: skip


def bound_to(endpoint_id: EndpointId) -> str:
    """The row that a sealed secret belongs to."""
    return f"webhook_endpoints.secret {endpoint_id}"


def _url(text: str, settings: Settings) -> str:
    http_allowed = settings.allow_http_webhooks or listens_on_loopback(settings.host)
    try:
        return checked_url(text.strip(), http_allowed=http_allowed)
    except ValueError as error:
        raise Invalid(f"url {error}.", param="url") from None


def _description(text: str | None) -> str:
    return optional_line(text, "description", most=500) or ""


def _events(wanted: list[str]) -> list[str]:
    """Names, each once; `*` stands alone."""
    if not wanted:
        raise Invalid('events must name at least one event, or be ["*"] for all.', param="events")
    for index, name in enumerate(wanted):
        if name != ALL_EVENTS and name not in set(EventType):
            raise Invalid(
                f"events[{index}]: {name[:64]!r} is no event.",
                param=f"events[{index}]", remedy=f"The events are {', '.join(EventType)}; * stands for all.",
            )  # fmt: skip
    return [ALL_EVENTS] if ALL_EVENTS in wanted else list(dict.fromkeys(wanted))
