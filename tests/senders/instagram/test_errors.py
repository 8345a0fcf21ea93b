"""The table of Meta's errors, a row each: what is proven, who has to do something, how long the account waits."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from iglayers.core.clock import Moment
from iglayers.core.outgoing import Failure
from iglayers.senders.model import NotSent, Sent, Trouble, Unknown
from iglayers.senders.transports.instagram.errors import ROWS, row_of
from iglayers.senders.transports.instagram.graph import GraphAnswer, GraphError, Usage
from iglayers.senders.transports.instagram.outcomes import outcome_of, rest_after

NOW = Moment.of(datetime.fromisoformat("2026-10-05T12:00:00+00:00"))
HOUR, DAY = timedelta(hours=1), timedelta(hours=24)

# What an outcome must be: Unknown, or a code with how long until the next try, trouble, opt-out.
UNKNOWN = "unknown"
ACCESS = ("sender_not_available", HOUR, Trouble.DISABLED, False)
CHECKPOINT = ("instagram_challenge_detected", HOUR, Trouble.CHALLENGED, False)
BLOCKED = ("instagram_challenge_detected", DAY, Trouble.CHALLENGED, False)
THROTTLED = ("provider_error", "back-off", None, False)
SLOW_DOWN = ("provider_error", "back-off", Trouble.WARNING, False)
NO_ROUTE = ("no_permitted_route", None, None, False)
UNAVAILABLE = ("recipient_unavailable", None, None, False)
OPTED_OUT = ("recipient_unavailable", None, None, True)
NOT_FOUND = ("recipient_not_found", None, None, False)
REFUSED = ("provider_error", None, None, False)

TABLE: list[tuple[int, int | None, Any]] = [
    # Messaging.
    (1, 99, UNKNOWN),
    (1, 1357046, UNKNOWN),
    (2, None, UNKNOWN),
    (2, 77, UNKNOWN),
    (2, 1545133, UNKNOWN),
    (-1, 2534023, NO_ROUTE),
    (4, None, THROTTLED),
    (10, 2534022, NO_ROUTE),
    (10, 2018278, NO_ROUTE),
    (10, 2018065, NO_ROUTE),
    (10, 2018108, UNAVAILABLE),
    (10, 1893063, BLOCKED),
    (10, 1893015, OPTED_OUT),
    (10, 2534077, ACCESS),
    (10, 1404170, REFUSED),
    (100, None, REFUSED),
    (100, 33, REFUSED),
    (100, 2018001, NOT_FOUND),
    (100, 2534014, NOT_FOUND),
    (100, 2534013, ACCESS),
    (100, 2534015, REFUSED),
    (100, 2534025, NO_ROUTE),
    (100, 2534029, BLOCKED),
    (100, 2534037, NO_ROUTE),
    (100, 2018008, REFUSED),
    (100, 2018047, REFUSED),
    (100, 2018109, REFUSED),
    (100, 2018294, REFUSED),
    (190, None, ACCESS),
    (200, None, ACCESS),
    (200, 1545041, OPTED_OUT),
    (200, 2018028, REFUSED),
    (200, 2534041, ACCESS),
    (200, 2534066, UNAVAILABLE),
    (230, None, UNKNOWN),
    (368, None, BLOCKED),
    (368, 1390008, BLOCKED),
    (508, 2534122, REFUSED),
    (551, None, OPTED_OUT),
    (551, 1545041, OPTED_OUT),
    (613, 2534040, SLOW_DOWN),
    (613, 2018338, BLOCKED),
    (613, 1893016, BLOCKED),
    (613, 1996, SLOW_DOWN),
    (2022, None, ACCESS),
    (36103, None, ACCESS),
    (2018300, None, NO_ROUTE),
    (2018218, None, REFUSED),
    (2018247, None, REFUSED),
    (2534001, None, UNAVAILABLE),
    (9000001, None, UNKNOWN),
    (3, None, ACCESS),
    (3, 2228054, ACCESS),
    (110, 2207013, UNKNOWN),
    (803, None, NOT_FOUND),
    (9010, None, NOT_FOUND),
    # Access, platform, throttles.
    (190, 458, ACCESS),
    (190, 459, CHECKPOINT),
    (190, 460, ACCESS),
    (190, 463, ACCESS),
    (190, 464, CHECKPOINT),
    (190, 467, ACCESS),
    (190, 492, ACCESS),
    (102, None, ACCESS),
    (1, None, UNKNOWN),
    (10, None, ACCESS),
    (299, None, ACCESS),
    (17, None, THROTTLED),
    (32, None, THROTTLED),
    (341, None, THROTTLED),
    (613, None, SLOW_DOWN),
    (506, None, REFUSED),
    (80002, None, THROTTLED),
    (80006, None, THROTTLED),
    *((code, None, THROTTLED) for code in (80000, 80001, 80003, 80004, 80005, 80008, 80009, 80014)),
    # What nobody has told of.
    (0, None, UNKNOWN),
    (42, None, UNKNOWN),
    (424242, 1, UNKNOWN),
]


def judged(error: GraphError, **about: Any) -> Any:
    """An outcome in the table's words; the code stands in its reason, or support could not help."""
    answer = GraphAnswer(status=about.pop("status", 400), error=error, **about)
    outcome = outcome_of(answer, now=NOW, chance=1.0, throttled_before=0)
    assert isinstance(outcome, NotSent | Unknown)
    assert f"Instagram: {error.code}" in outcome.reason
    if not isinstance(outcome, NotSent):
        return UNKNOWN
    wait: Any = None if outcome.retry_at is None else outcome.retry_at - NOW
    if outcome.code == "provider_error" and wait is not None:
        assert outcome.rest is not None
        assert outcome.rest.until == outcome.retry_at
        wait = "back-off"
    return outcome.code, wait, outcome.trouble, outcome.opted_out


