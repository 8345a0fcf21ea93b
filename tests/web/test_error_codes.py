"""Each code of docs/errors.md, the published ones among them, as a caller provokes it."""

import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import pytest

from iglayers.accounts.model import Scope
from iglayers.core.crypto import new_api_key
from iglayers.core.ids import CampaignId, ClientId, EndpointId, SenderId, TargetId, TemplateId, uuid7
from tests.accounts.keys import make_key, without_database
from tests.serving import Answer, Api, serving
from tests.targets.uploads import people
from tests.web.stage import Stage

DOCS = Path(__file__).parents[2] / "docs"
# A failed delivery is provoked by an endpoint, a bug by nothing that a caller can send.
NOT_BY_A_CALL = {"webhook_delivery_failed", "internal_error"}


async def missing_required_field(stage: Stage) -> Answer:
    return await stage.api.post("/clients", {"externalId": "acme_001"})


async def invalid_field(stage: Stage) -> Answer:
    return await stage.api.post("/clients", {"name": 5})


async def invalid_json(stage: Stage) -> Answer:
    return await stage.api.post("/clients", data=b"{")


async def invalid_api_key(stage: Stage) -> Answer:
    return await stage.api.with_key(new_api_key("live")).get("/clients")


async def insufficient_scope(stage: Stage) -> Answer:
    reader = await make_key(stage.database, stage.caller, scopes=[Scope.READ])
    return await stage.api.with_key(reader.key).post("/clients", {"name": "Acme"})


async def not_from_instagram(stage: Stage) -> Answer:
    return await stage.api.outside("POST", "/instagram/webhook", data=b"{}")


async def usage_limit_exceeded(stage: Stage) -> Answer:
    await stage.with_somebody()
    await stage.api.patch("/workspace", {"monthlyLimit": 1})
    return await stage.api.post(f"{stage.campaign}/start")


async def campaign_not_found(stage: Stage) -> Answer:
    return await stage.api.get(f"/campaigns/{CampaignId.new()}")


async def client_not_found(stage: Stage) -> Answer:
    return await stage.api.get(f"/clients/{ClientId.new()}")


async def template_not_found(stage: Stage) -> Answer:
    return await stage.api.get(f"/message-templates/{TemplateId.new()}")


async def target_not_found(stage: Stage) -> Answer:
    return await stage.api.get(f"{stage.campaign}/targets/{TargetId.new()}")


async def sender_not_found(stage: Stage) -> Answer:
    return await stage.api.get(f"/senders/{SenderId.new()}")


async def webhook_not_found(stage: Stage) -> Answer:
    return await stage.api.get(f"/webhooks/{EndpointId.new()}")


async def not_found(stage: Stage) -> Answer:
    return await stage.api.get("/nothing")


async def method_not_allowed(stage: Stage) -> Answer:
    return await stage.api.call("PUT", "/clients")


async def sender_not_available(stage: Stage) -> Answer:
    await stage.with_somebody()
    await stage.api.post(f"/senders/{stage.world.ids['senders']}/pause")
    return await stage.api.post(f"{stage.campaign}/start")


async def instagram_challenge_detected(stage: Stage) -> Answer:
    await stage.with_somebody()
    await stage.sql("UPDATE senders SET state = 'challenged', state_reason = 'a checkpoint'")
    return await stage.api.post(f"{stage.campaign}/start")


async def target_duplicate(stage: Stage) -> Answer:
    await stage.with_somebody()
    return await stage.api.post(f"{stage.campaign}/targets", {"targets": people("@Some.Body")})


async def target_suppressed(stage: Stage) -> Answer:
    return await stage.api.post(f"{stage.campaign}/targets", {"targets": people("jane.doe")})


async def invalid_state(stage: Stage) -> Answer:
    return await stage.api.post(f"{stage.campaign}/pause")


async def preflight_failed(stage: Stage) -> Answer:
    await stage.with_somebody()
    await stage.api.patch(f"/message-templates/{stage.world.ids['message-templates']}", {"body": "Hi {{firstName}}"})
    await stage.api.patch(stage.campaign, {"missingVariable": "fail_preflight"})
    return await stage.api.post(f"{stage.campaign}/start")


async def no_permitted_route(stage: Stage) -> Answer:
    new = {"username": "by.hand", "transport": "assisted"}
    sender = (await stage.api.post("/senders", new)).body["id"]
    await stage.api.post("/replies", {"senderId": sender, "instagramUsername": "jane.doe", "text": "Hello"})
    [found] = (await stage.api.get("/conversations", senderId=sender)).body["data"]
    return await stage.api.post(f"/conversations/{found['id']}/messages", {"text": "Hi"})


