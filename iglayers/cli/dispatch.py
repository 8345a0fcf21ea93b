"""`dispatch status`, `pause`, `resume`: the switch that holds every message of the installation."""

from typing import Annotated

import typer

from iglayers.accounts import queries
from iglayers.accounts.services import Services
from iglayers.cli.installation import with_services
from iglayers.cli.options import Given, command
from iglayers.core.fields import line
from iglayers.messages.queries import stop_begins


def add(group: typer.Typer) -> None:
    dispatch = typer.Typer(name="dispatch", help="Whether this installation sends at all.", no_args_is_help=True)
    command(dispatch, "status")(status)
    command(dispatch, "pause")(pause)
    command(dispatch, "resume")(resume)
    group.add_typer(dispatch)


def status(given: Given) -> None:
    """Whether messages are sent, and why not."""

    async def work(services: Services) -> queries.Dispatch:
        async with services.db.connection() as conn:
            return await queries.dispatch(conn)

    _say(with_services(given.settings(), work))


def pause(
    given: Given,
    reason: Annotated[str, typer.Option(help="Shown wherever it is asked why nothing is sent.")] = "Paused by hand.",
) -> None:  # fmt: skip
    """Begin no message from now on, in any workspace. One that is on its way ends as usual."""
    why = line(reason, "reason", most=500)

    async def work(services: Services) -> queries.Dispatch:
        async with services.db.transaction() as conn:
            await stop_begins(conn)
            await queries.pause_dispatch(conn, reason=why)
            return await queries.dispatch(conn)

    _say(with_services(given.settings(), work))


def resume(given: Given) -> None:
    """Send again. After a restore: only when you know what had been sent since."""

    async def work(services: Services) -> queries.Dispatch:
        async with services.db.transaction() as conn:
            await queries.resume_dispatch(conn)
            return await queries.dispatch(conn)

    _say(with_services(given.settings(), work))


def _say(dispatch: queries.Dispatch) -> None:
    print(f"{dispatch.state}: {dispatch.reason}" if dispatch.reason else dispatch.state)
