"""Keys look as docs/api-keys.md publishes, and nothing else of ours looks like one."""

import re
import secrets
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from iglayers.core import crypto, ids

PAGE = Path(__file__).parents[2] / "docs" / "api-keys.md"
BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def published() -> re.Pattern[str]:
    found = re.search(r"## Format\s+```\n(.+)\n```", PAGE.read_text(encoding="utf-8"))
    assert found, "docs/api-keys.md publishes the format"
    return re.compile(found[1])


def test_ten_thousand_new_keys_match() -> None:
    pattern = published()
    made = {crypto.new_api_key(mode) for mode in ("live", "test") for _ in range(5_000)}
    assert len(made) == 10_000
    for key in made:
        assert pattern.fullmatch(key)
        assert crypto.is_api_key(key)


def test_no_other_id_or_secret_matches() -> None:
    pattern = published()
    kinds = [kind for kind in vars(ids).values() if isinstance(kind, type) and issubclass(kind, ids.Id)]
    others = [str(kind.new()) for kind in kinds if kind is not ids.Id for _ in range(100)]
    others += [crypto.new_webhook_secret() for _ in range(100)]
    others += ["req_" + secrets.token_hex(12), secrets.token_hex(32), "Bearer sk_live_YOUR_KEY"]
    assert len(others) > 1_500
    assert not [other for other in others if pattern.search(other) or crypto.is_api_key(other)]


@given(st.integers(0, 45), st.sampled_from(BASE62 + "_-. ＡéⅧ²\n\x00"))
def test_a_mistyped_key_is_seen_without_the_database(at: int, character: str) -> None:
    key = "sk_test_0A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p"
    key += crypto._checksum(key)
    assert crypto.is_api_key(key)
    mistyped = key[:at] + character + key[at + 1 :]
    assert crypto.is_api_key(mistyped) is (mistyped == key)


@given(st.text(max_size=60))
def test_nothing_that_is_sent_as_a_key_breaks_the_check(text: str) -> None:
    for prefix in ("", "sk_live_", "sk_test_"):
        assert not crypto.is_api_key(prefix + text)
        assert not crypto.is_api_key((prefix + text).ljust(46, "0"))
