"""Structured logs: one line an event, JSON unless a terminal reads it, secrets masked, controls escaped."""

import logging
import re
import sys
import time
import traceback
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import suppress
from typing import TextIO, cast

import asyncpg
import structlog

_SECRETS = re.compile(r"(sk_(?:live|test)_|whsec_)[A-Za-z0-9+/=_-]{4,}")
# A database that is away fails every loop of a worker many times a second.
_REPEATS_WITHIN_S = 10.0
_MOST_REMEMBERED = 1_000

Event = MutableMapping[str, object]


def configure(level: str) -> None:
    """Set up logging for this process; everything goes to standard error."""
    number = logging.getLevelNamesMapping()[level.upper()]
    render: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer() if sys.stderr.isatty() else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            Repeats(),
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.ExceptionRenderer(traceback_without_values),
            mask_secrets,
            render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(cast("TextIO", StandardError())),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(handlers=[OfLibraries()], level=max(number, logging.WARNING), force=True)
    # Its pool tells of every attempt to connect again; whoever needs a connection tells of that too.
    logging.getLogger("asyncpg").setLevel(logging.ERROR)


def mask_secrets(_logger: object, _method: str, event: Event) -> Event:
    """Keys and webhook secrets never reach a log, wherever they stand in a line."""
    for name, value in event.items():
        if isinstance(value, str):
            event[name] = _SECRETS.sub(r"\1***", value)
    return event


def traceback_without_values(exc_info: structlog.typing.ExcInfo) -> str:
    """A traceback in which PostgreSQL and its driver quote no rows and no values: texts of messages may stand there."""
    text = "".join(traceback.format_exception(*exc_info)).rstrip("\n")
    for error in _of_the_database(exc_info[1]):
        # Its message names tables and rules, its detail quotes the row; errors of data quote in the message.
        state = str(getattr(error, "sqlstate", None))
        told = f"SQLSTATE {state}" if state.startswith("22") else str(error.args[0])
        said = r"\n[ |]*".join(re.escape(line) for line in str(error).split("\n"))  # groups are drawn with a margin
        text = re.sub(said, lambda _, told=told: told, text)
    return text


def _of_the_database(error: BaseException | None) -> Iterator[asyncpg.PostgresError]:
    """All of them in a chain of causes and groups."""
    if error is None:
        return
    if isinstance(error, asyncpg.PostgresError):
        yield error
    if isinstance(error, BaseExceptionGroup):
        for each in cast("BaseExceptionGroup[BaseException]", error).exceptions:
            yield from _of_the_database(each)
    yield from _of_the_database(error.__cause__ or error.__context__)


class Repeats:
    """Writes a warning that comes again and again once in ten seconds, and then how often it was held back."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock: Callable[[], float] = clock
        # By the whole line: when it was written, and how often it came since.
        self._seen: dict[str, tuple[float, int]] = {}

    def __call__(self, _logger: object, method: str, event: Event) -> Event:
        if method != "warning":
            return event
        line, now = repr(sorted(event.items())), self._clock()
        written_at, held_back = self._seen.get(line, (float("-inf"), 0))
        if now < written_at + _REPEATS_WITHIN_S:
            self._seen[line] = (written_at, held_back + 1)
            raise structlog.DropEvent
        if len(self._seen) >= _MOST_REMEMBERED:
            self._seen.clear()
        self._seen[line] = (now, 0)
        return {**event, "repeated": held_back} if held_back else event


class StandardError:
    """Where lines go; a terminal that was closed or a full disk ends nobody's work."""

    def write(self, text: str) -> None:
        with suppress(OSError):
            sys.stderr.write(text)

    def flush(self) -> None:
        with suppress(OSError):
            sys.stderr.flush()


class OfLibraries(logging.Handler):
    """Passes on what libraries log in their own way, so that every line has one form."""

    def emit(self, record: logging.LogRecord) -> None:
        structlog.get_logger(record.name).log(
            record.levelno, "library.said", library=record.name, text=record.getMessage(), exc_info=record.exc_info
        )
