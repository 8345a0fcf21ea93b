"""`campaigns`: make, check, start, watch, pause, cancel."""

from pathlib import Path
from typing import Annotated, Any

import typer

from iglayers.cli import client_campaigns_view as view
from iglayers.cli.client import Limit, Session, client_command, metadata, object_of, present
from iglayers.cli.client_campaigns_fields import follow_up, schedule
from iglayers.cli.client_campaigns_wait import wait_for_end
from iglayers.sdk import segment

COLUMNS = ("id", "name", "status", "dailyLimit", "hourlyLimit", "nextAt", "createdAt")

Id = Annotated[str, typer.Argument(help="Its id, such as cmp_01890a5d…")]
Wait = Annotated[bool, typer.Option("--wait", help="Stay until it is completed; 1 if it is paused or cancelled first.")]


def add(group: typer.Typer) -> None:
    campaigns = typer.Typer(
        name="campaigns", help="Make, start, watch and stop campaigns.", no_args_is_help=True,
        epilog="A first campaign: senders add, clients create, templates create, campaigns create, targets upload, "
        "campaigns preflight, campaigns start --wait, results.",
    )  # fmt: skip
    for name, each in (
        ("list", list_all), ("create", create), ("show", show), ("change", change), ("clone", clone),
        ("status", status), ("preflight", preflight), ("start", start), ("pause", pause), ("resume", resume),
        ("cancel", cancel), ("stats", stats),
    ):  # fmt: skip
        client_command(campaigns, name)(each)
    group.add_typer(campaigns)


def list_all(
    session: Session,
    *,
    status: Annotated[str | None, typer.Option(help="draft, running, paused, completed or cancelled.")] = None,
    client: Annotated[str | None, typer.Option(help="Id of a client: only its campaigns.")] = None,
    limit: Limit = None,
) -> None:
    """List campaigns, newest first."""
    session.show_list("/campaigns", COLUMNS, limit=limit, status=status, clientId=client)


def create(  # noqa: PLR0913 an option a setting
    session: Session,
    *,
    client: Annotated[str, typer.Option(help="Id of the client (clients list).")],
    name: Annotated[str, typer.Option(help="What it is called.")],
    template: Annotated[str, typer.Option(help="Id of the template of the first message (templates list).")],
    daily_limit: Annotated[int | None, typer.Option(help="Messages in any 24 hours.")] = None,
    hourly_limit: Annotated[int | None, typer.Option(help="Messages in any 60 minutes.")] = None,
    sender: Annotated[
        list[str] | None, typer.Option(help="Id of a sender; may be repeated. Without: all that serve the client.")
    ] = None,
    window: Annotated[
        list[str] | None, typer.Option(help="When to write, as 'mon-fri 09:00-18:00'; may be repeated.")
    ] = None,
    timezone: Annotated[str | None, typer.Option(help="Of --window, such as Europe/Berlin; UTC without.")] = None,
    start_at: Annotated[str | None, typer.Option(help="Nothing before this moment: 2026-05-01T09:00:00Z.")] = None,
    end_at: Annotated[str | None, typer.Option(help="Nothing after this moment.")] = None,
    follow_up_: Annotated[
        list[str] | None,
        typer.Option("--follow-up", help="Template id and hours, as tpl_…:48; may be repeated. Not after a reply."),
    ] = None,
    missing_variable: Annotated[
        str | None, typer.Option(help="skip people who lack a variable (default), or fail_preflight.")
    ] = None,
    metadata_: Annotated[str | None, typer.Option("--metadata", help="A JSON object of your own.")] = None,
    from_: Annotated[
        Path | None,
        typer.Option("--from", help="A JSON file with more fields as the API takes them; options win over it."),
    ] = None,
) -> None:
    """Make a campaign; nothing is sent. Next: iglayers targets upload FILE --campaign ID."""
    body = object_of(from_, "--from") | present(
        client_id=client, name=name, message_template_id=template, daily_limit=daily_limit, hourly_limit=hourly_limit,
        sender_ids=sender, schedule=schedule(window or [], timezone, start_at, end_at),
        follow_ups=[follow_up(each) for each in follow_up_ or []], missing_variable=missing_variable,
        metadata=metadata(metadata_),
    )  # fmt: skip
    session.out.one(session.api.post("/campaigns", body))


