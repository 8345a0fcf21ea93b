"""Suppressions, webhooks, lists, and how campaigns are started, watched and stopped by command."""

import asyncio
import json
from pathlib import Path

import pytest
import typer
from structlog.testing import capture_logs

from iglayers.accounts.model import Caller
from iglayers.accounts.services import Services
from iglayers.cli.client_campaigns_fields import follow_up, schedule, window
from iglayers.cli.client_campaigns_wait import wait_for_end
from iglayers.core.db import Database
from iglayers.sdk import Api as Client
from tests import make
from tests.cli.calling import Line
from tests.sdk.scripted import answer, scripted
from tests.sending.world import World, until
from tests.serving import Api, free_port


@pytest.fixture
def line(test_api: Api, tmp_path: Path) -> Line:
    return Line(tmp_path, api_key=test_api.key, url=test_api.base)


async def test_suppressions_are_added_listed_imported_and_lifted(line: Line) -> None:
    await line.done("suppressions", "add", "@Ann", "--reason", "asked by mail")
    people = line.file("people.csv", "instagramUsername\nben\nnot a name\n")
    imported = await line("suppressions", "import", people)
    assert (imported.exit_code, json.loads(imported.stdout)["rejected"]) == (3, 1)
    listed = await line.done("suppressions", "list")
    assert {each["instagramUsername"]: each["source"] for each in listed} == {"ann": "manual", "ben": "import"}
    await line.done("suppressions", "remove", "@ann")
    assert [each["instagramUsername"] for each in await line.done("suppressions", "list")] == ["ben"]
    assert (await line("suppressions", "remove", "ann")).exit_code == 1


async def test_a_person_is_shown_merged_and_erased(line: Line, database: Database, test_caller: Caller) -> None:
    await make.suppression(database, test_caller, "ann.old", reason="asked by mail")
    merged = await line.done("contacts", "merge", "@Ann.Old", "--into", "ann.new", "--reason", "new name")
    assert merged["person"]["handles"] == ["ann.new", "ann.old"]
    shown = await line.done("contacts", "show", "ann.old")
    assert [each["reason"] for each in shown["suppressions"]] == ["asked by mail"]
    circle = await line("contacts", "merge", "ann.new", "--into", "ann.old")
    assert (circle.exit_code, "written to as ann.new" in circle.stderr) == (1, True)
    assert (await line.done("contacts", "erase", "ann.new"))["erasedAt"]


async def test_webhook_is_made_tested_and_deleted(line: Line) -> None:
    closed = f"http://127.0.0.1:{free_port()}/hook"
    made = await line.done("webhooks", "create", "--to", closed, "--event", "message.sent", "--event", "reply.received")
    assert made["secret"].startswith("whsec_")
    assert (await line.done("webhooks", "show", made["id"]))["events"] == ["message.sent", "reply.received"]
    tested = await line("webhooks", "test", made["id"])
    assert tested.exit_code == 1
    assert "iglayers: " in tested.stderr
    await line.done("webhooks", "delete", made["id"])
    assert await line.done("webhooks", "list") == []


async def test_list_shows_as_many_as_are_asked_for_and_a_pipe_all(
    line: Line, database: Database, test_caller: Caller
) -> None:
    for number in range(3):
        await make.client(database, test_caller, f"Client {number}", external_id=f"x{number}")
    assert [each["name"] for each in await line.done("clients", "list", "--limit", "2")] == ["Client 2", "Client 1"]
    assert len(await line.done("clients", "list")) == 3
    (found,) = await line.done("clients", "list", "--external-id", "x1")
    assert (await line.done("clients", "show", found["id"]))["name"] == "Client 1"


async def test_template_is_read_from_a_file_and_previewed_with_values(line: Line) -> None:
    made = await line.done("templates", "create", "--name", "Intro", "--body-file", "-", stdin="Hi {{firstName}} ☕")
    filled = await line.done("templates", "preview", made["id"], "--var", "firstName=Ann")
    assert filled["text"] == "Hi Ann ☕"
    lacking = await line("templates", "preview", made["id"])
    assert (lacking.exit_code, json.loads(lacking.stdout)["missing"]) == (1, ["firstName"])
    assert [each["name"] for each in await line.done("templates", "list")] == ["Intro"]
    assert (await line.done("templates", "show", made["id"]))["variables"] == ["firstName"]


async def test_campaign_is_set_up_by_options_and_a_file_and_moved_by_verbs(
    line: Line, database: Database, test_caller: Caller, test_api: Api
) -> None:
    client, template = await make.client(database, test_caller), await make.template(database, test_caller)
    sender = await test_api.post("/senders", {"username": "acme", "transport": "sandbox"})
    more = line.file("more.json", json.dumps({"routes": ["sandbox"], "dailyLimit": 1}))
    made = await line.done(
        "campaigns", "create", "--client", str(client.id), "--name", "Spring", "--template", str(template.id),
        "--daily-limit", "7", "--sender", sender.body["id"], "--window", "fri-mon 09:00-18:00",
        "--timezone", "Europe/Berlin", "--follow-up", f"{template.id}:48", "--from", more,
    )  # fmt: skip
    assert (made["dailyLimit"], made["routes"], made["senderIds"]) == (7, ["sandbox"], [sender.body["id"]])
    assert made["schedule"]["windows"] == [{"days": ["fri", "sat", "sun", "mon"], "from": "09:00", "to": "18:00"}]
    blocked = await line("campaigns", "preflight", made["id"])
    assert (blocked.exit_code, json.loads(blocked.stdout)["ok"]) == (1, False)
    await line("targets", "upload", line.file("people.csv", "instagramUsername\nann\n"), "--campaign", made["id"])
    steps = [
        (("campaigns", "start"), "running"), (("campaigns", "start"), "running"), (("campaigns", "pause"), "paused"),
        (("campaigns", "resume"), "running"), (("campaigns", "cancel"), "cancelled"),
    ]  # fmt: skip
    for words, status in steps:
        assert (await line.done(*words, made["id"]))["status"] == status
    over = await line("campaigns", "start", made["id"])
    assert (over.exit_code, "Copy it: iglayers campaigns clone ID." in over.stderr) == (1, True)
    assert [each["id"] for each in await line.done("campaigns", "list", "--status", "cancelled")] == [made["id"]]
    assert (await line.done("campaigns", "show", made["id"]))["name"] == "Spring"


