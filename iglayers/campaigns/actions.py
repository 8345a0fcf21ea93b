"""Verbs of campaigns: create, change, start, pause, resume, cancel, delete."""

from typing import Annotated, Any, Literal, cast

import msgspec

from iglayers.accounts import actions as accounts
from iglayers.accounts import queries as account_queries
from iglayers.accounts.model import Caller
from iglayers.campaigns import queries, texts
from iglayers.campaigns.model import (
    FOLLOWS,
    Campaign,
    CampaignNotFound,
    CampaignState,
    FollowUp,
    PreflightFailed,
    Variant,
    event_data,
)
from iglayers.clients import queries as client_queries
from iglayers.clients.model import ClientNotFound
from iglayers.core.db import Connection, Database
from iglayers.core.errors import Conflict, Error, Invalid, InvalidState
from iglayers.core.fields import line, metadata
from iglayers.core.ids import CampaignId, ClientId, SenderId, TemplateId
from iglayers.events import queries as event_queries
from iglayers.events.model import EventType, NewEvent
from iglayers.messages import queries as message_queries
from iglayers.messages.schedule import Schedule, check
from iglayers.senders.model import InstagramChallengeDetected, SenderNotAvailable, SenderNotFound
from iglayers.targets import queries_lifecycle as target_queries
from iglayers.templates import queries as template_queries
from iglayers.templates.model import TemplateNotFound
from iglayers.usage import queries as usage_queries
from iglayers.usage.model import UsageLimitExceeded, month_of

Limit = Annotated[int, msgspec.Meta(ge=1, le=100_000)]
MissingVariable = Literal["skip", "fail_preflight"]
ROUTES = ("sandbox", "instagram", "instagram.window", "instagram.comment", "instagram.partnership", "assisted")


