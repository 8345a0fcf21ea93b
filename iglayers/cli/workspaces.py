"""`workspaces create` and `list`. Workspaces come in pairs: a live and a test one."""

from typing import Annotated

import typer

from iglayers.accounts import actions as accounts
from iglayers.accounts import queries
from iglayers.accounts.model import Workspace
from iglayers.accounts.services import Services
from iglayers.cli import tables
from iglayers.cli.installation import apply_speed, with_services
from iglayers.cli.options import Given, command
from iglayers.core.fields import line

_COLUMNS = ("id", "name", "mode", "timezone", "monthlyLimit")


def add(group: typer.Typer) -> None:
    workspaces = typer.Typer(name="workspaces", help="Separate worlds of one installation.", no_args_is_help=True)
    command(workspaces, "create")(create)
    command(workspaces, "list")(list_all)
    group.add_typer(workspaces)


def create(
    given: Given,
    name: Annotated[str, typer.Argument(help="What the pair is called.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="JSON, also on a terminal.")] = False,
) -> None:
    """Make a live and a test workspace of one name."""
    cleaned = line(name, "name")

    async def work(services: Services) -> list[Workspace]:
        async with services.db.transaction() as conn:
            made = await accounts.add_pair(conn, cleaned)
            await apply_speed(conn, services.settings)
            return [each for each in await queries.workspaces(conn) if each.id in made]

    tables.show(with_services(given.settings(), work), _COLUMNS, as_json=as_json)


def list_all(
    given: Given,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="JSON, also on a terminal.")] = False,
) -> None:
    """Every workspace of the installation."""

    async def work(services: Services) -> list[Workspace]:
        async with services.db.connection() as conn:
            return await queries.workspaces(conn)

    tables.show(with_services(given.settings(), work), _COLUMNS, as_json=as_json)
