"""A campaign's five steps on one page: who for, what, to whom, how fast, go. A draft from the first; changes later.

Its people come in by `campaign_people`.
"""

from typing import Any

import msgspec
from litestar import Response, get, post

from iglayers.accounts.model import Scope
from iglayers.campaigns import actions
from iglayers.campaigns.model import Campaign, CampaignNotFound, CampaignState
from iglayers.clients import actions as client_actions
from iglayers.clients import queries as client_queries
from iglayers.core.db import Connection
from iglayers.core.errors import Conflict, Invalid, NotFound
from iglayers.core.ids import CampaignId
from iglayers.dashboard import people_file
from iglayers.dashboard.forms import Form
from iglayers.dashboard.pages import Crumb, page
from iglayers.dashboard.request import PageRequest
from iglayers.messages.projection import PLAYED_FOR_A_PAGE
from iglayers.messages.schedule import Day, Schedule
from iglayers.reports import preflight, status
from iglayers.targets import queries as target_queries
from iglayers.targets import queries_counts, queries_imports
from iglayers.targets.model import TargetState
from iglayers.targets.model_imports import MAX_IMPORT_BYTES, Import
from iglayers.templates import actions as template_actions
from iglayers.templates import queries as template_queries
from iglayers.templates import render

LISTED = 200
PREVIEWED = 3
# Of more people the checks before the start take seconds; then they are asked for.
MOST_CHECKED_AT_ONCE = 20_000
_SAMPLE = render.Recipient(
    username="jane.doe", first_name="Jane", full_name="Jane Doe", category="Food", follower_count=12_400,
    profile_url="https://www.instagram.com/jane.doe/",
)  # fmt: skip
_CAMPAIGNS = Crumb("Campaigns", "/campaigns")
_NEW = "new"


class Preview(msgspec.Struct, frozen=True):
    """The text as one person would get it."""

    username: str
    text: str
    bytes: int
    missing: list[str]


@get("/campaigns/new")
async def new_campaign(request: PageRequest) -> Response[bytes]:
    request.caller.needs(Scope.WRITE)
    request.only_query()
    return await _new(request, Form())


@post("/campaigns")
async def create_campaign(request: PageRequest) -> Response[bytes]:
    form = await request.read_form(Scope.WRITE)
    try:
        async with request.change() as conn:
            client_id = await _client(request, conn, form)
            template_id = await _template(request, conn, form)
            new = form.read(
                actions.NewCampaign, clientId=client_id, name=form.get("name"), messageTemplateId=template_id
            )
            campaign = await actions.create(conn, request.caller, new)
    except (Invalid, Conflict, NotFound) as error:
        return await _new(request, form.refused(error), status=422)
    return request.go(f"/campaigns/{campaign.id}/setup#people", flash="Saved as a draft. Nothing is sent yet.")


async def _client(request: PageRequest, conn: Connection, form: Form) -> str:
    if form.get("clientId") not in ("", _NEW):
        return form.get("clientId")
    if not form.get("clientName").strip():
        raise Invalid("Choose a client, or name a new one.", param="clientName")
    new = client_actions.NewClient(name=form.get("clientName"))
    return str((await client_actions.create(conn, request.caller, new)).id)


async def _template(request: PageRequest, conn: Connection, form: Form) -> str:
    if form.get("messageTemplateId") not in ("", _NEW):
        return form.get("messageTemplateId")
    if not form.get("body").strip():
        raise Invalid("Choose a text, or write one.", param="body")
    new = template_actions.NewTemplate(name=form.get("name").strip() or "Text", body=form.get("body"))
    return str((await template_actions.create(conn, request.caller, new)).id)


async def _new(request: PageRequest, form: Form, *, status: int = 200) -> Response[bytes]:
    async with request.connection() as conn:
        choices = await _choices(request, conn)
    return page(
        request, "campaigns/new.html", title="New campaign", crumb=_CAMPAIGNS, form=form, status=status,
        preview=_preview(choices, form, []), **choices,
    )  # fmt: skip


async def _choices(request: PageRequest, conn: Connection) -> dict[str, Any]:
    workspace_id = request.caller.workspace_id
    return {
        "clients": await client_queries.page(
            conn, workspace_id, only=None, external_id=None, before=None, limit=LISTED
        ),
        "templates": await template_queries.page(conn, workspace_id, before=None, limit=LISTED),
    }


