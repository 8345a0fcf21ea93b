"""What an operator sets up and switches: workspaces, people who log in, and whether anything is sent."""

import json

import pytest

from tests.cli.conftest import Run


def test_workspaces_come_in_pairs_of_one_name(run: Run) -> None:
    made = json.loads(run("workspaces", "create", "Second").stdout)
    assert [(each["name"], each["mode"]) for each in made] == [("Second", "live"), ("Second", "test")]
    again = run("workspaces", "create", " Second ")
    assert (again.exit_code, again.stdout) == (1, "")
    assert "already" in again.stderr
    listed = json.loads(run("workspaces", "list").stdout)
    assert [(each["name"], each["mode"]) for each in listed] == [
        ("Main", "live"), ("Main", "test"), ("Second", "live"), ("Second", "test"),
    ]  # fmt: skip


def test_workspace_must_be_named_where_there_are_several(run: Run) -> None:
    made = json.loads(run("workspaces", "create", "Second").stdout)
    unnamed = run("keys", "create", "--name", "x")
    assert (unnamed.exit_code, unnamed.stdout) == (1, "")
    assert "2 live workspaces fit. Name one: iglayers workspaces list." in unnamed.stderr
    for name in ("Second", made[0]["id"]):
        assert run("keys", "create", "--name", "x", "--workspace", name).stdout.startswith("sk_live_")


def test_user_is_made_once_and_the_password_is_no_argument(run: Run) -> None:
    words = ("users", "create", "--email", "Ana@example.com", "--password-stdin")
    made = run(*words, stdin="correct horse battery\n")
    assert made.stdout.startswith("usr_")
    again = run(*words, stdin="correct horse battery\n")
    assert (again.exit_code, again.stdout) == (1, "")
    assert "already a user with the e-mail ana@example.com" in again.stderr
    assert run("users", "create", "--email", "b@example.com", "--password", "x").exit_code == 2


@pytest.mark.parametrize(
    ("email", "stdin", "told"),
    [
        ("ana", "correct horse battery\n", "Correct --email."),
        ("ana@example.com", "short\n", "8 to 1,000 characters"),
        ("ana@example.com", "", "8 to 1,000 characters"),
    ],
)
def test_user_that_cannot_be_is_refused(run: Run, email: str, stdin: str, told: str) -> None:
    done = run("users", "create", "--email", email, "--password-stdin", stdin=stdin)
    assert (done.exit_code, done.stdout) == (1, "")
    assert told in done.stderr
    assert "horse" not in done.stderr


def test_password_is_not_asked_for_without_a_terminal(run: Run) -> None:
    done = run("users", "create", "--email", "ana@example.com", stdin="correct horse battery\n")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "--password-stdin" in done.stderr


def test_dispatch_is_paused_with_its_reason_until_it_is_resumed(run: Run) -> None:
    said = [
        run("dispatch", *words).stdout
        for words in (["status"], ["pause", "--reason", "Moving house."], ["status"], ["resume"], ["status"])
    ]
    assert said == ["running\n", "paused: Moving house.\n", "paused: Moving house.\n", "running\n", "running\n"]


def test_audit_of_an_empty_installation_finds_nobody(run: Run) -> None:
    done = run("audit", "duplicates")
    assert (done.exit_code, done.stdout) == (0, "Nobody was written to twice: 0 messages looked at.\n")
    as_json = json.loads(run("audit", "duplicates", "--json").stdout)
    assert as_json == {"checked": 0, "written_twice": [], "stored_twice": [], "delivered_twice": []}