async def conflict(stage: Stage) -> Answer:
    await stage.api.post("/clients", {"name": "Acme", "externalId": "acme_001"})
    return await stage.api.post("/clients", {"name": "Acme", "externalId": "acme_001"})


async def idempotency_in_progress(stage: Stage) -> Answer:
    async with stage.in_progress("order-1"):
        return await stage.api.post("/clients", {"name": "Acme"}, idempotency_key="order-1")


async def idempotency_key_reused(stage: Stage) -> Answer:
    await stage.api.post("/clients", {"name": "Acme"}, idempotency_key="order-1")
    return await stage.api.post("/clients", {"name": "Other"}, idempotency_key="order-1")


async def payload_too_large(stage: Stage) -> Answer:
    return await stage.announce("POST", "/clients", size_bytes=2 << 20, content_type="application/json")


async def unsupported_media_type(stage: Stage) -> Answer:
    return await stage.api.post("/clients", data=b"name=Acme", content_type="application/x-www-form-urlencoded")


async def rate_limit_exceeded(stage: Stage) -> Answer:
    async with stage.exhausted() as api:
        return await api.get("/me")


async def unavailable(stage: Stage) -> Answer:
    async with serving(await without_database(stage.services, stage.database_url)) as url:
        return await Api(stage.http, url, stage.api.key).get("/clients")


# Code -> its status and how it comes about.
PROVOCATIONS: dict[str, tuple[int, Callable[[Stage], Awaitable[Answer]]]] = {
    each.__name__: (status, each)
    for status, provocations in {
        400: [missing_required_field, invalid_field, invalid_json],
        401: [invalid_api_key],
        403: [insufficient_scope, usage_limit_exceeded, not_from_instagram],
        404: [
            campaign_not_found, client_not_found, template_not_found, target_not_found, sender_not_found,
            webhook_not_found, not_found,
        ],
        405: [method_not_allowed],
        409: [
            sender_not_available, instagram_challenge_detected, target_duplicate, target_suppressed, invalid_state,
            preflight_failed, conflict, idempotency_in_progress, no_permitted_route,
        ],
        413: [payload_too_large],
        415: [unsupported_media_type],
        422: [idempotency_key_reused],
        429: [rate_limit_exceeded],
        503: [unavailable],
    }.items()
    for each in provocations
}  # fmt: skip


def documented() -> dict[str, int]:
    """Code -> status, of the table of answers."""
    answers = (DOCS / "errors.md").read_text(encoding="utf-8").partition("## Answers")[2].partition("\n## ")[0]
    return {code: int(status) for code, status in re.findall(r"^\| `(\w+)` \| (\d+) \|", answers, re.MULTILINE)}


def published() -> list[str]:
    table = (DOCS / "reference.txt").read_text(encoding="utf-8").partition("| Code | Description |")[2]
    return re.findall(r"^\| (\w+) \| ", table, re.MULTILINE)


def test_the_eleven_published_codes_are_answers_or_fates_of_a_delivery() -> None:
    assert len(published()) == 11
    assert set(published()) - NOT_BY_A_CALL <= set(PROVOCATIONS)


def test_each_documented_code_is_provoked_with_its_status() -> None:
    wanted = {code: status for code, status in documented().items() if code not in NOT_BY_A_CALL}
    assert {code: status for code, (status, _) in PROVOCATIONS.items()} == wanted


@pytest.mark.parametrize("code", PROVOCATIONS)
async def test_the_code_comes_with_its_status_and_what_to_do(stage: Stage, code: str) -> None:
    status, provoke = PROVOCATIONS[code]
    answer = await provoke(stage)
    assert answer.status == status, answer
    error = answer.body["error"]
    assert error["code"] == code
    assert error["message"]
    assert error["remedy"]
    assert error["requestId"] == answer.headers["X-Request-Id"]
    assert error["docUrl"] == f"/docs#error-{code}"


async def test_a_bug_shows_nothing_but_its_request_id(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    """A pepper of the wrong type stands for any bug; the details go to the log and nowhere else."""
    broken = msgspec.structs.replace(stage.services, pepper=uuid7())
    async with serving(broken) as url:
        answer = await Api(stage.http, url, stage.api.key).post("/suppressions", {"instagramUsername": "jane.doe"})
    assert answer.status == 500
    error = answer.body["error"]
    assert set(error) == {"code", "message", "remedy", "docUrl", "requestId"}
    assert error["code"] == "internal_error"
    assert "UUID" not in answer.raw.decode()
    logged = "".join(capsys.readouterr())
    assert error["requestId"] in logged
    assert "UUID" in logged
