"""`make demo`: a whole campaign of 500 people, judged by the sandbox's own log, and nothing left behind.

Beside it `make demo INSTAGRAM=1 EXIT=1`, judged by the log of the Instagram that it was shown. Both mostly wait, for
clocks, so they wait at the same time.
"""

import asyncio
import csv
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from tests.cli.processes import ROOT, environment

FOREVER = "The server keeps running."
# Who meets what, by the prefix of the username.
ENDINGS = {
    "sandbox.private": ("failed", "recipient_unavailable"),
    "sandbox.notfound": ("failed", "recipient_not_found"),
    "sandbox.challenge": ("failed", "instagram_challenge_detected"),
    "sandbox.disabled": ("failed", "sender_not_available"),
    "sandbox.timeout.lost": ("unknown", "outcome_unknown"),
    "sandbox.error": ("unknown", "outcome_unknown"),
    "sandbox.timeout.sent": ("sent", None),
    "sandbox.ratelimit": ("sent", None),
    "sandbox.slow": ("sent", None),
    "sandbox.silent": ("sent", None),
    "sandbox.replies": ("replied", None),
    "sandbox.optout": ("replied", None),
    "sandbox.noroute": ("skipped", "no_permitted_route"),
    "noor.everlyn.paints": ("skipped", "target_suppressed"),
    "rambling.osgood": ("skipped", "message_too_long"),
}
REJECTED = {"target_duplicate": 9, "target_suppressed": 6, "invalid_field": 4, "missing_required_field": 1}


@dataclass(frozen=True)
class Demo:
    """What the demo said, what its server answered before the Ctrl-C, and what was there afterwards."""

    said: str
    address: str
    campaign: dict[str, Any]
    summary: dict[str, int]
    targets: list[dict[str, Any]]
    senders: list[dict[str, Any]]
    sandbox_log: Counter[str]
    status: int
    left_behind: list[str]
    rows: list[dict[str, str]]


@pytest.fixture(scope="module")
def usual_port(port_3000: None) -> Iterator[None]:
    """Somebody has port 3000."""
    with socket.socket() as other:
        with suppress(OSError):
            other.bind(("127.0.0.1", 3000))
            other.listen()
        yield


