"""Random worlds: accounts, brands, campaigns, people, and what their owners do while the campaigns run."""

from typing import Literal

import msgspec
from hypothesis import strategies as st

from iglayers.messages.schedule import Day, Schedule, Window

# What the sandbox makes of these people stands in its `behaviour.py`.
KINDS = [
    "sandbox.silent", "sandbox.silent", "sandbox.silent", "sandbox.replies", "sandbox.optout", "sandbox.private",
    "sandbox.ratelimit", "sandbox.challenge", "sandbox.disabled", "sandbox.timeout.sent", "sandbox.timeout.lost",
    "sandbox.error", "sandbox.noroute", "creator",
]  # fmt: skip


class Limits(msgspec.Struct, frozen=True):
    hourly: int | None
    daily: int | None


class Account(msgspec.Struct, frozen=True):
    hourly: int
    daily: int
    min_gap_s: int
    ramp: bool


class Planned(msgspec.Struct, frozen=True):
    """One campaign: its brand and accounts by number, its people by number."""

    client: int
    senders: list[int]
    limits: Limits
    schedule: Schedule | None
    follow_up_hours: list[int]
    people: list[int]


class Doing(msgspec.Struct, frozen=True):
    """What somebody does `after_minutes` of the simulated time after the doing before."""

    after_minutes: int
    what: Literal["pause", "resume", "limit campaign", "limit client", "limit sender", "hours", "stop", "go"]
    which: int
    limits: Limits
    schedule: Schedule | None


class Plan(msgspec.Struct, frozen=True):
    people: list[str]
    accounts: list[Account]
    clients: list[Limits]
    campaigns: list[Planned]
    doings: list[Doing]
    first_contact_scope: str


def wall_time(hour: int) -> str:
    return f"{hour:02}:00"


@st.composite
def schedules(draw: st.DrawFn) -> Schedule:
    opens = draw(st.integers(0, 20))
    closes = draw(st.integers(opens + 3, 24))
    zone = draw(st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]))
    return Schedule(timezone=zone, windows=[Window(days=list(Day), opens=wall_time(opens), closes=wall_time(closes))])


LIMITS = st.builds(Limits, st.none() | st.integers(1, 4), st.none() | st.integers(2, 12))
ACCOUNTS = st.builds(Account, st.integers(1, 5), st.integers(3, 20), st.sampled_from([0, 0, 600]), st.booleans())
DOINGS = st.builds(
    Doing,
    after_minutes=st.integers(30, 240),
    what=st.sampled_from(["pause", "resume", "limit campaign", "limit client", "limit sender", "hours", "stop", "go"]),
    which=st.integers(0, 5),
    limits=LIMITS,
    schedule=st.none() | schedules(),
)


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    kinds = draw(st.lists(st.sampled_from(KINDS), min_size=15, max_size=30))
    accounts = draw(st.lists(ACCOUNTS, min_size=1, max_size=3))
    clients = draw(st.lists(LIMITS, min_size=1, max_size=2))
    campaign = st.builds(
        Planned,
        client=st.integers(0, len(clients) - 1),
        senders=st.lists(st.integers(0, len(accounts) - 1), unique=True, max_size=len(accounts)),
        limits=LIMITS,
        schedule=st.none() | schedules(),
        follow_up_hours=st.lists(st.integers(1, 8), max_size=1),
        people=st.lists(st.integers(0, len(kinds) - 1), unique=True, min_size=6, max_size=len(kinds)),
    )
    return Plan(
        people=[f"{kind}.{number}" for number, kind in enumerate(kinds)],
        accounts=accounts,
        clients=clients,
        campaigns=draw(st.lists(campaign, min_size=1, max_size=3)),
        doings=draw(st.lists(DOINGS, max_size=10)),
        first_contact_scope=draw(st.sampled_from(["client", "client", "workspace"])),
    )
