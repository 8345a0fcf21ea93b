"""A campaign and a month in numbers."""

from datetime import timedelta
from math import sqrt

import msgspec

from iglayers.accounts import queries as account_queries
from iglayers.accounts.model import Caller
from iglayers.campaigns.model import Campaign
from iglayers.core.clock import Moment
from iglayers.core.db import Connection
from iglayers.reports import queries_stats
from iglayers.reports.model_stats import CampaignStats, StepNumbers, Usage
from iglayers.targets import queries_counts
from iglayers.targets.model import TargetState
from iglayers.usage import queries as usage_queries
from iglayers.usage.model import month_bounds, month_of

# How far back a series goes.
SPANS = {"hour": timedelta(days=7), "day": timedelta(days=366)}
_RATE_OVER = timedelta(days=7)
# No variant is called the best before each was sent so often.
LEAST_SENT = 50
Z = 1.96


async def campaign(conn: Connection, caller: Caller, of: Campaign, *, by: str) -> CampaignStats:
    """The numbers of a campaign that the caller may see; `by` is `hour` or `day`."""
    workspace_id = caller.workspace_id
    workspace = await account_queries.workspace(conn, workspace_id)
    assert workspace is not None
    zone = workspace.timezone if of.schedule is None else of.schedule.timezone
    counts = await queries_counts.counts(conn, workspace_id, of.id)
    ended = await queries_counts.ended(conn, workspace_id, of.id)
    funnel = {"targets": sum(counts.values())} | {state.value: number for state, number in counts.items()}
    funnel["optedOut"] = await queries_stats.opted_out(conn, workspace_id, of.id)
    return CampaignStats(
        campaign_id=of.id, timezone=zone, by=by, funnel=funnel,
        skipped_by={each.code or "unknown": each.number for each in ended if each.state == TargetState.SKIPPED},
        failed_by={each.code or "unknown": each.number for each in ended if each.state == TargetState.FAILED},
        series=await queries_stats.series(
            conn, workspace_id, of.id, by=by, zone=zone, since=caller.now - SPANS[by]),
        senders=await queries_stats.senders(conn, workspace_id, of.id),
        steps=with_the_best(await queries_stats.steps(conn, workspace_id, of.id)),
    )  # fmt: skip


def with_the_best(steps: list[StepNumbers]) -> list[StepNumbers]:
    """Mark the variant whose replies are more than chance, once every variant of its step was sent often enough."""
    best: set[tuple[int, int]] = set()
    for step in {each.step for each in steps}:
        arms = [each for each in steps if each.step == step]
        if len(arms) > 1 and min(each.sent for each in arms) >= LEAST_SENT:
            leader = max(arms, key=lambda each: each.replied / each.sent)
            least = _share_bounds(leader)[0]
            if all(least > _share_bounds(each)[1] for each in arms if each is not leader):
                best.add((leader.step, leader.variant))
    return [msgspec.structs.replace(each, is_best=(each.step, each.variant) in best) for each in steps]


def _share_bounds(numbers: StepNumbers) -> tuple[float, float]:
    """Between which shares of replies the true one lies with 95 % confidence (Wilson's score interval)."""
    n, share = numbers.sent, min(1.0, numbers.replied / numbers.sent)
    middle, spread = share + Z**2 / (2 * n), Z * sqrt(share * (1 - share) / n + Z**2 / (4 * n**2))
    scale = 1 + Z**2 / n
    return (middle - spread) / scale, (middle + spread) / scale


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
