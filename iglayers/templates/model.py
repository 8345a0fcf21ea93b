"""Message templates as values."""

from datetime import datetime

import msgspec

from iglayers.core.errors import Conflict, NotFound
from iglayers.core.ids import CampaignId, TemplateId


class TemplateNotFound(NotFound):
    code = "template_not_found"


class SampleNotFound(NotFound):
    """The target that a text was to be shown for."""

    code = "target_not_found"


class TemplateInUse(Conflict):
    code = "conflict"
    remedy = "Cancel or delete the campaigns that use it, or let them end."


class MessageTemplate(msgspec.Struct, rename="camel", frozen=True, kw_only=True):
    id: TemplateId
    name: str
    body: str
    variables: list[str]
    archived_at: datetime | None
    created_at: datetime
    updated_at: datetime


class ChangedTemplate(MessageTemplate, frozen=True, kw_only=True):
    """A template after a change, with the campaigns that go on sending a text that was frozen before it."""

    used_by: list[CampaignId]


class Preview(msgspec.Struct, rename="camel", frozen=True, kw_only=True):
    """A text as one person would get it. Missing variables stand in it as they were written."""

    text: str
    bytes: int
    characters: int
    too_long: bool
    missing: list[str]
