"""Operations on senders."""

from iglayers.accounts.model import Scope
from iglayers.senders.actions import NewSender, Resume, SenderChange
from iglayers.senders.model import Sender, SenderReport, SenderState
from iglayers.web.openapi.operation import Query, Section, act, change, create, ids, one_of, pages, read, remove

SENDERS = Section(
    "Senders",
    "Instagram accounts that messages go out from, each with limits of its own. A challenge or a block stops an "
    "account until a person resumes it.",
    [
        create(
            "/senders", "add_sender", "Add a sender", SenderReport, body=NewSender,
            example={"username": "brand.official", "transport": "assisted", "hourlyLimit": 10, "dailyLimit": 50},
            codes=("conflict",), note="Adding one that was deleted brings it back with its history.",
        ),
        pages(
            "/senders", "list_senders", "List senders", Sender, of="snd",
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
            "/senders/{id}/check", "check_sender", "Look at a sender now", SenderReport, is_replayable=False,
            note="An Idempotency-Key is ignored.",
        ),
    ],
)  # fmt: skip
