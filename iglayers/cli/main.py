"""The command `iglayers`: puts the groups of commands together."""

import typer

from iglayers.cli import audit, dispatch, doctor, keys, migrate, parts, senders, serve, users, workspaces
from iglayers.cli.options import root

app = typer.Typer(name="iglayers", no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False)
app.callback()(root)
for each in (serve, parts, migrate, doctor, keys, users, senders, workspaces, dispatch, audit):
    each.add(app)