class NewCampaign(msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    client_id: ClientId
    name: str
    message_template_id: TemplateId
    hourly_limit: Limit | None = None
    daily_limit: Limit | None = None
    metadata: dict[str, Any] = {}
    sender_ids: list[SenderId] = []
    routes: list[str] = []
    schedule: Schedule | None = None
    missing_variable: MissingVariable = "skip"
    variants: list[Variant] = []
    follow_ups: list[FollowUp] = []


class CampaignChange(msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    name: str | msgspec.UnsetType = msgspec.UNSET
    metadata: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET
    hourly_limit: Limit | msgspec.UnsetType | None = msgspec.UNSET
    daily_limit: Limit | msgspec.UnsetType | None = msgspec.UNSET
    sender_ids: list[SenderId] | msgspec.UnsetType = msgspec.UNSET
    routes: list[str] | msgspec.UnsetType = msgspec.UNSET
    schedule: Schedule | msgspec.UnsetType | None = msgspec.UNSET
    missing_variable: MissingVariable | msgspec.UnsetType = msgspec.UNSET
    message_template_id: TemplateId | msgspec.UnsetType = msgspec.UNSET
    variants: list[Variant] | msgspec.UnsetType = msgspec.UNSET
    follow_ups: list[FollowUp] | msgspec.UnsetType = msgspec.UNSET


class Copy(msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    name: str | None = None


# What may be changed when: names and notes always, texts only before the start, pace until it is cancelled, for a
# completed campaign goes on when people are added, and then needs another last day.
_ALWAYS = frozenset({"name", "metadata"})
_BEFORE_START = frozenset({"message_template_id", "variants", "follow_ups"})


async def create(conn: Connection, caller: Caller, new: NewCampaign) -> Campaign:
    """A draft; creating never sends."""
    client = await client_queries.by_id(conn, caller.workspace_id, new.client_id, only=caller.client_id)
    if client is None:
        raise ClientNotFound("clientId names no client.", param="clientId")
    if client.archived_at is not None:
        raise InvalidState("The client is archived.", param="clientId")
    now = caller.now
    campaign = Campaign(
        id=CampaignId.new(), client_id=new.client_id, name=line(new.name, "name"), state=CampaignState.DRAFT,
        message_template_id=new.message_template_id, variants=new.variants, follow_ups=new.follow_ups,
        hourly_limit=new.hourly_limit, daily_limit=new.daily_limit, sender_ids=new.sender_ids,
        routes=new.routes, schedule=new.schedule,
        missing_variable=new.missing_variable, metadata=metadata(new.metadata), blocked_reason=None, paused_reason=None,
        limited_by=None, next_at=None, created_at=now, updated_at=now, started_at=None, completed_at=None,
        cancelled_at=None, archived_at=None,
    )  # fmt: skip
    await _check(conn, caller, campaign, set(CampaignChange.__struct_fields__))
    await queries.insert(conn, campaign, workspace_id=caller.workspace_id)
    await queries.replace_steps(conn, caller.workspace_id, campaign.id, texts.steps(campaign))
    await _record(conn, caller, EventType.CAMPAIGN_CREATED, campaign)
    await accounts.audit(conn, caller, "campaign.created", campaign.id, after=campaign)
    return campaign


async def clone(conn: Connection, caller: Caller, campaign_id: CampaignId, wanted: Copy) -> Campaign:
    """A draft with the same settings, and the templates' texts as they are now; nobody is in it."""
    old = await find(conn, caller, campaign_id)
    name = f"{old.name} (copy)"[:200] if wanted.name is None else wanted.name
    new = NewCampaign(
        client_id=old.client_id, name=name, hourly_limit=old.hourly_limit,
        message_template_id=old.message_template_id, variants=old.variants, follow_ups=old.follow_ups,
        daily_limit=old.daily_limit,
        metadata=old.metadata, sender_ids=old.sender_ids, routes=old.routes, schedule=old.schedule,
        missing_variable=cast("MissingVariable", old.missing_variable),
    )  # fmt: skip
    return await create(conn, caller, new)


async def change(conn: Connection, caller: Caller, campaign_id: CampaignId, wanted: CampaignChange) -> Campaign:
    """Change what `wanted` names; limits and hours hold from the next send."""
    before = await _locked(conn, caller, campaign_id)
    fields = {name: item for name, item in msgspec.structs.asdict(wanted).items() if item is not msgspec.UNSET}
    _refuse_late(before, set(fields))
    if "name" in fields:
        fields["name"] = line(fields["name"], "name")
    if "metadata" in fields:
        fields["metadata"] = metadata(fields["metadata"])
    campaign = msgspec.structs.replace(before, **fields, updated_at=caller.now)
    await _check(conn, caller, campaign, set(fields))
    await queries.change(conn, campaign, workspace_id=caller.workspace_id)
    if _BEFORE_START & set(fields):
        await queries.replace_steps(conn, caller.workspace_id, campaign_id, texts.steps(campaign))
    old, new = accounts.changed(before, campaign)
    await accounts.audit(conn, caller, "campaign.changed", campaign_id, before=old, after=new)
    return campaign


def _refuse_late(campaign: Campaign, names: set[str]) -> None:
    if campaign.archived_at is not None:
        raise InvalidState("An archived campaign cannot be changed.")
    late = names - _ALWAYS if campaign.state is CampaignState.CANCELLED else set[str]()
    if campaign.state is not CampaignState.DRAFT:
        late |= names & _BEFORE_START
    if late:
        name = next(each.encode_name for each in msgspec.structs.fields(CampaignChange) if each.name in late)
        raise InvalidState(f"{name} cannot be changed while the campaign is {campaign.state.value}.", param=name)


async def _check(conn: Connection, caller: Caller, campaign: Campaign, names: set[str]) -> None:
    """Refuse what names nothing or can never work, among the fields with these names."""
    if campaign.schedule is not None:
        check(campaign.schedule)
    for index, route in enumerate(campaign.routes):
        if route not in ROUTES:
            raise Invalid(f"routes[{index}] must be one of {', '.join(ROUTES)}.", param=f"routes[{index}]")
    # A sender that was deleted since is no reason to refuse another name.
    sender_ids = campaign.sender_ids if "sender_ids" in names else []
    if missing := await queries.missing_senders(
        conn, caller.workspace_id, client_id=campaign.client_id, sender_ids=sender_ids
    ):
        index = campaign.sender_ids.index(missing[0])
        raise SenderNotFound(
            f"senderIds[{index}] names no sender that serves this client.", param=f"senderIds[{index}]"
        )
    texts.check(campaign)
    for step in texts.steps(campaign) if _BEFORE_START & names else []:
        template = await template_queries.hold(conn, caller.workspace_id, step.template_id)
        if template is None or (template.archived_at is not None and campaign.state is CampaignState.DRAFT):
            at = texts.path(step)
            raise TemplateNotFound(f"{at} names no message template.", param=at)


async def start(conn: Connection, caller: Caller, campaign_id: CampaignId) -> Campaign:
    """Begin to send. Refused with the blocker's own code; starting a running campaign changes nothing."""
    campaign = await _locked_to_run(conn, caller, campaign_id)
    if campaign.state is CampaignState.RUNNING:
        return campaign
    for refuse in _BEFORE_THE_START:
        await refuse(conn, caller, campaign)
    await queries.freeze_steps(conn, caller.workspace_id, campaign_id)
    return await _enter(conn, caller, campaign, CampaignState.RUNNING, EventType.CAMPAIGN_STARTED)


async def blockers(conn: Connection, caller: Caller, campaign: Campaign) -> list[Error]:
    """Everything that `start` would refuse with now, in its order."""
    found: list[Error] = []
    for refuse in _BEFORE_THE_START:
        try:
            await refuse(conn, caller, campaign)
        except Error as error:
            found.append(error)
    return found


_INSTEAD_OF_A_START = {
    CampaignState.PAUSED: "Resume it: POST /campaigns/{id}/resume.",
    CampaignState.COMPLETED: "Add targets, then resume it: POST /campaigns/{id}/resume.",
    CampaignState.CANCELLED: "Cancelling is for good. Copy it: POST /campaigns/{id}/clone.",
}


async def _refuse_started(_conn: Connection, _caller: Caller, campaign: Campaign) -> None:
    if campaign.state is not CampaignState.DRAFT:
        raise InvalidState(
            f"A {campaign.state.value} campaign cannot be started.", remedy=_INSTEAD_OF_A_START.get(campaign.state)
        )


async def _refuse_empty(conn: Connection, caller: Caller, campaign: Campaign) -> None:
    if not await queries.has_anything_due(conn, caller.workspace_id, campaign.id):
        raise InvalidState("The campaign has no targets.", remedy="Upload targets first.")


async def _refuse_without_sender(conn: Connection, caller: Caller, campaign: Campaign) -> None:
    serving = await queries.serving(
        conn, caller.workspace_id, client_id=campaign.client_id, sender_ids=campaign.sender_ids
    )
    if serving.active:
        return
    if serving.challenged and not serving.others:
        raise InstagramChallengeDetected("Every sender of this campaign waits for a person to answer a challenge.")
    raise SenderNotAvailable("No active sender serves this campaign.")


async def _refuse_used_up(conn: Connection, caller: Caller, _campaign: Campaign) -> None:
    workspace = await account_queries.workspace(conn, caller.workspace_id)
    if workspace is None or workspace.monthly_limit is None:
        return
    month = month_of(caller.now, workspace.timezone)
    if await usage_queries.sent_in(conn, caller.workspace_id, month) >= workspace.monthly_limit:
        raise UsageLimitExceeded(
            f"The {workspace.monthly_limit} messages of {month:%B %Y} are used up.",
            remedy="Raise monthlyLimit, or start next month.",
        )


async def _refuse_gaps(conn: Connection, caller: Caller, campaign: Campaign) -> None:
    if campaign.missing_variable != "fail_preflight":
        return
    steps = await queries.steps(conn, caller.workspace_id, campaign.id)
    gaps = await target_queries.count_missing_variables(
        conn, caller.workspace_id, campaign.id, bodies=[step.body or "" for step in steps]
    )
    if gaps:
        listed = ", ".join(f"{name} ({count} targets)" for name, count in sorted(gaps.items()))
        raise PreflightFailed(f"Variables without a value or a fallback: {listed}.")


async def _refuse_archived_client(conn: Connection, caller: Caller, campaign: Campaign) -> None:
    client = await client_queries.by_id(conn, caller.workspace_id, campaign.client_id, only=caller.client_id)
    if client is None or client.archived_at is not None:
        raise InvalidState("The campaign's client is archived; nobody is written to for it.")


_BEFORE_THE_START = (
    _refuse_started, _refuse_archived_client, _refuse_empty, _refuse_without_sender, _refuse_used_up, _refuse_gaps,
)  # fmt: skip


async def pause(conn: Connection, caller: Caller, campaign_id: CampaignId, *, reason: str | None = None) -> Campaign:
    """No message of this campaign begins after the commit; one that has begun settles as usual.

    `reason` is given where no person asked for it.
    """
    campaign = await _locked(conn, caller, campaign_id)
    if campaign.state is CampaignState.PAUSED:
        return campaign
    _refuse_leap(campaign, CampaignState.PAUSED, "paused")
    return await _enter(conn, caller, campaign, CampaignState.PAUSED, EventType.CAMPAIGN_PAUSED, reason=reason)


async def resume(conn: Connection, caller: Caller, campaign_id: CampaignId) -> Campaign:
    """Go on where it stopped; a completed campaign goes on if anybody was added."""
    campaign = await _locked_to_run(conn, caller, campaign_id)
    if campaign.state is CampaignState.RUNNING:
        return campaign
    if campaign.state is CampaignState.DRAFT:
        raise InvalidState("A draft is started, not resumed.", remedy="Call /start.")
    if campaign.archived_at is not None:
        raise InvalidState("An archived campaign cannot be resumed.", remedy="Clone it: POST /campaigns/{id}/clone.")
    _refuse_leap(campaign, CampaignState.RUNNING, "resumed")
    await _refuse_archived_client(conn, caller, campaign)
    if campaign.state is CampaignState.COMPLETED and not await queries.has_anything_due(
        conn, caller.workspace_id, campaign_id
    ):
        raise InvalidState("The campaign is completed and nobody is left to write to.", remedy="Add targets first.")
    return await _enter(conn, caller, campaign, CampaignState.RUNNING, EventType.CAMPAIGN_RESUMED)


async def cancel(conn: Connection, caller: Caller, campaign_id: CampaignId) -> Campaign:
    """End it for good: whoever was not written to is cancelled; what has begun settles as usual."""
    if not await queries.lock_alone(conn, caller.workspace_id, campaign_id, only=caller.client_id):
        raise CampaignNotFound("There is no such campaign.")
    campaign = await find(conn, caller, campaign_id)
    if campaign.state is CampaignState.CANCELLED:
        return campaign
    _refuse_leap(campaign, CampaignState.CANCELLED, "cancelled")
    await target_queries.cancel_open(conn, caller.workspace_id, campaign_id, at=caller.now)
    await message_queries.withdraw_cards(
        conn, caller.workspace_id, campaign_id, reason="The campaign was cancelled.", at=caller.now
    )
    return await _enter(conn, caller, campaign, CampaignState.CANCELLED, EventType.CAMPAIGN_CANCELLED)


async def delete(conn: Connection, caller: Caller, campaign_id: CampaignId) -> Campaign:
    """Delete a campaign that wrote to nobody; archive one that did, for the ledger stays."""
    if not await queries.lock_alone(conn, caller.workspace_id, campaign_id, only=caller.client_id):
        raise CampaignNotFound("There is no such campaign.")
    campaign = await find(conn, caller, campaign_id)
    if campaign.archived_at is not None:
        return campaign
    if campaign.state in (CampaignState.RUNNING, CampaignState.PAUSED):
        raise InvalidState(f"A {campaign.state.value} campaign cannot be deleted.", remedy="Cancel it first.")
    if await queries.has_messages(conn, caller.workspace_id, campaign_id):
        await queries.archive(conn, caller.workspace_id, campaign_id, at=caller.now)
    else:
        await queries.delete(conn, caller.workspace_id, campaign_id)
    await accounts.audit(conn, caller, "campaign.deleted", campaign_id, before=campaign)
    return msgspec.structs.replace(campaign, archived_at=caller.now)


async def archive_client(conn: Connection, caller: Caller, client_id: ClientId) -> None:
    """Take a client out of lists; refused while a campaign of it runs. Doing it again changes nothing."""
    client = await client_queries.lock(conn, caller.workspace_id, client_id, only=caller.client_id)
    if client is None:
        raise ClientNotFound("There is no such client.")
    if client.archived_at is not None:
        return
    running = await queries.running_of_client(conn, caller.workspace_id, client_id)
    if running is not None:
        raise Conflict(f"The campaign {running} of this client is running.", remedy="Pause or cancel it first.")
    await client_queries.archive(conn, caller.workspace_id, client_id, at=caller.now)
    await accounts.audit(conn, caller, "client.archived", client_id)


async def wake(db: Database, campaign_id: CampaignId) -> None:
    """Have a worker look at a campaign now, after the change that it should see has committed."""
    async with db.connection() as conn:
        await queries.wake(conn, campaign_id)


def _refuse_leap(campaign: Campaign, state: CampaignState, verb: str) -> None:
    if state not in FOLLOWS[campaign.state]:
        raise InvalidState(f"A {campaign.state.value} campaign cannot be {verb}.")


async def _enter(
    conn: Connection, caller: Caller, campaign: Campaign, state: CampaignState, event: EventType, *,
    reason: str | None = None,
) -> Campaign:  # fmt: skip
    await queries.set_state(conn, caller.workspace_id, campaign.id, state=state, at=caller.now, paused_reason=reason)
    entered = await find(conn, caller, campaign.id)
    await _record(conn, caller, event, entered)
    await accounts.audit(conn, caller, event.value, campaign.id, reason=reason)
    return entered


async def _record(conn: Connection, caller: Caller, event: EventType, campaign: Campaign) -> None:
    await event_queries.record(conn, NewEvent(
        type=event, workspace_id=caller.workspace_id, at=caller.now, client_id=campaign.client_id,
        campaign_id=campaign.id, data={"campaign": event_data(campaign)},
    ))  # fmt: skip


async def _locked(conn: Connection, caller: Caller, campaign_id: CampaignId) -> Campaign:
    if not await queries.lock(conn, caller.workspace_id, campaign_id, only=caller.client_id):
        raise CampaignNotFound("There is no such campaign.")
    return await find(conn, caller, campaign_id)


async def _locked_to_run(conn: Connection, caller: Caller, campaign_id: CampaignId) -> Campaign:
    """The campaign, held after its client, so that a client is not archived while one of its campaigns starts."""
    client_id = (await find(conn, caller, campaign_id)).client_id
    await client_queries.lock(conn, caller.workspace_id, client_id, only=caller.client_id)
    return await _locked(conn, caller, campaign_id)


async def find(conn: Connection, caller: Caller, campaign_id: CampaignId) -> Campaign:
    """A campaign that the caller may see."""
    campaign = await queries.by_id(conn, caller.workspace_id, campaign_id, only=caller.client_id)
    if campaign is None:
        raise CampaignNotFound("There is no such campaign.")
    return campaign
