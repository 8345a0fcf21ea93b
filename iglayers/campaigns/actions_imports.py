"""Imports go on here, where the campaign is known: its row is held first, then the import's, as everywhere."""

from uuid import UUID

import asyncpg
import structlog

from iglayers.accounts import actions as accounts
from iglayers.accounts import queries as account_queries
from iglayers.accounts.model import Caller
from iglayers.campaigns import queries
from iglayers.campaigns.actions import wake
from iglayers.campaigns.model import Campaign, CampaignNotFound, CampaignState, event_data
from iglayers.core.clock import real_now
from iglayers.core.db import Connection, Database, keep_plans
from iglayers.core.errors import InvalidState
from iglayers.core.ids import CampaignId, ImportId, WorkspaceId
from iglayers.targets import actions_imports as imports
from iglayers.targets import queries_imports
from iglayers.targets.model import UploadCampaign
from iglayers.targets.model_imports import Import, ImportJob, ImportState, WaitingImport

log = structlog.get_logger("imports")

# Imports that a worker tries in one look; the others are held by other workers.
CANDIDATES = 10
# The database is away or busy: the batch is tried again. What it says of the data itself would come again.
_PASSING = (OSError, asyncpg.InterfaceError, asyncpg.PostgresError)
_LASTING = (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError)


async def as_upload_campaign(conn: Connection, workspace_id: WorkspaceId, campaign: Campaign) -> UploadCampaign:
    """What an upload needs to know of a campaign that is held FOR KEY SHARE."""
    workspace = await account_queries.workspace(conn, workspace_id)
    assert workspace is not None
    scopes: list[UUID] = [campaign.client_id.uuid]
    if workspace.first_contact_scope == "workspace":
        scopes.append(workspace_id.uuid)
    return UploadCampaign(
        id=campaign.id, client_id=campaign.client_id, name=campaign.name, state=campaign.state.value,
        first_contact_scopes=scopes,
    )  # fmt: skip


async def hold_for_upload(conn: Connection, caller: Caller, campaign_id: CampaignId) -> UploadCampaign:
    """A campaign that takes targets, held FOR KEY SHARE; the transaction is to take thousands of them."""
    await keep_plans(conn)
    campaign = await queries.lock_for_upload(conn, caller.workspace_id, campaign_id, only=caller.client_id)
    if campaign is None:
        raise CampaignNotFound("There is no such campaign.")
    if campaign.archived_at is not None:
        raise InvalidState("An archived campaign takes no targets.")
    return await as_upload_campaign(conn, caller.workspace_id, campaign)


async def go_on_with_imports(db: Database, *, pepper: bytes) -> bool:
    """Work off the next batch of one import; False when there is none that no other worker holds."""
    async with db.connection() as conn:
        waiting = await queries_imports.waiting(conn, limit=CANDIDATES)
    for each in waiting:
        if await _go_on(db, each, pepper=pepper):
            return True
    return False


async def _go_on(db: Database, waiting: WaitingImport, *, pepper: bytes) -> bool:
    try:
        async with db.transaction() as conn:
            held = await _held(conn, waiting)
            if held is None:
                return False
            ended = await _batch(conn, *held, pepper=pepper)
    except Exception as error:
        if isinstance(error, _PASSING) and not isinstance(error, _LASTING):
            raise
        log.exception("imports.batch_failed", import_id=str(waiting.id), workspace_id=str(waiting.workspace_id))
        ended = await _give_up(db, waiting)
    if ended is not None:
        await imports.drop_names(db, ended, workspace_id=waiting.workspace_id)
    await wake(db, waiting.campaign_id)
    return True


async def _batch(
    conn: Connection, campaign: Campaign, job: ImportJob, caller: Caller, *, pepper: bytes
) -> Import | None:
    """The next rows; the import if that was its end."""
    if (why := _why_not(campaign, job)) is not None:
        return await _end(conn, caller, job.id, campaign, state=ImportState.CANCELLED, reason=why)
    uploaded = await as_upload_campaign(conn, caller.workspace_id, campaign)
    state, reason = await imports.work_off(conn, caller, job, uploaded, pepper=pepper)
    if state is ImportState.RUNNING:
        return None
    return await _end(conn, caller, job.id, campaign, state=state, reason=reason)


