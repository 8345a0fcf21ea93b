"""Imports as values: a CSV file of up to a million rows on its way into a campaign."""

from datetime import datetime
from enum import StrEnum

import msgspec

from iglayers.core.errors import NotFound
from iglayers.core.ids import CampaignId, ImportId, WorkspaceId

MAX_IMPORT_BYTES = 100 << 20
# 120 KB a second are enough for the largest file.
FILE_DEADLINE_S = 900.0
MAX_IMPORT_ROWS = 1_000_000
MAX_UNENDED = 20
PIECE_BYTES = 256 << 10


class ImportNotFound(NotFound):
    code = "not_found"


class ImportState(StrEnum):
    RECEIVING = "receiving"
    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Import(msgspec.Struct, rename="camel", frozen=True, kw_only=True):
    """An import as the API shows it; its times are real time. `reason` says why it ended before the file did."""

    id: ImportId
    campaign_id: CampaignId
    state: ImportState
    dry_run: bool
    bytes_total: int
    bytes_read: int
    rows_read: int
    accepted: int
    rejected: int
    rejected_by_code: dict[str, int]
    rows_per_second: int | None
    reason: str | None
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None


class ImportJob(msgspec.Struct, frozen=True, kw_only=True):
    """An import as a worker holds it: the rows before `bytes_read` are done, the next begins on `next_line`."""

    id: ImportId
    workspace_id: WorkspaceId
    campaign_id: CampaignId
    dry_run: bool
    actor: str
    header: list[str]
    delimiter: str
    bytes_total: int
    bytes_read: int
    next_line: int
    rows_read: int
    accepted: int
    rejected_by_code: dict[str, int]
    started_at: datetime | None


class WaitingImport(msgspec.Struct, frozen=True):
    """Where to find an import that is not at its end."""

    id: ImportId
    workspace_id: WorkspaceId
    campaign_id: CampaignId


class Reject(msgspec.Struct, frozen=True, gc=False):
    """A line of the file that became no target; the hash is that of its person, where the username can be read."""

    line: int
    username: str
    code: str
    reason: str
    handle_hash: bytes | None = None