def show(session: Session, campaign: Id) -> None:
    """Show a campaign as it was set up."""
    session.out.one(session.api.get(_path(campaign)))


def change(
    session: Session,
    campaign: Id,
    *,
    name: Annotated[str | None, typer.Option(help="What it is called.")] = None,
    daily_limit: Annotated[int | None, typer.Option(help="Messages in any 24 hours.")] = None,
    hourly_limit: Annotated[int | None, typer.Option(help="Messages in any 60 minutes.")] = None,
    from_: Annotated[
        Path | None,
        typer.Option("--from", help='A JSON file with more fields as the API takes them: {"schedule": null}'),
    ] = None,
) -> None:
    """Change a campaign, also while it runs: limits and hours hold from the next message."""
    body = object_of(from_, "--from") | present(name=name, daily_limit=daily_limit, hourly_limit=hourly_limit)
    session.out.one(session.api.patch(_path(campaign), body))


def clone(
    session: Session,
    campaign: Id,
    *,
    name: Annotated[str | None, typer.Option(help="What the copy is called.")] = None,
) -> None:
    """Make a draft with the same settings and nobody in it."""
    session.out.one(session.api.post(_path(campaign, "/clone"), present(name=name)))


def status(session: Session, campaign: Id) -> None:
    """Tell why it is or is not sending, what limits it now, and when it will end."""
    found = session.api.get(_path(campaign, "/status"))
    if session.out.is_table:
        view.show_status(session.out, found)
    else:
        session.out.one(found)


def preflight(session: Session, campaign: Id) -> None:
    """Check before the start: what stands in the way, and when it would end. Blocked ends with 1."""
    found = session.api.post(_path(campaign, "/preflight"))
    if session.out.is_table:
        view.show_preflight(session.out, found)
    else:
        session.out.one(found)
    if not found["ok"]:
        raise typer.Exit(1)


def start(session: Session, campaign: Id, *, wait: Wait = False) -> None:
    """Start sending. Doing it twice has one effect; with --wait the second call watches."""
    _set_going(session, campaign, "start", wait=wait)


def resume(session: Session, campaign: Id, *, wait: Wait = False) -> None:
    """Go on where it was paused, or with targets that were added after its end."""
    _set_going(session, campaign, "resume", wait=wait)


def pause(session: Session, campaign: Id) -> None:
    """Stop before the next message; resume goes on."""
    _told(session, session.api.post(_path(campaign, "/pause")))


def cancel(session: Session, campaign: Id) -> None:
    """Stop for good; whoever was not written to stays unwritten."""
    _told(session, session.api.post(_path(campaign, "/cancel")))


def stats(
    session: Session,
    campaign: Id,
    *,
    by: Annotated[str, typer.Option(help="hour or day: the span of the series.")] = "day",
) -> None:
    """Numbers: people by state, messages by time, sender and step."""
    found = session.api.get(_path(campaign, "/stats"), by=by)
    if session.out.is_table:
        view.show_stats(session.out, found)
    else:
        session.out.one(found)


def _set_going(session: Session, campaign: str, verb: str, *, wait: bool) -> None:
    moved = session.api.post(_path(campaign, f"/{verb}"))
    if wait:
        wait_for_end(session.api, campaign)
        moved = session.api.get(_path(campaign))
    _told(session, moved)
    if wait and moved["status"] != "completed":
        raise typer.Exit(1)


def _told(session: Session, campaign: dict[str, Any]) -> None:
    if session.out.is_table:
        session.out.say(f"{campaign['name']} ({campaign['id']}) is {campaign['status']}.")
    else:
        session.out.one(campaign)


def _path(campaign: str, rest: str = "") -> str:
    return f"/campaigns/{segment(campaign)}{rest}"
