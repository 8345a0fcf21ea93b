"""Operations on messages, replies and conversations."""

from iglayers.accounts.model import Scope
from iglayers.core.paging import Page
from iglayers.messages.model import Message, MessageState
from iglayers.replies.actions import LabelChange, NewReply
from iglayers.replies.labels import Label
from iglayers.replies.model import Relabelled, Reply
from iglayers.replies.model_conversations import Conversation, Thread
from iglayers.sending.actions import Resolution
from iglayers.sending.model_answers import NewAnswer
from iglayers.web.openapi.operation import LIMIT, Query, Section, act, change, create, flag, ids, one_of, pages, read

_PLACE = Query(
    "cursor", {"type": "string", "pattern": "^[0-9]{1,17}-[0-9a-f]{32}$"}, "`nextCursor` of the page before."
)
_LABEL = one_of(*Label)

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
    "What came back. A reply stops follow-ups, unless a machine wrote it; words such as “stop” suppress the person in "
    "the whole workspace.",
    [
        pages(
            "/replies", "list_replies", "List replies", Reply, of="rpl",
            query=(
                Query("campaignId", ids("cmp"), "Only answers to this campaign."),
                Query("targetId", ids("tgt"), "Only answers of this target."),
                Query("senderId", ids("snd"), "Only what came to this sender."),
                Query("instagramUsername", {"type": "string"}, "Only what this person wrote, in any spelling."),
                Query("label", _LABEL, "Only replies with this label."),
            ),
        ),
        read("/replies/{id}", "show_reply", "Read a reply", Reply),
        change(
            "/replies/{id}", "label_reply", "Say what a reply amounts to", Relabelled, body=LabelChange,
            example={"label": "interested", "reason": "asked for our rates"},
            note="A person's label wins over the rules for good. Taking `automatic` away marks the target as replied "
            "and stops follow-ups now; setting it later brings nothing back. `effect` says which.",
        ),
        create(
            "/replies", "log_reply", "Log a reply by hand", Reply, body=NewReply, codes=("sender_not_found",),
            example={"senderUsername": "brand.official", "instagramUsername": "creatorname", "text": "Sounds great!"},
            note="For accounts that a person uses: it does all that a reply does that came in by itself.",
        ),
    ],
)  # fmt: skip

CONVERSATIONS = Section(
    "Conversations",
    "Whoever said something to an account is a conversation: with all that both wrote, the window that is open, and a "
    "person's answers.",
    [
        read(
            "/conversations", "list_conversations", "List conversations", Page[Conversation],
            query=(
                Query("senderId", ids("snd"), "Only those of this sender."),
                Query("instagramUsername", {"type": "string"}, "Only those with this person, in any spelling."),
                Query("label", _LABEL, "Only those with this label: that of the newest reply that is clear."),
                Query("window", one_of("open", "closed"), "Only those whose 24-hour window is open, or not."),
                Query("needsAnswer", flag(), "Only those in which the person wrote last and waits, or the others."),
                LIMIT, _PLACE,
            ),
            note="The newest word first: of the person, or of a person of ours who answered.",
        ),
        read(
            "/conversations/{id}", "show_conversation", "Read a conversation", Thread, query=(LIMIT, _PLACE),
            note="The newest words, oldest first; `nextCursor` leads to older ones. `answer` says how an answer would "
            "go now, or which rule forbids it.",
        ),
        create(
            "/conversations/{id}/messages", "answer_conversation", "Answer as a person", Message, body=NewAnswer,
            scope=Scope.SEND, example={"text": "It is: 100 EUR for a reel. Shall we talk?"},
            codes=(
                "no_permitted_route", "target_suppressed", "sender_not_available", "instagram_challenge_detected",
                "invalid_state", "conflict", "missing_required_field",
            ),
            note="For texts that a person wrote. Sent before the answer comes; `status` says how it ended: `sent`, "
            "`failed` or `unknown`. A repeat with the same `Idempotency-Key` sends nothing. One message of an account "
            "is on its way at a time: `conflict`, try again in a moment. `byHand` writes down what a person has sent "
            "in Instagram already.",
        ),
    ],
)  # fmt: skip
