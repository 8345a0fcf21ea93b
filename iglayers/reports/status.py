"""Why a campaign is or is not sending: a code, a sentence, and what to do."""

from datetime import datetime

import msgspec

from iglayers.accounts import queries as account_queries
from iglayers.accounts.model import Caller
from iglayers.campaigns.model import Blocker, Campaign, CampaignState
from iglayers.core.clock import Moment
from iglayers.core.db import Connection
from iglayers.reports import pace
from iglayers.reports.model_pace import Budget, CampaignStatus, SenderLine
from iglayers.reports.pace import Pace
from iglayers.targets import queries_counts


class Why(msgspec.Struct, frozen=True):
    """A reason as it is told: its code, a sentence, what a person can do, the rule behind it, and until when."""

    code: str
    reason: str
    remedy: str | None = None
    rule: str | None = None
    next_at: Moment | None = None


_STATES: dict[CampaignState, Why] = {
    CampaignState.DRAFT: Why("draft", "The campaign has not been started.", "POST /campaigns/{id}/start"),
    CampaignState.PAUSED: Why("paused", "A person paused the campaign.", "POST /campaigns/{id}/resume"),
    CampaignState.COMPLETED: Why("completed", "Everybody has an end: nobody is left to write to."),
    CampaignState.CANCELLED: Why("cancelled", "The campaign was cancelled; nobody else is written to."),
}
_WINDOWS = {"hourly": "60 minutes", "daily": "24 hours"}
_OF = {"campaign": "the campaign", "client": "the client, over all its campaigns"}


async def read(conn: Connection, caller: Caller, campaign: Campaign) -> CampaignStatus:
    """The status of a campaign that the caller may see."""
    found = await pace.read(conn, caller, campaign)
    counts = await queries_counts.counts(conn, caller.workspace_id, campaign.id)
    told = await _told(conn, found)
    return CampaignStatus(
        campaign_id=campaign.id, status=campaign.state.value, code=told.code, reason=told.reason, remedy=told.remedy,
        limited_by=told.rule, next_at=told.next_at, counts={state.value: number for state, number in counts.items()},
        budgets=found.budgets(), senders=found.lines(), projection=await found.project(),
    )  # fmt: skip


class Standing(msgspec.Struct, frozen=True):
    """The reason with what is left of every limit: what a page shows each second."""

    why: Why
    budgets: list[Budget]
    senders: list[SenderLine]


async def standing(conn: Connection, caller: Caller, campaign: Campaign) -> Standing:
    """The status without counts and projection, and so at once also with a million people."""
    found = await _read(conn, caller, campaign)
    return Standing(await _told(conn, found), found.budgets(), found.lines())


async def why(conn: Connection, caller: Caller, campaign: Campaign) -> Why:
    """The reason alone."""
    if (known := _STATES.get(campaign.state)) is not None and campaign.state is not CampaignState.COMPLETED:
        return known if campaign.paused_reason is None else _paused(campaign.paused_reason)
    return await _told(conn, await _read(conn, caller, campaign))


async def _read(conn: Connection, caller: Caller, campaign: Campaign) -> Pace:
    """Of a completed campaign it is asked whether anybody was added; nobody else's people are counted."""
    return await pace.read(conn, caller, campaign, knows_people=campaign.state is CampaignState.COMPLETED)


async def _told(conn: Connection, found: Pace) -> Why:
    dispatch = await account_queries.dispatch(conn)
    return _why(found, None if dispatch.state == "running" else dispatch.reason or "")


def _why(found: Pace, dispatch_held: str | None) -> Why:
    campaign = found.campaign
    if campaign.state is not CampaignState.RUNNING:
        return _at_rest(found)
    if dispatch_held is not None:
        because = f": {dispatch_held}" if dispatch_held else "."
        reason = f"Sending is held for the whole installation{because}"
        return Why("dispatch_paused", reason, "iglayers dispatch resume")
    if campaign.blocked_reason is not None:
        return _blocked(found, campaign.blocked_reason)
    match campaign.limited_by:
        case "in_flight":
            return Why("in_flight", "A message is on its way; the next follows when it has ended.")
        case "operator":
            return Why("operator", "Its senders are worked by hand: the texts wait in the outbox.", "Work the outbox.")
        case "next_step":
            reason = f"Nobody is due now; the next follow-up or second try goes {_shown(campaign.next_at)}."
            return Why("next_step", reason, rule="next_step", next_at=_moment(campaign.next_at))
        case _:
            return _paced(found)


def _at_rest(found: Pace) -> Why:
    """Of a campaign that does not run: what led here, and what leads on."""
    campaign, added = found.campaign, found.waiting.firsts + len(found.waiting.follow_ups)
    if campaign.paused_reason is not None:
        return _paused(campaign.paused_reason)
    if campaign.state is CampaignState.COMPLETED and added:
        reason = f"The campaign is completed; {added} messages were added or queued again since."
        return Why("completed", reason, "POST /campaigns/{id}/resume")
    return _STATES[campaign.state]


def _paused(reason: str) -> Why:
    return Why("paused", f"Paused: {reason}", "Find out why, then POST /campaigns/{id}/resume")


def _blocked(found: Pace, blocker: Blocker) -> Why:
    next_at = _moment(found.campaign.next_at)
    match blocker:
        case Blocker.SENDER_NOT_AVAILABLE:
            states = ", ".join(f"{each.username} is {each.state}" for each in found.senders[:5])
            reason = f"No active sender serves this campaign: {states or 'there is none'}."
            return Why(blocker.value, reason, "Resume one, or add a sender that serves this client.")
        case Blocker.USAGE_LIMIT_EXCEEDED:
            reason = f"The month's {found.workspace.monthly_limit} messages are used up. It goes on {_shown(next_at)}."
            return Why(
                blocker.value, reason, "Raise monthlyLimit of the workspace.", rule="workspace.monthly", next_at=next_at
            )
        case Blocker.OUTSIDE_SCHEDULE:
            reason = f"It is outside the campaign's hours. It goes on {_shown(next_at)}."
            return Why(blocker.value, reason, rule="schedule", next_at=next_at)


def _paced(found: Pace) -> Why:
    """Of campaign, client and the sender that may go first, whoever has to wait longest."""
    own, sender = found.own_verdict(), found.first_sender()
    if own.at is None:
        return Why("schedule", "The schedule is over; the rest is skipped.", rule="schedule")
    if sender is not None and sender.next_at is not None and sender.next_at > max(own.at, found.now):
        reason = f"Every sender rests. {sender.username} may go first, {_shown(sender.next_at)} ({sender.limited_by})."
        return Why("sender", reason, rule=sender.limited_by, next_at=sender.next_at)
    if own.at <= found.now:
        return Why("sending", "Messages go out as fast as the limits allow.")
    return Why(own.rule, f"{_rule(found, own.rule)} It goes on {_shown(own.at)}.", rule=own.rule, next_at=own.at)


def _rule(found: Pace, rule: str) -> str:
    whose, _, kind = rule.partition(".")
    budget = next((each for each in found.budgets() if each.rule == rule), None)
    if budget is not None and kind in _WINDOWS:
        return f"The limit of {_OF[whose]} is {budget.limit} messages in any {_WINDOWS[kind]}, all used."
    if kind == "gap":
        return f"The messages of {_OF[whose]} are spread evenly."
    return "It is outside the campaign's hours."


def _moment(moment: datetime | None) -> Moment | None:
    return None if moment is None else Moment.of(moment)


def _shown(moment: datetime | None) -> str:
    return "soon" if moment is None else f"at {Moment.of(moment).rfc3339()}"