@post("/campaigns/preview")
async def preview_text(request: PageRequest) -> Response[bytes]:
    """The text that is being chosen or written, as the first people would get it."""
    form = await request.read_form(Scope.READ)
    async with request.connection() as conn:
        choices = await _choices(request, conn)
        people = await _people(request, conn, form)
    return page(request, "campaigns/_preview.html", title="Preview", preview=_preview(choices, form, people))


async def _people(request: PageRequest, conn: Connection, form: Form) -> list[render.Recipient]:
    try:
        campaign_id = CampaignId.parse(form.get("campaign"))
    except ValueError:
        return []
    campaign = await actions.find(conn, request.caller, campaign_id)
    return await _first_people(request, conn, campaign)


async def _first_people(request: PageRequest, conn: Connection, campaign: Campaign) -> list[render.Recipient]:
    caller = request.caller
    found = await target_queries.page(
        conn, caller.workspace_id, campaign.id, states=[TargetState.QUEUED], before=None, limit=PREVIEWED
    )
    people = [
        await template_queries.recipient(conn, caller.workspace_id, each.id, only=caller.client_id) for each in found
    ]
    return [each for each in people if each is not None]


def _preview(choices: dict[str, Any], form: Form, people: list[render.Recipient]) -> list[Preview] | str:
    """By the renderer that sends; or what is wrong with the text."""
    chosen = next((each for each in choices["templates"] if str(each.id) == form.get("messageTemplateId")), None)
    body = form.get("body") if chosen is None else chosen.body
    try:
        parsed = render.parse(body)
    except Invalid as error:
        return error.message
    if not body.strip():
        return []
    return [_previewed(parsed, each) for each in people or [_SAMPLE]]


def _previewed(parsed: render.Template, person: render.Recipient) -> Preview:
    text, missing = render.fill(parsed, person.values())
    return Preview(person.username, text, render.byte_length(text), missing)


@get("/campaigns/{id:str}/setup")
async def show_setup(request: PageRequest) -> Response[bytes]:
    request.caller.needs(Scope.WRITE)
    request.only_query("check")
    return await setup(request)


async def setup(
    request: PageRequest, *, refused: dict[str, Form] | None = None, verdict: object = None
) -> Response[bytes]:
    caller, forms = request.caller, refused or {}
    async with request.services.db.transaction() as conn:
        campaign = await actions.find(conn, caller, request.path_id(CampaignId, CampaignNotFound))
        choices = await _choices(request, conn)
        client = await client_queries.by_id(conn, caller.workspace_id, campaign.client_id, only=None)
        counts = await queries_counts.counts(conn, caller.workspace_id, campaign.id)
        people = await _first_people(request, conn, campaign)
        queued = counts[TargetState.QUEUED]
        asks = campaign.state is CampaignState.DRAFT and queued > 0 and verdict is None
        is_checked = asks and (queued <= MOST_CHECKED_AT_ONCE or request.query_params.get("check") == "true")
        check = await preflight.check(conn, caller, campaign, most_played=PLAYED_FOR_A_PAGE) if is_checked else None
        standing = await status.standing(conn, caller, campaign)
        serving = await _all_senders(conn, request, campaign)
        imports = await _open_imports(conn, request, campaign)
    text = forms.get("texts") or Form.of(name=campaign.name, messageTemplateId=campaign.message_template_id)
    return page(
        request, "campaigns/setup.html", title=campaign.name, crumb=Crumb(campaign.name, f"/campaigns/{campaign.id}"),
        campaign=campaign, client=client, counts=counts, queued=queued, check=check, standing=standing,
        texts=text, people=forms.get("people") or Form(), speed=forms.get("speed") or _speed(campaign),
        preview=_preview(choices, text, people), verdict=verdict, senders=serving, days=list(Day), imports=imports,
        template_name=_template_name(choices, campaign), speed_in_words=_speed_in_words(campaign),
        most_bytes=MAX_IMPORT_BYTES,
        fields=people_file.FIELDS, status=422 if refused else 200,
        is_draft=campaign.state is CampaignState.DRAFT,
        is_over=campaign.state in (CampaignState.COMPLETED, CampaignState.CANCELLED), **choices,
    )  # fmt: skip


async def _all_senders(conn: Connection, request: PageRequest, campaign: Campaign) -> list[Any]:
    """Whoever may serve the client, the campaign's choice aside, with what is left of their limits."""
    everybody = msgspec.structs.replace(campaign, sender_ids=[])
    return (await status.standing(conn, request.caller, everybody)).senders


