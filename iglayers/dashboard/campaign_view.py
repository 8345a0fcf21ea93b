"""What the page of one campaign shows, read in a few quick queries: also what its live part reads each second."""

from typing import Any

import msgspec

from iglayers.accounts.model import Caller
from iglayers.campaigns import actions as campaigns
from iglayers.campaigns.model import Campaign, CampaignNotFound, CampaignState
from iglayers.contacts import queries as contacts
from iglayers.contacts.usernames import InvalidUsername, canonical
from iglayers.core.clock import Moment
from iglayers.core.db import Connection
from iglayers.core.fields import optional_line
from iglayers.core.ids import CampaignId, TargetId
from iglayers.core.paging import Page
from iglayers.core.paging import page as paged
from iglayers.dashboard import queries_campaigns as queries
from iglayers.dashboard.request import PageRequest
from iglayers.reports import status
from iglayers.reports.status import Standing
from iglayers.targets import queries as target_queries
from iglayers.targets import queries_counts, queries_imports
from iglayers.targets.model import Target, TargetState, states_named
from iglayers.targets.model_imports import Import

TARGETS_SHOWN = 25
# In larger campaigns a search is for the whole username, which an index finds.
MOST_WALKED = 50_000
QUERY = ("status", "q", "code", "cursor", "limit")

# The funnel: the state that names the colour, the word, and the target states that it counts.
PARTS = (
    ("queued", "Queued", "queued"), ("sending", "On its way", "sending,awaiting_operator"), ("sent", "Sent", "sent"),
    ("replied", "Replied", "replied"), ("skipped", "Skipped", "skipped"), ("failed", "Failed", "failed"),
    ("unknown", "Unknown", "unknown"), ("cancelled", "Cancelled", "cancelled"),
)  # fmt: skip
RULES = {
    "campaign.hourly": "This campaign, in 60 minutes", "campaign.daily": "This campaign, in 24 hours",
    "client.hourly": "This client, in 60 minutes", "client.daily": "This client, in 24 hours",
    "workspace.monthly": "This workspace, this month",
}  # fmt: skip


class View(msgspec.Struct, frozen=True, kw_only=True):
    """One campaign at one moment."""

    campaign: Campaign
    client_name: str
    counts: dict[TargetState, int]
    standing: Standing
    targets: Page[Target]
    codes: list[str]
    imports: list[Import]
    now: Moment

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    @property
    def written_to(self) -> int:
        return self.counts[TargetState.SENT] + self.counts[TargetState.REPLIED]

    @property
    def unsent(self) -> int:
        """Whom a cancelling leaves out."""
        return self.counts[TargetState.QUEUED] + self.counts[TargetState.AWAITING_OPERATOR]

    @property
    def sentence(self) -> str:
        """The page's answer: how far it is, and what limits it."""
        done = f"{self.written_to:,} of {self.total:,} written to. " if self.total else ""
        return done + self.standing.why.reason

    @property
    def remedy(self) -> str | None:
        """What a person can do, where a button of the page does not say it."""
        remedy = self.standing.why.remedy
        return None if remedy is None or "POST /" in remedy else remedy

    def parts(self) -> list[tuple[str, str, int, str]]:
        at = f"/campaigns/{self.campaign.id}"
        return [
            (state, word, sum(self.counts[each] for each in states_named(states)), f"{at}?status={states}#people")
            for state, word, states in PARTS
        ]  # fmt: skip


async def read(request: PageRequest, conn: Connection) -> View:
    """The campaign of the path, with the people that the query asks for."""
    caller = request.caller
    campaign = await campaigns.find(conn, caller, request.path_id(CampaignId, CampaignNotFound))
    counts = await queries_counts.counts(conn, caller.workspace_id, campaign.id)
    names = await queries.client_names(conn, caller.workspace_id, [campaign.client_id])
    is_over = campaign.state in (CampaignState.DRAFT, CampaignState.CANCELLED)
    return View(
        campaign=campaign, client_name=names[campaign.client_id], counts=counts,
        standing=await status.standing(conn, caller, campaign),
        targets=await _targets(request, conn, campaign, total=sum(counts.values())),
        codes=[] if is_over else await _codes(conn, caller, campaign),
        imports=await queries_imports.page(conn, caller.workspace_id, campaign.id, before=None, limit=3),
        now=caller.now,
    )  # fmt: skip


async def _codes(conn: Connection, caller: Caller, campaign: Campaign) -> list[str]:
    """Why people were skipped, or why it failed."""
    ended = await queries_counts.ended(conn, caller.workspace_id, campaign.id)
    return sorted({each.code for each in ended if each.code is not None})


async def _targets(request: PageRequest, conn: Connection, campaign: Campaign, *, total: int) -> Page[Target]:
    query = request.query_params
    states = states_named(query.get("status"))
    limit = request.limit() if "limit" in query else TARGETS_SHOWN
    before, search, code = request.cursor(TargetId), request.searched(), optional_line(query.get("code"), "code")
    workspace_id = request.caller.workspace_id
    if search is None and code is None:
        found = await target_queries.page(
            conn, workspace_id, campaign.id, states=states, before=before, limit=limit + 1
        )
    elif search is not None and total > MOST_WALKED:
        found = await _of_person(request, conn, campaign, search)
    else:
        wanted = search.removeprefix("@") if search else None
        found = await queries.targets(
            conn, workspace_id, campaign.id, states=states, search=wanted, code=code, before=before, limit=limit + 1
        )
    return paged(found, limit)


async def _of_person(request: PageRequest, conn: Connection, campaign: Campaign, search: str) -> list[Target]:
    workspace_id = request.caller.workspace_id
    try:
        person = await contacts.by_username(conn, workspace_id, canonical(search), pepper=request.services.pepper)
    except InvalidUsername:
        return []
    if person is None:
        return []
    return await queries.targets_of_person(conn, workspace_id, campaign.id, person.id)


def shown(view: View) -> dict[str, Any]:
    """For the templates of the page and of its live part."""
    return {"view": view, "campaign": view.campaign, "rules": RULES, "parts": view.parts()}
