"""To whom: a file is dropped or names are pasted, each row gets its verdict, and only then is anything stored.

A file that an upload takes at once travels in the form between the two, so that nothing of it lies about. A longer one
is checked by the workers (`campaign_imports`).
"""

import base64
from collections import Counter

import msgspec
from litestar import Response, post

from iglayers.accounts.model import Scope
from iglayers.campaigns import actions, actions_imports
from iglayers.campaigns.model import CampaignNotFound
from iglayers.core.csv_text import MEDIA_TYPE, write_rows
from iglayers.core.errors import Conflict, Invalid
from iglayers.core.ids import CampaignId
from iglayers.dashboard import people_file
from iglayers.dashboard.campaign_imports import LongFile
from iglayers.dashboard.campaign_setup import setup
from iglayers.dashboard.forms import MULTIPART, Form
from iglayers.dashboard.people_file import PeopleFile
from iglayers.dashboard.request import PageRequest
from iglayers.dashboard.uploads import read_form_with_file
from iglayers.targets import actions as target_actions
from iglayers.targets.actions_imports import REJECTS_HEADER
from iglayers.targets.model import MAX_ROWS, RowResult, UploadReport
from iglayers.targets.model_imports import FILE_DEADLINE_S, MAX_IMPORT_BYTES

VERDICTS_SHOWN = 50
# What stays in memory of a form: the file, and its other fields.
MOST_KEPT = people_file.MOST_BYTES + (64 << 10)


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What a file would do, found out without storing anything of it."""

    file: PeopleFile
    report: UploadReport

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
        data = write_rows([REJECTS_HEADER, *refused])
        return f"data:{MEDIA_TYPE};base64,{base64.b64encode(data).decode()}"


@post("/campaigns/{id:str}/setup/people")
async def take_people(request: PageRequest) -> Response[bytes]:
    campaign_id = request.path_id(CampaignId, CampaignNotFound)
    long_file = LongFile(request, campaign_id)
    try:
        form = await _form(request, long_file)
        file = None if long_file.has_begun else people_file.read(form)
        if file is not None and len(file.rows) <= MAX_ROWS:
            return await _short(request, campaign_id, form, file)
        if file is not None:
            await long_file.begin()
            await long_file.take(file.text.encode())
        checking = await long_file.check(form)
    except (Invalid, Conflict) as error:
        return await setup(request, refused={"people": Form().refused(error)})
    finally:
        await long_file.forget_unless_queued()
    return request.go(f"/campaigns/{campaign_id}/imports/{checking.id}")


async def _form(request: PageRequest, long_file: LongFile) -> Form:
    if not request.headers.get("content-type", "").startswith(MULTIPART):
        return await request.read_form(Scope.WRITE, most=MOST_KEPT)
    return await read_form_with_file(
        request, Scope.WRITE, kept=MOST_KEPT, most=MAX_IMPORT_BYTES, within_s=FILE_DEADLINE_S, long_file=long_file
    )


async def _short(request: PageRequest, campaign_id: CampaignId, form: Form, file: PeopleFile) -> Response[bytes]:
    """What an upload takes at once: judged by a dry run of it, then stored by it."""
    stores = form.get("step") == "store"
    async with request.change() as conn:
        campaign = await actions_imports.hold_for_upload(conn, request.caller, campaign_id)
        report = await target_actions.upload(
            conn, request.caller, campaign, file.uploaded(), pepper=request.services.pepper, dry_run=not stores
        )
    if not stores:
        return await setup(request, verdict=Verdict(file=file, report=report))
    await actions.wake(request.services.db, campaign_id)
    refused = f", {report.rejected:,} were left out" if report.rejected else ""
    flash = f"{report.accepted:,} {'person was' if report.accepted == 1 else 'people were'} added{refused}."
    return request.go(f"/campaigns/{campaign_id}/setup#go", flash=flash)


ROUTES = [take_people]
