"""A test workspace whose engine is moved by hand or by workers, and what its ledger and the sandbox say afterwards."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec

from iglayers.accounts import actions as accounts
from iglayers.accounts import queries as account_queries
from iglayers.accounts.model import Caller
from iglayers.accounts.services import Services
from iglayers.campaigns import actions as campaigns
from iglayers.campaigns.model import Campaign
from iglayers.clients import actions as clients
from iglayers.core.clock import Clock, Moment, real_now
from iglayers.core.db import Database
from iglayers.core.ids import CampaignId, ClientId, MessageId, SenderId
from iglayers.messages import actions as messages
from iglayers.replies.actions_inbound import process_inbound
from iglayers.senders import actions as senders
from iglayers.senders.model import Fact, Sender, Transport
from iglayers.senders.transports import build
from iglayers.senders.transports.sandbox.transport import tick
from iglayers.sending import queries_rest, send, settle, sweep
from iglayers.targets import actions as targets
from iglayers.targets import rows
from iglayers.targets.model import UploadCampaign
from iglayers.worker.process import TOGETHER, Worker
from tests import make
from tests.databases import PEPPER

# Far away enough that nothing paces by it; a sender still waits 3.6 s of its own time between two messages, a fifth
# more or less. With a lower limit a day, the even share of what is left of the day would be more until the afternoon.
UNLIMITED: dict[str, Any] = {
    "transport": "sandbox", "hourly_limit": 1_000, "daily_limit": 24_000, "ramp": False, "min_gap_seconds": 0,
}  # fmt: skip
# Who waits for a lock.
WAITING = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
_SOON = timedelta(seconds=1)
_MOST_WAITS = 10


class World:
    """One test workspace. Its clock stands still unless it is let run, so that moments can be compared exactly."""

    def __init__(self, services: Services, caller: Caller, *, transports: dict[str, Transport] | None = None) -> None:
        self.services = services
        self.db: Database = services.db
        self.caller = caller
        self.engine = send.Engine(
            services.db, services.settings, transports or build(services), settle.Settler(services.db)
        )

    async def sender(self, username: str = "acme.official", **fields: Any) -> Sender:
        new = senders.NewSender(username=username, **UNLIMITED | fields)
        async with self.db.transaction() as conn:
            return await senders.add(conn, self.caller, new)

    async def pause_sender(self, sender: Sender) -> None:
        async with self.db.transaction() as conn:
            await senders.pause(conn, self.caller, sender.id)
        await sweep.make_plans_anew(self.db)

    async def resume_sender(self, sender: Sender) -> None:
        async with self.db.transaction() as conn:
            await senders.resume(conn, self.caller, sender.id, senders.Resume(reason="looked at it"))
        await sweep.make_plans_anew(self.db)

    async def remove_sender(self, sender: Sender) -> None:
        async with self.db.transaction() as conn:
            await senders.remove(conn, self.caller, sender.id)
        await sweep.make_plans_anew(self.db)

    async def campaign(self, people: Sequence[str], *, started: bool = True, **fields: Any) -> Campaign:
        """A campaign with these people; `follow_up_hours` adds a follow-up for each delay."""
        client_id = fields.pop("client_id", None) or (await make.client(self.db, self.caller)).id
        template = await make.template(self.db, self.caller)
        steps = [
            campaigns.FollowUp(message_template_id=template.id, delay_hours=hours)
            for hours in fields.pop("follow_up_hours", [])
        ]
        new = campaigns.NewCampaign(
            client_id=client_id, name="Spring", message_template_id=template.id, follow_ups=steps, **fields
        )
        async with self.db.transaction() as conn:
            made = await campaigns.create(conn, self.caller, new)
        await self.add(made, people)
        return await self.start(made) if started else made

    async def add(self, campaign: Campaign, people: Sequence[str]) -> None:
        to = UploadCampaign(
            id=campaign.id, client_id=campaign.client_id, name=campaign.name, state=campaign.state.value,
            first_contact_scopes=[campaign.client_id.uuid],
        )  # fmt: skip
        listed = rows.from_json({"targets": [{"instagramUsername": each} for each in people]})
        async with self.db.transaction() as conn:
            await targets.upload(conn, self.caller, to, listed, pepper=PEPPER, dry_run=False)

    async def start(self, campaign: Campaign) -> Campaign:
        async with self.db.transaction() as conn:
            return await campaigns.start(conn, self.caller, campaign.id)

    async def begin(self) -> send.Ready:
        """The next message, begun and not delivered."""
        while True:
            step = await send.begin_next(self.engine)
            assert step is not None, "nothing is due"
            if step.ready:
                return step.ready[0]

    async def finish(self, ready: send.Ready) -> None:
        await send.finish(self.engine, ready)

    async def send(self) -> list[send.Ready]:
        """Send whatever is due, until nothing is due for a second or only waits for others; what was begun."""
        begun: list[send.Ready] = []
        waited = left = 0
        while waited < _MOST_WAITS:
            step = await send.begin_next(self.engine, at_most=1 if left else TOGETHER)
            if step is None:
                waited += 1
                if not await self._wait_for_due():
                    break
                continue
            left = step.left or max(0, left - 1)
            for ready in step.ready:
                begun.append(ready)
                await send.finish(self.engine, ready)
                waited = 0
        return begun

    async def _wait_for_due(self) -> bool:
        async with self.db.connection() as conn:
            due_at = await queries_rest.next_due(conn)
        if due_at is None or due_at > real_now() + _SOON:
            return False
        await asyncio.sleep(max(0.0, (due_at - real_now()) / timedelta(seconds=1)))
        return True

    async def hear(self) -> None:
        """Read what the sandbox has to tell by now."""
        while await tick(self.db) + await process_inbound(self.db, pepper=PEPPER):
            pass

    async def say(self, username: str, text: str) -> None:
        """A person writes to the account that wrote to them last, just now."""
        [found] = await self.all("""
            SELECT m.sender_id FROM messages m JOIN contacts k ON k.id = m.contact_id
            WHERE k.username = $1 ORDER BY m.begun_at DESC LIMIT 1
        """, username)  # fmt: skip
        fact = Fact(
            provider_key=uuid4().hex, kind="reply", occurred_at=self.caller.now,
            fact={"username": username, "text": text},
        )  # fmt: skip
        async with self.db.transaction() as conn:
            await senders.receive(conn, self.caller.workspace_id, SenderId(found["sender_id"]), [fact])
        await self.hear()

    async def later(self, **units: float) -> None:
        """Let the clock show a later moment, and have the plans made anew."""
        async with self.db.transaction() as conn:
            clock = await account_queries.clock(conn, self.caller.workspace_id)
            assert clock is not None
            now = real_now()
            moved = Clock(real_at=now, at=Moment.of(clock.shows(now) + timedelta(**units)), speed=clock.speed)
            await account_queries.set_clock(conn, self.caller.workspace_id, moved)
            await account_queries.wake(conn, self.caller.workspace_id)
        self.caller = msgspec.structs.replace(self.caller, clock=moved)
        await sweep.make_plans_anew(self.db)

    async def speed(self, speed: float) -> None:
        async with self.db.transaction() as conn:
            await accounts.set_speed(conn, self.caller.workspace_id, speed)
            clock = await account_queries.clock(conn, self.caller.workspace_id)
        assert clock is not None
        self.caller = msgspec.structs.replace(self.caller, clock=clock)

    async def set_workspace(self, **fields: Any) -> None:
        """Change settings of the workspace, such as `monthly_limit`."""
        async with self.db.transaction() as conn:
            await messages.change_workspace(conn, self.caller, messages.WorkspaceChange(**fields))

    async def limit_client(self, client_id: ClientId, **limits: Any) -> None:
        async with self.db.transaction() as conn:
            await clients.change(conn, self.caller, client_id, clients.ClientChange(**limits))

    async def all(self, sql: str, *args: object) -> list[Any]:
        async with self.db.connection() as conn:
            return await conn.fetch(sql, *args)

    async def value(self, sql: str, *args: object) -> Any:
        async with self.db.connection() as conn:
            return await conn.fetchval(sql, *args)

    async def state(self, campaign_id: CampaignId) -> str:
        return await self.value("SELECT state FROM campaigns WHERE id = $1", campaign_id.uuid)

    async def people(self, campaign: Campaign) -> dict[str, str]:
        """Each person of a campaign and their state."""
        found = await self.all("""
            SELECT k.username, t.state FROM targets t JOIN contacts k ON k.id = t.contact_id
            WHERE t.campaign_id = $1 ORDER BY t.id
        """, campaign.id.uuid)  # fmt: skip
        return {each["username"]: each["state"] for each in found}

    async def target(self, username: str) -> Any:
        """The row of the person's only target."""
        [found] = await self.all("""
            SELECT t.* FROM targets t JOIN contacts k ON k.id = t.contact_id WHERE k.username = $1
        """, username)  # fmt: skip
        return found

    async def attempts(self, username: str) -> list[str]:
        """The states of all attempts to write to this person, oldest first."""
        found = await self.all("""
            SELECT m.state FROM messages m JOIN contacts k ON k.id = m.contact_id
            WHERE k.username = $1 ORDER BY m.begun_at, m.id
        """, username)  # fmt: skip
        return [each["state"] for each in found]

    async def message_to(self, username: str) -> MessageId:
        """The newest attempt to write to this person."""
        return MessageId(await self.value("""
            SELECT m.id FROM messages m JOIN contacts k ON k.id = m.contact_id
            WHERE k.username = $1 ORDER BY m.begun_at DESC, m.id DESC LIMIT 1
        """, username))  # fmt: skip

    async def delivered(self) -> list[str]:
        """Who got a message, by the sandbox's own log, in its order."""
        found = await self.all(
            "SELECT recipient FROM sandbox_messages WHERE workspace_id = $1 ORDER BY delivered_at, id",
            self.caller.workspace_id.uuid,
        )
        return [each["recipient"] for each in found]

    async def begun_at(self) -> list[datetime]:
        found = await self.all("SELECT begun_at FROM messages WHERE state <> 'not_sent' ORDER BY begun_at, id")
        return [each["begun_at"] for each in found]

    async def events(self, kind: str) -> list[dict[str, Any]]:
        found = await self.all("SELECT data FROM events WHERE type = $1 ORDER BY sequence", kind)
        return [msgspec.json.decode(each["data"]) for each in found]

    async def sent_this_month(self) -> int:
        return await self.value("SELECT coalesce(sum(sent), 0) FROM usage_months")


async def until(reached: Callable[[], Awaitable[object]], *, within_s: float = 30.0, every_s: float = 0.01) -> None:
    """Wait for a condition."""
    async with asyncio.timeout(within_s):
        while not await reached():  # noqa: ASYNC110 only the database knows
            await asyncio.sleep(every_s)


@asynccontextmanager
async def working(services: Services, folder: Path, *, workers: int = 1) -> AsyncGenerator[list[Worker]]:
    """So many workers at once, each with a data folder of its own as on machines of their own."""
    started: list[Worker] = []
    for number in range(workers):
        (folder / f"worker-{number}").mkdir(exist_ok=True)
        settings = msgspec.structs.replace(services.settings, data_dir=folder / f"worker-{number}")
        started.append(Worker(msgspec.structs.replace(services, settings=settings)))
    running = [asyncio.create_task(each.run()) for each in started]
    try:
        yield started
    finally:
        for each in started:
            each.stop()
        await asyncio.gather(*running)
