"""What is cleared up beside the sending: leases that ended, plans that must be made anew, a database that went back.

Every step may run in any number of workers at once.
"""

import json
import os
from pathlib import Path

import msgspec
import structlog

from iglayers.accounts import queries as account_queries
from iglayers.campaigns import queries as campaign_queries
from iglayers.core.db import Connection, Database
from iglayers.core.ids import MessageId
from iglayers.messages import queries as message_queries
from iglayers.senders.model import Unknown
from iglayers.sending import queries_upkeep as upkeep
from iglayers.sending import settle

log = structlog.get_logger("sending")
_BATCH = 100
_LOST = {
    False: "The worker was lost while the message was on its way.",
    True: "Nobody said within 15 minutes whether it was sent.",
}


async def end_leases(db: Database) -> int:
    """Messages whose worker is gone become unknown: nobody knows whether they left, so nobody sends them again."""
    async with db.connection() as conn:
        ended = await upkeep.ended_leases(conn, limit=_BATCH)
    for message_id in ended:
        async with db.connection() as conn:
            attempt = await upkeep.attempt(conn, message_id)
        if attempt is not None:
            await settle.settle(db, attempt, Unknown(_LOST[attempt.route == "assisted"]))
    return len(ended)


async def make_plans_anew(db: Database) -> int:
    """Workspaces in which something changed that plans depend on: their running campaigns are due now.

    Each statement commits by itself, so that never more than one campaign is held; what a crash cuts off is done anew.
    """
    async with db.connection() as conn:
        noted = await account_queries.wakeups(conn)
        if noted:
            for campaign_id in await campaign_queries.running_in(conn, list(noted)):
                await campaign_queries.wake(conn, campaign_id)
            await account_queries.forget_wakeups(conn, noted)
    return len(noted)


class Mark(msgspec.Struct, frozen=True):
    """What this data folder remembers of the database: which one it was, and the newest message begun there."""

    system_identifier: int
    epoch: int
    message_id: str | None


class DatabaseMark:
    """Notices a database that was restored from an older copy, or is another one, before anything is sent twice."""

    def __init__(self, data_dir: Path) -> None:
        self._path: Path = data_dir / "newest-message.json"

    async def check(self, db: Database) -> bool:
        """Pause dispatch if the database has forgotten what this folder saw; False then."""
        mark = self._read()
        async with db.transaction() as conn:
            dispatch = await account_queries.dispatch(conn)
            if mark is None or dispatch.epoch > mark.epoch:
                return dispatch.state == "running"
            reason = await _forgotten(conn, mark, dispatch)
            if reason is None:
                return dispatch.state == "running"
            await message_queries.stop_begins(conn)
            await account_queries.pause_dispatch(conn, reason=reason)
        log.error("dispatch.paused", reason=reason, remedy="iglayers dispatch resume, once you know what was sent")
        return False

    async def write(self, db: Database) -> None:
        """Remember the newest message; called every second or so."""
        async with db.connection() as conn:
            dispatch = await account_queries.dispatch(conn)
            newest = await upkeep.newest_begun(conn)
        mark = Mark(dispatch.system_identifier, dispatch.epoch, str(newest) if newest else None)
        if dispatch.state != "running" or mark == self._read():
            return
        partial = self._path.with_suffix(f".{os.getpid()}")
        partial.write_text(json.dumps(msgspec.structs.asdict(mark)))
        partial.replace(self._path)

    def _read(self) -> Mark | None:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=Mark)
        except FileNotFoundError:
            return None


async def _forgotten(conn: Connection, mark: Mark, dispatch: account_queries.Dispatch) -> str | None:
    """What is wrong with the database, compared with what was seen of it."""
    if dispatch.system_identifier != mark.system_identifier:
        return "This is another database than the one that sent the last messages."
    if dispatch.epoch < mark.epoch:
        return "The database is an older copy: it has forgotten that dispatch was resumed."
    if mark.message_id is not None and not await upkeep.knows(conn, MessageId.parse(mark.message_id)):
        return "The database is an older copy: it has forgotten messages that were sent."
    return None
