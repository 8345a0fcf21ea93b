"""`replies`, `contacts`, `suppressions`, `usage` and `me`: what came back, who is left alone, what is used."""

from pathlib import Path
from typing import Annotated, Any

import typer

from iglayers.cli.client import Limit, Session, client_command, present
from iglayers.cli.client_targets import PARTLY
from iglayers.sdk import segment

REPLIES = ("id", "receivedAt", "instagramUsername", "senderUsername", "text", "label", "labelReason")
SUPPRESSIONS = ("instagramUsername", "clientId", "reason", "source", "expiresAt", "createdAt")

Username = Annotated[str, typer.Argument(help="The person's Instagram username.")]
ClientId = Annotated[str | None, typer.Option("--client", help="Id of a client; the whole workspace without.")]


def add(group: typer.Typer) -> None:
    replies = typer.Typer(name="replies", help="What people answered.", no_args_is_help=True)
    client_command(replies, "list")(list_replies)
    client_command(replies, "label")(label)
    group.add_typer(replies)
    contacts = typer.Typer(name="contacts", help="Everything known of one person.", no_args_is_help=True)
    client_command(contacts, "show")(show_person)
    client_command(contacts, "merge")(merge_people)
    client_command(contacts, "erase")(erase_person)
    group.add_typer(contacts)
    suppressions = typer.Typer(name="suppressions", help="People who must not be written to.", no_args_is_help=True)
    client_command(suppressions, "list")(list_suppressions)
    client_command(suppressions, "add")(suppress)
    client_command(suppressions, "remove")(unsuppress)
    client_command(suppressions, "import")(import_suppressions)
    group.add_typer(suppressions)
    client_command(group, "usage")(usage)
    client_command(group, "me")(me)


def list_replies(
    session: Session,
    *,
    campaign: Annotated[str | None, typer.Option(help="Id of a campaign: only answers to it.")] = None,
    username: Annotated[str | None, typer.Option(help="Only what this person wrote.")] = None,
    labelled: Annotated[str | None, typer.Option("--label", help="Such as interested, question or automatic.")] = None,
    limit: Limit = None,
) -> None:
    """List replies, newest first, and what they amount to."""
    session.show_list("/replies", REPLIES, limit=limit, campaignId=campaign, instagramUsername=username, label=labelled)


def label(
    session: Session,
    reply: Annotated[str, typer.Argument(help="Its id, such as rpl_01890a5d…")],
    what: Annotated[str, typer.Argument(help="interested, not_now, no, question, automatic or other.")],
    *,
    reason: Annotated[str | None, typer.Option(help="Why, in your words.")] = None,
) -> None:
    """Say what a reply amounts to; your word wins over the rules. Tells what that changed."""
    found = session.api.patch(f"/replies/{segment(reply)}", present(label=what, reason=reason))
    session.out.one(found)


def show_person(session: Session, username: Username) -> None:
    """Show all that is known of a person: names, campaigns, messages, replies, suppressions."""
    _person(session, session.api.get(f"/contacts/{_segment(username)}"))


def merge_people(
    session: Session,
    username: Username,
    *,
    into: Annotated[str, typer.Option(help="The name that stays, and that is written to from now on.")],
    reason: Annotated[str | None, typer.Option(help="Why, in your words, for the audit log.")] = None,
) -> None:
    """Make two names one person, who is written to once. This cannot be undone."""
    done = session.api.post(f"/contacts/{_segment(username)}/merge", present(into=into, reason=reason))
    session.out.one(done, leave_out=("person", "writtenToTwice"))
    if session.out.is_table and done["writtenToTwice"]:
        session.out.say("Written to under both names before:")
        session.out.table(done["writtenToTwice"], ("clientId", "keptTargetId", "otherTargetId"))


def erase_person(session: Session, username: Username) -> None:
    """Erase what is known of a person; they stay suppressed. This cannot be undone."""
    session.out.one(session.api.delete(f"/contacts/{_segment(username)}"), leave_out=_LISTS)


_TOLD = {
    "targets": ("campaignName", "status", "errorCode", "sentAt", "repliedAt"),
    "messages": ("begunAt", "senderUsername", "step", "status", "text"),
    "replies": ("receivedAt", "senderUsername", "text", "optedOut"),
    "suppressions": ("clientId", "reason", "source", "expiresAt"),
}
_LISTS = tuple(_TOLD)


def _person(session: Session, found: dict[str, Any]) -> None:
    session.out.one(found, leave_out=_LISTS)
    if session.out.is_table:
        for name, columns in _TOLD.items():
            if found[name]:
                session.out.say("", f"{name.capitalize()}:")
                session.out.table(found[name], columns)


def _segment(username: str) -> str:
    return segment(username.strip().removeprefix("@"))


def list_suppressions(
    session: Session,
    *,
    username: Annotated[str | None, typer.Option(help="Only this person.")] = None,
    client: ClientId = None,
    limit: Limit = None,
) -> None:
    """List who must not be written to, newest first."""
    session.show_list("/suppressions", SUPPRESSIONS, limit=limit, instagramUsername=username, clientId=client)


def suppress(
    session: Session,
    username: Username,
    *,
    client: ClientId = None,
    reason: Annotated[str | None, typer.Option(help="Why, in your words.")] = None,
    expires_at: Annotated[str | None, typer.Option(help="When it ends: 2027-01-31T00:00:00Z; never without.")] = None,
) -> None:
    """See to it that somebody is not written to, from the next message on."""
    body = present(instagram_username=username, client_id=client, reason=reason, expires_at=expires_at)
    session.out.one(session.api.post("/suppressions", body))


def unsuppress(
    session: Session,
    username: Username,
    *,
    client: ClientId = None,
) -> None:
    """Take somebody off the list again."""
    session.out.one(session.api.delete(f"/suppressions/{_segment(username)}", clientId=client))


def import_suppressions(
    session: Session,
    file: Annotated[Path, typer.Argument(help="A CSV with the column instagramUsername.", exists=True, dir_okay=False)],
    *,
    client: ClientId = None,
) -> None:
    """Add everybody of a CSV file. Ends with 3 if some lines were refused, with 1 if all were."""
    done = session.api.post_csv("/suppressions/import", file.read_bytes(), clientId=client)
    if session.out.is_table:
        session.out.say(f"{done['accepted']} accepted, {done['rejected']} rejected.")
        if done["rejects"]:
            session.out.table(done["rejects"], ("line", "instagramUsername", "error.code", "error.message"))
        if done["rejectsLeftOut"]:
            session.out.say(f"{done['rejectsLeftOut']} more were rejected.")
    else:
        session.out.one(done)
    if done["rejected"]:
        raise typer.Exit(PARTLY if done["accepted"] else 1)


def usage(session: Session) -> None:
    """Show the month: what is sent, what is left, by client and by sender."""
    found = session.api.get("/usage")
    session.out.one(found, leave_out=("clients", "senders"))
    if session.out.is_table and found["sent"]:
        session.out.table(found["clients"], ("clientName", "sent"))
        session.out.table(found["senders"], ("senderUsername", "sent"))


def me(session: Session) -> None:
    """Show whose key this is: workspace, mode, scopes."""
    session.out.one(session.api.get("/me"))
