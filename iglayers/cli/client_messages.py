"""`messages`: the ledger, and a person's word on what nobody knows."""

from typing import Annotated

import typer

from iglayers.cli.client import Limit, Session, client_command, present
from iglayers.sdk import segment

COLUMNS = ("id", "begunAt", "instagramUsername", "senderUsername", "step", "status", "reason", "text")

Id = Annotated[str, typer.Argument(help="Its id, such as msg_01890a5d…")]


def add(group: typer.Typer) -> None:
    messages = typer.Typer(name="messages", help="What went out, and what nobody knows of.", no_args_is_help=True)
    client_command(messages, "list")(list_all)
    client_command(messages, "show")(show)
    client_command(messages, "resolve")(resolve)
    group.add_typer(messages)


def list_all(
    session: Session,
    *,
    status: Annotated[str | None, typer.Option(help="Such as sent, failed or unknown.")] = None,
    campaign: Annotated[str | None, typer.Option(help="Id of a campaign: only its messages.")] = None,
    limit: Limit = None,
) -> None:
    """List messages, newest first."""
    session.show_list("/messages", COLUMNS, limit=limit, status=status, campaignId=campaign)


def show(session: Session, message: Id) -> None:
    """Show one message, and what is known of its way."""
    session.out.one(session.api.get(f"/messages/{segment(message)}"))


def resolve(
    session: Session,
    message: Id,
    outcome: Annotated[str, typer.Argument(help="sent or not_sent.")],
    *,
    reason: Annotated[str, typer.Option(help="How you know, for the audit log.")],
    requeue: Annotated[
        bool, typer.Option("--requeue", help="not_sent alone: send it again; needs a key with the scope admin.")
    ] = False,
) -> None:
    """Say what became of an unknown message; look into the account's own inbox first."""
    body = present(outcome=outcome, reason=reason, requeue=requeue or None)
    session.out.one(session.api.post(f"/messages/{segment(message)}/resolve", body))