async def _give_up(db: Database, waiting: WaitingImport) -> Import | None:
    """Fail an import whose next batch would fail again and again."""
    async with db.transaction() as conn:
        held = await _held(conn, waiting)
        if held is None:
            return None
        campaign, job, caller = held
        why = f"Something went wrong on our side at line {job.next_line}; it and what follows were not read."
        return await _end(conn, caller, job.id, campaign, state=ImportState.FAILED, reason=why)


async def _held(conn: Connection, waiting: WaitingImport) -> tuple[Campaign, ImportJob, Caller] | None:
    """Campaign and import, held in this order; None when another worker has the import, or it is gone."""
    campaign = await queries.lock_for_upload(conn, waiting.workspace_id, waiting.campaign_id, only=None)
    job = campaign and await queries_imports.take(conn, waiting.workspace_id, waiting.id)
    if campaign is None or job is None:
        return None
    workspace = await account_queries.workspace(conn, waiting.workspace_id)
    clock = await account_queries.clock(conn, waiting.workspace_id)
    assert workspace is not None
    assert clock is not None
    caller = Caller(workspace_id=workspace.id, mode=workspace.mode, scopes=frozenset(), actor=job.actor, clock=clock)
    return campaign, job, caller


def _why_not(campaign: Campaign, job: ImportJob) -> str | None:
    """Why nobody may be added to the campaign any more."""
    was = "archived" if campaign.archived_at is not None else "cancelled"
    if campaign.archived_at is None and campaign.state is not CampaignState.CANCELLED:
        return None
    return f"The campaign was {was}; line {job.next_line} and what follows were not read."


async def begin(
    conn: Connection, caller: Caller, campaign_id: CampaignId, *, dry_run: bool, keeps_file: bool = False
) -> ImportId:
    """An import into a campaign that takes targets, whose file is about to come in."""
    await _hold_for_import(conn, caller, campaign_id)
    return await imports.begin(conn, caller, campaign_id, dry_run=dry_run, keeps_file=keeps_file)


async def read_again(
    conn: Connection, caller: Caller, campaign_id: CampaignId, *, ended: ImportId, columns: list[str], dry_run: bool
) -> Import:
    """The file that a dry run kept, once more; see `targets.actions_imports.read_again`."""
    await _hold_for_import(conn, caller, campaign_id)
    return await imports.read_again(conn, caller, campaign_id, ended=ended, columns=columns, dry_run=dry_run)


async def _hold_for_import(conn: Connection, caller: Caller, campaign_id: CampaignId) -> None:
    campaign = await queries.lock_for_upload(conn, caller.workspace_id, campaign_id, only=caller.client_id)
    if campaign is None:
        raise CampaignNotFound("There is no such campaign.")
    if campaign.archived_at is not None:
        raise InvalidState("An archived campaign takes no targets.")
    if campaign.state is CampaignState.CANCELLED:
        raise InvalidState("A cancelled campaign takes no targets.")


async def cancel(conn: Connection, caller: Caller, import_id: ImportId) -> Import:
    """Stop an import; whom it has added stays. Doing it again, or when it has ended, changes nothing."""
    found = await imports.show(conn, caller, import_id)
    campaign = await queries.lock_for_upload(conn, caller.workspace_id, found.campaign_id, only=caller.client_id)
    await queries_imports.lock(conn, caller.workspace_id, import_id)
    found = await imports.show(conn, caller, import_id)
    if found.ended_at is not None or campaign is None:
        return found
    await accounts.audit(conn, caller, "import.cancelled", import_id)
    reason = f"Cancelled by {caller.actor} after {found.rows_read:,} rows; the rest was not read."
    return await _end(conn, caller, import_id, campaign, state=ImportState.CANCELLED, reason=reason)


async def _end(
    conn: Connection, caller: Caller, import_id: ImportId, campaign: Campaign, *, state: ImportState,
    reason: str | None,
) -> Import:  # fmt: skip
    return await imports.end(
        conn, caller, import_id, state=state, reason=reason, client_id=campaign.client_id, campaign=event_data(campaign)
    )


async def tidy(db: Database) -> None:
    """Drop what is left of files that never came in whole, and rejects that are past their time."""
    async with db.transaction() as conn:
        await imports.tidy(conn, now=real_now())
