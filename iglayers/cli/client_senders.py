"""`senders list`, through the API; `senders add` works on the server itself."""

from typing import Annotated

import typer

from iglayers.cli.client import Limit, Session, client_command

COLUMNS = ("id", "username", "transport", "state", "stateReason", "hourlyLimit", "dailyLimit", "lastBegunAt")


def add_to(senders: typer.Typer) -> None:
    client_command(senders, "list")(list_all)


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
