"""Who may be written to through the official API, by which rule, until when; and why not where nobody may."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from iglayers.core.clock import Moment
from iglayers.senders.model import Address, Comment, Conversation, NotPermitted, Permitted
from iglayers.senders.transports.instagram.eligibility import MARGIN, permitted, permitted_answer

NOW = Moment.of(datetime.fromisoformat("2026-10-05T12:00:00+00:00"))
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def conversation(*, wrote: timedelta | None = None, commented: list[timedelta] | None = None, **more: Any) -> Any:
    """As it is known when the person wrote, or commented, so long ago."""
    comments = [Comment(id=f"c{index}", at=Moment.of(NOW - ago)) for index, ago in enumerate(commented or [])]
    fields: dict[str, Any] = {"igsid": "880000000000017", "comments": comments}
    if wrote is not None:
        fields |= {"last_inbound_at": Moment.of(NOW - wrote), "window_ends_at": Moment.of(NOW - wrote + DAY)}
    return Conversation(**fields | more)


def way(known: Conversation | None) -> tuple[str, Address] | None:
    found = permitted(known, NOW)
    assert found.rule
    return (found.route, found.address) if isinstance(found, Permitted) else None


BY_ID = Address(igsid="880000000000017")


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        (None, None),
        (Conversation(), None),
        (conversation(), None),
        (conversation(wrote=MINUTE), ("instagram.window", BY_ID)),
        (conversation(wrote=DAY - MARGIN - MINUTE), ("instagram.window", BY_ID)),
        (conversation(wrote=DAY - MARGIN), None),
        (conversation(wrote=MINUTE, igsid=None), None),
        (conversation(commented=[HOUR]), ("instagram.comment", Address(comment_id="c0"))),
        (conversation(commented=[HOUR], igsid=None), ("instagram.comment", Address(comment_id="c0"))),
        (conversation(commented=[2 * DAY, HOUR, DAY]), ("instagram.comment", Address(comment_id="c1"))),
        (conversation(commented=[7 * DAY - MARGIN]), None),
        (conversation(commented=[7 * DAY - MARGIN - MINUTE]), ("instagram.comment", Address(comment_id="c0"))),
        (conversation(wrote=HOUR, commented=[HOUR]), ("instagram.window", BY_ID)),
        (conversation(wrote=2 * DAY, commented=[HOUR]), ("instagram.comment", Address(comment_id="c0"))),
    ],
)
def test_a_way_is_open_or_not(known: Conversation | None, expected: object) -> None:
    assert way(known) == expected


def test_a_way_says_until_when() -> None:
    for known, until in (
        (conversation(wrote=HOUR), NOW + 23 * HOUR - MARGIN),
        (conversation(commented=[DAY]), NOW + 6 * DAY - MARGIN),
    ):
        found = permitted(known, NOW)
        assert isinstance(found, Permitted)
        assert found.until == until
        assert isinstance(permitted(known, until), NotPermitted)
        assert isinstance(permitted(known, until - MINUTE), Permitted)


@pytest.mark.parametrize(
    ("known", "says"),
    [
        (None, "lets nobody write first"),
        (None, "Partnership messages"),
        (conversation(wrote=2 * DAY), "ended at 2026-10-04T12:00:00.000Z"),
        (conversation(commented=[8 * DAY]), "the person's last comment is older"),
        (conversation(wrote=MINUTE, igsid=None), "not known yet"),
    ],
)
def test_a_closed_way_says_why(known: Conversation | None, says: str) -> None:
    assert says in permitted(known, NOW).rule


def test_a_person_may_answer_for_seven_days_where_meta_has_approved_it() -> None:
    known = conversation(wrote=3 * DAY)
    found = permitted_answer(known, NOW, human_agent=True)
    assert isinstance(found, Permitted)
    assert (found.route, found.address) == ("instagram.human_agent", BY_ID)
    assert found.until == NOW + 4 * DAY - MARGIN
    refused = permitted_answer(known, NOW, human_agent=False)
    assert isinstance(refused, NotPermitted)
    assert "IGLAYERS_INSTAGRAM_HUMAN_AGENT" in refused.rule
    assert permitted_answer(conversation(wrote=HOUR), NOW, human_agent=True).route == "instagram.window"  # type: ignore[union-attr]
    for too_late in (conversation(wrote=7 * DAY - MARGIN), None, conversation()):
        assert isinstance(permitted_answer(too_late, NOW, human_agent=True), NotPermitted)


def test_a_campaign_never_uses_the_way_of_a_person() -> None:
    assert way(conversation(wrote=3 * DAY)) is None
