"""`templates`: texts with variables."""

from pathlib import Path
from typing import Annotated

import typer

from iglayers.cli.client import Limit, Session, client_command, present, text_of
from iglayers.sdk import segment

COLUMNS = ("id", "name", "variables", "body", "updatedAt")

Id = Annotated[str, typer.Argument(help="Its id, such as tpl_01890a5d…")]


def add(group: typer.Typer) -> None:
    templates = typer.Typer(name="templates", help="Texts of messages, with variables.", no_args_is_help=True)
    client_command(templates, "list")(list_all)
    client_command(templates, "create")(create)
    client_command(templates, "show")(show)
    client_command(templates, "preview")(preview)
    group.add_typer(templates)


def list_all(session: Session, *, limit: Limit = None) -> None:
    """List templates, newest first."""
    session.show_list("/message-templates", COLUMNS, limit=limit)


def create(
    session: Session,
    *,
    name: Annotated[str, typer.Option(help="What it is called.")],
    body: Annotated[str | None, typer.Option(help="The text: Hi {{firstName|there}}, love your {{category}}!")] = None,
    body_file: Annotated[Path | None, typer.Option(help="A file with the text; - for standard input.")] = None,
) -> None:
    """Add a template. Next: iglayers campaigns create --template ID."""
    if (body is None) == (body_file is None):
        raise typer.BadParameter("give one of the two.", param_hint="--body, --body-file")
    text = body if body_file is None else text_of(body_file, "--body-file")
    session.out.one(session.api.post("/message-templates", present(name=name, body=text)))


def show(session: Session, template: Id) -> None:
    """Show one template."""
    session.out.one(session.api.get(f"/message-templates/{segment(template)}"))


def preview(
    session: Session,
    template: Id,
    *,
    target: Annotated[str | None, typer.Option(help="Id of a target whose fields are filled in.")] = None,
    var: Annotated[list[str] | None, typer.Option(help="A value, as firstName=Ann; may be repeated.")] = None,
) -> None:
    """Show the text as a person would get it; what is missing ends with 1."""
    body = present(target_id=target, sample=dict(map(_pair, var or [])) or None)
    filled = session.api.post(f"/message-templates/{segment(template)}/preview", body)
    if session.out.is_table:
        session.out.say(filled["text"], "", f"{filled['bytes']} bytes.")
        if filled["missing"]:
            session.out.say(f"Missing: {', '.join(filled['missing'])}.")
    else:
        session.out.one(filled)
    if filled["missing"] or filled["tooLong"]:
        raise typer.Exit(1)


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise typer.BadParameter(f"{text!r} is not NAME=VALUE.", param_hint="--var")
    return name, value
