"""`results`: what became of everybody, as a table, a file or a stream."""

import json
import os
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from iglayers.cli.client import Limit, Session, client_command
from iglayers.cli.client_output import Bar, note, progress
from iglayers.sdk import Api, segment

Query = dict[str, str | None]

COLUMNS = ("instagramUsername", "status", "reason", "senderUsername", "sentAt", "repliedAt", "lastReply")


class Shape(StrEnum):
    CSV = "csv"
    JSON = "json"
    NDJSON = "ndjson"


def add(group: typer.Typer) -> None:
    client_command(group, "results")(results)


def results(  # noqa: PLR0913 an option a setting
    session: Session,
    *,
    campaign: Annotated[str, typer.Option(help="Id of the campaign (campaigns list).")],
    format_: Annotated[
        Shape | None, typer.Option("--format", help="csv, json or ndjson; by the ending of the file without.")
    ] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="A file, written when it is whole.")] = None,
    status: Annotated[str | None, typer.Option(help="Only these, with commas: replied,failed")] = None,
    updated_since: Annotated[str | None, typer.Option(help="Only what changed since 2026-05-01T09:00:00Z.")] = None,
    limit: Limit = None,
) -> None:
    """Show or write what became of everybody in a campaign."""
    path = f"/campaigns/{segment(campaign)}/results"
    query: Query = {"status": status, "updatedSince": updated_since}
    if format_ is None and output is None:
        session.show_list(path, COLUMNS, limit=limit, **query)
        return
    if limit is not None:
        raise typer.BadParameter("a file holds everybody.", param_hint="--limit")
    shape = format_ or _by_ending(output)
    pieces = _as_json(session.api, path, query) if shape is Shape.JSON else session.api.download(
        path, format=shape.value, **query
    )  # fmt: skip
    if output is None or str(output) == "-":
        _pour(pieces, sys.stdout.buffer)
        return
    if not output.parent.is_dir():
        raise typer.BadParameter(f"there is no folder {output.parent}.", param_hint="--output")
    with _whole(output) as file, progress(f"Writing {output.name}") as move:
        _pour(_counted(pieces, move), file)
    note(f"Written to {output}.")


def _by_ending(output: Path | None) -> Shape:
    ending = output.suffix.removeprefix(".").lower() if output else ""
    if ending not in set(Shape):
        raise typer.BadParameter("the file's ending is none of .csv, .json, .ndjson.", param_hint="--format")
    return Shape(ending)


def _as_json(api: Api, path: str, query: Query) -> Generator[bytes]:
    """One document of all pages: campaign, summary and data."""
    first = api.get(path, limit=1, **query)
    yield json.dumps({"campaign": first["campaign"], "summary": first["summary"]}, ensure_ascii=False)[:-1].encode()
    before = ', "data": ['
    for row in api.every(path, query):
        yield f"{before}\n{json.dumps(row, ensure_ascii=False)}".encode()
        before = ","
    yield b"]}\n" if before == "," else f"{before}]}}\n".encode()


def _pour(pieces: Iterator[bytes], file: BinaryIO) -> None:
    file.writelines(pieces)
    file.flush()


def _counted(pieces: Iterator[bytes], move: Bar) -> Generator[bytes]:
    size = 0
    for piece in pieces:
        yield piece
        size += len(piece)
        move(size, None)


@contextmanager
def _whole(output: Path) -> Generator[BinaryIO]:
    """A file that takes its name when everything is in it: what broke off leaves the old one as it was."""
    if output.exists() and not output.is_file():
        with output.open("wb") as file:  # a pipe or a device
            yield file
        return
    part = output.with_name(f".{output.name}.{os.getpid()}.part")
    try:
        with part.open("xb") as file:
            yield file
        part.replace(output)
    finally:
        part.unlink(missing_ok=True)
