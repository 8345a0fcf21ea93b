"""To whom: a file is dropped or names are pasted, each row gets its verdict, and only then is anything stored.

The file travels in the form between the two, so that nothing of it lies about. What an upload takes at once is stored
at once; a longer file goes to the workers as an import.
"""

import base64
from collections import Counter

import msgspec
from litestar import Response, get, post
from litestar.response import Stream

from iglayers.accounts.model import Scope
from iglayers.campaigns import actions, actions_imports
from iglayers.campaigns.model import CampaignNotFound
from iglayers.core.csv_text import MEDIA_TYPE, write_rows
from iglayers.core.errors import Conflict, Invalid
from iglayers.core.ids import CampaignId, ImportId
from iglayers.dashboard import people_file
from iglayers.dashboard.campaign_setup import setup
from iglayers.dashboard.people_file import CHECKED_ROWS, PeopleFile
from iglayers.dashboard.request import PageRequest
from iglayers.targets import actions as target_actions
from iglayers.targets import actions_imports as imports
from iglayers.targets.model import MAX_ROWS, RowResult, UploadReport
from iglayers.targets.model_imports import ImportNotFound

VERDICTS_SHOWN = 50
# The file, and the other fields of its form.
MOST_BYTES = people_file.MOST_BYTES + (64 << 10)


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What a file would do, found out without storing anything of it."""

    file: PeopleFile
    report: UploadReport
    checked: int

    @property
    def is_whole(self) -> bool:
        return self.checked == len(self.file.rows)

    @property
    def shown(self) -> list[RowResult]:
        """Refused rows first: they are what a person looks for."""
        refused = [each for each in self.report.results if each.error]
        return [*refused, *(each for each in self.report.results if not each.error)][:VERDICTS_SHOWN]

    @property
    def refused_by(self) -> list[tuple[str, int]]:
        return Counter(each.error.code for each in self.report.results if each.error).most_common()

    @property
    def rejects(self) -> str:
        """The refused rows as a file, inside its own address: nothing of it is stored here."""
        refused = [
            (each.line, each.instagram_username, each.error.code, each.error.message)
            for each in self.report.results
            if each.error
        ]
        data = write_rows([imports.REJECTS_HEADER, *refused])
        return f"data:{MEDIA_TYPE};base64,{base64.b64encode(data).decode()}"


@post("/campaigns/{id:str}/setup/people")
async def take_people(request: PageRequest) -> Response[bytes]:
    form = await request.read_form(Scope.WRITE, most=MOST_BYTES)
    campaign_id = request.path_id(CampaignId, CampaignNotFound)
    try:
        file = people_file.read(form)
        if form.get("step") != "store":
            return await setup(request, verdict=await _judge(request, campaign_id, file))
        flash = await _store(request, campaign_id, file)
    except (Invalid, Conflict) as error:
        return await setup(request, refused={"people": form.refused(error)})
    return request.go(f"/campaigns/{campaign_id}/setup#speed", flash=flash)


async def _judge(request: PageRequest, campaign_id: CampaignId, file: PeopleFile) -> Verdict:
    """By a dry run of the upload itself; of a long file by its first rows."""
    most = len(file.rows) if len(file.rows) <= MAX_ROWS else CHECKED_ROWS
    async with request.change() as conn:
        campaign = await actions_imports.hold_for_upload(conn, request.caller, campaign_id)
        report = await target_actions.upload(
            conn, request.caller, campaign, file.uploaded(most=most), pepper=request.services.pepper, dry_run=True
        )
    return Verdict(file=file, report=report, checked=most)


async def _store(request: PageRequest, campaign_id: CampaignId, file: PeopleFile) -> str:
    if len(file.rows) > MAX_ROWS:
        await _import(request, campaign_id, file)
        return f"{len(file.rows):,} lines are being read; the campaign's page shows how far it is."
    async with request.change() as conn:
        campaign = await actions_imports.hold_for_upload(conn, request.caller, campaign_id)
        report = await target_actions.upload(
            conn, request.caller, campaign, file.uploaded(most=MAX_ROWS), pepper=request.services.pepper,
            dry_run=False,
        )  # fmt: skip
    await actions.wake(request.services.db, campaign_id)
    refused = f", {report.rejected:,} were left out" if report.rejected else ""
    return f"{report.accepted:,} {'person was' if report.accepted == 1 else 'people were'} added{refused}."


async def _import(request: PageRequest, campaign_id: CampaignId, file: PeopleFile) -> None:
    caller, db = request.caller, request.services.db
    async with request.change() as conn:
        import_id = await actions_imports.begin(conn, caller, campaign_id, dry_run=False)
    try:
        receiver = imports.Receiver(db, caller, import_id)
        await receiver.take(file.as_csv())
        await receiver.end()
        async with request.change() as conn:
            await imports.queue(conn, caller, import_id, bytes_total=receiver.size)
    finally:
        await imports.forget_unless_queued(db, caller, import_id)


@get("/campaigns/{id:str}/imports/{imp:str}/rejects")
async def download_rejects(request: PageRequest) -> Stream:
    import_id = request.path_id(ImportId, ImportNotFound)
    async with request.connection() as conn:
        await imports.show(conn, request.caller, import_id)
    return Stream(
        imports.rejects_file(request.services.db, request.caller, import_id), media_type=MEDIA_TYPE,
        headers={"Content-Disposition": f'attachment; filename="rejects-{import_id}.csv"'},
    )  # fmt: skip


ROUTES = [take_people, download_rejects]
