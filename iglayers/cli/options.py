"""What every command shares: the options that say which installation is meant, and refusals as one clear line."""

import inspect
import re
import sys
from collections.abc import Callable, Collection
from functools import wraps
from pathlib import Path
from typing import Any, cast

import typer

from iglayers.cli.installation import InstallationError
from iglayers.cli.root import DatabaseUrl, DataDir
from iglayers.core import config, log
from iglayers.core.config import Settings, SettingsError
from iglayers.core.crypto import SecretKeyError
from iglayers.core.embedded import EmbeddedPostgresError
from iglayers.core.errors import Error
from iglayers.core.migrate import MigrationError

REFUSALS = (SettingsError, SecretKeyError, MigrationError, EmbeddedPostgresError, InstallationError)
_INTERRUPTED = 130


class Given:
    """The settings that the command line names; they win over the environment."""

    def __init__(self, **overrides: object) -> None:
        self.overrides: dict[str, object] = {name: item for name, item in overrides.items() if item is not None}

    def settings(self, **more: object) -> Settings:
        """All settings; logging is set up by them."""
        settings = config.load(None, **(self.overrides | more))
        log.configure(settings.log_level)
        return settings


def command(group: typer.Typer, name: str | None = None) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make a function that takes Given first a command: it gets the shared options, and refusals end it with 1."""

    def register(function: Callable[..., None]) -> Callable[..., None]:
        @wraps(function)
        def run(
            context: typer.Context,
            data_dir: Path | None,
            database_url: str | None,
            **options: Any,  # noqa: ANN401 each command has its own
        ) -> None:
            given = Given(**_of_root(context))
            given.overrides |= Given(data_dir=data_dir, database_url=database_url).overrides
            try:
                function(given, **options)
            except (*REFUSALS, Error) as error:
                fail(error, options)
            except KeyboardInterrupt:
                raise typer.Exit(_INTERRUPTED) from None

        setattr(run, "__signature__", _with_shared_options(function))  # noqa: B010 not an attribute of the type
        return group.command(name)(run)

    return register


def _of_root(context: typer.Context) -> dict[str, object]:
    return cast("dict[str, object]", context.find_root().obj or {})


def fail(error: Exception, options: Collection[str]) -> None:
    """Say what is wrong and what to do, and end with 1."""
    print(f"iglayers: {_explained(error, options)}", file=sys.stderr)
    raise typer.Exit(1) from None


def _explained(error: Exception, options: Collection[str]) -> str:
    if not isinstance(error, Error):
        return str(error)
    if error.param is not None and error.next_step == type(error).remedy:
        option = _option(error.param)
        return f"{error.message} Correct --{option}." if option.replace("-", "_") in options else error.message
    return f"{error.message} {error.next_step}".strip()


def _option(param: str) -> str:
    """The option behind a field of the API: client for clientId, min-gap-seconds for minGapSeconds."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "-", param.partition("[")[0]).lower()
    return re.sub(r"-(ids?|at)$", "", words)


def _with_shared_options(function: Callable[..., None]) -> inspect.Signature:
    keyword = inspect.Parameter.KEYWORD_ONLY
    own = list(inspect.signature(function).parameters.values())[1:]
    return inspect.Signature(
        [
            inspect.Parameter("context", keyword, annotation=typer.Context),
            *(each.replace(kind=keyword) for each in own),
            inspect.Parameter("data_dir", keyword, default=None, annotation=DataDir),
            inspect.Parameter("database_url", keyword, default=None, annotation=DatabaseUrl),
        ]
    )
