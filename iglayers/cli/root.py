"""`iglayers` before any command: options of every command line, with nothing imported that takes time."""

from pathlib import Path
from typing import Annotated

import typer

from iglayers import __version__

DataDir = Annotated[
    Path | None,
    typer.Option(help="Folder of the embedded database and of what this machine keeps (IGLAYERS_DATA_DIR)."),
]
DatabaseUrl = Annotated[
    str | None,
    typer.Option(help="A PostgreSQL of your own, 15 or newer (IGLAYERS_DATABASE_URL)."),
]


def _say_version(asked: bool) -> None:  # noqa: FBT001 as Typer calls it
    if asked:
        print(f"iglayers {__version__}")
        raise typer.Exit


Version = Annotated[
    bool, typer.Option("--version", is_eager=True, callback=_say_version, help="Show the version and exit.")
]


def root(
    context: typer.Context,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    *,
    version: Version = False,  # noqa: ARG001 taken by its callback
) -> None:
    """Instagram creator outreach: campaigns, limits, results and signed webhooks over a REST API."""
    context.obj = {"data_dir": data_dir, "database_url": database_url}
