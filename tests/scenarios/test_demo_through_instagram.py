"""`make demo INSTAGRAM=1 EXIT=1`: it ends by itself, judged by the log of the Instagram that it was shown."""

import re
import subprocess
import sys

from tests.cli.processes import ROOT, environment


def test_it_completes_and_every_check_of_its_own_holds() -> None:
    done = subprocess.run(
        [sys.executable, "examples/official.py"], cwd=ROOT, env=environment() | {"EXIT": "1", "FEW": "1"},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=150,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    checks = re.findall(r"^([✓✗]) (.*)$", done.stdout, re.MULTILINE)
    assert [mark for mark, _ in checks] == ["✓"] * 4, done.stdout
    assert "4 people got a message, and nobody got two" in done.stdout
    # One of each ending, but for those that need a real fault of the account.
    for status in ("sent", "replied", "unknown", "skipped"):
        assert re.search(rf"^ +{status} ", done.stdout, re.MULTILINE), status
    [address] = re.findall(r"is ready at http://127\.0\.0\.1:(\d+)", done.stdout)
    listening = subprocess.run(["ps", "-ww", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert not [line for line in listening.splitlines() if "iglayers serve" in line and f"--port {address} " in line]