async def test_campaign_is_changed_and_copied(line: Line, database: Database, test_caller: Caller) -> None:
    client, template = await make.client(database, test_caller), await make.template(database, test_caller)
    made = await line.done(
        "campaigns", "create", "--client", str(client.id), "--name", "Spring", "--template", str(template.id),
        "--start-at", "2027-01-01T00:00:00Z",
    )  # fmt: skip
    more = line.file("more.json", json.dumps({"schedule": None, "hourlyLimit": 1}))
    changed = await line.done("campaigns", "change", made["id"], "--hourly-limit", "9", "--from", more)
    assert (changed["name"], changed["hourlyLimit"], changed["schedule"]) == ("Spring", 9, None)
    copied = await line.done("campaigns", "clone", made["id"], "--name", "Summer")
    assert (copied["name"], copied["status"], copied["hourlyLimit"]) == ("Summer", "draft", 9)
    refused = await line("campaigns", "change", made["id"], "--daily-limit", "0")
    assert (refused.exit_code, "Correct --daily-limit." in refused.stderr) == (1, True)


async def test_account_is_stopped_and_an_unknown_message_settled(
    line: Line, services: Services, test_caller: Caller
) -> None:
    world = World(services, test_caller)
    sender = str((await world.sender()).id)
    assert (await line.done("senders", "pause", sender))["state"] == "paused"
    assert (await line.done("senders", "resume", sender, "--reason", "seen to"))["state"] == "active"
    assert (await line.done("senders", "show", sender))["health"]["status"] == "ok"
    await world.campaign(["sandbox.timeout.lost"])
    with capture_logs():  # of the engine, which prints to the same output here
        await world.send()
    [unknown] = await line.done("messages", "list", "--status", "unknown")
    settled = await line.done("messages", "resolve", unknown["id"], "not_sent", "--reason", "not in the inbox")
    assert (settled["status"], settled["reason"]) == ("failed", "not in the inbox")
    assert (await line.done("messages", "show", unknown["id"]))["author"] == "key Tests"


async def test_waiting_for_a_campaign_that_somebody_pauses_ends_with_1_and_the_reason(
    line: Line, database: Database, test_caller: Caller, test_api: Api
) -> None:
    client, template = await make.client(database, test_caller), await make.template(database, test_caller)
    await test_api.post("/senders", {"username": "acme", "transport": "sandbox"})
    body = {"clientId": client.id, "name": "Spring", "messageTemplateId": template.id}
    made = (await test_api.post("/campaigns", body)).body["id"]
    await test_api.post(f"/campaigns/{made}/targets", {"targets": [{"instagramUsername": "ann"}]})
    waiting = asyncio.create_task(line("campaigns", "start", made, "--wait"))

    async def paused() -> bool:
        return (await test_api.post(f"/campaigns/{made}/pause")).status == 200

    await until(paused)
    done = await waiting
    assert done.exit_code == 1
    assert "0 of 1 done. A person paused the campaign." in done.stderr
    assert json.loads(done.stdout)["status"] == "paused"


def test_leaving_a_campaign_that_runs_says_that_it_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    running = answer(200, {"status": "running", "code": "sending", "reason": "It sends.", "counts": {"queued": 2}})

    def leave(_seconds: float) -> None:
        raise KeyboardInterrupt

    with scripted(running) as server, pytest.raises(typer.Exit) as caught:
        wait_for_end(Client(server.url, "sk_test_x"), "cmp_1", sleep=leave)
    assert caught.value.exit_code == 130
    assert "The campaign goes on" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("mon 09:00-18:00", ["mon"]),
        ("Mon-Wed 09:00 - 18:00", ["mon", "tue", "wed"]),
        ("sat,sun 09:00-18:00", ["sat", "sun"]),
        ("fri-mon, wed 09:00-18:00", ["fri", "sat", "sun", "mon", "wed"]),
    ],
)
def test_window_names_days_and_hours(text: str, days: list[str]) -> None:
    assert window(text) == {"days": days, "from": "09:00", "to": "18:00"}


@pytest.mark.parametrize("text", ["", "mon", "mon 9-18", "day 09:00-18:00", "mon- 09:00-18:00x", "mon-xyz 09:00-18:00"])
def test_window_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        window(text)


def test_schedule_and_follow_up_are_as_the_api_takes_them() -> None:
    assert schedule([], None, None, None) is None
    assert schedule([], None, "2026-05-01T09:00:00Z", None) == {"startAt": "2026-05-01T09:00:00Z"}
    assert follow_up("tpl_1:48") == {"messageTemplateId": "tpl_1", "delayHours": 48}
