"""The API's refusals: code, subcode, HTTP status, and the envelope they come in."""

from dataclasses import dataclass, field
from typing import Any

# What the owner of an account reads when the account's language is not English. The code stays, the text changes.
_LOCAL = {
    "de": "Die Anfrage konnte nicht ausgeführt werden. Bitte versuche es später noch einmal.",
    "fr": "La demande n’a pas pu être exécutée. Veuillez réessayer plus tard.",
    "ja": "リクエストを実行できませんでした。しばらくしてからもう一度お試しください。",
}


@dataclass
class GraphError(Exception):
    """One refusal. `status` varies for the same code in the field; a client must not read it."""

    code: int
    message: str
    subcode: int | None = None
    status: int = 400
    is_transient: bool = False
    error_data: Any = None
    type: str = "IGApiException"
    headers: dict[str, str] = field(default_factory=dict)

    def envelope(self, trace_id: str, locale: str = "en") -> dict[str, Any]:
        text = f"(#{self.code}) {_LOCAL.get(locale, self.message)}"
        error: dict[str, Any] = {"message": text, "type": self.type, "code": self.code}
        if self.subcode is not None:
            error |= {
                "error_subcode": self.subcode,
                "is_transient": self.is_transient,
                "error_user_title": _LOCAL.get(locale, "Something went wrong"),
                "error_user_msg": _LOCAL.get(locale, self.message),
            }
        elif self.is_transient:
            error["is_transient"] = True
        if self.error_data is not None:
            error["error_data"] = self.error_data
        return {"error": error | {"fbtrace_id": trace_id}}


@dataclass
class OAuthError(Exception):
    """A refusal of the code endpoint, which has an envelope of its own."""

    message: str
    status: int = 400

    def envelope(self) -> dict[str, Any]:
        return {"error_type": "OAuthException", "code": self.status, "error_message": self.message}


def parameter(message: str, subcode: int | None = None) -> GraphError:
    return GraphError(100, message, subcode)


def no_such_object(object_id: str) -> GraphError:
    return GraphError(
        100,
        f"Unsupported request. Object with ID '{object_id}' does not exist, cannot be loaded due to missing "
        "permissions, or does not support this operation",
        33,
    )


def unknown_path(path: str) -> GraphError:
    return GraphError(2500, f"Unknown path components: {path}", type="OAuthException")


def no_token() -> GraphError:
    return GraphError(104, "An access token is required to request this resource.", type="OAuthException")


def bad_token(status: int) -> GraphError:
    return GraphError(190, "Invalid OAuth access token - Cannot parse access token", status=status)


def dead_token(subcode: int, status: int, error_data: Any = None) -> GraphError:
    texts = {
        458: "The user has not authorized the application.",
        459: "You cannot access the app till you log in and follow the instructions given.",
        460: "The session has been invalidated because the user changed their password.",
        463: "Error validating access token: Session has expired.",
        464: "Sessions for the user are not allowed because the user is not a confirmed user.",
        467: "The session is invalid because the user logged out.",
    }
    message = texts.get(subcode, "Error validating access token.")
    return GraphError(190, message, subcode, status=status, error_data=error_data)


def no_permission(scope: str) -> GraphError:
    return GraphError(200, f"The permission {scope} is required.")


def messages_access_off() -> GraphError:
    return GraphError(200, "The account owner has disabled access to instagram direct messages.", 2534041)


def no_matching_user() -> GraphError:
    return GraphError(100, "No matching user found.", 2534014)


def outside_window() -> GraphError:
    return GraphError(10, "This message is sent outside of allowed window.", 2534022, status=403)


def comment_not_valid() -> GraphError:
    return GraphError(100, "The comment is invalid for sending a private reply.", 2534025)


def already_replied() -> GraphError:
    return GraphError(-1, "A private reply was already sent to this comment.", 2534023, status=500)


def no_consent() -> GraphError:
    return GraphError(230, "User consent is required to access user profile.")


def message_deleted() -> GraphError:
    return GraphError(9000001, "The message has been deleted.")


def not_discoverable(username: str) -> GraphError:
    return GraphError(110, f"The user with username {username} was not found.", 2207013)
