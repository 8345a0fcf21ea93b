"""What every command that calls the API shares: its options, its key, and refusals as one clear line.

Exit codes: 0 fine, 1 refused or failed, 2 called wrongly, 3 done in part.
"""

import inspect
import json
import os
import re
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import closing
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from iglayers.cli.client_output import Output, printable
from iglayers.sdk import Api, ApiError, Refused
from iglayers.sdk.calls import DEFAULT_URL

INTERRUPTED = 130
PATIENCE_S = 60.0
_CALL = re.compile(r"POST /(campaigns|senders)/\{id\}/(\w+)")
_GENERAL_ADVICE = "field named in param"

AsJson = Annotated[bool, typer.Option("--json", help="JSON, also on a terminal; it is the default when piped.")]
Url = Annotated[str | None, typer.Option(help=f"Where the API is (IGLAYERS_URL, else {DEFAULT_URL}).")]
Limit = Annotated[int | None, typer.Option(min=1, help="The most to show; 50 on a terminal, all when piped.")]


class Session:
    """The API, and the output that this call wants."""

    def __init__(self, api: Api, out: Output) -> None:
        self.api: Api = api
        self.out: Output = out

    def show_list(self, path: str, columns: Sequence[str], *, limit: int | None, **query: object) -> None:
        """Print a list of the API, newest first."""
        most = self.out.most(limit)
        self.out.items(self.api.every(path, query, most=most), columns, limit=limit)


def client_command(group: typer.Typer, name: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make a function that takes a Session first a command: it gets --url and --json."""

    def register(function: Callable[..., None]) -> Callable[..., None]:
        @wraps(function)
        def run(url: str | None, *, as_json: bool, **options: object) -> None:
            try:
                with closing(_api(url)) as api:
                    function(Session(api, Output(as_json=as_json)), **options)
            except (ApiError, OSError) as error:
                if isinstance(error, BrokenPipeError):
                    raise
                print(f"iglayers: {printable(_explained(error, options))}", file=sys.stderr)
                raise typer.Exit(1) from None
            except KeyboardInterrupt:
                raise typer.Exit(INTERRUPTED) from None

        setattr(run, "__signature__", _with_shared_options(function))  # noqa: B010 not an attribute of the type
        return group.command(name)(run)

    return register


def present(**fields: object) -> dict[str, object]:
    """The body of a call: fields that were given, by their names in the API (`daily_limit` is dailyLimit)."""
    return {_camel(name): item for name, item in fields.items() if item not in (None, [])}


def metadata(text: str | None) -> dict[str, Any] | None:
    """What --metadata holds: a JSON object."""
    return None if text is None else _object(text, "--metadata")


def text_of(file: Path, option: str) -> str:
    """A file's text, `-` for standard input."""
    try:
        return sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise typer.BadParameter(f"{file} cannot be read: {error}.", param_hint=option) from None


def object_of(file: Path | None, option: str) -> dict[str, Any]:
    """A file that holds one JSON object; empty without a file."""
    return {} if file is None else _object(text_of(file, option), option)


def _object(text: str, option: str) -> dict[str, Any]:
    try:
        found: object = json.loads(text)
    except ValueError as error:
        raise typer.BadParameter(f"is no JSON: {error}.", param_hint=option) from None
    if not isinstance(found, dict):
        raise typer.BadParameter('must be a JSON object, such as {"tier": 1}.', param_hint=option)
    return cast("dict[str, Any]", found)


def _api(url: str | None, environ: Mapping[str, str] = os.environ) -> Api:
    key = environ.get("IGLAYERS_API_KEY", "").strip()
    if not key:
        raise ApiError(
            "IGLAYERS_API_KEY is not set.",
            remedy="Make a key on the server, and keep it: export IGLAYERS_API_KEY=$(iglayers keys create --name me)",
        )
    where = url or environ.get("IGLAYERS_URL", "").strip() or DEFAULT_URL
    return Api(where, key, patience_s=PATIENCE_S)


def _explained(error: Exception, options: Collection[str]) -> str:
    if isinstance(error, Refused) and error.code == "invalid_api_key":
        return f"{error.message} Set IGLAYERS_API_KEY to one that was made there: iglayers keys create --name me"
    if not isinstance(error, Refused) or error.param is None:
        return _CALL.sub(r"iglayers \1 \2 ID", str(error))
    option, is_general = option_of(error.param), _GENERAL_ADVICE in error.remedy
    known = {name.rstrip("_").replace("_", "-") for name in options}
    if option in known and (is_general or error.code.endswith("_not_found")):
        return f"{error.message} Correct --{option}."
    return error.message if is_general else _CALL.sub(r"iglayers \1 \2 ID", str(error))


_OPTION_OF = {
    "schedule.timezone": "timezone", "schedule.windows": "window", "schedule.startAt": "start-at",
    "schedule.endAt": "end-at", "followUps": "follow-up",
}  # fmt: skip


def option_of(param: str) -> str:
    """The option behind a field of the API: client for clientId, daily-limit for dailyLimit."""
    for field, option in _OPTION_OF.items():
        if re.match(rf"{re.escape(field)}(?![A-Za-z])", param):
            return option
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "-", re.split(r"[\[.]", param)[0]).lower()
    return re.sub(r"-ids?$", "", words).removeprefix("message-")


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)


def _with_shared_options(function: Callable[..., None]) -> inspect.Signature:
    keyword = inspect.Parameter.KEYWORD_ONLY
    own = list(inspect.signature(function).parameters.values())[1:]
    return inspect.Signature(
        [
            *(each.replace(kind=keyword) for each in own),
            inspect.Parameter("url", keyword, default=None, annotation=Url),
            inspect.Parameter("as_json", keyword, default=False, annotation=AsJson),
        ]
    )
