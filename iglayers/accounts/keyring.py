"""Who presents this key, and may it call now: a short cache of keys, and blocks of calls leased from the database.

What a process holds here is only speed: a key is forgotten after `key_cache_s`, a block of calls after a second.
"""

import asyncio
import time
from collections import OrderedDict
from functools import lru_cache
from ipaddress import ip_address, ip_network
from math import ceil
from typing import Any

import msgspec
import structlog

from iglayers.accounts import queries
from iglayers.accounts.model import Caller, InvalidApiKey, KeyAccess, RateLimitExceeded
from iglayers.core.clock import Clock, real_now
from iglayers.core.config import Settings
from iglayers.core.crypto import is_api_key, token_hash
from iglayers.core.db import Database
from iglayers.core.ids import KeyId

log = structlog.get_logger("accounts")

_BLOCK = 5
_BLOCK_LIFE_S = 1.0
_MOST_CACHED = 10_000
# Wrong keys from one address: 20 in 10 s, then 429 before anything is hashed or read.
_WRONG_KEYS = 20
_WRONG_WINDOW_S = 10.0


@lru_cache
def is_within(address: str, networks: tuple[str, ...]) -> bool:
    """Whether an address is in one of these networks; one that is IPv4 inside IPv6 is taken for the first."""
    try:
        own = ip_address(address)
    except ValueError:
        return False
    own = getattr(own, "ipv4_mapped", None) or own
    return any(own in ip_network(network) for network in networks)


class Allowance(msgspec.Struct):
    """Calls that this process may still let through for one key."""

    granted: int
    remaining: int
    ends: float


class Keyring:
    def __init__(self, db: Database, settings: Settings) -> None:
        self._db: Database = db
        self._settings: Settings = settings
        self._known: OrderedDict[bytes, tuple[float, KeyAccess]] = OrderedDict()
        self._allowed: OrderedDict[KeyId, Allowance] = OrderedDict()
        self._leasing: OrderedDict[KeyId, asyncio.Lock] = OrderedDict()
        self._wrong: OrderedDict[str, tuple[float, int]] = OrderedDict()

    async def caller(self, token: str, *, address: str, request_id: str) -> Caller:
        """The caller that presents `token`; InvalidApiKey without a query when it cannot be a key.

        RateLimitExceeded for an address that presented too many wrong keys, unless this key was good here before:
        others may share the address.
        """
        digest = token_hash(token) if is_api_key(token) else None
        if digest not in self._known:
            self._refuse_guessing(address)
        if digest is None:
            raise self._refused(address)
        access = await self._access(digest)
        now = real_now()
        if access is None or access.revoked_at or (access.expires_at and access.expires_at <= now):
            raise self._refused(address)
        if access.addresses and not is_within(address, tuple(access.addresses)):
            # The same answer as to a wrong key: who stole one is not told that it is good elsewhere.
            log.warning("api_key.wrong_address", key_id=str(access.id), address=address)
            raise self._refused(address)
        return Caller(
            workspace_id=access.workspace_id,
            mode=access.mode,
            scopes=frozenset(access.scopes),
            actor=f"key {access.name}",
            clock=Clock(real_at=access.clock_real_at, at=access.clock_at, speed=access.clock_speed),
            client_id=access.client_id,
            key_id=access.id,
            request_id=request_id,
        )

    def forget(self, key_id: KeyId) -> None:
        """Look this key up anew at its next call: it was just revoked, or got an end."""
        for digest in [digest for digest, (_, access) in self._known.items() if access.id == key_id]:
            del self._known[digest]

    async def _access(self, digest: bytes) -> KeyAccess | None:
        now = time.monotonic()
        known = self._known.get(digest)
        if known and now - known[0] < self._settings.key_cache_s:
            return known[1]
        async with self._db.connection() as conn:
            access = await queries.access(conn, digest)
        if access is None:
            self._known.pop(digest, None)
            return None
        self._known[digest] = (now, access)
        _bound(self._known)
        return access

    async def admit(self, key_id: KeyId) -> tuple[int, int]:
        """Count one call: calls left and seconds until the bucket is full; RateLimitExceeded when none is left."""
        held = self._held(key_id)
        if held is None:
            # One lease at a time: of two, the later would put the earlier one's calls out of sight.
            lock = self._leasing.setdefault(key_id, asyncio.Lock())
            _bound(self._leasing)
            async with lock:
                held = self._held(key_id) or await self._lease(key_id)
        held.granted -= 1
        left = held.granted + held.remaining
        per_second = self._settings.rate_limit_per_minute / 60
        return left, ceil((self._settings.rate_limit_burst - left) / per_second)

    def _held(self, key_id: KeyId) -> Allowance | None:
        """What this process may still let through, if anything."""
        held = self._allowed.get(key_id)
        return held if held and held.granted and held.ends >= time.monotonic() else None

    async def _lease(self, key_id: KeyId) -> Allowance:
        async with self._db.connection() as conn:
            lease = await queries.lease_calls(
                conn, key_id, block=_BLOCK, per_minute=self._settings.rate_limit_per_minute,
                burst=self._settings.rate_limit_burst,
            )  # fmt: skip
        if lease.granted == 0:
            raise RateLimitExceeded(
                f"This key made more than {self._settings.rate_limit_per_minute} calls a minute.",
                retry_after_s=max(1, ceil(lease.wait_s)),
            )
        held = Allowance(lease.granted, lease.remaining, time.monotonic() + _BLOCK_LIFE_S)
        self._allowed[key_id] = held
        _bound(self._allowed)
        return held

    def _refused(self, address: str) -> InvalidApiKey:
        now = time.monotonic()
        since, count = self._wrong.get(address, (now, 0))
        self._wrong[address] = (now, 1) if now - since > _WRONG_WINDOW_S else (since, count + 1)
        _bound(self._wrong)
        return InvalidApiKey()

    def _refuse_guessing(self, address: str) -> None:
        since, count = self._wrong.get(address, (0.0, 0))
        left = _WRONG_WINDOW_S - (time.monotonic() - since)
        if count >= _WRONG_KEYS and left > 0:
            raise RateLimitExceeded("Too many wrong keys from this address.", retry_after_s=ceil(left))


def _bound(cache: OrderedDict[Any, Any]) -> None:
    while len(cache) > _MOST_CACHED:
        cache.popitem(last=False)
