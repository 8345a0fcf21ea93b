"""People who are written to: finding one by any spelling of their name, and everything that happened with them."""

from collections.abc import Iterator
from datetime import datetime

import msgspec
from litestar import Response, get, post

from iglayers.accounts.model import Scope
from iglayers.contacts import queries
from iglayers.contacts.usernames import InvalidUsername, canonical
from iglayers.core.errors import Conflict
from iglayers.core.ids import CampaignId, ClientId, Id
from iglayers.dashboard.pages import Crumb, page
from iglayers.dashboard.queries import Known, client_names, known_of
from iglayers.dashboard.request import PageRequest
from iglayers.replies import queries as reply_queries
from iglayers.replies.model import Filters
from iglayers.reports import people
from iglayers.reports.model_people import Person

_LIST = Crumb("Contacts", "/contacts")
_ANSWERS = 20
_MOST_KNOWN = 20
_SOURCES = {
    "manual": "by hand", "import": "from a file", "opt_out": "by their own wish", "erasure": "by their erasure",
    "merge": "by a merge",
}  # fmt: skip

_MESSAGES = {"sent": "Written to", "unknown": "Outcome unknown", "sending": "Being written to"}


class Happened(msgspec.Struct, frozen=True, kw_only=True):
    """One thing in a person's time: `state` as the macro knows it, `words` as somebody wrote them."""

    at: datetime
    state: str
    what: str
    account: str | None = None
    campaign: str | None = None
    campaign_id: Id | None = None
    words: str | None = None
    note: str | None = None


@get("/contacts")
async def find_contact(request: PageRequest) -> Response[bytes]:
    """A person's page when the name is known; else who answered lately."""
    request.only_query("q")
    searched, refused = request.searched(), None
    async with request.connection() as conn:
        if searched:
            try:
                username = canonical(searched)
                if await queries.by_username(
                    conn, request.caller.workspace_id, username, pepper=request.services.pepper
                ):
                    return request.go(f"/contacts/{username}")
            except InvalidUsername as error:
                refused = error
        answers = await reply_queries.page(
            conn, request.caller.workspace_id, Filters(only=None), before=None, limit=_ANSWERS
        )
    return page(
        request, "contacts/find.html", title="Contacts", searched=searched, refused=refused, answers=answers,
        status=404 if searched else 200,
    )  # fmt: skip


@get("/contacts/{username:str}")
async def show_contact(request: PageRequest) -> Response[bytes]:
    return await _person(request)


@post("/contacts/{username:str}/erase")
async def erase_contact(request: PageRequest) -> Response[bytes]:
    await request.read_form(Scope.ADMIN)
    username, services = str(request.path_params["username"]), request.services
    try:
        async with request.change() as conn:
            await people.erase(conn, request.caller, username, pepper=services.pepper, vault=services.vault)
    except Conflict as error:
        return await _person(request, refused=error)
    return request.go(f"/contacts/{canonical(username)}", flash="Erased. This name stays suppressed.")


async def _person(request: PageRequest, *, refused: Conflict | None = None) -> Response[bytes]:
    username, caller = canonical(str(request.path_params["username"])), request.caller
    async with request.connection() as conn:
        person = await people.read(conn, caller, username, pepper=request.services.pepper)
        ids = [each.id for each in await queries.handles(conn, caller.workspace_id, person.id)]
        known = await known_of(conn, caller.workspace_id, ids, limit=_MOST_KNOWN)
        clients = await client_names(conn, caller.workspace_id)
    names = {each.id: each.name for each in clients}
    in_force = [each for each in person.suppressions if each.expires_at is None or each.expires_at > caller.now]
    return page(
        request, "contacts/show.html", title=person.instagram_username or _title_of_gone(person), crumb=_LIST,
        person=person, username=username, happened=happened(person, names), facts=_facts(known), known=known,
        clients=clients, names=names, in_force=in_force, sources=_SOURCES, refused=refused,
        sentence=_sentence(person, suppressed=bool(in_force)), status=409 if refused else 200,
    )  # fmt: skip


def _title_of_gone(person: Person) -> str:
    return "Erased person" if person.erased_at is not None else "Forgotten person"


def happened(person: Person, names: dict[ClientId, str]) -> list[Happened]:
    """Everything in one column, newest first."""
    return sorted(_all(person, names), key=lambda each: each.at, reverse=True)


def _all(person: Person, names: dict[ClientId, str]) -> Iterator[Happened]:
    campaigns: dict[CampaignId | None, str] = {each.campaign_id: each.campaign_name for each in person.targets}
    for target in person.targets:
        yield Happened(
            at=target.created_at, state="neutral", what="Uploaded", campaign=target.campaign_name,
            campaign_id=target.campaign_id,
            note=f"Now {target.status.replace('_', ' ')}" + (f": {target.reason}" if target.reason else ""),
        )  # fmt: skip
    for message in person.messages:
        yield Happened(
            at=message.begun_at, state=message.status,
            what=_MESSAGES.get(message.status, f"Message {message.status.replace('_', ' ')}"),
            account=message.sender_username, campaign=campaigns.get(message.campaign_id),
            campaign_id=message.campaign_id, words=message.text,
            note=message.reason,
        )  # fmt: skip
    for reply in person.replies:
        yield Happened(
            at=reply.received_at, state="stopped" if reply.opted_out else "replied",
            what="Opted out" if reply.opted_out else "Answered", account=reply.sender_username,
            campaign=campaigns.get(reply.campaign_id), campaign_id=reply.campaign_id, words=reply.text,
        )  # fmt: skip
    for each in person.suppressions:
        scope = f"For {names.get(each.client_id, 'one client')}" if each.client_id else "For everybody"
        yield Happened(
            at=each.created_at, state="stopped", what="Suppressed", words=each.reason or None,
            note=f"{scope}, {_SOURCES.get(each.source, each.source)}",
        )  # fmt: skip
    if person.erased_at is not None:
        yield Happened(at=person.erased_at, state="stopped", what="Erased", note="All else that was known is gone")
    if person.forgotten_at is not None:
        yield Happened(
            at=person.forgotten_at, state="stopped", what="Forgotten", note="Nothing had happened for too long"
        )


def _facts(known: list[Known]) -> list[tuple[str, str, Known]]:
    """What is known, each from the newest upload that told it."""
    found: dict[str, tuple[str, Known]] = {}
    for each in known:
        told = {
            "Full name": each.full_name, "First name": each.first_name, "Category": each.category,
            "Followers": None if each.follower_count is None else f"{each.follower_count:,}",
            "Profile": each.profile_url,
        } | (each.variables or {})  # fmt: skip
        for name, item in told.items():
            if item is not None and name not in found:
                found[name] = (str(item), each)
    return [(name, text, each) for name, (text, each) in found.items()]


def _sentence(person: Person, *, suppressed: bool) -> str:
    if person.erased_at is not None:
        return "What was known of this person was erased. The name stays suppressed."
    sent = sum(each.status == "sent" for each in person.messages)
    unknown = sum(each.status == "unknown" for each in person.messages)
    told = [f"Written to {_times(sent)}" if sent else "Perhaps written to" if unknown else "Not written to"]
    told.append(f"answered {_times(len(person.replies))}" if person.replies else "no answer")
    gone = "What was known is gone, since nothing had happened for too long. " if person.forgotten_at else ""
    return gone + ", ".join(told) + (". Must not be written to." if suppressed else ".")


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"


ROUTES = [find_contact, show_contact, erase_contact]
