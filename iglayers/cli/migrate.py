"""`migrate`: the newest schema, without opening the installation; it needs no secret key."""

import asyncio

import typer

from iglayers.cli import installation
from iglayers.cli.options import Given, command


def add(group: typer.Typer) -> None:
    command(group, "migrate")(migrate)


def migrate(given: Given) -> None:
    """Bring the database to the schema of this version."""
    settings = given.settings()
    with installation.database(settings) as database:
        applied = asyncio.run(installation.migrated(settings, database.url))
    print("\n".join(f"Applied {name}" for name in applied) or "The database is up to date.")
