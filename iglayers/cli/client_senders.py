"""`senders list`, `show`, `pause` and `resume`, through the API; `senders add` works on the server itself."""

from typing import Annotated

import typer

from iglayers.cli.client import Limit, Session, client_command, present
from iglayers.sdk import segment

COLUMNS = ("id", "username", "transport", "state", "stateReason", "hourlyLimit", "dailyLimit", "lastBegunAt")

Id = Annotated[str, typer.Argument(help="Its id, such as snd_01890a5d…")]


def add_to(senders: typer.Typer) -> None:
    client_command(senders, "list")(list_all)
    client_command(senders, "show")(show)
    client_command(senders, "pause")(pause)
    client_command(senders, "resume")(resume)


def list_all(
    session: Session,
    *,
    username: Annotated[str | None, typer.Option(help="Only this account.")] = None,
    state: Annotated[str | None, typer.Option(help="active, paused, challenged or disabled.")] = None,
    client: Annotated[str | None, typer.Option(help="Id of a client: only senders that serve it.")] = None,
    limit: Limit = None,
) -> None:
    """List senders with their state, newest first."""
    session.show_list("/senders", COLUMNS, limit=limit, username=username, state=state, clientId=client)


def show(session: Session, sender: Id) -> None:
    """Show one sender: its health with reasons, and what is left of its limits."""
    session.out.one(session.api.get(_path(sender)))


def pause(session: Session, sender: Id) -> None:
    """Send nothing more from this account until it is resumed."""
    session.out.one(session.api.post(_path(sender, "/pause")))


def resume(
    session: Session,
    sender: Id,
    *,
    reason: Annotated[str | None, typer.Option(help="What was done about it, for the audit log.")] = None,
) -> None:
    """Let it send again: after a pause, or when what Instagram asked for is done."""
    session.out.one(session.api.post(_path(sender, "/resume"), present(reason=reason)))


def _path(sender: str, rest: str = "") -> str:
    return f"/senders/{segment(sender)}{rest}"
