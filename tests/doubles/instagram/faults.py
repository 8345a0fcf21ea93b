"""Faults that the control API plants: what goes wrong, for whom, in which operation, how often.

Whether the message was stored before it went wrong is `commit`: with it the call does its work, and then the
answer is the fault's.
"""

import math
from dataclasses import dataclass, replace
from typing import Any

from tests.doubles.instagram.errors import GraphError

CHECKPOINT = {"checkpoint_url": "https://www.instagram.com/challenge/example"}


@dataclass
class Fault:
    """`kind` is error, html, hang (then the connection ends), disconnect, slow (then the true answer) or garbled."""

    kind: str = "error"
    name: str = "error"
    id: int = 0
    account: str | None = None
    recipient: str | None = None
    on: str = "send"
    times: int | None = 1
    for_s: float | None = None
    lengthen_s: float = 0.0
    commit: bool = False
    status: int = 400
    code: int = 1
    subcode: int | None = None
    message: str = "An unknown error has occurred."
    is_transient: bool = False
    error_data: Any = None
    regain_minutes: int | None = None
    usage_type: str = "messenger"
    retry_after: str | None = None
    locale: str | None = None
    hang_s: float = 60.0
    until: float | None = None
    used: int = 0


NAMED: dict[str, Fault] = {
    "error": Fault(),
    "html502": Fault("html", status=502),
    "timeout_before_commit": Fault("hang"),
    "timeout_after_commit": Fault("hang", commit=True),
    "disconnect_before_commit": Fault("disconnect"),
    "disconnect_after_commit": Fault("disconnect", commit=True),
    "slow": Fault("slow", hang_s=1.0),
    "garbled": Fault("garbled", status=200, commit=True),
    "ambiguous": Fault(status=500, code=1, subcode=1357046, message="Error, messages may have been sent.", commit=True),
    "ambiguous_not_stored": Fault(status=500, code=1, subcode=1357046, message="Error, messages may have been sent."),
    "unknown": Fault(status=500, code=1, subcode=99),
    "temporary": Fault(status=500, code=2, subcode=1545133, message="Service unavailable.", is_transient=True),
    "app_rate_limit": Fault(code=4, message="Application request limit reached", is_transient=True, regain_minutes=5),
    "user_rate_limit": Fault(code=17, message="User request limit reached", is_transient=True, regain_minutes=5),
    "messaging_rate_limit": Fault(
        code=613, subcode=2534040, message="Calls to this api have exceeded the rate limit.", regain_minutes=5
    ),
    "business_rate_limit": Fault(
        code=80006, message="There have been too many messages from this account.", regain_minutes=5
    ),
    "instagram_rate_limit": Fault(
        code=80002, message="There have been too many calls.", regain_minutes=5, usage_type="instagram"
    ),
    "abusive": Fault(code=613, subcode=2018338, message="Too many messages were reported."),
    "going_too_fast": Fault(code=368, subcode=1390008, message="You can't use this feature right now."),
    "restricted": Fault(code=10, subcode=1893063, message="This account is restricted from sending messages."),
    "blocked_from_api": Fault(code=100, subcode=2534029, message="The business is blocked from the messaging API."),
    "app_removed": Fault(code=190, subcode=458, message="The user has not authorized the application."),
    "checkpoint": Fault(code=190, subcode=459, message="Log in and follow the instructions.", error_data=CHECKPOINT),
    "password_changed": Fault(code=190, subcode=460, message="The session has been invalidated."),
    "token_expired": Fault(code=190, subcode=463, message="Session has expired."),
    "unconfirmed": Fault(code=190, subcode=464, message="The user is not a confirmed user."),
    "logged_out": Fault(code=190, subcode=467, message="The session is invalid because the user logged out."),
    "messages_access_off": Fault(code=200, subcode=2534041, message="Access to messages is disabled by the owner."),
    "no_advanced_access": Fault(code=200, message="App does not have Advanced Access, and recipient has no role."),
    "unavailable": Fault(code=551, subcode=1545041, message="This person isn't available right now."),
    "cannot_receive": Fault(code=10, subcode=2018108, message="This person cannot receive messages at the moment."),
    "stopped_notifications": Fault(code=10, subcode=1893015, message="This person stopped notifications."),
    "link_restricted": Fault(code=508, subcode=2534122, message="The link is restricted."),
}


@dataclass
class Call:
    """One call as faults see it. `recipients` are all the names that the person it is for goes by."""

    operations: frozenset[str]
    account: str | None = None
    recipients: frozenset[str] = frozenset()


class Faults:
    """Planted faults, oldest first; the first that fits is the one that happens."""

    def __init__(self) -> None:
        self.planted: list[Fault] = []
        self._next_id: int = 1

    def plant(self, name: str, *, now: float, **changes: Any) -> Fault:
        fault = replace(NAMED[name], name=name, id=self._next_id, **changes)
        if fault.for_s is not None:
            fault = replace(fault, until=now + fault.for_s, times=None)
        self._next_id += 1
        self.planted.append(fault)
        return fault

    def remove(self, fault_id: int | None = None) -> int:
        before = len(self.planted)
        self.planted = [] if fault_id is None else [each for each in self.planted if each.id != fault_id]
        return before - len(self.planted)

    def take(self, call: Call, *, now: float) -> Fault | None:
        """The fault of this call, counted as used."""
        self.planted = [each for each in self.planted if each.until is None or each.until > now]
        for fault in self.planted:
            if _fits(fault, call):
                fault.used += 1
                if fault.until is not None:
                    fault.until += fault.lengthen_s
                    fault = replace(fault, regain_minutes=_minutes_left(fault, now))  # noqa: PLW2901
                elif fault.times is not None:
                    fault.times -= 1
                    if fault.times <= 0:
                        self.planted.remove(fault)
                return fault
        return None


def refusal(fault: Fault) -> GraphError:
    """An error fault as the API would say it."""
    headers = {"Retry-After": fault.retry_after} if fault.retry_after is not None else {}
    return GraphError(
        fault.code,
        fault.message,
        fault.subcode,
        status=fault.status,
        is_transient=fault.is_transient,
        error_data=fault.error_data,
        headers=headers,
    )


def _fits(fault: Fault, call: Call) -> bool:
    return (
        (fault.on == "any" or fault.on in call.operations)
        and fault.account in {None, call.account}
        and (fault.recipient is None or fault.recipient in call.recipients)
    )


def _minutes_left(fault: Fault, now: float) -> int | None:
    assert fault.until is not None
    return math.ceil((fault.until - now) / 60) if fault.regain_minutes is not None else None
