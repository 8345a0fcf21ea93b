"""The pace of one campaign: how fast it went, its limit, and where that leads. A page of its own and a part of another.

It is read after the page that it stands on: a projection is played message by message.
"""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
from litestar import Response, get

from iglayers.campaigns import actions, queries
from iglayers.campaigns.model import Campaign, CampaignNotFound, CampaignState
from iglayers.core.ids import CampaignId
from iglayers.dashboard.pages import Crumb, page
from iglayers.dashboard.request import PageRequest
from iglayers.messages.projection import PLAYED_FOR_A_PAGE, Projection
from iglayers.reports import pace, queries_stats, stats
from iglayers.reports.model_stats import Bucket

# By the hour while it is young, by the day after that; so many of them, and so many of them ahead.
YOUNG = timedelta(days=2)
HOURS, DAYS = 36, 30
AHEAD = 7


class Drawn(msgspec.Struct, frozen=True, kw_only=True):
    """The columns of the chart."""

    labels: list[str]
    sent: list[int]
    replied: list[int]
    limit: list[int] | None
    projected: list[float | None] | None


@get("/campaigns/{id:str}/pace")
async def show_pace(request: PageRequest) -> Response[bytes]:
    request.only_query()
    caller = request.caller
    async with request.services.db.transaction() as conn:
        campaign = await actions.find(conn, caller, request.path_id(CampaignId, CampaignNotFound))
        found = await pace.read(conn, caller, campaign)
        is_young = campaign.started_at is None or campaign.started_at + YOUNG > caller.now
        by, span = ("hour", timedelta(hours=HOURS)) if is_young else ("day", timedelta(days=DAYS))
        series = await queries_stats.series(
            conn, caller.workspace_id, campaign.id, by=by, zone=found.day_zone, since=caller.now - span
        )
        numbers = stats.with_the_best(await queries_stats.steps(conn, caller.workspace_id, campaign.id))
        steps = await queries.steps(conn, caller.workspace_id, campaign.id)
    projection = await found.project(most_played=PLAYED_FOR_A_PAGE)
    ahead = projection if campaign.state is CampaignState.RUNNING else None
    template = "campaigns/_pace.html" if request.is_fragment else "campaigns/pace.html"
    return page(
        request, template, title="Pace", crumb=Crumb(campaign.name, f"/campaigns/{campaign.id}"), campaign=campaign,
        steps=steps, numbers={(each.step, each.variant): each for each in numbers}, least_sent=stats.LEAST_SENT,
        projection=projection, by=by, drawn=_drawn(campaign, series, caller.now, by, found.day_zone, ahead),
    )  # fmt: skip


def _drawn(
    campaign: Campaign, series: list[Bucket], now: datetime, by: str, zone: str, ahead: Projection | None
) -> Drawn:
    """Every hour or day from the first with something in it to the last of the projection, at most AHEAD of them."""
    step = timedelta(hours=1) if by == "hour" else timedelta(days=1)
    local = now.astimezone(ZoneInfo(zone)).replace(minute=0, second=0, microsecond=0)
    local = local if by == "hour" else local.replace(hour=0)
    form = "%Y-%m-%dT%H:%M" if by == "hour" else "%Y-%m-%d"
    by_label = {f"{each.at.astimezone(ZoneInfo(zone)):{form}}": each for each in series}
    back = HOURS if by == "hour" else DAYS
    past = [f"{local - step * number:{form}}" for number in range(back - 1, -1, -1)]
    first = next((at for at, label in enumerate(past) if label in by_label), len(past) - 6)
    past = past[min(first, len(past) - 6) :]
    rate = None if ahead is None else ahead.messages_per_day
    future = [] if rate is None else [f"{local + step * number:{form}}" for number in range(1, AHEAD + 1)]
    labels = past + future
    limit = campaign.hourly_limit if by == "hour" else campaign.daily_limit
    a_step = None if rate is None else round(rate / 24 if by == "hour" else rate, 1)
    return Drawn(
        labels=labels, sent=[by_label[each].sent if each in by_label else 0 for each in labels],
        replied=[by_label[each].replied if each in by_label else 0 for each in labels],
        limit=None if limit is None else [limit] * len(labels),
        projected=None if a_step is None else [None] * (len(past) - 1) + [a_step] * (len(future) + 1),
    )  # fmt: skip


ROUTES = [show_pace]
