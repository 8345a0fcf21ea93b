"""The Python client: a change is made once however often it is sent, and what goes wrong is told apart."""

from collections.abc import Callable
from typing import Any

import pytest

from iglayers.sdk import Api, ApiError, JsonObject, Refused, Unreachable, segment
from iglayers.sdk.wire import address
from tests.sdk.scripted import CUT, answer, page, refusal, scripted
from tests.serving import free_port

BUSY = refusal(503, "unavailable", Retry_After=3)
FULL = refusal(429, "rate_limit_exceeded", Retry_After=7)
RUNNING = refusal(409, "idempotency_in_progress", Retry_After=1)
FINE = answer(200, {"id": "cl_1"})
HTML = answer(200, raw=b"<html>", Content_Type="text/html")
AWAY = answer(302, raw=b"", Location="https://elsewhere.example/api/v1/clients")

CALLS: dict[str, Callable[[Api], JsonObject]] = {
    "get": lambda api: api.get("/clients/cl_1"),
    "post": lambda api: api.post("/clients", {"name": "Ann"}),
    "patch": lambda api: api.patch("/clients/cl_1", {"name": "Ann"}),
    "delete": lambda api: api.delete("/clients/cl_1"),
    "csv": lambda api: api.post_csv("/campaigns/cmp_1/targets", b"instagramUsername\nann\n"),
}


class Waits(list[float]):
    """What the client would have slept."""

    def api(self, url: str, **options: Any) -> Api:
        return Api(url, "sk_test_x", sleep=self.append, **options)


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_call_is_sent_again_with_its_key_until_the_server_can_take_it(call: Callable[[Api], JsonObject]) -> None:
    waits = Waits()
    with scripted(BUSY, FULL, CUT, RUNNING, FINE) as server:
        assert call(waits.api(server.url)) == {"id": "cl_1"}
    assert waits[:2] == [3.0, 7.0]
    assert waits[3] == 1.0
    assert len({(line, key) for (line, _, _), key in zip(server.seen, server.keys(), strict=True)}) == 1
    assert (server.keys()[0] is None) == server.seen[0][0].startswith("GET")
    assert len({body for _, _, body in server.seen}) == 1


def test_two_changes_have_two_keys() -> None:
    with scripted(FINE, FINE) as server:
        api = Waits().api(server.url)
        api.post("/clients", {"name": "Ann"})
        api.post("/clients", {"name": "Ann"})
    assert len(set(server.keys())) == 2


@pytest.mark.parametrize("said", [BUSY, CUT], ids=["busy", "cut"])
def test_call_that_the_server_would_do_again_is_sent_once(said: bytes) -> None:
    waits = Waits()
    with scripted(said) as server, pytest.raises(ApiError):
        waits.api(server.url).post_once("/webhooks/wh_1/test")
    assert (server.keys(), waits) == ([None], [])


@pytest.mark.parametrize("said", [refusal(400, "invalid_field"), refusal(500, "internal_error")], ids=["400", "500"])
def test_refusal_is_final_and_tells_code_field_and_remedy(said: bytes) -> None:
    waits = Waits()
    with scripted(said) as server, pytest.raises(Refused) as caught:
        waits.api(server.url).post("/clients", {})
    error = caught.value
    assert (error.message, error.param, error.remedy, error.request_id) == ("No.", "name", "Do.", "req_1")
    assert str(error) == "No. Do."
    assert error.code in ("invalid_field", "internal_error")
    assert waits == []


def test_patience_ends() -> None:
    waits = Waits()
    with scripted(FULL, FULL, FULL) as server, pytest.raises(Refused) as caught:
        waits.api(server.url, patience_s=15).get("/clients")
    assert (caught.value.code, waits) == ("rate_limit_exceeded", [7.0, 7.0])


def test_server_that_never_answered_is_not_waited_for() -> None:
    waits = Waits()
    with pytest.raises(Unreachable, match="iglayers serve"):
        waits.api(f"http://127.0.0.1:{free_port()}").post("/clients", {})
    assert waits == []


def test_server_that_went_away_is_waited_for() -> None:
    waits = Waits()
    with scripted(FINE) as server:
        api = waits.api(server.url, patience_s=5)
        api.get("/me")
    with pytest.raises(Unreachable):
        api.get("/me")
    assert waits == [0.5, 1.0, 2.0]


