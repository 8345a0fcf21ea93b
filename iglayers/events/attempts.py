"""What goes out in one attempt and what its answer means (pure)."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from iglayers.core.crypto import Vault
from iglayers.core.ids import EndpointId
from iglayers.core.outgoing import Answer
from iglayers.core.wire import json_bytes
from iglayers.events.actions_endpoints import bound_to
from iglayers.events.model_webhooks import DeliveryState, Secrets, Verdict, after_failure, chance_of
from iglayers.events.queries_engine import News, Picked, Result, Target

MAX_BODY_BYTES = 256 * 1024
MAX_STORED_BYTES = 16 * 1024
# C0 and C1 but for tab and line breaks: PostgreSQL keeps no NUL, and none of them is readable.
_UNREADABLE = dict.fromkeys([*range(9), 11, 12, *range(14, 32), *range(127, 160)], "\ufffd")


_DELIVERED = Verdict(DeliveryState.DELIVERED)


def body_of(picked: Picked) -> bytes | None:
    """The event as the feed shows it, to the byte; None when it is not kept any more.

    What is too large for a webhook goes out as a reference to the feed, never silently not at all.
    """
    if picked.data is None:
        return None
    assert picked.created_at is not None
    # The same as encoding the feed's `Event`, at a quarter of its cost; a test compares them.
    head = (
        f'{{"id":"evt_{picked.event_id.hex}","type":"{picked.type}",'
        f'"createdAt":"{picked.created_at.replace(tzinfo=None).isoformat(timespec="milliseconds")}Z",'
        f'"workspaceId":"ws_{picked.workspace_id.hex}",'
        f'"sequence":{picked.sequence},"data":'
    ).encode()
    body = head + bytes(picked.data) + b"}"
    if len(body) <= MAX_BODY_BYTES:
        return body
    reference = {"tooLarge": True, "bytes": len(body), "path": f"/api/v1/events/evt_{picked.event_id.hex}"}
    return head + json_bytes(reference) + b"}"


def opened(stored: Secrets | Target, endpoint_id: EndpointId, *, vault: Vault, now: datetime) -> list[str]:
    """The secrets that sign at this moment, newest first."""
    sealed = [stored.secret]
    if stored.previous_secret is not None and stored.previous_until is not None and now < stored.previous_until:
        sealed.append(stored.previous_secret)
    return [vault.open(each, bound_to=bound_to(endpoint_id)).decode() for each in sealed]


def result_of(picked: Picked, answer: Answer, *, started_at: datetime, delays_s: tuple[int, ...]) -> Result:
    """What the answer means for the delivery."""
    verdict = _DELIVERED
    if not is_success(answer):
        now, chance = started_at + timedelta(milliseconds=answer.duration_ms), chance_of(picked.attempt_id)
        verdict = after_failure(
            picked.tries + 1, now=now, delays_s=delays_s, chance=chance, retry_after=answer.retry_after
        )
    return Result(
        attempt_id=picked.attempt_id, delivery_id=picked.delivery_id, started_at=started_at,
        duration_ms=answer.duration_ms, address=answer.address, status=answer.status, error=error_of(answer),
        response=response_of(answer), state=verdict.state, due_at=verdict.due_at,
    )  # fmt: skip


def is_success(answer: Answer) -> bool:
    return answer.status is not None and 200 <= answer.status < 300


def error_of(answer: Answer) -> str | None:
    """One word for the log: why there was no answer, or that it was a redirect, which is not followed."""
    if answer.failure is not None:
        return answer.failure.value
    if is_success(answer):
        return None
    return "redirected" if answer.status is not None and 300 <= answer.status < 400 else "refused"


def response_of(answer: Answer) -> str | None:
    """The first bytes of what was answered, readable; for a redirect where it pointed."""
    if answer.status is None:
        return None
    if not answer.body and answer.location is None:
        return ""
    body = answer.body[:MAX_STORED_BYTES]
    if answer.location is not None:
        body = b"Location: " + answer.location[:2_048].encode("utf-8", "replace") + b"\n\n" + body
    return body.decode("utf-8", "replace").translate(_UNREADABLE)


def news_of(batch: Sequence[tuple[Picked, Result]], *, failing: Collection[UUID]) -> list[News]:
    """What a batch in the order of its answers tells about endpoints; a success only of those thought to fail."""
    known: dict[UUID, News] = {}
    if not failing and all(result.state is DeliveryState.DELIVERED for _, result in batch):
        return []
    for picked, result in batch:
        before = known.get(picked.endpoint_id)
        if result.state is DeliveryState.DELIVERED:
            if before is not None or picked.endpoint_id in failing:
                known[picked.endpoint_id] = News(
                    endpoint_id=picked.endpoint_id, succeeded=True, failed_at=None,
                    due_at=before.due_at if before else None,
                )  # fmt: skip
            continue
        dues = [due for due in (before.due_at if before else None, result.due_at) if due is not None]
        known[picked.endpoint_id] = News(
            endpoint_id=picked.endpoint_id,
            succeeded=before is not None and before.succeeded,
            failed_at=before.failed_at if before is not None and before.failed_at else result.started_at,
            due_at=min(dues, default=None),
        )
    return sorted(known.values(), key=lambda news: news.endpoint_id)
