"""The seven kinds of refusal. Slices subclass one and give it a stable code; `web/problems.py` turns kinds into HTTP.

Anything that is not an Error is a bug and leaves as `internal_error`.
"""

from typing import ClassVar


class Error(Exception):
    """A refusal that a caller can understand: a code, a sentence, the field, and what to do next."""

    code: ClassVar[str]
    remedy: ClassVar[str] = ""

    def __init__(
        self,
        message: str,
        *,
        param: str | None = None,
        remedy: str | None = None,
        details: dict[str, object] | None = None,
    ) -> None:
        super().__init__(message)
        self.message: str = message
        self.param: str | None = param
        self.next_step: str = remedy if remedy is not None else self.remedy
        self.details: dict[str, object] = details or {}


class Invalid(Error):
    code = "invalid_field"
    remedy = "Correct the field named in param and send the request again."


class MissingField(Invalid):
    code = "missing_required_field"
    remedy = "Add the field named in param."


class InvalidJson(Invalid):
    code = "invalid_json"
    remedy = "Send one JSON document in UTF-8, without duplicate keys, NaN or Infinity, at most 32 levels deep."


class PayloadTooLarge(Invalid):
    code = "payload_too_large"
    remedy = "Split the request into smaller ones."


class UnsupportedMediaType(Invalid):
    code = "unsupported_media_type"
    remedy = "Send Content-Type: application/json (targets may also be text/csv)."


class Unauthenticated(Error):
    code = "invalid_api_key"
    remedy = "Send Authorization: Bearer sk_live_... or sk_test_... with a key that is not revoked or expired."


class Forbidden(Error):
    code = "insufficient_scope"
    remedy = "Use a key that has the scope this call needs."


class NotFound(Error):
    code = "not_found"
    remedy = "Check the id and the workspace of your key."


class Conflict(Error):
    code = "conflict"
    remedy = "Read the object as it is now and decide again."


class InvalidState(Conflict):
    code = "invalid_state"
    remedy = "Read the object's state; the message says which states allow this."


class LimitReached(Error):
    code = "rate_limit_exceeded"
    remedy = "Wait as long as Retry-After says."


class Unavailable(Error):
    code = "unavailable"
    remedy = "Try again in a few seconds."
