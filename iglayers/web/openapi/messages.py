"""Operations on messages and replies."""

from iglayers.accounts.model import Scope
from iglayers.messages.model import Message, MessageState
from iglayers.replies.actions import NewReply
from iglayers.replies.model import Reply
from iglayers.sending.actions import Resolution
from iglayers.web.openapi.operation import Query, Section, act, create, ids, one_of, pages, read

MESSAGES = Section(
    "Messages",
    "The ledger: one entry an attempt, written down before its first byte left. What nobody knows is `unknown`; no "
    "machine sends it again.",
    [
        pages(
            "/messages", "list_messages", "List messages", Message, of="msg",
            query=(
                Query("status", one_of(*MessageState), "Only messages in this state, such as `unknown`."),
                Query("campaignId", ids("cmp"), "Only messages of this campaign."),
            ),
        ),
        read("/messages/{id}", "show_message", "Read a message", Message),
        act(
            "/messages/{id}/resolve", "resolve_message", "Say what became of an unknown message", Message,
            scope=Scope.SEND, body=Resolution, codes=("invalid_state",),
            example={"outcome": "sent", "reason": "Seen in the app, 4 May"},
            note="Audited. `requeue` has it sent again, needs the scope `admin`, and is refused if Instagram knows it.",
        ),
    ],
)  # fmt: skip

REPLIES = Section(
    "Replies",
    "What came back. A reply stops follow-ups; words such as “stop” suppress the person in the whole workspace.",
    [
        pages(
            "/replies", "list_replies", "List replies", Reply, of="rpl",
            query=(
                Query("campaignId", ids("cmp"), "Only answers to this campaign."),
                Query("targetId", ids("tgt"), "Only answers of this target."),
                Query("senderId", ids("snd"), "Only what came to this sender."),
                Query("instagramUsername", {"type": "string"}, "Only what this person wrote, in any spelling."),
            ),
        ),
        read("/replies/{id}", "show_reply", "Read a reply", Reply),
        create(
            "/replies", "log_reply", "Log a reply by hand", Reply, body=NewReply, codes=("sender_not_found",),
            example={"senderUsername": "brand.official", "instagramUsername": "creatorname", "text": "Sounds great!"},
            note="For accounts that a person uses: it does all that a reply does that came in by itself.",
        ),
    ],
)  # fmt: skip
