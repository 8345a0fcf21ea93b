"""Clients as values."""

from datetime import datetime
from typing import Any

import msgspec

from iglayers.core.errors import Conflict, NotFound
from iglayers.core.ids import ClientId


class ClientNotFound(NotFound):
    code = "client_not_found"


class ExternalIdTaken(Conflict):
    code = "conflict"
    remedy = "Use the existing client, or another externalId."


class Client(msgspec.Struct, rename="camel", frozen=True, kw_only=True):
    id: ClientId
    name: str
    external_id: str | None
    metadata: dict[str, Any]
    hourly_limit: int | None
    daily_limit: int | None
    archived_at: datetime | None
    created_at: datetime
    updated_at: datetime