@pytest.fixture(scope="module")
def official() -> Iterator[subprocess.Popen[str]]:
    """The demo through the official API, just started; it ends by itself."""
    with subprocess.Popen(
        [sys.executable, "examples/official.py"],
        cwd=ROOT,
        env=environment() | {"EXIT": "1", "FEW": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        yield process
        if process.poll() is None:
            process.terminate()


@pytest.fixture(scope="module")
def demo(usual_port: None, official: subprocess.Popen[str]) -> Demo:
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen(
            [sys.executable, "examples/demo.py"],
            cwd=ROOT,
            env=environment() | {"SPEED": "60000", "EXIT": ""},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            return look_at(process, until_it_waits(process, out.fileno()))
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait(30)


def until_it_waits(process: subprocess.Popen[bytes], out: int) -> str:
    deadline = time.monotonic() + 150
    while True:
        said = os.pread(out, 1_000_000, 0).decode()
        if FOREVER in said:
            return said
        assert process.poll() is None, said
        assert time.monotonic() < deadline, said
        time.sleep(0.1)


def look_at(process: subprocess.Popen[bytes], said: str) -> Demo:
    """Everything that is known of the demo, which is over afterwards."""

    def found(pattern: str) -> str:
        match = re.search(pattern, said)
        assert match, said
        return match[1]

    def get(path: str) -> Any:
        with closing(http.client.HTTPConnection(address.removeprefix("http://"), timeout=30)) as connection:
            connection.request("GET", f"/api/v1{path}", headers={"Authorization": f"Bearer {key}"})
            return json.load(connection.getresponse())

    address, key, folder = found(r"is ready at (\S+)"), found(r"(sk_test_[0-9A-Za-z]+)"), found(r"data folder: (\S+)")
    campaign, results = found(r"/campaigns/(cmp_\w+)"), Path(found(r"Results: (\S+)"))
    page = get(f"/campaigns/{campaign}/results?limit=1000")
    senders, sandbox_log = get("/senders?limit=100")["data"], asyncio.run(recipients(Path(folder) / "data"))
    process.send_signal(signal.SIGINT)
    status = process.wait(30)
    with results.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    shutil.rmtree(results.parent)
    processes = subprocess.run(["ps", "-ww", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    left_behind = [line for line in processes.splitlines() if folder in line]
    left_behind += [folder] if Path(folder).exists() else []
    return Demo(
        said, address, page["campaign"], page["summary"], page["data"], senders, sandbox_log, status, left_behind, rows
    )


async def recipients(data_dir: Path) -> Counter[str]:
    """How many messages each person got, as the sandbox wrote it down."""
    password = (data_dir / "postgres.password").read_text().strip()
    conn = await asyncpg.connect(host=str(data_dir), port=5432, user="iglayers", password=password, database="iglayers")
    try:
        return Counter(each["recipient"] for each in await conn.fetch("SELECT recipient FROM sandbox_messages"))
    finally:
        await conn.close()


def test_it_completes_and_every_check_of_its_own_holds(demo: Demo) -> None:
    assert demo.campaign["status"] == "completed"
    checks = re.findall(r"^([✓✗]) (.*)$", demo.said, re.MULTILINE)
    assert len(checks) == 6
    assert [text for mark, text in checks if mark == "✗"] == []


def test_another_port_is_taken_where_3000_is_not_free(demo: Demo) -> None:
    assert not demo.address.endswith(":3000")


def test_every_target_ended_as_its_name_says_and_the_states_add_up(demo: Demo) -> None:
    assert len(demo.targets) == 480
    assert Counter(each["status"] for each in demo.targets) == +Counter(demo.summary)
    for prefix, ending in ENDINGS.items():
        of_them = [each for each in demo.targets if each["instagramUsername"].startswith(prefix)]
        assert {(each["status"], each["errorCode"]) for each in of_them} == {ending}, prefix
    missing = [each["category"] for each in demo.targets if each["errorCode"] == "missing_variable"]
    assert missing == [None] * 4


def test_rejected_rows_carry_the_right_code(demo: Demo) -> None:
    for code, rows in REJECTED.items():
        assert re.search(rf"^ +{code} +{rows} ", demo.said, re.MULTILINE), code


def test_each_name_that_costs_a_sender_cost_one(demo: Demo) -> None:
    states = Counter(each["state"] for each in demo.senders)
    assert states == {"active": 3, "challenged": 1, "disabled": 1}


def test_nobody_got_two_messages_by_the_log_of_the_sandbox_itself(demo: Demo) -> None:
    assert [name for name, times in demo.sandbox_log.items() if times > 1] == []
    written = {each["instagramUsername"] for each in demo.targets if each["status"] in ("sent", "replied")}
    untouched = {each["instagramUsername"] for each in demo.targets if each["status"] in ("failed", "skipped")}
    assert written <= demo.sandbox_log.keys()
    assert not untouched & demo.sandbox_log.keys()


def test_ctrl_c_leaves_nothing_but_the_results(demo: Demo) -> None:
    assert (demo.status, demo.left_behind) == (0, [])
    assert {row["targetId"] for row in demo.rows} == {each["targetId"] for each in demo.targets}
    assert len(demo.rows) == 480


def test_through_the_official_api_it_completes_and_every_check_of_its_own_holds(
    official: subprocess.Popen[str], demo: Demo
) -> None:
    said, _ = official.communicate(timeout=150)
    assert official.returncode == 0, said
    checks = re.findall(r"^([✓✗]) (.*)$", said, re.MULTILINE)
    assert [mark for mark, _ in checks] == ["✓"] * 4, said
    assert "4 people got a message, and nobody got two" in said
    # One of each ending, but for those that need a real fault of the account.
    for status in ("sent", "replied", "unknown", "skipped"):
        assert re.search(rf"^ +{status} ", said, re.MULTILINE), status
    [port] = re.findall(r"is ready at http://127\.0\.0\.1:(\d+)", said)
    listening = subprocess.run(["ps", "-ww", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert not [line for line in listening.splitlines() if "iglayers serve" in line and f"--port {port} " in line]
