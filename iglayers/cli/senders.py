"""`senders add`: an Instagram account that messages leave from. `senders list` goes through the API."""

from typing import Annotated

import typer

from iglayers.accounts.model import Mode
from iglayers.accounts.request import Services
from iglayers.cli.callers import caller
from iglayers.cli.client_senders import add_to
from iglayers.cli.installation import with_services
from iglayers.cli.options import Given, command
from iglayers.core import body
from iglayers.senders import actions
from iglayers.senders.model import Sender


def add(group: typer.Typer) -> None:
    senders = typer.Typer(name="senders", help="Instagram accounts that write.", no_args_is_help=True)
    command(senders, "add")(add_sender)
    add_to(senders)
    group.add_typer(senders)


def add_sender(  # noqa: PLR0913 an option a setting
    given: Given,
    *,
    username: Annotated[str, typer.Option(help="The account's Instagram username.")],
    transport: Annotated[str, typer.Option(help="sandbox, assisted or instagram.")],
    mode: Annotated[Mode | None, typer.Option(help="Which of a pair; test for sandbox, else live.")] = None,
    workspace: Annotated[str | None, typer.Option(help="Id or name, where there are several.")] = None,
    client: Annotated[list[str] | None, typer.Option(help="Id of a client that it serves; all without.")] = None,
    hourly_limit: Annotated[int | None, typer.Option(help="Messages in any 60 minutes.")] = None,
    daily_limit: Annotated[int | None, typer.Option(help="Messages in any 24 hours.")] = None,
    min_gap_seconds: Annotated[int | None, typer.Option(help="Least time between two messages.")] = None,
    ramp: Annotated[bool | None, typer.Option(help="Whether it starts with few messages a day.")] = None,
) -> None:  # fmt: skip
    """Add a sender and print its id."""
    fields = {
        "username": username, "transport": transport, "clientIds": client, "hourlyLimit": hourly_limit,
        "dailyLimit": daily_limit, "minGapSeconds": min_gap_seconds, "ramp": ramp,
    }  # fmt: skip
    new = body.convert({key: item for key, item in fields.items() if item is not None}, actions.NewSender)
    of_mode = mode or (Mode.TEST if transport == "sandbox" else Mode.LIVE)

    async def work(services: Services) -> Sender:
        async with services.db.transaction() as conn:
            return await actions.add(conn, await caller(conn, of_mode, workspace), new)

    print(with_services(given.settings(), work).id)
