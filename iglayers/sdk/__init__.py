"""The HTTP API for Python programs: `Api(url, key)`, its exceptions, and nothing but the standard library below."""

from iglayers.sdk.calls import Api, JsonObject
from iglayers.sdk.errors import ApiError, Refused, Unreachable
from iglayers.sdk.wire import segment

__all__ = ["Api", "ApiError", "JsonObject", "Refused", "Unreachable", "segment"]
