"""Operations on senders."""

from iglayers.accounts.model import Scope
from iglayers.senders.actions import NewSender, Resume, SenderChange
from iglayers.senders.model import SenderChecked, SenderReport, SenderState
from iglayers.senders.transports.instagram.connect import Started
from iglayers.web.openapi.operation import Query, Section, act, change, create, ids, one_of, pages, read, remove

SENDERS = Section(
    "Senders",
    "Instagram accounts that messages go out from, each with limits of its own. A challenge or a block stops an "
    "account until a person resumes it.",
    [
        create(
            "/senders", "add_sender", "Add a sender", SenderReport, body=NewSender,
            example={"username": "brand.official", "transport": "assisted", "hourlyLimit": 10, "dailyLimit": 50},
            codes=("conflict", "unavailable"),
            note="Adding one that was deleted brings it back with its history. With the transport instagram, "
            "`accessToken` is one that the App Dashboard at Meta made for this account; it is kept encrypted and never "
            "shown. Where people log in instead, use `POST /senders/connect`.",
        ),
        create(
            "/senders/connect", "connect_sender", "Connect an Instagram account", Started, scope=Scope.ADMIN,
            body=SenderChange, example={"hourlyLimit": 10, "dailyLimit": 50}, codes=("conflict",),
            note="Somebody who may use the account opens `url` and agrees; then the account is a sender with these "
            "settings, or its sender has a new access and keeps every setting that is not named here.",
        ),
        pages(
            "/senders", "list_senders", "List senders", SenderReport, of="snd",
            query=(
                Query("username", {"type": "string"}, "Only this account."),
                Query("state", one_of(*SenderState), "Only senders in this state."),
                Query("clientId", ids("cl"), "Only senders that may serve this client."),
            ),
        ),
        read("/senders/{id}", "show_sender", "Read a sender, its health and today's budget", SenderReport),
        change(
            "/senders/{id}", "change_sender", "Change a sender", SenderReport, body=SenderChange,
            example={"hourlyLimit": 8}, codes=("invalid_state",), note="New limits hold from the next message.",
        ),
        remove(
            "/senders/{id}", "remove_sender", "Delete a sender", SenderReport, codes=("invalid_state",),
            note="Nothing begins through it any more; what it sent stays in the results.",
        ),
        act(
            "/senders/{id}/pause", "pause_sender", "Pause a sender", SenderReport, codes=("invalid_state",),
            note="Nothing begins through it after the answer.",
        ),
        act(
            "/senders/{id}/resume", "resume_sender", "Resume a sender", SenderReport, scope=Scope.SEND, body=Resume,
            example={"reason": "Confirmed the e-mail address in the app"}, codes=("invalid_state",),
            note="Also after a challenge, once a person has done what Instagram asked.",
        ),
        act(
            "/senders/{id}/check", "check_sender", "Look at a sender now", SenderChecked, is_replayable=False,
            note="Asks Instagram where the sender is connected: each step of `connection` says what to do where it "
            "is not ok. An Idempotency-Key is ignored.",
        ),
    ],
)  # fmt: skip
