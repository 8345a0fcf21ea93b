"""`senders add` and `connect`: an Instagram account that messages leave from. The others go through the API."""

import sys
from typing import Annotated

import typer

from iglayers.accounts.model import Mode
from iglayers.accounts.services import Services
from iglayers.cli.callers import caller
from iglayers.cli.client_senders import add_to
from iglayers.cli.installation import with_services
from iglayers.cli.options import Given, command
from iglayers.core import body
from iglayers.senders import actions
from iglayers.senders.model import Sender
from iglayers.senders.transports.instagram import connect
from iglayers.senders.transports.instagram.connect import Started


def add(group: typer.Typer) -> None:
    senders = typer.Typer(name="senders", help="Instagram accounts that write.", no_args_is_help=True)
    command(senders, "add")(add_sender)
    command(senders, "connect")(connect_sender)
    add_to(senders)
    group.add_typer(senders)


def add_sender(  # noqa: PLR0913 an option a setting
    given: Given,
    *,
    username: Annotated[str, typer.Option(help="The account's Instagram username.")],
    transport: Annotated[str, typer.Option(help="sandbox (nobody is written to), assisted (by hand) or instagram.")],
    mode: Annotated[Mode | None, typer.Option(help="Which of a pair; test for sandbox, else live.")] = None,
    workspace: Annotated[str | None, typer.Option(help="Id or name, where there are several.")] = None,
    client: Annotated[list[str] | None, typer.Option(help="Id of a client that it serves; all without.")] = None,
    hourly_limit: Annotated[int | None, typer.Option(help="Messages in any 60 minutes.")] = None,
    daily_limit: Annotated[int | None, typer.Option(help="Messages in any 24 hours.")] = None,
    min_gap_seconds: Annotated[int | None, typer.Option(help="Least time between two messages.")] = None,
    ramp: Annotated[bool | None, typer.Option(help="Whether it starts with few messages a day.")] = None,
) -> None:  # fmt: skip
    """Add a sender and print its id; for instagram, its access token is read from standard input."""
    fields = {
        "username": username, "transport": transport, "clientIds": client, "hourlyLimit": hourly_limit,
        "dailyLimit": daily_limit, "minGapSeconds": min_gap_seconds, "ramp": ramp,
        "accessToken": _token() if transport == "instagram" else None,
    }  # fmt: skip
    new = body.convert({key: item for key, item in fields.items() if item is not None}, actions.NewSender)
    of_mode = mode or (Mode.TEST if transport == "sandbox" else Mode.LIVE)

    async def work(services: Services) -> Sender:
        async with services.db.connection() as conn:
            who = await caller(conn, of_mode, workspace)
        connected = await connect.by_new(services, who, new)
        async with services.db.transaction() as conn:
            return await connect.add(conn, who, services, new, connected)

    print(with_services(given.settings(), work).id)


def connect_sender(
    given: Given,
    *,
    workspace: Annotated[str | None, typer.Option(help="Id or name, where there are several.")] = None,
    client: Annotated[list[str] | None, typer.Option(help="Id of a client that it serves; all without.")] = None,
    hourly_limit: Annotated[int | None, typer.Option(help="Messages in any 60 minutes.")] = None,
    daily_limit: Annotated[int | None, typer.Option(help="Messages in any 24 hours.")] = None,
) -> None:
    """Print the address at which somebody logs in to connect an account; the server does the rest."""
    fields = {"clientIds": client, "hourlyLimit": hourly_limit, "dailyLimit": daily_limit}
    wanted = body.convert({key: item for key, item in fields.items() if item is not None}, actions.SenderChange)

    async def work(services: Services) -> Started:
        async with services.db.transaction() as conn:
            who = await caller(conn, Mode.LIVE, workspace)
            return await connect.start(conn, who, services.settings, wanted)

    print(with_services(given.settings(), work).url)


def _token() -> str | None:
    """Never an argument: those stand in the list of processes and in the shell's history."""
    if sys.stdin.isatty():
        return typer.prompt("Access token", hide_input=True, err=True)
    return sys.stdin.readline(2_001).strip() or None
