"""`clients`: the brands that campaigns are run for."""

from typing import Annotated

import typer

from iglayers.cli.client import Limit, Session, client_command, metadata, present
from iglayers.sdk import segment

COLUMNS = ("id", "name", "externalId", "hourlyLimit", "dailyLimit", "createdAt")

Id = Annotated[str, typer.Argument(help="Its id, such as cl_01890a5d…")]


def add(group: typer.Typer) -> None:
    clients = typer.Typer(name="clients", help="Brands that campaigns are run for.", no_args_is_help=True)
    client_command(clients, "list")(list_all)
    client_command(clients, "create")(create)
    client_command(clients, "show")(show)
    group.add_typer(clients)


def list_all(
    session: Session,
    *,
    external_id: Annotated[str | None, typer.Option(help="Only the one with this id of yours.")] = None,
    limit: Limit = None,
) -> None:
    """List clients, newest first."""
    session.show_list("/clients", COLUMNS, limit=limit, externalId=external_id)


def create(
    session: Session,
    *,
    name: Annotated[str, typer.Option(help="The brand's name; {{clientName}} in templates.")],
    external_id: Annotated[str | None, typer.Option(help="Its id in your own system; unique.")] = None,
    hourly_limit: Annotated[int | None, typer.Option(help="Messages in any 60 minutes, over its campaigns.")] = None,
    daily_limit: Annotated[int | None, typer.Option(help="Messages in any 24 hours, over its campaigns.")] = None,
    metadata_: Annotated[str | None, typer.Option("--metadata", help="A JSON object of your own.")] = None,
) -> None:
    """Add a client. Next: iglayers campaigns create --client ID."""
    body = present(
        name=name, external_id=external_id, hourly_limit=hourly_limit, daily_limit=daily_limit,
        metadata=metadata(metadata_),
    )  # fmt: skip
    session.out.one(session.api.post("/clients", body))


def show(session: Session, client: Id) -> None:
    """Show one client."""
    session.out.one(session.api.get(f"/clients/{segment(client)}"))
