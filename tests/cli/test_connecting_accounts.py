"""Instagram accounts from the command line: where to log in, a token from standard input, and what the doctor finds."""

from urllib.parse import parse_qs, urlsplit

import pytest

from tests.cli.conftest import Run
from tests.doubles.control import APP_ID, APP_SECRET, VERIFY_TOKEN, Account, Instagram


@pytest.fixture
async def account(double: Instagram) -> Account:
    return await double.account("brand.example")


@pytest.fixture
def app(double: Instagram) -> dict[str, str]:
    """The settings of an installation with an app at Meta."""
    return {
        "instagram_app_id": APP_ID, "instagram_app_secret": APP_SECRET, "instagram_verify_token": VERIFY_TOKEN,
        "instagram_graph_url": double.url, "instagram_www_url": double.url, "public_url": "https://app.example",
    }  # fmt: skip


async def test_a_token_is_read_from_standard_input(run: Run, account: Account, app: dict[str, str]) -> None:
    add = ("senders", "add", "--username", "brand.example", "--transport", "instagram")
    without = run(*add, **app)
    assert (without.exit_code, without.stdout) == (1, "")
    assert "needs an access" in without.stderr
    done = run(*add, stdin=f"{account.access_token}\n", **app)
    assert (done.exit_code, done.stdout.startswith("snd_")) == (0, True), done.stderr
    assert account.access_token not in done.stdout + done.stderr


async def test_connect_prints_where_to_log_in(run: Run, double: Instagram, app: dict[str, str]) -> None:
    done = run("senders", "connect", "--daily-limit", "7", **app)
    assert done.exit_code == 0, done.stderr
    url = urlsplit(done.stdout.strip())
    asked = parse_qs(url.query)
    assert f"{url.scheme}://{url.netloc}{url.path}" == f"{double.url}/oauth/authorize"
    assert asked["client_id"] == [APP_ID]
    assert asked["redirect_uri"] == ["https://app.example/instagram/callback"]
    assert len(asked["state"][0]) >= 43
    refused = run("senders", "connect")
    assert refused.exit_code == 1
    assert "IGLAYERS_INSTAGRAM_APP_ID" in refused.stderr


async def test_the_doctor_looks_at_each_account(
    run: Run, double: Instagram, account: Account, app: dict[str, str]
) -> None:
    run("senders", "add", "--username", "brand.example", "--transport", "instagram", stdin=account.access_token, **app)
    well = run("doctor", port="0", **app)
    assert "ok     instagram brand.example" in well.stdout, well.stdout
    assert "Instagram tells this app of everything that it needs." in well.stdout
    await double.owner(account, "kill_tokens", subcode=460)
    ill = run("doctor", port="0", **app)
    assert ill.exit_code == 1
    (wrong,) = [line for line in ill.stdout.splitlines() if line.startswith("WRONG")]
    assert "brand.example" in wrong
    assert "190/460" in wrong
    for told in (well.stdout, ill.stdout, well.stderr, ill.stderr):
        assert account.access_token not in told
        assert APP_SECRET not in told
        assert VERIFY_TOKEN not in told
