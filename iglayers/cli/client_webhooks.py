"""`webhooks`: endpoints that are told what happens."""

from typing import Annotated

import typer

from iglayers.cli.client import Limit, Session, client_command, present
from iglayers.sdk import segment

COLUMNS = ("id", "url", "events", "state", "disabledReason", "failingSince", "createdAt")

Id = Annotated[str, typer.Argument(help="Its id, such as whe_01890a5d…")]


def add(group: typer.Typer) -> None:
    webhooks = typer.Typer(name="webhooks", help="Endpoints that are told what happens.", no_args_is_help=True)
    client_command(webhooks, "list")(list_all)
    client_command(webhooks, "create")(create)
    client_command(webhooks, "show")(show)
    client_command(webhooks, "test")(test)
    client_command(webhooks, "delete")(delete)
    group.add_typer(webhooks)


def list_all(session: Session, *, limit: Limit = None) -> None:
    """List endpoints, newest first."""
    session.show_list("/webhooks", COLUMNS, limit=limit)


def create(
    session: Session,
    *,
    to: Annotated[str, typer.Option(help="Where events go: https://…")],
    event: Annotated[
        list[str] | None, typer.Option(help="Such as message.sent or reply.received; may be repeated. All without.")
    ] = None,
    description: Annotated[str | None, typer.Option(help="What it is for.")] = None,
) -> None:
    """Add an endpoint. Its secret is shown only now."""
    body = present(url=to, events=event or ["*"], description=description)
    session.out.one(session.api.post("/webhooks", body))


def show(session: Session, webhook: Id) -> None:
    """Show one endpoint, and why it is disabled if it is."""
    session.out.one(session.api.get(f"/webhooks/{segment(webhook)}"))


def test(session: Session, webhook: Id) -> None:
    """Send one event now and tell what the endpoint answered; refused ends with 1."""
    found = session.api.post_once(f"/webhooks/{segment(webhook)}/test")
    session.out.one(found)


def delete(session: Session, webhook: Id) -> None:
    """Remove an endpoint; what is waiting for it is not delivered."""
    session.out.one(session.api.delete(f"/webhooks/{segment(webhook)}"))