def test_change_without_an_answer_is_told_as_not_known() -> None:
    with scripted(CUT, CUT) as server, pytest.raises(Unreachable, match="Whether the change was made is not known"):
        Waits().api(server.url, patience_s=0.6).post("/campaigns/cmp_1/start")


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (AWAY, "redirect to https://elsewhere.example/api/v1/clients. Set IGLAYERS_URL"),
        (HTML, "no IG Layers API: it sent text/html"),
        (answer(502, raw=b"<html>", Content_Type="text/html"), "The server answered with status 502."),
        (answer(200, ["a list"]), "no IG Layers API"),
    ],
    ids=["redirect", "page", "gateway", "list"],
)
def test_what_is_no_answer_of_ours_is_told_and_not_followed(said: bytes, told: str) -> None:
    with scripted(said) as server, pytest.raises(ApiError) as caught:
        Waits().api(server.url).get("/clients")
    assert told in str(caught.value)


def test_list_goes_on_over_its_pages_and_ends_where_it_is_told() -> None:
    with scripted(page({"id": "1"}, {"id": "2"}, cursor="c/2"), page({"id": "3"})) as server:
        assert [each["id"] for each in Waits().api(server.url).every("/clients", {"externalId": None})] == list("123")
    assert [line for line, _, _ in server.seen] == [
        "GET /api/v1/clients?limit=1000 HTTP/1.1",
        "GET /api/v1/clients?limit=1000&cursor=c%2F2 HTTP/1.1",
    ]
    with scripted(page({"id": "1"}, {"id": "2"}, cursor="2")) as server:
        assert len(list(Waits().api(server.url).every("/clients", most=2))) == 2
    assert "limit=2 " in server.seen[0][0]


HALF = answer(200, raw=b"only half", Content_Type="text/csv", Content_Length=100)
CHUNKED = answer(200, raw=b"4\r\nhalf\r\n", Content_Length=None, Transfer_Encoding="chunked")


@pytest.mark.parametrize("said", [HALF, CHUNKED], ids=["length", "chunks"])
def test_file_that_breaks_off_is_no_file(said: bytes) -> None:
    with scripted(said) as server, pytest.raises(Unreachable, match="broke off"):
        list(Waits().api(server.url).download("/campaigns/cmp_1/results", format="csv"))


def test_file_is_fetched_again_before_its_first_byte_and_refused_as_any_call() -> None:
    whole = answer(200, raw=b"a,b\r\n", Content_Type="text/csv")
    with scripted(BUSY, whole) as server:
        assert b"".join(Waits().api(server.url).download("/x", format="csv")) == b"a,b\r\n"
    with scripted(refusal(404, "campaign_not_found")) as server, pytest.raises(Refused) as caught:
        list(Waits().api(server.url).download("/x"))
    assert caught.value.code == "campaign_not_found"


@pytest.mark.parametrize(
    ("url", "host", "path"),
    [
        ("http://127.0.0.1:3000", "127.0.0.1:3000", ""),
        (" https://ig.example.com/api/v1/ ", "ig.example.com", ""),
        ("https://example.com/outreach/", "example.com", "/outreach"),
        ("http://[::1]:3000", "[::1]:3000", ""),
    ],
)
def test_address_may_have_a_path(url: str, host: str, path: str) -> None:
    assert (address(url).netloc, address(url).path) == (host, path)


@pytest.mark.parametrize("url", ["", "localhost:3000", "ftp://x", "http://", "http://x:99999", "http://x?a=1"])
def test_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(Unreachable, match="no address"):
        address(url)


@pytest.mark.parametrize("key", ["", "  ", "sk_live_a\nX-Other: 1", "sk_live_ä"])
def test_key_that_cannot_be_one_is_refused_and_not_shown(key: str) -> None:
    with pytest.raises(ApiError) as caught:
        Api("http://127.0.0.1", key)
    assert "sk_live_a" not in str(caught.value)
    assert "sk_live_ä" not in str(caught.value)


def test_id_stays_one_part_of_the_path() -> None:
    assert segment(" cl_1/../x?y=1 ") == "cl_1%2F..%2Fx%3Fy%3D1"
    with pytest.raises(ApiError, match="empty"):
        segment(" ")
