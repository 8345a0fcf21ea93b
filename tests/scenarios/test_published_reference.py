"""The published reference, run as it is printed: its curl commands by a shell against a fresh server on port 3000.

Only the placeholders are replaced (the key and the ids). What curl prints is set by a .curlrc beside the commands.
"""

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

REFERENCE = Path(__file__).parents[2] / "docs" / "reference.txt"
PORT = 3000
# The page's headings follow its blocks without a line break: `/api/v1/campaigns/:id/startStart campaign`.
HEADING = re.compile(r"(?<!localhost:3000)/api/v1/[a-z:/-]+(?=[A-Z])|(?<=^}')(?=[A-Z])", re.MULTILINE)


def commands() -> list[str]:
    """The curl commands of the page, in its order, each as it is printed."""
    text = HEADING.sub("\n", REFERENCE.read_text(encoding="utf-8"))
    found: list[str] = []
    for line in text.splitlines():
        if found and is_unfinished(found[-1]):
            found[-1] += "\n" + line
        elif line.startswith("curl "):
            found.append(line)
    return found


def is_unfinished(command: str) -> bool:
    if command.endswith("\\"):
        return True
    try:
        shlex.split(command)
    except ValueError:
        return True
    return False


class Installation:
    """A server on port 3000 with a data folder that is thrown away, and its command line."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {
            name: value for name, value in os.environ.items() if not name.startswith("IGLAYERS_")
        } | {"IGLAYERS_DATA_DIR": str(folder / "data")}  # fmt: skip

    def iglayers(self, *arguments: str) -> str:
        """What a command prints."""
        command = [sys.executable, "-m", "iglayers", *arguments]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


@pytest.fixture(scope="module")
def installation(port_3000: None) -> Iterator[Installation]:
    assert shutil.which("curl"), "This test runs the published curl commands and needs curl, which is not installed."
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", PORT))
        except OSError:
            pytest.fail(f"Port {PORT}, which the published reference names, is taken; end the process that has it.")
    # In /tmp and open to pass through: under root the database runs as another account.
    folder = Path(tempfile.mkdtemp(prefix="igl-reference-", dir="/tmp"))
    folder.chmod(0o711)
    made = Installation(folder)
    log = (folder / "server.log").open("w")
    server = subprocess.Popen(
        [sys.executable, "-m", "iglayers", "serve"], env=made.environment, stdout=subprocess.PIPE, stderr=log, text=True
    )
    try:
        assert server.stdout
        ready = server.stdout.readline()
        assert f":{PORT}" in ready, (folder / "server.log").read_text()
        yield made
    finally:
        server.send_signal(signal.SIGTERM)
        server.communicate(timeout=60)
        log.close()
        shutil.rmtree(folder, ignore_errors=True)


class Shell:
    """Runs commands of the page in a folder of its own, with what earlier answers gave in the placeholders' place."""

    def __init__(self, folder: Path, key: str) -> None:
        self.folder = folder
        self.placeholders = {"sk_live_YOUR_KEY": key}
        folder.mkdir()
        (folder / ".curlrc").write_text(
            'silent\nshow-error\nnoproxy = "*"\nmax-time = 30\nwrite-out = "\\n%{http_code}"\n'
        )

    def run(self, command: str) -> Any:
        """The answer of one command, which must be a success; None where there is no body."""
        for placeholder, value in self.placeholders.items():
            command = command.replace(placeholder, value)
        environment = {"PATH": os.environ["PATH"], "CURL_HOME": str(self.folder), "HOME": str(self.folder)}
        done = subprocess.run(
            ["bash", "-c", command], cwd=self.folder, env=environment, capture_output=True, text=True, check=False,
            timeout=60,
        )  # fmt: skip
        body, _, status = done.stdout.rpartition("\n")
        assert (done.returncode, status[:1]) == (0, "2"), (command, done.stdout, done.stderr)
        return json.loads(body) if body else None


def test_the_page_holds_eight_commands() -> None:
    paths = [re.search(r"http://localhost:3000(/[^\s\"]+)", command) for command in commands()]
    assert [found and found[1] for found in paths] == [
        "/api/v1/clients",
        "/api/v1/message-templates",
        "/api/v1/campaigns",
        "/api/v1/campaigns/CAMPAIGN_ID/targets",
        "/api/v1/campaigns/CAMPAIGN_ID/start",
        "/api/v1/campaigns/CAMPAIGN_ID/results",
        "/api/v1/campaigns/CAMPAIGN_ID/results?format=csv",
        "/api/v1/webhooks",
    ]


@pytest.mark.parametrize(("mode", "transport"), [("live", "assisted"), ("test", "sandbox")])
def test_every_command_of_the_page_works_as_printed(installation: Installation, mode: str, transport: str) -> None:
    installation.iglayers("senders", "add", "--username", "acme.official", "--transport", transport, "--mode", mode)
    key = installation.iglayers("keys", "create", "--name", "Reference", "--mode", mode)
    assert key.startswith(f"sk_{mode}_")
    shell = Shell(installation.folder / mode, key)
    client, template, campaign, targets, start, results, export, webhook = commands()

    made = shell.run(client)
    assert (made["name"], made["externalId"]) == ("Acme Brand", "acme_001")
    shell.placeholders["YOUR_CLIENT_ID"] = made["id"]
    made = shell.run(template)
    assert made["variables"] == ["firstName", "category"]
    shell.placeholders["YOUR_TEMPLATE_ID"] = made["id"]
    made = shell.run(campaign)
    assert (made["dailyLimit"], made["hourlyLimit"], made["metadata"]) == (50, 8, {"source": "agent_workflow"})
    shell.placeholders["CAMPAIGN_ID"] = made["id"]

    assert shell.run(targets)["accepted"] == 1
    assert shell.run(start)["status"] == "running"
    [person] = shell.run(results)["data"]
    assert (person["instagramUsername"], person["followerCount"]) == ("creatorname", 24_000)
    shell.run(export)
    header, row, *_ = (shell.folder / "results.csv").read_text(encoding="utf-8-sig").splitlines()
    assert header.startswith("targetId,instagramUsername,")
    assert "creatorname" in row
    assert shell.run(webhook)["secret"].startswith("whsec_")
