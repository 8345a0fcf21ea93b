"""One person of a campaign: all that happened, and why it stands where it stands."""

from litestar import Response, get, post

from iglayers.accounts.model import Scope
from iglayers.campaigns import actions as campaigns
from iglayers.campaigns.model import CampaignNotFound
from iglayers.core.errors import Conflict
from iglayers.core.ids import CampaignId, TargetId
from iglayers.dashboard.pages import Crumb, page
from iglayers.dashboard.request import PageRequest
from iglayers.reports import timeline
from iglayers.targets import actions
from iglayers.targets.model import TargetNotFound


@get("/campaigns/{id:str}/targets/{tgt:str}")
async def show_target(request: PageRequest) -> Response[bytes]:
    return await _show(request)


@post("/campaigns/{id:str}/targets/{tgt:str}/cancel")
async def cancel_target(request: PageRequest) -> Response[bytes]:
    await request.read_form(Scope.WRITE)
    campaign_id, target_id = _ids(request)
    try:
        async with request.change() as conn:
            await campaigns.find(conn, request.caller, campaign_id)
            await actions.cancel(conn, request.caller, campaign_id, target_id)
    except Conflict as error:
        return await _show(request, refused=error)
    await campaigns.wake(request.services.db, campaign_id)
    return request.go(f"/campaigns/{campaign_id}/targets/{target_id}", flash="Cancelled: nobody writes to this person.")


async def _show(request: PageRequest, *, refused: Conflict | None = None) -> Response[bytes]:
    request.only_query()
    campaign_id, target_id = _ids(request)
    async with request.services.db.transaction() as conn:
        campaign = await campaigns.find(conn, request.caller, campaign_id)
        story = await timeline.read(conn, request.caller, campaign, target_id)
    title = f"@{story.instagram_username}" if story.instagram_username else "An erased person"
    return page(
        request, "targets/show.html", title=title, crumb=Crumb(campaign.name, f"/campaigns/{campaign_id}"),
        story=story, campaign=campaign, refused=refused, status=409 if refused else 200,
    )  # fmt: skip


def _ids(request: PageRequest) -> tuple[CampaignId, TargetId]:
    return request.path_id(CampaignId, CampaignNotFound), request.path_id(TargetId, TargetNotFound)


ROUTES = [show_target, cancel_target]
