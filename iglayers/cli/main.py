"""The command `iglayers`: every command by its name and a line; the code of one is imported when it is called.

All of it together takes a second to import, which nobody should wait for who asks for help or presses Tab.
"""

from importlib import import_module
from typing import Any, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_group

from iglayers.cli.root import root

HERE, CALLS = "On this machine", "Through the API (IGLAYERS_API_KEY, IGLAYERS_URL)"


class Entry(NamedTuple):
    """Where a command or a group of them stands, and the line that the list of commands shows of it."""

    name: str
    module: str
    line: str
    panel: str = HERE


ENTRIES = (
    Entry("serve", "serve", "Database, API, dashboard and worker on this machine, until Ctrl-C."),
    Entry("api", "parts_api", "The API and the dashboard alone."),
    Entry("worker", "parts_worker", "A worker alone: sends what is due and reads what came in. Any number may run."),
    Entry("migrate", "migrate", "Bring the database to the schema of this version."),
    Entry("doctor", "doctor", "Show every setting with its source, and say what is wrong; ends with 1 if anything is."),
    Entry("backup", "backup", "Write the whole database to a file, while everything runs."),
    Entry("restore", "backup", "Fill an empty database from a backup. Dispatch stays paused."),
    Entry("keys", "keys", "API keys."),
    Entry("users", "users", "People who log in to the dashboard."),
    Entry("senders", "senders", "Instagram accounts that write."),
    Entry("workspaces", "workspaces", "Separate worlds of one installation."),
    Entry("dispatch", "dispatch", "Whether this installation sends at all."),
    Entry("audit", "audit", "Proof of what was done."),
    Entry("clients", "client_clients", "Brands that campaigns are run for.", CALLS),
    Entry("templates", "client_templates", "Texts of messages, with variables.", CALLS),
    Entry("campaigns", "client_campaigns", "Make, start, watch and stop campaigns.", CALLS),
    Entry("targets", "client_targets", "People of a campaign.", CALLS),
    Entry("results", "client_results", "Show or write what became of everybody in a campaign.", CALLS),
    Entry("replies", "client_people", "What people answered.", CALLS),
    Entry("contacts", "client_people", "Everything known of one person.", CALLS),
    Entry("messages", "client_messages", "What went out, and what nobody knows of.", CALLS),
    Entry("conversations", "client_conversations", "Whoever said something, and your answers.", CALLS),
    Entry("suppressions", "client_people", "People who must not be written to.", CALLS),
    Entry("webhooks", "client_webhooks", "Endpoints that are told what happens.", CALLS),
    Entry("usage", "client_people", "Show the month: what is sent, what is left, by client and by sender.", CALLS),
    Entry("me", "client_people", "Show whose key this is: workspace, mode, scopes.", CALLS),
)


class Commands(TyperGroup):
    """Lists every command by its line, and brings in the one that is called."""

    def __init__(self, **attrs: Any) -> None:  # noqa: ANN401 Typer's own
        super().__init__(**attrs)
        for each in ENTRIES:
            self.commands[each.name] = TyperCommand(each.name, help=each.line, rich_help_panel=each.panel)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:  # noqa: ANN401 Typer's own
        self.bring_in(args[0])
        return super().resolve_command(ctx, args)

    def bring_in(self, name: str) -> None:
        """Put the command in the place of its line; nothing where there is none of this name."""
        for each in ENTRIES:
            if each.name == name:
                group = typer.Typer()
                import_module(f"iglayers.cli.{each.module}").add(group)
                self.commands[name] = get_group(group).commands[name]


FIRST_CAMPAIGN = """
A first campaign, in the test workspace, where nobody is written to:

1. iglayers serve, which goes on; what follows in another terminal
2. export IGLAYERS_API_KEY=$(iglayers keys create --name me --mode test)
3. iglayers senders add --username acme.outreach --transport sandbox
4. iglayers clients create --name Acme
5. iglayers templates create --name Intro --body 'Hi {{firstName|there}}'
6. iglayers campaigns create --name Spring --client cl_… --template tpl_…
7. iglayers targets upload people.csv --campaign cmp_…
8. iglayers campaigns preflight cmp_…
9. iglayers campaigns start cmp_… --wait
10. iglayers results --campaign cmp_… -o results.csv

With --mode live keys and senders write to people: senders connect, or --transport assisted for people who send by hand.
"""

app = typer.Typer(
    name="iglayers", cls=Commands, no_args_is_help=True, pretty_exceptions_enable=False, epilog=FIRST_CAMPAIGN
)
app.callback()(root)
