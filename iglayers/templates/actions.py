"""Verbs of message templates: create, change, archive, preview."""

from typing import Any

import msgspec

from iglayers.accounts import actions as accounts
from iglayers.accounts.model import Caller, InsufficientScope
from iglayers.core.db import Connection
from iglayers.core.errors import Invalid, InvalidState
from iglayers.core.fields import line, text
from iglayers.core.ids import TargetId, TemplateId
from iglayers.core.text import clean_text
from iglayers.templates import queries, render
from iglayers.templates.model import (
    ChangedTemplate,
    MessageTemplate,
    Preview,
    SampleNotFound,
    TemplateInUse,
    TemplateNotFound,
)
from iglayers.templates.queries import TemplateRow

MAX_BODY = 10_000


class NewTemplate(msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    name: str
    body: str


class TemplateChange(msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    name: str | msgspec.UnsetType = msgspec.UNSET
    body: str | msgspec.UnsetType = msgspec.UNSET


class PreviewFor(msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """Whom to preview for: a target, values by name, or a target with some values put in their place."""

    target_id: TargetId | None = None
    sample: dict[str, str | int | None] = {}


async def create(conn: Connection, caller: Caller, new: NewTemplate) -> MessageTemplate:
    """A template; Invalid with the position where its braces make no variable."""
    now = caller.now
    made = TemplateRow(
        id=TemplateId.new(), name=line(new.name, "name"), body=_body(new.body), archived_at=None, created_at=now,
        updated_at=now,
    )  # fmt: skip
    await queries.insert(conn, made, workspace_id=caller.workspace_id)
    template = shown(made)
    await accounts.audit(conn, caller, "message_template.created", made.id, after=template)
    return template


async def change(conn: Connection, caller: Caller, template_id: TemplateId, wanted: TemplateChange) -> ChangedTemplate:
    """Change what `wanted` names. Campaigns that have started go on with the text they froze."""
    before = await _locked(conn, caller, template_id)
    if before.archived_at is not None:
        raise InvalidState("An archived message template cannot be changed.")
    after = msgspec.structs.replace(
        before,
        name=before.name if wanted.name is msgspec.UNSET else line(wanted.name, "name"),
        body=before.body if wanted.body is msgspec.UNSET else _body(wanted.body),
        updated_at=caller.now,
    )
    await queries.change(conn, after, workspace_id=caller.workspace_id)
    old, new = accounts.changed(shown(before), shown(after))
    await accounts.audit(conn, caller, "message_template.changed", template_id, before=old, after=new)
    used_by = await queries.sending_older(conn, caller.workspace_id, template_id, body=after.body)
    return ChangedTemplate(**msgspec.structs.asdict(shown(after)), used_by=used_by)


async def archive(conn: Connection, caller: Caller, template_id: TemplateId) -> MessageTemplate:
    """Out of lists; TemplateInUse while a campaign may still send it. Doing it again changes nothing."""
    before = await _locked(conn, caller, template_id)
    if before.archived_at is not None:
        return shown(before)
    if using := await queries.open_campaigns(conn, caller.workspace_id, template_id):
        raise TemplateInUse(
            f"{len(using)} campaigns that have not ended use this message template.",
            details={"campaignIds": [str(each) for each in using[:100]]},
        )
    now = caller.now
    after = msgspec.structs.replace(before, archived_at=now, updated_at=now)
    await queries.change(conn, after, workspace_id=caller.workspace_id)
    await accounts.audit(conn, caller, "message_template.archived", template_id)
    return shown(after)


async def preview(conn: Connection, caller: Caller, template_id: TemplateId, wanted: PreviewFor) -> Preview:
    """The text as a person would get it, by the renderer that sends. Changes nothing."""
    template = await queries.by_id(conn, caller.workspace_id, template_id)
    if template is None:
        raise TemplateNotFound("There is no such message template.")
    values: dict[str, Any] = {}
    if wanted.target_id is not None:
        person = await queries.recipient(conn, caller.workspace_id, wanted.target_id, only=caller.client_id)
        if person is None:
            raise SampleNotFound("targetId names no target.", param="targetId")
        values = person.values()
    written, missing = render.fill(render.parse(template.body), values | _sample(wanted.sample))
    size = render.byte_length(written)
    return Preview(
        text=written, bytes=size, characters=len(written), too_long=size > render.MAX_MESSAGE_BYTES, missing=missing
    )


def _sample(sent: dict[str, str | int | None]) -> dict[str, str | int | None]:
    """The values as they would be kept of an uploaded target."""
    cleaned = dict(sent)
    for name, value in sent.items():
        try:
            cleaned[name] = clean_text(value) if isinstance(value, str) else value
        except ValueError as error:
            raise Invalid(f"sample.{name[:64]} {error}.", param=f"sample.{name[:64]}") from None
    return cleaned


def shown(template: TemplateRow) -> MessageTemplate:
    """A template with the variables that its body uses."""
    return MessageTemplate(**msgspec.structs.asdict(template), variables=render.variables(template.body))


async def _locked(conn: Connection, caller: Caller, template_id: TemplateId) -> TemplateRow:
    if caller.client_id is not None:
        raise InsufficientScope("This key is bound to one client; message templates belong to all of them.")
    found = await queries.lock(conn, caller.workspace_id, template_id)
    if found is None:
        raise TemplateNotFound("There is no such message template.")
    return found


def _body(written: str) -> str:
    body = text(written, "body", most=MAX_BODY)
    render.parse(body)
    return body
