"""`keys create`: prints the key alone, so that a script can take it."""

from typing import Annotated

import typer

from iglayers.accounts import actions as accounts
from iglayers.accounts.model import Mode
from iglayers.accounts.services import Services
from iglayers.cli.callers import caller
from iglayers.cli.installation import with_services
from iglayers.cli.options import Given, command
from iglayers.core import body

DEFAULT_SCOPES = ["read,write,send"]


def add(group: typer.Typer) -> None:
    keys = typer.Typer(name="keys", help="API keys.", no_args_is_help=True)
    command(keys, "create")(create)
    group.add_typer(keys)


def create(  # noqa: PLR0913 an option a setting
    given: Given,
    *,
    name: Annotated[str, typer.Option(help="What the key is for.")],
    mode: Annotated[Mode, typer.Option(help="live writes to people, test to a sandbox.")] = Mode.LIVE,
    workspace: Annotated[str | None, typer.Option(help="Id or name, where there are several.")] = None,
    client: Annotated[str | None, typer.Option(help="Id of the one client that the key may see.")] = None,
    scopes: Annotated[list[str] | None, typer.Option(help="read, write, send, admin; several with commas.")] = None,
    addresses: Annotated[
        list[str] | None, typer.Option(help="Addresses or networks it may be used from; several with commas.")
    ] = None,
    expires: Annotated[str | None, typer.Option(help="When it ends, such as 2027-01-31T00:00:00Z.")] = None,
) -> None:  # fmt: skip
    """Make an API key and print it. It is shown only here."""
    fields: dict[str, object] = {"name": name, "scopes": _split(scopes or DEFAULT_SCOPES)}
    fields |= {"clientId": client} if client else {}
    fields |= {"addresses": _split(addresses)} if addresses else {}
    fields |= {"expiresAt": expires} if expires else {}
    new = body.convert(fields, accounts.NewKey)

    async def work(services: Services) -> str:
        async with services.db.transaction() as conn:
            return (await accounts.create_key(conn, await caller(conn, mode, workspace), new)).key

    print(with_services(given.settings(), work))


def _split(lists: list[str]) -> list[str]:
    return [scope.strip() for each in lists for scope in each.split(",") if scope.strip()]
