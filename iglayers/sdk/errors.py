"""What may go wrong with a call: the server refused it, or nobody answered."""

from typing import Any, cast


class ApiError(Exception):
    """A call that came to nothing: a sentence, and what to do next."""

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(f"{message} {remedy}".strip())
        self.message: str = message
        self.remedy: str = remedy


class Unreachable(ApiError):
    """No answer, or none of an IG Layers API. Whether a change was made is not known."""


class Refused(ApiError):
    """The server's refusal: its stable code, the field, and the whole answer.

    `retry_after_s` is what the server asks for; None where it says nothing.
    """

    def __init__(self, status: int, body: dict[str, Any], *, retry_after_s: float | None = None) -> None:
        told: object = body.get("error")
        error = cast("dict[str, Any]", told) if isinstance(told, dict) else {}
        super().__init__(
            str(error.get("message") or f"The server answered with status {status}."),
            remedy=str(error.get("remedy") or ""),
        )
        self.status: int = status
        self.code: str = str(error.get("code") or f"http_{status}")
        self.param: str | None = error.get("param")
        self.request_id: str | None = error.get("requestId")
        self.body: dict[str, Any] = body
        self.retry_after_s: float | None = retry_after_s
