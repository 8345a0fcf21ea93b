"""Structured logs: one line an event, JSON unless a terminal reads it, secrets masked, controls escaped."""

import logging
import re
import sys
from collections.abc import MutableMapping

import structlog

_SECRETS = re.compile(r"(sk_(?:live|test)_|whsec_)[A-Za-z0-9+/=_-]{4,}")


def configure(level: str) -> None:
    """Set up logging for this process; everything goes to standard error."""
    render: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer() if sys.stderr.isatty() else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            mask_secrets,
            render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


def get(name: str) -> structlog.typing.FilteringBoundLogger:
    return structlog.get_logger(logger=name)


def mask_secrets(_logger: object, _method: str, event: MutableMapping[str, object]) -> MutableMapping[str, object]:
    """Keys and webhook secrets never reach a log, wherever they stand in a line."""
    for name, value in event.items():
        if isinstance(value, str):
            event[name] = _SECRETS.sub(r"\1***", value)
    return event
