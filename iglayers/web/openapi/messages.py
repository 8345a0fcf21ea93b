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
from iglayers.sending.model_outbox import Card, CardStatus
from iglayers.sending.outbox import Because, Failure
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

OUTBOX = Section(
    "Outbox",
    "Messages that a person sends by hand, a card each. Claiming a card is the point of no return: every limit holds "
    "at that moment, and the text comes with it. What is said of it can be undone for a minute; a claim of which "
    "nobody says anything for 15 minutes is `unknown`, and only its claimer is asked again.",
    [
        pages(
            "/outbox", "list_cards", "List cards, the oldest first", Card, of="msg",
            query=(
                Query("senderId", ids("snd"), "Only cards of this account."),
                Query("status", one_of(*CardStatus), "Only cards in this state."),
            ),
        ),
        act(
            "/outbox/{id}/claim", "claim_card", "Claim a card", Card, scope=Scope.SEND,
            codes=("invalid_state", "conflict", "sender_not_available", "usage_limit_exceeded", "unavailable"),
            note="Refused with `limitedBy` and `nextAt` while a limit holds. Where the person must not be written to "
            "any more, the card comes back as `skipped` with its code.",
        ),
        act(
            "/outbox/{id}/release", "release_card", "Give a claimed card back", Card, scope=Scope.SEND,
            codes=("invalid_state", "conflict"), note="Nothing was sent: it counts against no limit any more.",
        ),
        act(
            "/outbox/{id}/sent", "card_sent", "Say that it was sent", Card, scope=Scope.SEND,
            codes=("invalid_state", "conflict"),
        ),
        act(
            "/outbox/{id}/failed", "card_failed", "Say that it could not be sent", Card, scope=Scope.SEND,
            body=Failure, codes=("invalid_state", "conflict"),
            example={"code": "recipient_unavailable", "reason": "Takes no messages from strangers"},
        ),
        act(
            "/outbox/{id}/skip", "skip_card", "Say that nobody shall write to this person", Card, scope=Scope.SEND,
            body=Because, codes=("invalid_state", "conflict"), example={"reason": "A competitor"},
        ),
        act(
            "/outbox/{id}/challenge", "card_challenged", "Say that Instagram asked the account for something", Card,
            scope=Scope.SEND, body=Because, codes=("invalid_state", "conflict"),
            example={"reason": "Asked for a code by e-mail"}, note="The account stops at once; nothing was sent.",
        ),
        act(
            "/outbox/{id}/undo", "undo_card", "Take back what was said of a card", Card, scope=Scope.SEND,
            codes=("invalid_state", "conflict"),
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
