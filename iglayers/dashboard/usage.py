"""Usage: the month against its limit, where it leads, and who used it."""

from litestar import Response, get

from iglayers.dashboard.pages import page
from iglayers.dashboard.request import PageRequest
from iglayers.reports import stats
from iglayers.reports.model_stats import Usage


@get("/usage")
async def show_usage(request: PageRequest) -> Response[bytes]:
    request.only_query()
    async with request.services.db.transaction() as conn:
        month = await stats.month(conn, request.caller)
    return page(request, "usage/show.html", title="Usage", month=month, sentence=_sentence(month))


def _sentence(month: Usage) -> str:
    name = f"{month.month:%B}"
    if month.limit is None:
        return (
            f"{month.sent:,} messages in {name}, without a monthly limit. At this pace it will be {month.projected:,}."
        )
    if month.remaining == 0:
        return f"All of {name}'s {month.limit:,} messages are used. Nothing more is sent until the month ends."
    until = "which does not reach the limit" if month.used_up_at is None else "and the limit is reached before it ends"
    return (
        f"{month.sent:,} of {month.limit:,} messages in {name}. "
        f"At this pace the month ends at {month.projected:,}, {until}."
    )


ROUTES = [show_usage]
