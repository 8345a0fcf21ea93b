"""The story of one target: all that happened, and why it stands where it stands."""

from datetime import datetime

import msgspec

from iglayers.accounts.model import Caller
from iglayers.campaigns.model import Campaign
from iglayers.core.clock import Moment
from iglayers.core.db import Connection
from iglayers.core.ids import TargetId
from iglayers.replies.labels import Label
from iglayers.reports import queries_timeline, status
from iglayers.reports.model_timeline import AuditFacts, Entry, Explanation, MessageFacts, ReplyFacts, TargetStory
from iglayers.targets import queries as target_queries
from iglayers.targets.model import Target, TargetNotFound, TargetState

RESOLVE = 'POST /messages/{id}/resolve with {"outcome", "reason"}, once you know.'


async def read(conn: Connection, caller: Caller, campaign: Campaign, target_id: TargetId) -> TargetStory:
    """The story of a target in a campaign that the caller may see."""
    workspace_id = caller.workspace_id
    target = await target_queries.by_id(conn, workspace_id, campaign.id, target_id)
    if target is None:
        raise TargetNotFound("There is no such target in this campaign.")
    messages = await queries_timeline.messages(conn, workspace_id, target_id)
    replies = await queries_timeline.replies(conn, workspace_id, target_id)
    ids = [str(target_id), *(str(each.id) for each in [*messages, *replies])]
    audited = await queries_timeline.audited(conn, workspace_id, ids)
    explanation = _explained(target, messages)
    if explanation is None:
        why = await status.why(conn, caller, campaign)
        explanation = Explanation(
            code=why.code, reason=f"Waits for its turn. {why.reason}", remedy=why.remedy, next_at=why.next_at
        )
    return TargetStory(
        **msgspec.structs.asdict(target), explanation=explanation,
        timeline=_timeline(target, messages, replies, audited),
    )  # fmt: skip


def _explained(target: Target, messages: list[MessageFacts]) -> Explanation | None:
    """From what is known of the target alone; None of one that waits for its campaign."""
    last = messages[-1] if messages else None
    by = f" by {last.sender_username} ({last.route})" if last else ""
    code, reason = target.error_code or target.status.value, target.reason or ""
    match target.status:
        case TargetState.QUEUED:
            return None
        case TargetState.SENDING:
            return Explanation(code="sending", reason=f"A message is on its way{by}.")
        case TargetState.AWAITING_OPERATOR:
            return Explanation(code="operator", reason="The text waits in the outbox.", remedy="Work the outbox.")
        case TargetState.SENT:
            next_at = None if target.next_due_at is None else Moment.of(target.next_due_at)
            ahead = f" A follow-up goes from {next_at.rfc3339()} on, unless a reply comes." if next_at else ""
            return Explanation(
                code="sent", reason=f"Written to{by}. No reply so far.{ahead}{_more(reason)}", next_at=next_at
            )
        case TargetState.REPLIED:
            return Explanation(code="replied", reason="The person replied; no further message goes.")
        case TargetState.UNKNOWN:
            told = f"Nobody knows whether the message arrived, so no machine sends it again.{_more(reason)}"
            return Explanation(code="outcome_unknown", reason=told, remedy=RESOLVE)
        case TargetState.CANCELLED:
            return Explanation(code="cancelled", reason="Cancelled before anybody wrote to the person.")
        case TargetState.FAILED | TargetState.SKIPPED:
            return Explanation(code=code, reason=f"Not written to.{_more(reason)}")


def _more(reason: str) -> str:
    return f" {reason}" if reason else ""


def _timeline(
    target: Target, messages: list[MessageFacts], replies: list[ReplyFacts], audited: list[AuditFacts]
) -> list[Entry]:
    entries = [Entry(at=Moment.of(target.created_at), type="target.queued")]
    for each in messages:
        entries += _of_message(each)
    entries += [
        Entry(
            at=Moment.of(each.received_at), type="reply.received", sender_username=each.sender_username,
            text=each.text, opted_out=each.opted_out, actor=each.author, label=each.label, reason=_why(each),
        )
        for each in replies
    ]  # fmt: skip
    entries += [
        Entry(at=Moment.of(each.at), type=each.action, actor=each.actor, reason=each.reason) for each in audited
    ]
    if target.status in (TargetState.SKIPPED, TargetState.FAILED) and not messages:
        entries.append(Entry(
            at=Moment.of(target.updated_at), type=f"message.{target.status.value}", error_code=target.error_code,
            reason=target.reason,
        ))  # fmt: skip
    return sorted(entries, key=lambda each: each.at)


def _why(reply: ReplyFacts) -> str | None:
    """What the label rests on, and that an automatic answer ends nothing."""
    why = reply.label_reason
    if reply.label is not Label.AUTOMATIC:
        return why
    return f"An automatic answer came; it ends no follow-ups.{_more(why or '')}"


def _of_message(message: MessageFacts) -> list[Entry]:
    """Begun, evidence that came, and how it ended."""
    id_ = str(message.id)
    entries = [Entry(
        at=Moment.of(message.begun_at), type="message.begun", message_id=id_, step=message.step,
        variant=message.variant, sender_username=message.sender_username, route=message.route, text=message.text,
    )]  # fmt: skip
    entries += [
        Entry(at=Moment.of(datetime.fromisoformat(each["at"])), type=f"evidence.{each['kind']}", message_id=id_)
        for each in message.evidence
        if "at" in each and "kind" in each
    ]
    if message.settled_at is not None:
        entries.append(Entry(
            at=Moment.of(message.settled_at), type=f"message.{message.state}", message_id=id_, step=message.step,
            error_code=message.error_code, reason=message.reason, actor=message.author,
        ))  # fmt: skip
    return entries
