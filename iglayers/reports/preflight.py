"""What would stop a campaign, and what a person should know before it starts. Nothing is changed or sent."""

from iglayers.accounts.model import Caller
from iglayers.campaigns import actions as campaign_actions
from iglayers.campaigns import queries as campaign_queries
from iglayers.campaigns.model import Campaign, CampaignState
from iglayers.clients import queries as client_queries
from iglayers.core.db import Connection
from iglayers.messages.projection import MOST_PLAYED
from iglayers.reports import pace, queries_pace
from iglayers.reports.model_pace import Finding, Preflight
from iglayers.reports.pace import Pace
from iglayers.targets import queries_lifecycle
from iglayers.templates.render import MAX_MESSAGE_BYTES, Variable, byte_length, parse


async def check(conn: Connection, caller: Caller, campaign: Campaign, *, most_played: int = MOST_PLAYED) -> Preflight:
    """Blockers are what `start` would refuse with, each with its code; warnings stop nothing."""
    found = await pace.read(conn, caller, campaign)
    blockers = [
        Finding(code=each.code, message=each.message, remedy=each.next_step or None)
        for each in await campaign_actions.blockers(conn, caller, campaign)
    ]
    projection = await found.project(most_played=most_played)
    warnings = [
        *await _missing(conn, caller, campaign),
        *await _long(conn, caller, found),
        *await _left_out(conn, caller, campaign),
    ]
    if projection.left_over and found.active:
        warnings.append(Finding(
            code="schedule_too_short", targets=projection.left_over,
            message=f"The schedule ends before {projection.left_over} messages can go at this pace.",
            remedy="Move endAt, widen the windows, raise the limits, or add senders.",
        ))  # fmt: skip
    return Preflight(
        campaign_id=campaign.id, ok=not blockers, blockers=blockers, warnings=warnings,
        targets=found.waiting.firsts, projection=projection,
    )  # fmt: skip


async def _missing(conn: Connection, caller: Caller, campaign: Campaign) -> list[Finding]:
    if campaign.missing_variable == "fail_preflight" and campaign.state is CampaignState.DRAFT:
        return []  # a blocker then
    steps = await campaign_queries.steps(conn, caller.workspace_id, campaign.id)
    gaps = await queries_lifecycle.count_missing_variables(
        conn, caller.workspace_id, campaign.id, bodies=[each.body or "" for each in steps]
    )
    return [
        Finding(
            code="missing_variable", targets=count, remedy="Give it to them, or write a fallback: {{name|text}}.",
            message=f"{count} targets have no {name}, and the text has no fallback for it: they will be skipped.",
        )
        for name, count in sorted(gaps.items())
    ]  # fmt: skip


async def _long(conn: Connection, caller: Caller, found: Pace) -> list[Finding]:
    campaign = found.campaign
    client = await client_queries.by_id(conn, caller.workspace_id, campaign.client_id, only=None)
    assert client is not None
    findings: list[Finding] = []
    for step in await campaign_queries.steps(conn, caller.workspace_id, campaign.id):
        parts = parse(step.body or "").parts
        count = await queries_pace.too_long(
            conn, caller.workspace_id, campaign.id, client_name=client.name, most=MAX_MESSAGE_BYTES,
            fixed_bytes=sum(byte_length(part) for part in parts if isinstance(part, str)),
            names=[part.name for part in parts if isinstance(part, Variable)],
            sender_bytes=max((len(each.username) for each in found.senders), default=0),
        )  # fmt: skip
        if count:
            findings.append(Finding(
                code="message_too_long", targets=count, remedy="Shorten the template.",
                message=f"The text of step {step.step} has more than {MAX_MESSAGE_BYTES} bytes for {count} targets: "
                "they will be skipped.",
            ))  # fmt: skip
    return findings


async def _left_out(conn: Connection, caller: Caller, campaign: Campaign) -> list[Finding]:
    suppressed = await queries_pace.suppressed(
        conn, caller.workspace_id, campaign.id, client_id=campaign.client_id, now=caller.now
    )
    contacted = await queries_pace.contacted(conn, caller.workspace_id, campaign.id, client_id=campaign.client_id)
    findings: list[Finding] = []
    if suppressed:
        findings.append(Finding(
            code="target_suppressed", targets=suppressed,
            message=f"{suppressed} targets were suppressed since they were uploaded: they will be skipped.",
        ))  # fmt: skip
    if contacted:
        findings.append(Finding(
            code="target_duplicate", targets=contacted,
            message=f"{contacted} targets were written to by another campaign meanwhile: they will be skipped.",
        ))  # fmt: skip
    return findings