@pytest.mark.parametrize(("code", "subcode", "expected"), TABLE)
def test_an_error_means_what_the_table_says(code: int, subcode: int | None, expected: object) -> None:
    assert judged(GraphError(code=code, subcode=subcode)) == expected


@pytest.mark.parametrize("status", [200, 400, 401, 403, 500, 503])
def test_the_status_never_decides(status: int) -> None:
    for code, subcode, expected in TABLE:
        assert judged(GraphError(code=code, subcode=subcode), status=status) == expected


def test_every_line_has_its_test() -> None:
    told = {(code, subcode) for code, subcode, _ in TABLE}
    ours = {(row.code, row.subcode) for row in ROWS if not (row.subcode is None and 200 < row.code < 299)}
    assert ours <= told
    assert len(ROWS) == len({(row.code, row.subcode) for row in ROWS})


def test_what_may_pass_is_no_proof_unless_it_was_turned_away_at_the_door() -> None:
    for code in (100, 200, 10, 506):
        assert judged(GraphError(code=code, is_transient=True)) == UNKNOWN
    for code in (4, 17, 613, 190, 368):
        assert judged(GraphError(code=code, is_transient=True)) != UNKNOWN
    assert judged(GraphError(code=10, subcode=2534022, is_transient=True)) == NO_ROUTE


