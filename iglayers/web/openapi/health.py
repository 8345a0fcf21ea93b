"""What needs no key: the description itself, and the health of the server."""

import msgspec

from iglayers.web.openapi.operation import Section, read


class Live(msgspec.Struct):
    """The process answers."""

    status: str


class Ready(msgspec.Struct, rename="camel"):
    """The database answers too; `dispatch` says whether sending is on."""

    status: str
    dispatch: str
    dispatch_reason: str | None


SERVER = Section(
    "Server",
    "No key needed.",
    [
        read("/api/v1/openapi.json", "openapi_document", "Read this description", dict, scope=None),
        read("/healthz", "live", "Whether the process lives", Live, scope=None),
        read(
            "/readyz", "ready", "Whether the server can do its work", Ready, scope=None, codes=("unavailable",),
        ),
        read(
            "/metrics", "metrics", "Read the metrics", None, scope=None, codes=("invalid_api_key", "unavailable"),
            files={"text/plain": "iglayers_webhook_oldest_due_seconds 0.0\n"},
            note="Prometheus text, for loopback; or for the token of `IGLAYERS_METRICS_TOKEN`, where that is set.",
        ),
    ],
)  # fmt: skip
