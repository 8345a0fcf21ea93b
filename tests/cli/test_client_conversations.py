"""What came back is looked at, labelled and answered by command."""

import json
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from iglayers.accounts.model import Caller
from iglayers.accounts.services import Services
from tests.cli.calling import Line
from tests.sending.world import World
from tests.serving import Api


@pytest.fixture
def line(test_api: Api, tmp_path: Path) -> Line:
    return Line(tmp_path, api_key=test_api.key, url=test_api.base)


async def test_a_reply_is_labelled_and_answered(line: Line, services: Services, test_caller: Caller) -> None:
    world = World(services, test_caller)
    await world.sender()
    await world.campaign(["jane.doe.quiet"])
    await world.send()
    await world.say("jane.doe.quiet", "Is this paid?")
    [reply] = await line.done("replies", "list", "--label", "question")
    labelled = await line.done("replies", "label", reply["id"], "interested", "--reason", "asked for the rate")
    assert (labelled["label"], labelled["labelReason"]) == ("interested", "asked for the rate")
    [found] = await line.done("conversations", "list", "--waiting")
    assert (found["label"], found["needsAnswer"]) == ("interested", True)
    with capture_logs():  # of the server, which prints to the same output here
        answered = await line.done("conversations", "answer", found["id"], "It is: 100 EUR")
    assert (answered["status"], answered["author"]) == ("sent", "key Tests")
    shown = await line.done("conversations", "show", found["id"])
    assert [each["text"] for each in shown["words"]][1:] == ["Is this paid?", "It is: 100 EUR"]
    assert await line.done("conversations", "list", "--waiting") == []
    await line.done("suppressions", "add", "jane.doe.quiet")
    refused = await line("conversations", "answer", found["id"], "Hello?")
    assert refused.exit_code == 1
    assert "on the suppression list" in refused.stderr
    assert json.loads((await line("conversations", "list", "--label", "no")).stdout) == []
