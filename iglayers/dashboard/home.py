"""Home: what needs a person first, today in numbers, and thirty days of sent and replied."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
from litestar import Response, get

from iglayers.core.clock import Moment
from iglayers.dashboard import queries
from iglayers.dashboard.pages import page
from iglayers.dashboard.queries import Day, Waiting
from iglayers.dashboard.request import PageRequest
from iglayers.reports import stats
from iglayers.reports.model_stats import Usage

DAYS = 30
# The month is nearly used from here on.
NEARLY_USED = 0.9


class Notice(msgspec.Struct, frozen=True):
    """Something that needs a person: how it stands, and the one thing to do."""

    state: str  # as the macro `state` knows it
    headline: str
    remedy: str
    path: str | None = None  # where to do it; None while there is no page for it


@get("/")
async def show_home(request: PageRequest) -> Response[bytes]:
    person, now = request.person, request.caller.now
    zone = ZoneInfo(person.timezone)
    today = now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    async with request.services.db.transaction() as conn:
        waiting = await queries.waiting(conn, person.workspace_id)
        days = await queries.days(
            conn, person.workspace_id, since=today - timedelta(days=DAYS - 1), zone=person.timezone
        )
        month = await stats.month(conn, request.caller)
    whole = _without_gaps(days, today)
    return page(
        request, "home/show.html", title="Home", sentence=_sentence(waiting, whole[-1]), waiting=waiting,
        notices=_notices(waiting, month), days=whole, today=whole[-1], month=month, now=Moment.of(now),
    )  # fmt: skip


def _without_gaps(found: list[Day], today: datetime) -> list[Day]:
    by_day = {each.day: each for each in found}
    wanted = [today.date() - timedelta(days=back) for back in range(DAYS - 1, -1, -1)]
    return [by_day.get(day) or Day(day=day, sent=0, failed=0, unknown=0, replied=0) for day in wanted]


def _sentence(waiting: Waiting, today: Day) -> str:
    """The page's answer: what is going on."""
    if waiting.running:
        running = "1 campaign is running" if waiting.running == 1 else f"{waiting.running:,} campaigns are running"
        return f"{running}; {today.sent:,} sent and {today.replied:,} replied today."
    if waiting.drafts:
        drafts = "1 draft waits" if waiting.drafts == 1 else f"{waiting.drafts:,} drafts wait"
        return f"Nothing is being sent. {drafts} to be started."
    return "Nothing is being sent: no campaign is running."


def _notices(waiting: Waiting, month: Usage) -> list[Notice]:
    """Most urgent first."""
    found = [
        (waiting.unknown, Notice(
            "unknown", _many(waiting.unknown, "message has", "messages have") + " an unknown outcome",
            "Look the conversation up and say whether it arrived. Nothing is sent again by itself.", "/unknown")),
        (waiting.challenged, Notice(
            "challenged", _many(waiting.challenged, "sender is", "senders are") + " challenged by Instagram",
            "Open the Instagram app as that account, verify it, then resume the sender.",
            "/senders?state=challenged")),
        (waiting.disabled, Notice(
            "failed", _many(waiting.disabled, "sender is", "senders are") + " disabled by Instagram",
            "Appeal in the Instagram app, or take the sender out of its campaigns.", "/senders?state=disabled")),
        (waiting.disabled_webhooks, Notice(
            "failed", _many(waiting.disabled_webhooks, "webhook is", "webhooks are") + " switched off",
            "Mend the endpoint, switch it on, and replay what it missed.", "/webhooks")),
        (waiting.failing_webhooks, Notice(
            "waiting", _many(waiting.failing_webhooks, "webhook is", "webhooks are") + " failing",
            "Events wait and are delivered once the endpoint answers.", "/webhooks")),
        (waiting.in_outbox, Notice(
            "waiting", _many(waiting.in_outbox, "message waits", "messages wait") + " in the outbox",
            "A person sends these by hand.", "/outbox")),
    ]  # fmt: skip
    notices = [notice for count, notice in found if count]
    if month.limit is not None and month.sent >= month.limit * NEARLY_USED:
        notices.append(Notice(
            "waiting", f"{month.sent:,} of this month's {month.limit:,} messages are used",
            "Raise the workspace's monthly limit, or wait for the next month.", "/usage"))  # fmt: skip
    return notices


def _many(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"


ROUTES = [show_home]
