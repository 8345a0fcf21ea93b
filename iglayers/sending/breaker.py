"""The circuit breaker: where too much goes wrong, a campaign or a sender is paused until a person has looked.

Judged over seven days of the workspace's clock, or since it tripped last, so that a person's word to go on holds.
"""

from math import ceil

import structlog

from iglayers.accounts import queries as account_queries
from iglayers.accounts.model import Caller
from iglayers.campaigns import actions as campaigns
from iglayers.core.config import Settings
from iglayers.core.db import Connection, Database
from iglayers.core.errors import InvalidState, NotFound
from iglayers.core.ids import CampaignId, SenderId
from iglayers.senders import actions as senders
from iglayers.sending import queries_breaker
from iglayers.sending.queries_breaker import Tally

log = structlog.get_logger("sending")
ACTOR = "circuit breaker"


def verdict(tally: Tally, settings: Settings) -> str | None:
    """What is too much, in words; None when nothing is."""
    if tally.ended < settings.breaker_least:
        return None
    for number, share, told in (
        (tally.failed, settings.breaker_failed, "failed"),
        (tally.unknown, settings.breaker_unknown, "have an unknown outcome"),
        (tally.opted_out, settings.breaker_opted_out, "were answered with an opt-out"),
    ):
        if number >= share * tally.ended:
            return f"{number} of {tally.ended} messages of the last seven days {told}."
    return None


async def watch(db: Database, settings: Settings) -> int:
    """Judge every running campaign and active sender; how many were paused."""
    least_share = min(settings.breaker_failed, settings.breaker_unknown, settings.breaker_opted_out)
    least_bad = ceil(settings.breaker_least * least_share)
    async with db.connection() as conn:
        of_campaigns = await queries_breaker.campaigns(conn, least_bad=least_bad)
        of_senders = await queries_breaker.senders(conn, least_bad=least_bad)
    paused = 0
    for tally in of_campaigns:
        if (reason := verdict(tally, settings)) is not None:
            async with db.transaction() as conn:
                paused += await _pause_campaign(conn, tally, reason)
    for tally in of_senders:
        if (reason := verdict(tally, settings)) is not None:
            async with db.transaction() as conn:
                paused += await _pause_sender(conn, tally, reason)
    return paused


async def _pause_campaign(conn: Connection, tally: Tally, reason: str) -> bool:
    campaign_id = CampaignId(tally.id)
    try:
        await campaigns.pause(conn, await _caller(conn, tally), campaign_id, reason=reason)
    except (InvalidState, NotFound):
        return False  # it has ended meanwhile
    log.warning("breaker.campaign_paused", campaign_id=str(campaign_id), reason=reason)
    return True


async def _pause_sender(conn: Connection, tally: Tally, reason: str) -> bool:
    sender_id = SenderId(tally.id)
    try:
        await senders.pause(conn, await _caller(conn, tally), sender_id, reason=reason)
    except (InvalidState, NotFound):
        return False  # it was stopped meanwhile
    log.warning("breaker.sender_paused", sender_id=str(sender_id), reason=reason)
    return True


async def _caller(conn: Connection, tally: Tally) -> Caller:
    clock = await account_queries.clock(conn, tally.workspace_id)
    assert clock is not None
    return Caller(workspace_id=tally.workspace_id, mode=tally.mode, scopes=frozenset(), actor=ACTOR, clock=clock)
