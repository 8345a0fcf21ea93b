"""A file of people in the parts that one call takes, with each refusal traced back to its place in the file."""

import json
import re
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

import typer

from iglayers.core.csv_text import read_head, read_part
from iglayers.core.errors import Invalid
from iglayers.sdk import Api, ApiError, Refused

# Of one call: 10,000 rows, 10 MiB with the header.
MOST_ROWS = 10_000
MOST_BYTES = 8 << 20
_LINE = re.compile(r"\b([Ll]ine )(\d+)")
_INDEX = re.compile(r"\b(targets\[)(\d+)")


class Chunk(NamedTuple):
    """The rows of one call. `skipped`: lines or objects of the file that stand before them and not in the call.

    `end`: how far in the file it reaches, in bytes or objects.
    """

    body: bytes | dict[str, Any]
    skipped: int
    end: int


class Tally:
    """What became of the rows so far."""

    def __init__(self) -> None:
        self.accepted: int = 0
        self.rejects: list[dict[str, Any]] = []


def chunks_of(file: Path) -> tuple[Iterator[Chunk], int]:
    """The parts of a CSV or JSON file, and its size as `Chunk.end` counts it."""
    if not file.is_file():
        raise typer.BadParameter(f"{file} is no file.", param_hint="FILE")
    if file.suffix.lower() == ".json":
        rows = _rows(file)
        return _of_rows(rows), len(rows)
    return _of_csv(file), file.stat().st_size


def upload_chunk(api: Api, path: str, chunk: Chunk, tally: Tally, *, dry_run: bool) -> None:
    """Upload one part and count its rows; Refused when the refusal is not about single rows."""
    query = {"results": "rejected", "dryRun": dry_run or None}
    try:
        if isinstance(chunk.body, bytes):
            answer = api.post_csv(path, chunk.body, **query)
        else:
            answer = api.post(path, chunk.body, **query)
    except Refused as error:
        if "results" not in error.body:
            raise
        answer = error.body  # no row of this part was accepted
    tally.accepted += answer["accepted"]
    tally.rejects += [_reject(each, chunk.skipped) for each in answer["results"]]


def _reject(result: dict[str, Any], skipped: int) -> dict[str, Any]:
    error, line = result["error"], result.get("line")
    return {
        "line": skipped + (line if line is not None else result["index"] + 1),
        "instagramUsername": result["instagramUsername"],
        "code": error["code"],
        "reason": _moved(error["message"], skipped),
    }


def _moved(text: str, by: int) -> str:
    """A message of the server, which counts within one call, as it would be for the whole file."""
    for place in (_LINE, _INDEX):
        text = place.sub(lambda found: f"{found[1]}{int(found[2]) + by}", text)
    return text


def _of_csv(file: Path) -> Generator[Chunk]:
    """Cut between rows by the reader that the server has, so that both see the same rows."""
    size = file.stat().st_size
    with file.open("rb") as opened:
        piece = opened.read(MOST_BYTES)
        try:
            head = read_head(piece, is_last=len(piece) == size)
        except Invalid as error:
            raise ApiError(f"{file}: {error.message}", remedy=error.next_step) from None
        header, start, line = piece[: head.bytes_read], head.bytes_read, head.next_line
        if start == size:
            yield Chunk(header, 0, size)  # no rows: the server says what is wrong with that
        while start < size:
            piece = _piece(opened, start)
            part = read_part(piece, head._replace(next_line=line), most=MOST_ROWS, is_last=start + len(piece) >= size)
            if part.bytes_read == 0:
                raise ApiError(f"{file}, line {line}: a row is longer than {MOST_BYTES >> 20} MiB.")
            start += part.bytes_read
            if part.rows:
                yield Chunk(header + piece[: part.bytes_read], line - head.next_line, start)
            line = part.next_line


def _piece(opened: BinaryIO, start: int) -> bytes:
    opened.seek(start)
    return opened.read(MOST_BYTES)


def _rows(file: Path) -> list[object]:
    try:
        found: object = json.loads(file.read_bytes())
    except ValueError as error:
        raise ApiError(f"{file} is no JSON: {error}.") from None
    if isinstance(found, dict):
        found = cast("dict[str, object]", found).get("targets")
    if not isinstance(found, list):
        raise ApiError(f"{file} must hold a list of targets, or an object with targets.")
    return cast("list[object]", found)


def _of_rows(rows: list[object]) -> Generator[Chunk]:
    begin, size = 0, 0
    for index, row in enumerate(rows):
        size += len(json.dumps(row)) + 2
        if index > begin and (index - begin == MOST_ROWS or size > MOST_BYTES):
            yield Chunk({"targets": rows[begin:index]}, begin, index)
            begin, size = index, len(json.dumps(row)) + 2
    yield Chunk({"targets": rows[begin:]}, begin, len(rows))
