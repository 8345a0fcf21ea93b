"""The audit log: who did what to which object, newest first."""

from litestar import Response, get

from iglayers.accounts import queries
from iglayers.accounts.model import AuditFilters, Scope
from iglayers.core.ids import AuditId
from iglayers.core.paging import page as paged
from iglayers.dashboard.pages import page
from iglayers.dashboard.request import PageRequest


@get("/audit-log")
async def show_audit_log(request: PageRequest) -> Response[bytes]:
    request.caller.needs(Scope.ADMIN)
    request.only_query("cursor", "limit")
    limit, before = request.limit(), request.cursor(AuditId)
    async with request.connection() as conn:
        found = await queries.audit_log(
            conn, request.caller.workspace_id, AuditFilters(), before=before, limit=limit + 1
        )
    return page(request, "audit_log/show.html", title="Audit log", found=paged(found, limit))


ROUTES = [show_audit_log]
