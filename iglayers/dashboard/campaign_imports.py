"""A file that is too long for a form: the workers check it, somebody sees the verdict, and the workers add its people.

Between the two the file waits in the database, for a day at most.
"""

from typing import Any

from litestar import Response, get, post
from litestar.response import Stream

from iglayers.accounts.model import Scope
from iglayers.campaigns import actions as campaigns
from iglayers.campaigns import actions_imports as actions
from iglayers.campaigns.model import CampaignNotFound
from iglayers.core.csv_text import MEDIA_TYPE
from iglayers.core.db import Connection
from iglayers.core.errors import Conflict, Error, Invalid
from iglayers.core.ids import CampaignId, ImportId
from iglayers.dashboard import people_file
from iglayers.dashboard.forms import Form
from iglayers.dashboard.pages import Crumb, page
from iglayers.dashboard.people_file import Column
from iglayers.dashboard.request import PageRequest
from iglayers.targets import actions_imports as imports
from iglayers.targets import queries_imports as queries
from iglayers.targets.model_imports import Import, ImportNotFound, ImportState

REJECTS_SHOWN = 50


class LongFile:
    """Takes a file into an import part by part.

    What stands in its way is told once all of the file has come in: a browser shows no answer while it is sending.
    """

    def __init__(self, request: PageRequest, campaign_id: CampaignId) -> None:
        self._request: PageRequest = request
        self._campaign_id: CampaignId = campaign_id
        self._receiver: imports.Receiver | None = None
        self._import_id: ImportId | None = None
        self._refused: Error | None = None
        self.has_begun: bool = False

    async def begin(self) -> None:
        self.has_begun = True
        request, caller = self._request, self._request.caller
        try:
            async with request.change() as conn:
                self._import_id = await actions.begin(conn, caller, self._campaign_id, dry_run=True, keeps_file=True)
        except (Invalid, Conflict) as error:
            self._refused = error
            return
        self._receiver = imports.Receiver(request.services.db, caller, self._import_id)

    async def take(self, part: bytes) -> None:
        if self._receiver is not None:
            await self._receiver.take(part)

    async def check(self, form: Form) -> Import:
        """Have the workers check what came in, its columns as they were chosen or by guess."""
        if self._refused is not None:
            raise self._refused
        assert self._receiver is not None
        assert self._import_id is not None
        await self._receiver.end()
        async with self._request.change() as conn:
            columns = await _columns(conn, self._request, self._import_id, form)
            return await imports.queue(
                conn, self._request.caller, self._import_id, bytes_total=self._receiver.size,
                columns=[each.header for each in columns],
            )  # fmt: skip

    async def forget_unless_queued(self) -> None:
        if self._import_id is not None:
            await imports.forget_unless_queued(self._request.services.db, self._request.caller, self._import_id)


async def _columns(conn: Connection, request: PageRequest, import_id: ImportId, form: Form) -> list[Column]:
    head, rows = await imports.beginning(conn, request.caller, import_id)
    return people_file.columns_of(form, head.header, rows)


@get("/campaigns/{id:str}/imports/{imp:str}")
async def show_import(request: PageRequest) -> Response[bytes]:
    request.only_query()
    return await _show(request)


async def _show(request: PageRequest, *, refused: Error | None = None) -> Response[bytes]:
    caller, import_id = request.caller, _import_id(request)
    async with request.connection() as conn:
        campaign = await campaigns.find(conn, caller, request.path_id(CampaignId, CampaignNotFound))
        found = await _find(conn, request)
        columns = await _shown_columns(conn, request, found)
        rejects = await queries.rejects(conn, caller.workspace_id, import_id, after_line=0, limit=REJECTS_SHOWN)
    template = "campaigns/_import.html" if request.is_fragment else "campaigns/import.html"
    return page(
        request, template, title="People from a file", crumb=Crumb(campaign.name, f"/campaigns/{campaign.id}/setup"),
        campaign=campaign, found=found, columns=columns, rejects=rejects, refused=refused,
        fields=people_file.FIELDS, status=409 if refused else 200,
    )  # fmt: skip


def _import_id(request: PageRequest) -> ImportId:
    return request.path_id(ImportId, ImportNotFound)


async def _find(conn: Connection, request: PageRequest) -> Import:
    found = await imports.show(conn, request.caller, _import_id(request))
    if found.campaign_id != request.path_id(CampaignId, CampaignNotFound):
        raise ImportNotFound("There is no such import.")
    return found


async def _shown_columns(conn: Connection, request: PageRequest, found: Import) -> list[Column]:
    """What the columns were taken for, where the file is still here to be read once more."""
    if not found.dry_run or found.state is not ImportState.COMPLETED:
        return []
    workspace_id = request.caller.workspace_id
    if not await queries.file_bytes(conn, workspace_id, found.id):
        return []
    names = await queries.header(conn, workspace_id, found.id)
    chosen: dict[str, Any] = {f"column{number}": people_file.meaning_of(name) for number, name in enumerate(names)}
    return await _columns(conn, request, found.id, Form.of(**chosen))


@post("/campaigns/{id:str}/imports/{imp:str}")
async def read_again(request: PageRequest) -> Response[bytes]:
    """Add the people of a file that was checked, or check it with other columns."""
    form = await request.read_form(Scope.WRITE)
    campaign_id, checks = request.path_id(CampaignId, CampaignNotFound), form.get("step") != "store"
    try:
        async with request.change() as conn:
            found = await _find(conn, request)
            columns = await _columns(conn, request, found.id, form)
            made = await actions.read_again(
                conn, request.caller, campaign_id, ended=found.id, columns=[each.header for each in columns],
                dry_run=checks,
            )  # fmt: skip
    except (Invalid, Conflict) as error:
        return await _show(request, refused=error)
    return request.go(f"/campaigns/{campaign_id}/imports/{made.id}")


@post("/campaigns/{id:str}/imports/{imp:str}/cancel")
async def cancel_import(request: PageRequest) -> Response[bytes]:
    await request.read_form(Scope.WRITE)
    async with request.change() as conn:
        found = await _find(conn, request)
        ended = await actions.cancel(conn, request.caller, found.id)
    await imports.drop_names(request.services.db, ended, workspace_id=request.caller.workspace_id)
    return request.go(f"/campaigns/{ended.campaign_id}/imports/{ended.id}", flash="Stopped.")


@get("/campaigns/{id:str}/imports/{imp:str}/rejects")
async def download_rejects(request: PageRequest) -> Stream:
    async with request.connection() as conn:
        found = await _find(conn, request)
    return Stream(
        imports.rejects_file(request.services.db, request.caller, found.id), media_type=MEDIA_TYPE,
        headers={"Content-Disposition": f'attachment; filename="rejects-{found.id}.csv"'},
    )  # fmt: skip


ROUTES = [show_import, read_again, cancel_import, download_rejects]
