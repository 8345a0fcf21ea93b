"""`targets`: the people of a campaign, uploaded from a file and looked at one by one."""

from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from typing import Annotated, Any

import typer

from iglayers.cli.client import Limit, Session, client_command
from iglayers.cli.client_output import note, progress
from iglayers.cli.client_upload import Chunk, Tally, chunks_of, upload_chunk
from iglayers.core.csv_text import write_rows
from iglayers.sdk import ApiError, segment

COLUMNS = ("id", "instagramUsername", "fullName", "status", "errorCode", "sentAt", "repliedAt", "nextDueAt")
REJECT_COLUMNS = ("line", "instagramUsername", "code", "reason")
# Rejected rows that a terminal shows; --rejects has all.
REJECTS_SHOWN = 20
PARTLY = 3

CampaignId = Annotated[str, typer.Option("--campaign", help="Id of the campaign (campaigns list).")]


def add(group: typer.Typer) -> None:
    targets = typer.Typer(name="targets", help="People of a campaign.", no_args_is_help=True)
    client_command(targets, "upload")(upload)
    client_command(targets, "list")(list_all)
    client_command(targets, "show")(show)
    group.add_typer(targets)


def upload(
    session: Session,
    file: Annotated[Path, typer.Argument(help="A .csv with the column instagramUsername, or a .json with objects.")],
    *,
    campaign: CampaignId,
    rejects: Annotated[Path | None, typer.Option(help="A CSV file for the rejected rows and their reasons.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check every row, store nothing.")] = False,
) -> None:
    """Upload people. Ends with 3 if some rows were rejected, with 1 if all were. Doing it again adds nobody twice.

    Columns: instagramUsername, profileUrl, fullName, firstName, category, followerCount; any other column is a
    variable for templates.
    """
    tally = Tally()
    chunks, total = chunks_of(file)
    with progress(f"Uploading {file.name}") as move:
        for chunk in chunks:
            _upload(session, campaign, chunk, tally, dry_run=dry_run)
            move(chunk.end, total, f"{file.name}: {tally.accepted} accepted, {len(tally.rejects)} rejected")
    if rejects is not None:
        _write(rejects, tally.rejects)
    _report(session, tally, rejects=rejects, dry_run=dry_run)
    if tally.rejects:
        raise typer.Exit(PARTLY if tally.accepted else 1)


def list_all(
    session: Session,
    *,
    campaign: CampaignId,
    status: Annotated[str | None, typer.Option(help="queued, sent, replied, failed, skipped, unknown, …")] = None,
    limit: Limit = None,
) -> None:
    """List the people of a campaign, newest first."""
    session.show_list(_path(campaign), COLUMNS, limit=limit, status=status)


def show(
    session: Session,
    target: Annotated[str, typer.Argument(help="Its id, such as tgt_01890a5d…")],
    *,
    campaign: CampaignId,
) -> None:
    """Tell one person's story: what happened, and why it stands where it stands."""
    found = session.api.get(f"{_path(campaign)}/{segment(target)}")
    if not session.out.is_table:
        session.out.one(found)
        return
    session.out.one(found, leave_out=("explanation", "timeline"))
    told = found["explanation"]
    session.out.say("", told["reason"], *([f"  {told['remedy']}"] if told.get("remedy") else []))
    session.out.table(found["timeline"], ("at", "type", "actor", "senderUsername", "text", "reason"))


def _upload(session: Session, campaign: str, chunk: Chunk, tally: Tally, *, dry_run: bool) -> None:
    try:
        upload_chunk(session.api, _path(campaign), chunk, tally, dry_run=dry_run)
    except ApiError:
        if tally.accepted and not dry_run:
            note(f"{tally.accepted} rows before this were accepted. Upload the file again: nobody is added twice.")
        raise


def _report(session: Session, tally: Tally, *, rejects: Path | None, dry_run: bool) -> None:
    if not session.out.is_table:
        session.out.one({"accepted": tally.accepted, "rejected": len(tally.rejects), "rejects": tally.rejects})
        return
    verb = "would be accepted" if dry_run else "accepted"
    session.out.say(f"{tally.accepted} {verb}, {len(tally.rejects)} rejected.")
    if rejects is None and tally.rejects:
        session.out.table(tally.rejects[:REJECTS_SHOWN], REJECT_COLUMNS)
        if len(tally.rejects) > REJECTS_SHOWN:
            note(f"These are the first {REJECTS_SHOWN}; --rejects FILE writes all.")


def _write(file: Path, rejects: Iterable[dict[str, Any]]) -> None:
    rows = ([each[name] for name in REJECT_COLUMNS] for each in rejects)
    file.write_bytes(write_rows(chain([REJECT_COLUMNS], rows)))


def _path(campaign: str) -> str:
    return f"/campaigns/{segment(campaign)}/targets"
