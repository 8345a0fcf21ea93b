"""Who may be written to through the official API, by which rule and until when (pure).

A business cannot write first. What opens a way: a message of the person, for 24 hours; a comment, once and for 7
days; for what a person writes by hand also 7 days after the last message, where Meta has approved that.
"""

from datetime import datetime, timedelta

from iglayers.core.clock import Moment
from iglayers.senders.model import Address, Comment, Conversation, NotPermitted, Permitted

WINDOW = "instagram.window"
COMMENT = "instagram.comment"
HUMAN_AGENT = "instagram.human_agent"

COMMENT_OPEN = timedelta(days=7)
HUMAN_AGENT_OPEN = timedelta(days=7)
# Instagram's clock decides, and a message takes its time to get there.
MARGIN = timedelta(minutes=5)

_PARTNERSHIP = (
    "Partnership messages of the Creator Marketplace are not possible yet: Meta has not published how they are sent"
)
_NEVER_WROTE = (
    "The person has neither written to this account nor commented on its posts, and Instagram lets nobody write first. "
    + _PARTNERSHIP
)


def permitted(conversation: Conversation | None, now: datetime) -> Permitted | NotPermitted:
    """The way that is open for any message: the 24-hour window, else the newest comment that was not answered."""
    if conversation is None:
        return NotPermitted(_NEVER_WROTE)
    return _window(conversation, now) or _comment(conversation, now) or NotPermitted(_closed(conversation, now))


def permitted_answer(
    conversation: Conversation | None, now: datetime, *, human_agent: bool
) -> Permitted | NotPermitted:
    """The same for a text that a person wrote in this conversation; never for a campaign's.

    `human_agent`: whether Meta has approved that feature for the app.
    """
    way = permitted(conversation, now)
    if conversation is None or isinstance(way, Permitted):
        return way
    last, until = conversation.last_inbound_at, None
    if last is not None and conversation.igsid is not None:
        until = last + HUMAN_AGENT_OPEN - MARGIN
    if until is None or now >= until:
        return way
    if not human_agent:
        return NotPermitted(
            f"{way.rule}. With the feature Human Agent a person could answer until {_shown(until)}; once Meta has "
            "approved it for the app, set IGLAYERS_INSTAGRAM_HUMAN_AGENT"
        )
    return Permitted(
        route=HUMAN_AGENT, rule="a person may answer for 7 days after the last message", until=until,
        address=Address(igsid=conversation.igsid),
    )  # fmt: skip


def _window(conversation: Conversation, now: datetime) -> Permitted | None:
    if conversation.igsid is None or conversation.window_ends_at is None:
        return None
    until = conversation.window_ends_at - MARGIN
    if now >= until:
        return None
    return Permitted(
        route=WINDOW, rule="the person has written within 24 hours", until=until,
        address=Address(igsid=conversation.igsid),
    )  # fmt: skip


def _comment(conversation: Conversation, now: datetime) -> Permitted | None:
    newest = max(conversation.comments, key=_written_at, default=None)
    if newest is None or now >= newest.at + COMMENT_OPEN - MARGIN:
        return None
    return Permitted(
        route=COMMENT, rule="a comment may be answered by one message within 7 days",
        until=newest.at + COMMENT_OPEN - MARGIN, address=Address(comment_id=newest.id),
    )  # fmt: skip


def _written_at(comment: Comment) -> datetime:
    return comment.at


def _closed(conversation: Conversation, now: datetime) -> str:
    """Why nothing is open, by what closed last."""
    window = conversation.window_ends_at
    if window is not None and conversation.igsid is None and now < window - MARGIN:
        return "The person has written, but their id for this account is not known yet"
    if window is not None:
        return (
            f"Instagram permits messages for 24 hours after the person's last one, which ended at {_shown(window)}. "
            "The person must write again"
        )
    if conversation.comments:
        return "Instagram permits one answer to a comment within 7 days, and the person's last comment is older"
    return _NEVER_WROTE


def _shown(moment: datetime) -> str:
    return Moment.of(moment).rfc3339()
