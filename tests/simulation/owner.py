"""Carries out a plan in a real workspace, and keeps which rules were in force when."""

import msgspec

from iglayers.campaigns import actions as campaigns
from iglayers.campaigns.model import Campaign
from iglayers.core.errors import Error
from iglayers.core.ids import ClientId
from iglayers.senders import actions as senders
from iglayers.senders.model import Sender
from iglayers.sending import sweep
from tests import make
from tests.sending.world import World
from tests.simulation.rules import Begun, Change, Pace, Rules
from tests.simulation.worlds import Doing, Limits, Plan


class Owner:
    """The person behind one workspace: sets it up, changes it while it runs, and lets everything go at the end."""

    def __init__(self, world: World, plan: Plan) -> None:
        self.world = world
        self.plan = plan
        self.rules: Rules = {}
        self.senders: list[Sender] = []
        self.clients: list[str] = []
        self.campaigns: list[Campaign] = []

    async def set_up(self) -> None:
        world = self.world
        await world.set_workspace(first_contact_scope=self.plan.first_contact_scope)
        for number, each in enumerate(self.plan.accounts):
            sender = await world.sender(
                f"account{number}", hourly_limit=each.hourly, daily_limit=each.daily, ramp=each.ramp,
                min_gap_seconds=each.min_gap_s,
            )  # fmt: skip
            self.senders.append(sender)
            self._always(f"{sender.id}", Pace(hourly=each.hourly, daily=each.daily, min_gap_s=each.min_gap_s))
        for number, limits in enumerate(self.plan.clients):
            client = await make.client(
                world.db, world.caller, f"Brand {number}", hourly_limit=limits.hourly, daily_limit=limits.daily
            )
            self.clients.append(f"{client.id}")
            self._always(f"{client.id}", _pace(limits))
        for planned in self.plan.campaigns:
            made = await world.campaign(
                [self.plan.people[number] for number in planned.people],
                client_id=ClientId.parse(self.clients[planned.client]),
                sender_ids=[self.senders[number].id for number in planned.senders],
                hourly_limit=planned.limits.hourly, daily_limit=planned.limits.daily, schedule=planned.schedule,
                follow_up_hours=planned.follow_up_hours,
            )  # fmt: skip
            self.campaigns.append(made)
            self._always(f"{made.id}", _pace(planned.limits, schedule=planned.schedule))

    def _always(self, subject: str, pace: Pace) -> None:
        now = self.world.caller.now
        self.rules[subject] = [Change(now, now, pace)]

    async def do(self, doing: Doing) -> None:
        """One doing; what cannot be done now, such as resuming what has ended, is refused and changes nothing."""
        campaign = self.campaigns[doing.which % len(self.campaigns)]
        sender = self.senders[doing.which % len(self.senders)]
        client = self.clients[doing.which % len(self.clients)]
        subject = {"limit client": client, "limit sender": sender.id, "stop": sender.id, "go": sender.id}.get(
            doing.what, campaign.id
        )
        before = self.rules[f"{subject}"][-1].pace
        earliest = self.world.caller.now
        try:
            pace = await self._do(doing, before, campaign, sender, client)
        except Error:
            return
        # The clock is read to the millisecond, so what follows may carry the same moment.
        self.rules[f"{subject}"].append(Change(earliest, self.world.caller.now, pace))

    async def _do(self, doing: Doing, before: Pace, campaign: Campaign, sender: Sender, client: str) -> Pace:
        world, limits = self.world, doing.limits
        match doing.what:
            case "limit client":
                client_id = ClientId.parse(client)
                await world.limit_client(client_id, hourly_limit=limits.hourly, daily_limit=limits.daily)
                return _pace(limits)
            case "limit sender":
                hourly, daily = limits.hourly or 9, limits.daily or 30
                await self._change_sender(sender, hourly, daily)
                return msgspec.structs.replace(before, hourly=hourly, daily=daily)
            case "stop" | "go":
                await (world.pause_sender(sender) if doing.what == "stop" else world.resume_sender(sender))
                return msgspec.structs.replace(before, may_begin=doing.what == "go")
            case "pause" | "resume":
                verb = campaigns.pause if doing.what == "pause" else campaigns.resume
                async with world.db.transaction() as conn:
                    await verb(conn, world.caller, campaign.id)
                return msgspec.structs.replace(before, may_begin=doing.what == "resume")
            case "limit campaign":
                await self._change_campaign(campaign, limits, before.schedule)
                return msgspec.structs.replace(before, hourly=limits.hourly, daily=limits.daily)
            case "hours":
                await self._change_campaign(campaign, Limits(before.hourly, before.daily), doing.schedule)
                return msgspec.structs.replace(before, schedule=doing.schedule)

    async def _change_campaign(self, campaign: Campaign, limits: Limits, schedule: object) -> None:
        wanted = campaigns.CampaignChange(hourly_limit=limits.hourly, daily_limit=limits.daily, schedule=schedule)  # pyright: ignore[reportArgumentType]
        async with self.world.db.transaction() as conn:
            await campaigns.change(conn, self.world.caller, campaign.id, wanted)

    async def _change_sender(self, sender: Sender, hourly: int, daily: int, **fields: object) -> None:
        wanted = senders.SenderChange(hourly_limit=hourly, daily_limit=daily, **fields)  # pyright: ignore[reportArgumentType]
        async with self.world.db.transaction() as conn:
            await senders.change(conn, self.world.caller, sender.id, wanted)
        await sweep.make_plans_anew(self.world.db)

    async def let_everything_go(self) -> None:
        """Lift every limit, resume whatever was stopped: nothing but the engine is left to hold anybody up."""
        everything = Limits(None, None)
        earliest = self.world.caller.now
        for client in self.clients:
            client_id = ClientId.parse(client)
            await self.world.limit_client(client_id, hourly_limit=None, daily_limit=None)
        for each in self.campaigns:
            if await self.world.state(each.id) in ("running", "paused"):
                await self._change_campaign(each, everything, None)
            if await self.world.state(each.id) == "paused":  # one that runs may be over by now
                async with self.world.db.transaction() as conn:
                    await campaigns.resume(conn, self.world.caller, each.id)
        for sender in self.senders:
            await self._change_sender(sender, 1_000, 10_000, ramp=False, min_gap_seconds=0)
            await self.world.resume_sender(sender)
        for changes in self.rules.values():
            changes.append(Change(earliest, self.world.caller.now, Pace()))

    async def everybody_has_an_end(self) -> bool:
        """Whether all campaigns are over. Accounts that were stopped meanwhile are resumed, as their owner would."""
        for sender in self.senders:
            await self.world.resume_sender(sender)
        return all([await self.world.state(each.id) == "completed" for each in self.campaigns])

    async def ledger(self, *, reached_only: bool) -> list[Begun]:
        """What was begun; or what reached somebody, or may have."""
        found = await self.world.all(
            """
            SELECT m.begun_at, m.sender_id, m.campaign_id, m.client_id, m.contact_id, m.step
            FROM messages m
            WHERE m.workspace_id = $1 AND m.state <> 'not_sent'
              AND (NOT $2 OR m.state IN ('sent', 'unknown')
                   OR EXISTS (SELECT FROM sandbox_messages s WHERE s.reference = m.id))
            ORDER BY m.begun_at, m.id
            """,
            self.world.caller.workspace_id.uuid, reached_only,
        )  # fmt: skip
        one_scope = "workspace" if self.plan.first_contact_scope == "workspace" else ""
        prefixes = {"sender": "snd", "campaign": "cmp", "client": "cl"}
        return [
            Begun(
                at=each["begun_at"], person=each["contact_id"].hex, step=each["step"], scope=one_scope,
                **{name: f"{prefix}_{each[f'{name}_id'].hex}" for name, prefix in prefixes.items()},
            )
            for each in found
        ]  # fmt: skip


def _pace(limits: Limits, **fields: object) -> Pace:
    return Pace(hourly=limits.hourly, daily=limits.daily, **fields)  # pyright: ignore[reportArgumentType]
