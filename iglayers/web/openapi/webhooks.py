"""Operations on webhook endpoints, deliveries and the feed of events."""

from iglayers.core.paging import Page
from iglayers.events.actions_deliveries import WantedReplay
from iglayers.events.actions_endpoints import EndpointChange, NewEndpoint
from iglayers.events.api_endpoints import Rotation
from iglayers.events.model import Event, EventType
from iglayers.events.model_webhooks import (
    Delivery,
    DeliveryState,
    DeliveryWithLog,
    Endpoint,
    EndpointWithMissed,
    EndpointWithSecret,
    Replay,
)
from iglayers.web.openapi.operation import (
    LIMIT,
    Query,
    Section,
    act,
    change,
    create,
    ids,
    one_of,
    pages,
    read,
    remove,
    some_of,
)

WEBHOOKS = Section(
    "Webhooks",
    "What happens is posted to your URLs, signed, until they accept it: at least once, each with an id that stays. The "
    "guide [Webhooks](#guide-webhooks) says how to verify, answer and repair.",
    [
        create(
            "/webhooks", "create_webhook", "Register a webhook endpoint", EndpointWithSecret, body=NewEndpoint,
            example={
                "url": "https://your-app.com/webhooks/iglayers",
                "events": ["message.sent", "reply.received", "campaign.completed"],
            },
            codes=("conflict",), note="The answer holds the `secret`, this once. At most 100 endpoints.",
        ),
        pages("/webhooks", "list_webhooks", "List webhook endpoints", Endpoint, of="whe"),
        read("/webhooks/{id}", "show_webhook", "Read a webhook endpoint", Endpoint),
        change(
            "/webhooks/{id}", "change_webhook", "Change a webhook endpoint", EndpointWithMissed, body=EndpointChange,
            example={"events": ["*"]}, note="It holds for what is delivered from now on.",
        ),
        remove("/webhooks/{id}", "delete_webhook", "Delete a webhook endpoint", Endpoint),
        act(
            "/webhooks/{id}/enable", "enable_webhook", "Enable a webhook endpoint", EndpointWithMissed,
            note="What waits for it is delivered at once. `missed` says how many events happened meanwhile, and since "
            "when to replay them.",
        ),
        act(
            "/webhooks/{id}/rotate-secret", "rotate_webhook_secret", "Replace the secret", EndpointWithSecret,
            body=Rotation, example={"overlapHours": 24}, note="Old and new both sign for 0 to 168 hours.",
        ),
        act(
            "/webhooks/{id}/test", "test_webhook", "Send a test event now", DeliveryWithLog, is_replayable=False,
            codes=("webhook_delivery_failed",), note="Waits for the endpoint. An Idempotency-Key is ignored.",
        ),
        pages(
            "/webhooks/{id}/deliveries", "list_deliveries", "List deliveries", Delivery, of="dlv",
            query=(
                Query("state", one_of(*DeliveryState), "Only deliveries in this state."),
                Query("eventId", ids("evt"), "Only deliveries of this event."),
            ),
        ),
        read("/deliveries/{id}", "show_delivery", "Read a delivery and its attempts", DeliveryWithLog),
        act(
            "/deliveries/{id}/redeliver", "redeliver", "Deliver once more", DeliveryWithLog,
            codes=("webhook_not_found", "invalid_state"), note="With the same event id.",
        ),
        create(
            "/webhooks/{id}/replay", "replay_webhook", "Deliver everything since a moment again", Replay,
            body=WantedReplay, example={"since": "2026-05-01T00:00:00Z", "types": ["message.sent"]},
            codes=("invalid_state",), note="Up to 14 days back. It goes on by itself, behind what is new.",
        ),
        pages("/webhooks/{id}/replays", "list_replays", "List replays", Replay, of="rpy"),
        read("/webhooks/{id}/replays/{replayId}", "show_replay", "Read a replay's progress", Replay),
        act("/webhooks/{id}/replays/{replayId}/cancel", "cancel_replay", "Stop a replay", Replay),
    ],
)  # fmt: skip

EVENTS = Section(
    "Events",
    "The same events as the webhooks, to be fetched: oldest first, kept for 30 days.",
    [
        read(
            "/events", "list_events", "List events, oldest first", Page[Event],
            query=(
                Query("after", ids("evt"), "The last id that you have seen; without it from the oldest."),
                Query("types", some_of(list(EventType)), "Only these, with commas between."),
                LIMIT,
            ),
        ),
        read("/events/{id}", "show_event", "Read an event", Event),
    ],
)  # fmt: skip
