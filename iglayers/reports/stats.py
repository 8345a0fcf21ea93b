"""A campaign and a month in numbers."""

from datetime import timedelta

from iglayers.accounts import queries as account_queries
from iglayers.accounts.model import Caller
from iglayers.campaigns.model import Campaign
from iglayers.core.clock import Moment
from iglayers.core.db import Connection
from iglayers.reports import queries_stats
from iglayers.reports.model_stats import CampaignStats, Usage
from iglayers.targets import queries as target_queries
from iglayers.targets.model import TargetState
from iglayers.usage import queries as usage_queries
from iglayers.usage.model import month_bounds, month_of

# How far back a series goes.
SPANS = {"hour": timedelta(days=7), "day": timedelta(days=366)}
_RATE_OVER = timedelta(days=7)


async def campaign(conn: Connection, caller: Caller, of: Campaign, *, by: str) -> CampaignStats:
    """The numbers of a campaign that the caller may see; `by` is `hour` or `day`."""
    workspace_id = caller.workspace_id
    workspace = await account_queries.workspace(conn, workspace_id)
    assert workspace is not None
    zone = workspace.timezone if of.schedule is None else of.schedule.timezone
    counts = await target_queries.counts(conn, workspace_id, of.id)
    ended = await queries_stats.ended(conn, workspace_id, of.id)
    funnel = {"targets": sum(counts.values())} | {state.value: number for state, number in counts.items()}
    funnel["optedOut"] = await queries_stats.opted_out(conn, workspace_id, of.id)
    return CampaignStats(
        campaign_id=of.id, timezone=zone, by=by, funnel=funnel,
        skipped_by={each.code or "unknown": each.number for each in ended if each.state == TargetState.SKIPPED},
        failed_by={each.code or "unknown": each.number for each in ended if each.state == TargetState.FAILED},
        series=await queries_stats.series(
            conn, workspace_id, of.id, by=by, zone=zone, since=caller.now - SPANS[by]),
        senders=await queries_stats.senders(conn, workspace_id, of.id),
        steps=await queries_stats.steps(conn, workspace_id, of.id),
    )  # fmt: skip


async def month(conn: Connection, caller: Caller) -> Usage:
    """The month as it stands; of one client alone for a key that is bound to it, whose limit is nobody's then."""
    workspace_id, now = caller.workspace_id, caller.now
    workspace = await account_queries.workspace(conn, workspace_id)
    assert workspace is not None
    this_month = month_of(now, workspace.timezone)
    begins_at, ends_at = month_bounds(this_month, workspace.timezone)
    only = caller.client_id
    clients = await queries_stats.clients_between(conn, workspace_id, only=only, since=begins_at, until=ends_at)
    lately = await queries_stats.clients_between(conn, workspace_id, only=only, since=now - _RATE_OVER, until=ends_at)
    sent = sum(each.sent for each in clients)
    a_day = sum(each.sent for each in lately) / 7
    limit = workspace.monthly_limit if only is None else None
    if limit is not None:
        sent = await usage_queries.sent_in(conn, workspace_id, this_month)
    used_up_at = None
    if limit is not None and a_day > 0:
        reached_at = now + timedelta(days=max(0, limit - sent) / a_day)
        used_up_at = Moment.of(reached_at) if reached_at < ends_at else None
    return Usage(
        month=this_month, timezone=workspace.timezone, ends_at=Moment.of(ends_at), sent=sent, limit=limit,
        remaining=None if limit is None else max(0, limit - sent),
        projected=round(sent + a_day * ((ends_at - now) / timedelta(days=1))), used_up_at=used_up_at, clients=clients,
        senders=await queries_stats.senders_between(conn, workspace_id, only=only, since=begins_at, until=ends_at),
    )  # fmt: skip
