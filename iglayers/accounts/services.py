"""What a process opens once. Here and not beside the routes, so that a worker or a command imports no web framework."""

import asyncio

import msgspec

from iglayers.core.config import Settings
from iglayers.core.crypto import Vault
from iglayers.core.db import Database


class Services(msgspec.Struct, frozen=True):
    """What every process opens once and passes down."""

    settings: Settings
    db: Database
    vault: Vault
    pepper: bytes
    # Set when the process is asked to stop: answers that would go on for long end now.
    stopping: asyncio.Event = msgspec.field(default_factory=asyncio.Event)
