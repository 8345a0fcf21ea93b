"""`users create`: somebody who can log in to the dashboard. The password never stands in the arguments."""

import sys
from typing import Annotated

import typer

from iglayers.accounts import actions as accounts
from iglayers.accounts.services import Services
from iglayers.cli.installation import with_services
from iglayers.cli.options import Given, command
from iglayers.core.errors import MissingField
from iglayers.core.ids import UserId


def add(group: typer.Typer) -> None:
    users = typer.Typer(name="users", help="People who log in to the dashboard.", no_args_is_help=True)
    command(users, "create")(create)
    group.add_typer(users)


def create(
    given: Given,
    email: Annotated[str, typer.Option(help="What the person logs in with.")],
    *,
    password_stdin: Annotated[bool, typer.Option("--password-stdin", help="Read it from standard input.")] = False,
) -> None:  # fmt: skip
    """Make a user, member of every workspace. The password is asked for."""
    password = _password(from_stdin=password_stdin)

    async def work(services: Services) -> UserId:
        async with services.db.transaction() as conn:
            return await accounts.create_user(conn, email=email, password=password)

    print(with_services(given.settings(), work))


def _password(*, from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise MissingField(
            "There is no terminal to ask for the password.", remedy="Give it on standard input: --password-stdin."
        )
    return typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
