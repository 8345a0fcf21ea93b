"""What a provider delivers by itself: accounts found, facts kept, and nothing read yet."""

import structlog

from iglayers.core.clock import Moment
from iglayers.core.db import Connection
from iglayers.senders import queries_inbound
from iglayers.senders.model import Received
from iglayers.senders.transports.instagram import inbound

log = structlog.get_logger("senders")


async def receive_from_instagram(conn: Connection, tree: object, *, now: Moment) -> int:
    """Keep every fact of one delivery for every sender that is its account; the number that was new.

    Two statements, however much comes in. Facts of accounts that nobody here has are told to the log and dropped:
    Meta sends them for as long as an app is subscribed.
    """
    told = inbound.parse(tree, now=now)
    if not told:
        log.info("inbound.nothing_told")
        return 0
    holders = await queries_inbound.holders(conn, sorted({each.account_id for each in told}))
    known = {each.instagram_id for each in holders}
    if unknown := sorted({each.account_id for each in told} - known):
        log.warning("inbound.unknown_account", accounts=unknown[:10], number=len(unknown))
    received = [
        Received(workspace_id=holder.workspace_id, sender_id=holder.sender_id, fact=each.fact)
        for holder in holders
        for each in told
        if each.account_id == holder.instagram_id
    ]
    return await queries_inbound.insert(conn, received) if received else 0
