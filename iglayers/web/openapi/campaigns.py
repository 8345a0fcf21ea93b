"""Operations on campaigns, their targets and their results."""

from iglayers.accounts.model import Scope
from iglayers.campaigns.actions import CampaignChange, Copy, NewCampaign
from iglayers.campaigns.api_targets import Uploaded
from iglayers.campaigns.model import Campaign, CampaignState
from iglayers.core.ids import ClientId, TemplateId
from iglayers.reports.model import Results
from iglayers.reports.model_pace import CampaignStatus, Preflight
from iglayers.reports.model_stats import CampaignStats, Usage
from iglayers.reports.model_timeline import TargetStory
from iglayers.targets.model import Target, TargetState
from iglayers.web.openapi.bodies import UploadedTargets
from iglayers.web.openapi.examples import id_of
from iglayers.web.openapi.operation import (
    FORMAT_NOTE,
    LIMIT,
    Query,
    Section,
    act,
    change,
    create,
    cursor,
    flag,
    ids,
    one_of,
    pages,
    read,
    remove,
    some_of,
)

_STATES = Query("status", some_of(list(TargetState)), "Only targets in these states, with commas between.")
_STANDS_IN_THE_WAY = (
    "invalid_state", "sender_not_available", "instagram_challenge_detected", "usage_limit_exceeded", "preflight_failed",
)  # fmt: skip
_RESULT = (
    "targetId,instagramUsername,profileUrl,fullName,firstName,category,followerCount,variables,status,errorCode,reason,"
    "senderUsername,route,message,sentAt,repliedAt,lastReply,updatedAt\r\n"
)
CREATOR = {
    "instagramUsername": "creatorname", "profileUrl": "https://instagram.com/creatorname", "fullName": "Creator Name",
    "firstName": "Creator", "category": "fitness", "followerCount": 24_000,
}  # fmt: skip

CAMPAIGNS = Section(
    "Campaigns",
    "A text, the people who are to get it, and the pace. Nothing is sent before the start; a pause holds from the next "
    "message, and limits may be changed while it runs.",
    [
        create(
            "/campaigns", "create_campaign", "Create a campaign", Campaign, body=NewCampaign,
            example={
                "clientId": id_of(ClientId), "name": "Creator Outreach May 2026",
                "messageTemplateId": id_of(TemplateId), "dailyLimit": 50, "hourlyLimit": 8,
                "metadata": {"source": "agent_workflow"},
            },
            codes=("client_not_found", "template_not_found", "sender_not_found", "invalid_state"),
            note="A draft. Creating never sends.",
        ),
        pages(
            "/campaigns", "list_campaigns", "List campaigns", Campaign, of="cmp",
            query=(
                Query("status", one_of(*CampaignState), "Only campaigns in this state."),
                Query("clientId", ids("cl"), "Only campaigns of this client."),
            ),
        ),
        read("/campaigns/{id}", "show_campaign", "Read a campaign", Campaign),
        change(
            "/campaigns/{id}", "change_campaign", "Change a campaign", Campaign, body=CampaignChange,
            example={"hourlyLimit": 4}, codes=("template_not_found", "sender_not_found", "invalid_state"),
            note="Texts may change before the start, limits and hours until the end, `name` and `metadata` always.",
        ),
        remove(
            "/campaigns/{id}", "delete_campaign", "Delete a campaign", Campaign, codes=("invalid_state",),
            note="One that has messages is archived. A running one is refused: cancel it first.",
        ),
        act(
            "/campaigns/{id}/preflight", "run_preflight", "See what would stop it, and how long it will take",
            Preflight, is_replayable=False, note="Changes nothing. Blockers are what `start` would refuse with.",
        ),
        act(
            "/campaigns/{id}/start", "start_campaign", "Start a campaign", Campaign, scope=Scope.SEND,
            codes=_STANDS_IN_THE_WAY, note="Freezes the texts. Starting twice has one effect.",
        ),
        act(
            "/campaigns/{id}/pause", "pause_campaign", "Pause a campaign", Campaign, codes=("invalid_state",),
            note="Nothing begins after the answer; a message on its way arrives.",
        ),
        act(
            "/campaigns/{id}/resume", "resume_campaign", "Resume a campaign", Campaign, scope=Scope.SEND,
            codes=("invalid_state",), note="Goes on where it stopped.",
        ),
        act(
            "/campaigns/{id}/cancel", "cancel_campaign", "Cancel a campaign", Campaign, codes=("invalid_state",),
            note="For good: queued targets are cancelled.",
        ),
        create(
            "/campaigns/{id}/clone", "clone_campaign", "Copy a campaign", Campaign, body=Copy,
            example={"name": "Creator Outreach June 2026"},
            codes=("client_not_found", "template_not_found", "sender_not_found", "invalid_state"),
            note="A draft with the same settings and nobody in it.",
        ),
        read(
            "/campaigns/{id}/status", "show_status", "Why it is or is not sending", CampaignStatus,
            note="What limits it now, what is left of every limit, when the next message goes and when the last.",
        ),
        read(
            "/campaigns/{id}/stats", "show_stats", "A campaign in numbers", CampaignStats,
            query=(Query("by", one_of("hour", "day", default="day"), "How `series` is divided."),),
        ),
        read(
            "/campaigns/{id}/results", "show_results", "What became of everybody", Results,
            query=(
                Query("format", one_of("json", "csv", "ndjson", default="json"), FORMAT_NOTE), _STATES,
                Query("updatedSince", {"type": "string", "format": "date-time"}, "Only what changed since."),
                LIMIT, cursor("tgt"),
            ),
            files={"text/csv": _RESULT, "application/x-ndjson": '{"targetId": "tgt_0198…", "status": "sent"}\n'},
            note="A file that was cut off comes without the last chunk, which a client reports as an error.",
        ),
    ],
)  # fmt: skip

TARGETS = Section(
    "Targets",
    "The people of a campaign.",
    [
        create(
            "/campaigns/{id}/targets", "upload_targets", "Upload targets", Uploaded, body=UploadedTargets,
            example={"targets": [CREATOR]},
            csv="instagramUsername,firstName,city\ncreatorname,Creator,Madrid\n",
            query=(
                Query("dryRun", flag(), "Answer the same and store nothing."),
                Query("results", one_of("all", "rejected", default="all"), "Leave accepted rows out of the answer."),
            ),
            codes=("target_duplicate", "target_suppressed", "invalid_state"),
            note="Up to 10,000 rows and 10 MiB, as JSON or CSV; other columns become `variables`. `@Name`, `name` and "
            "profile links are one person. If no row was accepted, the answer is the first row's refusal with "
            "`accepted`, `rejected` and `results` beside it.",
        ),
        pages("/campaigns/{id}/targets", "list_targets", "List targets", Target, of="tgt", query=(_STATES,)),
        read(
            "/campaigns/{id}/targets/{targetId}", "show_target", "Read a target's story", TargetStory,
            note="All that happened, oldest first, and why it stands where it stands.",
        ),
        remove(
            "/campaigns/{id}/targets/{targetId}", "cancel_target", "Take a target out", Target,
            codes=("invalid_state",), note="Only a queued one; it stays in the results as cancelled.",
        ),
    ],
)  # fmt: skip

USAGE = Section(
    "Usage",
    "A month in numbers.",
    [read("/usage", "show_usage", "What the month has used", Usage)],
)  # fmt: skip
