"""A campaign from the first key to its results, by commands alone."""

import csv
import json
from pathlib import Path

from iglayers.accounts.model import Caller
from iglayers.accounts.services import Services
from tests.cli.calling import Line
from tests.databases import SECRET_KEY
from tests.sending.world import working

PEOPLE = """instagramUsername,firstName,category,city
sandbox.replies.ann,Ann,fitness,Rome
sandbox.silent.ben,Ben,food,Oslo
sandbox.private.cem,Cem,travel,Bonn
not a name,Dan,travel,Bonn
sandbox.silent.ben,Ben,food,Oslo
"""


async def test_campaign_runs_from_key_to_results_by_commands_alone(
    worker_services: Services, test_caller: Caller, base_url: str, database_url: str, tmp_path: Path
) -> None:
    server = Line(
        tmp_path, database_url=database_url, secret_key=SECRET_KEY.hex(), data_dir=str(tmp_path), sandbox_speed="20000"
    )
    key = (await server("keys", "create", "--name", "me", "--mode", "test")).stdout.strip()
    assert (await server("senders", "add", "--username", "acme", "--transport", "sandbox")).exit_code == 0

    line = Line(tmp_path, api_key=key, url=base_url)
    assert (await line.done("me"))["mode"] == "test"
    assert [each["username"] for each in await line.done("senders", "list")] == ["acme"]
    client = await line.done("clients", "create", "--name", "Acme", "--external-id", "a1", "--metadata", '{"tier": 1}')
    template = await line.done("templates", "create", "--name", "Intro", "--body", "Hi {{firstName|you}} in {{city}}")
    campaign = await line.done(
        "campaigns", "create", "--client", client["id"], "--name", "Spring", "--template", template["id"],
        "--daily-limit", "500", "--window", "mon-sun 00:00-24:00", "--timezone", "Europe/Berlin",
        "--follow-up", f"{template['id']}:1",
    )  # fmt: skip
    draft = campaign["id"]

    uploaded = await line("targets", "upload", line.file("people.csv", PEOPLE), "--campaign", draft)
    assert uploaded.exit_code == 3
    told = json.loads(uploaded.stdout)
    assert (told["accepted"], told["rejected"]) == (3, 2)
    assert [(each["line"], each["code"]) for each in told["rejects"]] == [(5, "invalid_field"), (6, "target_duplicate")]
    people = await line.done("targets", "list", "--campaign", draft, "--status", "queued")
    ann = next(each["id"] for each in people if each["firstName"] == "Ann")
    filled = await line.done("templates", "preview", template["id"], "--target", ann)
    assert filled["text"] == "Hi Ann in Rome"
    assert (await line.done("campaigns", "preflight", draft))["ok"]
    assert (await line.done("campaigns", "status", draft))["code"] == "draft"

    async with working(worker_services, tmp_path):
        ended = await line("campaigns", "start", draft, "--wait")
    assert ended.exit_code == 0, ended.output
    assert "3 of 3 done" in ended.stderr
    assert json.loads(ended.stdout)["status"] == "completed"

    out = tmp_path / "results.csv"
    written = await line("results", "--campaign", draft, "-o", str(out))
    assert written.exit_code == 0, written.output
    with out.open(encoding="utf-8", newline="") as file:
        states = {row["instagramUsername"]: row["status"] for row in csv.DictReader(file)}
    assert states == {
        "sandbox.replies.ann": "replied", "sandbox.silent.ben": "sent", "sandbox.private.cem": "failed",
    }  # fmt: skip
    replies = await line.done("replies", "list", "--campaign", draft)
    assert {each["instagramUsername"] for each in replies} == {"sandbox.replies.ann"}
    story = await line.done("targets", "show", ann, "--campaign", draft)
    assert story["explanation"]["code"] == "replied"
    assert (await line.done("campaigns", "stats", draft))["funnel"]["replied"] == 1
    assert (await line.done("usage"))["sent"] >= 2
