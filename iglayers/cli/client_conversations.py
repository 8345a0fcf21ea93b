"""`conversations`: whoever said something to an account, what both wrote, and a person's answer."""

from typing import Annotated

import typer

from iglayers.cli.client import Limit, Session, client_command, present
from iglayers.sdk import segment

COLUMNS = ("id", "activeAt", "instagramUsername", "senderUsername", "label", "needsAnswer", "windowOpen", "lastReply")
WORDS = ("at", "direction", "text", "author", "campaignName", "status", "label", "reason")

Id = Annotated[str, typer.Argument(help="Its id, such as cnv_01890a5d…")]


def add(group: typer.Typer) -> None:
    conversations = typer.Typer(
        name="conversations", help="Whoever said something, and your answers.", no_args_is_help=True
    )
    client_command(conversations, "list")(list_all)
    client_command(conversations, "show")(show)
    client_command(conversations, "answer")(answer)
    group.add_typer(conversations)


def list_all(
    session: Session,
    *,
    username: Annotated[str | None, typer.Option(help="Only with this person.")] = None,
    sender: Annotated[str | None, typer.Option(help="Id of a sender: only its conversations.")] = None,
    label: Annotated[str | None, typer.Option(help="Such as interested, question or not_now.")] = None,
    waiting: Annotated[bool, typer.Option("--waiting", help="Only those in which the person waits.")] = False,
    limit: Limit = None,
) -> None:
    """List conversations, the newest word first."""
    session.show_list(
        "/conversations", COLUMNS, limit=limit, instagramUsername=username, senderId=sender, label=label,
        needsAnswer="true" if waiting else None,
    )  # fmt: skip


def show(session: Session, conversation: Id) -> None:
    """Show the newest words of one conversation, and how an answer would go now."""
    found = session.api.get(f"/conversations/{segment(conversation)}")
    session.out.one(found, leave_out=("words", "hasMore", "nextCursor"))
    if session.out.is_table:
        session.out.table(found["words"], WORDS)


def answer(
    session: Session,
    conversation: Id,
    text: Annotated[str, typer.Argument(help="What you write; Instagram takes 1,000 bytes.")],
    *,
    by_hand: Annotated[
        bool, typer.Option("--by-hand", help="You have sent it in Instagram already: only write it down.")
    ] = False,
) -> None:
    """Answer as a person, and tell what became of it; ends with 1 unless it was sent."""
    path = f"/conversations/{segment(conversation)}/messages"
    found = session.api.post(path, present(text=text, by_hand=by_hand or None))
    session.out.one(found)
    if found["status"] != "sent":
        raise typer.Exit(1)
