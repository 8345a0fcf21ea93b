"""`keys create` and `senders add`: what a script takes from them, and what they refuse."""

import asyncpg
import pytest

from iglayers.core.crypto import is_api_key
from tests.cli.conftest import Run


async def test_key_is_printed_alone_and_kept_only_as_a_hash(run: Run, url: str) -> None:
    done = run("keys", "create", "--name", "Agent", "--mode", "test", "--scopes", "read,write", "--scopes", "send")
    key = done.stdout.removesuffix("\n")
    assert (done.exit_code, done.stderr) == (0, "")
    assert key.startswith("sk_test_")
    assert is_api_key(key)
    kept = await fetch(url, "SELECT name, scopes, key_hash FROM api_keys")
    assert [(each["name"], sorted(each["scopes"])) for each in kept] == [("Agent", ["read", "send", "write"])]
    assert key.encode() not in kept[0]["key_hash"]
    audited = await fetch(url, "SELECT actor FROM audit_log WHERE action = 'api_key.created'")
    assert [each["actor"] for each in audited] == ["command line"]


def test_key_of_a_live_workspace_is_the_default(run: Run) -> None:
    assert run("keys", "create", "--name", "Agent").stdout.startswith("sk_live_")


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        ([], 2, "Missing option '--name'"),
        (["--name", "x", "--mode", "demo"], 2, "'demo' is not one of 'live', 'test'"),
        (["--name", "x", "--workspace", "Nobody"], 1, "no live workspace Nobody. See: iglayers workspaces list."),
        (["--name", "x", "--scopes", "reed"], 1, "must be one of read, write, send, admin. Correct --scopes."),
        (["--name", "x", "--client", "acme"], 1, "names no client of this workspace. Correct --client."),
        (["--name", "x", "--client", f"cl_{0:032}"], 1, "client"),
        (["--name", "x", "--expires", "soon"], 1, "2026-05-01T09:00:00Z. Correct --expires."),
        (["--name", "x", "--expires", "2020-01-01T00:00:00Z"], 1, "expires"),
    ],
)
def test_key_that_cannot_be_is_refused_by_option(run: Run, words: list[str], status: int, told: str) -> None:
    done = run("keys", "create", *words)
    assert (done.exit_code, done.stdout) == (status, "")
    assert told in " ".join(done.stderr.replace("│", " ").split())
    assert "Traceback" not in done.stderr


async def test_sender_is_added_where_its_transport_belongs(run: Run, url: str) -> None:
    sandbox = run("senders", "add", "--username", "@Acme.Outreach", "--transport", "sandbox", "--daily-limit", "7")
    assisted = run("senders", "add", "--username", "acme.people", "--transport", "assisted")
    assert (sandbox.exit_code, assisted.exit_code) == (0, 0), sandbox.stderr + assisted.stderr
    found = await fetch(
        url,
        """
        SELECT username, mode, daily_limit
        FROM senders JOIN workspaces ON workspaces.id = workspace_id
        ORDER BY username
    """,
    )
    assert tuple(found[0]) == ("acme.outreach", "test", 7)
    assert [each["mode"] for each in found] == ["test", "live"]
    again = run("senders", "add", "--username", "acme.outreach", "--transport", "sandbox")
    assert again.exit_code == 1
    assert f"is the sender {sandbox.stdout.strip()}" in again.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--transport", "pigeon"], "transport must be one of instagram, assisted in a live workspace"),
        (["--transport", "sandbox", "--mode", "live"], "transport must be one of instagram, assisted"),
        (["--transport", "instagram", "--mode", "test"], "transport must be one of"),
        (["--transport", "sandbox", "--min-gap-seconds", "-1"], "Correct --min-gap-seconds."),
        (["--transport", "sandbox", "--client", "acme"], "Correct --client."),
    ],
)
def test_sender_that_cannot_be_is_refused(run: Run, words: list[str], told: str) -> None:
    done = run("senders", "add", "--username", "acme", *words)
    assert (done.exit_code, done.stdout) == (1, "")
    assert told in done.stderr
    assert done.stderr.count("\n") == 1


async def fetch(url: str, sql: str) -> list[asyncpg.Record]:
    conn = await asyncpg.connect(url)
    try:
        return await conn.fetch(sql)
    finally:
        await conn.close()