def test_an_unknown_subcode_means_what_its_code_means() -> None:
    assert row_of(GraphError(code=190, subcode=999)) == row_of(GraphError(code=190))


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (GraphAnswer(status=502), "no JSON"),
        (GraphAnswer(status=200, tree=[]), "without saying"),
        (GraphAnswer(status=200, tree={"recipient_id": "1"}), "without naming"),
        (GraphAnswer(status=200, tree={"message_id": 7}), "without naming"),
        (GraphAnswer(status=200, tree={"message_id": ""}), "without naming"),
        (GraphAnswer(status=200, tree={"message_id": "m\x00"}), "without naming"),
        (GraphAnswer(status=200, tree={"message_id": "m" * 2_001}), "without naming"),
        (GraphAnswer(status=400, tree={"message_id": "m1"}), "without saying"),
        (GraphAnswer(status=302, tree={"message_id": "m1"}), "without saying"),
        (GraphAnswer(failure=Failure.TIMED_OUT), "did not answer in time"),
        (GraphAnswer(failure=Failure.DISCONNECTED), "broke off"),
        (GraphAnswer(failure=Failure.INVALID_ANSWER), "could not be read"),
    ],
)
def test_whatever_is_no_proof_is_unknown(answer: GraphAnswer, says: str) -> None:
    outcome = outcome_of(answer, now=NOW, chance=0.5, throttled_before=0)
    assert isinstance(outcome, Unknown)
    assert says in outcome.reason


@pytest.mark.parametrize("failure", [Failure.CONNECTION_FAILED, Failure.TLS_FAILED, Failure.TIMED_OUT])
def test_what_never_was_connected_is_tried_again(failure: Failure) -> None:
    outcome = outcome_of(GraphAnswer(failure=failure, nothing_left=True), now=NOW, chance=0.5, throttled_before=0)
    assert isinstance(outcome, NotSent)
    assert outcome.retry_at == NOW + timedelta(minutes=1)
    assert outcome.rest is not None


def test_an_id_is_proof() -> None:
    sent = outcome_of(GraphAnswer(status=200, tree={"message_id": "m1"}), now=NOW, chance=0.5, throttled_before=0)
    assert sent == Sent("m1")


def throttled(*, chance: float = 1.0, before: int = 0, **about: Any) -> timedelta:
    answer = GraphAnswer(status=400, error=GraphError(code=4), **about)
    outcome = outcome_of(answer, now=NOW, chance=chance, throttled_before=before)
    assert isinstance(outcome, NotSent)
    assert outcome.retry_at is not None
    return outcome.retry_at - NOW


def test_a_throttle_waits_for_whatever_asks_for_most() -> None:
    assert throttled(usage=Usage(percent=100, regain_minutes=17)) == timedelta(minutes=17)
    assert throttled(retry_after="3600") == HOUR
    assert throttled(retry_after="Mon, 05 Oct 2026 13:00:00 GMT") == HOUR
    assert throttled(retry_after="soon") == timedelta(minutes=1)
    assert throttled(usage=Usage(percent=100, regain_minutes=10_000)) == DAY


def test_throttles_in_a_row_double_the_wait_up_to_four_hours() -> None:
    assert [throttled(before=count) for count in range(4)] == [timedelta(minutes=2**count) for count in range(4)]
    assert throttled(before=100) == 4 * HOUR
    assert throttled(before=3, chance=0.0) == timedelta(minutes=4)


@pytest.mark.parametrize(
    ("percent", "regain", "minutes"),
    [(0, 0, None), (74.9, 0, None), (75, 0, 0), (80, 0, 1.25), (94, 0, 4.75), (95, 0, 30), (120, 0, 30), (100, 45, 45)],
)
def test_usage_slows_a_sender_down_before_it_is_throttled(percent: float, regain: float, minutes: float | None) -> None:
    rest = rest_after(Usage(percent=percent, regain_minutes=regain), NOW)
    assert (None if rest is None else rest.until - NOW) == (None if minutes is None else timedelta(minutes=minutes))


def test_a_challenge_says_where_it_is_cleared() -> None:
    error = GraphError(code=190, subcode=459, checkpoint_url="https://www.instagram.com/challenge/", fbtrace_id="Ab1")
    outcome = outcome_of(GraphAnswer(status=400, error=error), now=NOW, chance=0.5, throttled_before=0)
    assert isinstance(outcome, NotSent)
    assert "https://www.instagram.com/challenge/ (Instagram: 190/459, trace Ab1)" in outcome.reason
