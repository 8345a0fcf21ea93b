"""`audit duplicates`: the product proves that it wrote to nobody twice, or says to whom and who decided it."""

from typing import Annotated

import msgspec
import typer

from iglayers.accounts.services import Services
from iglayers.cli.installation import with_services
from iglayers.cli.options import Given, command
from iglayers.core.wire import json_bytes
from iglayers.reports import queries_audit as queries
from iglayers.reports.queries_audit import DeliveredTwice, StoredTwice, WrittenTwice


class Findings(msgspec.Struct, frozen=True):
    """What the three questions found, and how many messages were looked at."""

    checked: int
    written_twice: list[WrittenTwice]
    stored_twice: list[StoredTwice]
    delivered_twice: list[DeliveredTwice]

    def count(self) -> int:
        return len(self.written_twice) + len(self.stored_twice) + len(self.delivered_twice)


def add(group: typer.Typer) -> None:
    audit = typer.Typer(name="audit", help="Proof of what was done.", no_args_is_help=True)
    command(audit, "duplicates")(duplicates)
    group.add_typer(audit)


def duplicates(
    given: Given,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="JSON, with every id.")] = False,
) -> None:
    """Look for anybody written to twice; ends with 1 if anybody was."""
    findings = with_services(given.settings(), _look)
    if as_json:
        print(json_bytes(findings).decode())
    else:
        print("\n".join(_lines(findings)))
    if findings.count() > 0:
        raise typer.Exit(1)


async def _look(services: Services) -> Findings:
    async with services.db.connection() as conn:
        return Findings(
            checked=await queries.counted(conn),
            written_twice=await queries.written_twice(conn),
            stored_twice=await queries.stored_twice(conn),
            delivered_twice=await queries.delivered_twice(conn),
        )


def _lines(findings: Findings) -> list[str]:
    if findings.count() == 0:
        return [f"Nobody was written to twice: {findings.checked} messages looked at."]
    lines = [f"{findings.count()} findings in {findings.checked} messages."]
    for each in findings.written_twice:
        whose = f"contact {each.contact_id}, client {each.client_id}, step {each.step}"
        decided = f"; decided by {', '.join(each.decided_by)}" if each.decided_by else ""
        sent = ", ".join(f"{message} {state}" for message, state in zip(each.messages, each.states, strict=True))
        lines.append(f"Written to {len(each.messages)} times: {whose}: {sent}{decided}")
    lines += [
        f"One provider id in {len(each.messages)} messages: {', '.join(map(str, each.messages))}"
        for each in findings.stored_twice
    ]
    for each in findings.delivered_twice:
        logged = ", ".join(map(str, each.sandbox_messages))
        if each.step is None:
            lines.append(f"Delivered by the sandbox {each.count} times, and not in the ledger: {logged}")
        else:
            whose = f"contact {each.contact_id}, client {each.client_id}, step {each.step}"
            lines.append(f"Delivered by the sandbox {each.count} times: {whose}: {logged}")
    return lines