async def _open_imports(conn: Connection, request: PageRequest, campaign: Campaign) -> list[Import]:
    """Files that come in, or wait for a word."""
    workspace_id = request.caller.workspace_id
    found = await queries_imports.page(conn, workspace_id, campaign.id, before=None, limit=3)
    return [
        each for each in found
        if each.ended_at is None or (each.dry_run and await queries_imports.file_bytes(conn, workspace_id, each.id))
    ]  # fmt: skip


def _template_name(choices: dict[str, Any], campaign: Campaign) -> str:
    return next((each.name for each in choices["templates"] if each.id == campaign.message_template_id), "")


def _speed_in_words(campaign: Campaign) -> str:
    limits = [
        f"{limit:,} {word}"
        for limit, word in ((campaign.hourly_limit, "an hour"), (campaign.daily_limit, "a day"))
        if limit is not None
    ]
    schedule = campaign.schedule
    hours = [f"{each.opens} to {each.closes}" for each in (schedule.windows if schedule else [])]
    return ", ".join(limits + hours) or "as the accounts' limits allow"


def _speed(campaign: Campaign) -> Form:
    schedule = campaign.schedule
    window = schedule.windows[0] if schedule and schedule.windows else None
    fields: dict[str, object] = {
        "hourlyLimit": campaign.hourly_limit, "dailyLimit": campaign.daily_limit,
        "timezone": schedule.timezone if schedule else None, "from": window.opens if window else None,
        "to": window.closes if window else None,
    }  # fmt: skip
    fields |= {f"day-{each}": "on" for each in (window.days if window else [])}
    fields |= {f"sender-{each}": "on" for each in campaign.sender_ids}
    return Form.of(**fields)


@post("/campaigns/{id:str}/setup/texts")
async def change_texts(request: PageRequest) -> Response[bytes]:
    form = await request.read_form(Scope.WRITE)
    campaign_id = request.path_id(CampaignId, CampaignNotFound)
    try:
        async with request.change() as conn:
            fields: dict[str, object] = {"name": form.get("name")} if form.has("name") else {}
            if form.has("messageTemplateId") or form.has("body"):
                fields["messageTemplateId"] = await _template(request, conn, form)
            wanted = form.read(actions.CampaignChange, **fields)
            await actions.change(conn, request.caller, campaign_id, wanted)
    except (Invalid, Conflict, NotFound) as error:
        return await setup(request, refused={"texts": form.refused(error)})
    return request.go(f"/campaigns/{campaign_id}/setup#people", flash="Saved.")


@post("/campaigns/{id:str}/setup/speed")
async def change_speed(request: PageRequest) -> Response[bytes]:
    form = await request.read_form(Scope.WRITE)
    campaign_id = request.path_id(CampaignId, CampaignNotFound)
    try:
        wanted = form.read(
            actions.CampaignChange, hourlyLimit=form.whole("hourlyLimit"), dailyLimit=form.whole("dailyLimit"),
            senderIds=form.checked("sender-"), schedule=_schedule(form, await _kept_schedule(request, campaign_id)),
        )  # fmt: skip
        async with request.change() as conn:
            await actions.change(conn, request.caller, campaign_id, wanted)
    except (Invalid, Conflict, NotFound) as error:
        return await setup(request, refused={"speed": form.refused(error)})
    return request.go(f"/campaigns/{campaign_id}/setup#go", flash="Saved.")


async def _kept_schedule(request: PageRequest, campaign_id: CampaignId) -> Schedule | None:
    async with request.connection() as conn:
        return (await actions.find(conn, request.caller, campaign_id)).schedule


def _schedule(form: Form, before: Schedule | None) -> dict[str, object] | None:
    """One window of hours; what the API can say beyond that (further windows, dates) is kept."""
    days = form.checked("day-")
    opens, closes = form.text("from"), form.text("to")
    windows: list[object] = [
        {"days": each.days, "from": each.opens, "to": each.closes} for each in (before.windows[1:] if before else [])
    ]
    if opens or closes or days:
        first = {"days": days or [str(each) for each in Day], "from": opens or "00:00", "to": closes or "24:00"}
        windows = [first, *windows]
    dates = {"startAt": before.start_at, "endAt": before.end_at} if before else {}
    if not windows and not any(dates.values()):
        return None
    made: dict[str, object] = {"timezone": form.text("timezone") or "UTC", "windows": windows}
    return made | {name: moment.rfc3339() for name, moment in dates.items() if moment}


ROUTES = [new_campaign, create_campaign, preview_text, show_setup, change_texts, change_speed]
