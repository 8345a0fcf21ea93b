"""`doctor` shows every setting with its source, finds what is wrong, and says what to do about it."""

import stat
from pathlib import Path

import msgspec
import pytest

from iglayers.core.config import Settings
from tests.cli.conftest import Run


def test_every_setting_is_shown_with_its_source_and_no_secret(run: Run, tmp_path: Path, url: str) -> None:
    tmp_path.chmod(0o700)
    done = run("doctor", "--data-dir", str(tmp_path), port="0", worker_slots="4", metrics_token="only-for-us")
    assert done.exit_code == 0, done.stdout
    shown = {line.split()[1]: line.split(maxsplit=2)[2] for line in done.stdout.splitlines() if "IGLAYERS_" in line}
    assert list(shown) == [f"IGLAYERS_{field.name.upper()}" for field in msgspec.structs.fields(Settings)]
    assert shown["IGLAYERS_DATA_DIR"] == f"{tmp_path} (option)"
    assert shown["IGLAYERS_WORKER_SLOTS"] == "4 (environment)"
    assert shown["IGLAYERS_SEND_DEADLINE_S"] == "20 (default)"
    assert shown["IGLAYERS_ALLOW_HTTP_WEBHOOKS"] == "false (default)"
    assert shown["IGLAYERS_SECRET_KEY"] == "set, hidden (environment)"
    assert shown["IGLAYERS_DATABASE_URL"].endswith("(environment)")
    password = url.partition("://")[2].partition("@")[0].partition(":")[2]
    assert password
    assert password not in done.stdout
    assert "only-for-us" not in done.stdout
    assert done.stdout.endswith("All is well.\n")


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"port": "many"}, "IGLAYERS_PORT"),
        ({"send_lease_s": "30"}, "must be more than IGLAYERS_SEND_DEADLINE_S + 15 = 35"),
        ({"wroker_slots": "4"}, "is no setting. Did you mean IGLAYERS_WORKER_SLOTS?"),
        ({"secret_key": "ab" * 32}, "Set IGLAYERS_SECRET_KEY to the right one"),
        ({"secret_key": ""}, "IGLAYERS_SECRET_KEY is required with IGLAYERS_DATABASE_URL"),
        ({"data_dir": f"{__file__}/data"}, f"{__file__}/data cannot be made"),
        ({"database_url": "postgresql://nobody:x@127.0.0.1:1/none"}, "Start it, or correct IGLAYERS_DATABASE_URL."),
        ({"database_url": "mysql://127.0.0.1/none"}, "Start it, or correct IGLAYERS_DATABASE_URL."),
    ],
)
def test_problem_is_found_and_the_exit_status_tells(run: Run, settings: dict[str, str], told: str) -> None:
    done = run("doctor", **({"port": "0"} | settings))
    assert done.exit_code == 1
    wrong = [line for line in done.stdout.splitlines() if line.startswith("WRONG")]
    assert any(told in line for line in wrong), done.stdout + done.stderr
    assert done.stderr == ""


def test_folder_open_to_others_and_paused_dispatch_are_problems(run: Run, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    run("dispatch", "pause", "--reason", "Moving house.")
    done = run("doctor", port="0")
    assert done.exit_code == 1
    assert f"{tmp_path} is open to others: chmod 700 it." in done.stdout
    assert "paused: Moving house. Go on with: iglayers dispatch resume." in done.stdout
    assert done.stdout.endswith("2 problems.\n")
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755


def test_nothing_is_made_before_the_first_start(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    done = run("doctor", port="0", data_dir=str(folder), database_url="", secret_key="")
    assert done.exit_code == 0, done.stdout
    assert f"{folder} will be made at the first start." in done.stdout
    assert not folder.exists()
