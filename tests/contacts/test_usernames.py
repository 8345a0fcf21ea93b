"""Whatever way a person's username is written, it means one person or is refused with a reason."""

import timeit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iglayers.contacts.usernames import InvalidUsername, canonical

ONE_PERSON = [
    "jane.doe",
    "@Jane.Doe",
    " JANE.DOE ",
    "jane.doe\n",
    "“@jane.doe”,",
    "<jane.doe>",
    "instagram.com/jane.doe",
    "@instagram.com/jane.doe",
    "http://www.instagram.com/Jane.Doe/",
    "https://m.instagram.com/jane.doe",
    "https://instagram.com/jane.doe/?igsh=MWx2&utm_source=qr",
    "https://instagram.com/jane.doe?hl=en#top",
    "https://instagram.com/jane.doe/reels/",
    "https://instagram.com/jane.doe/p/Cxyz/",
    "https://instagram.com/jane.doe/tagged/",
    "https://instagram.com/_u/jane.doe",
    "instagram://user?username=Jane.Doe",
    "ig.me/m/jane.doe",
    "https://instagram.com/stories/jane.doe/3141/",
    "https://instagr.am/jane.doe",
    "HTTPS://INSTAGRAM.COM/JANE.DOE",
    "https://instagram.com/%6Aane.doe",
    "https://instagram.com/%40jane.doe",
    "https://instagram.com:443/jane.doe",
    "ｊａｎｅ．ｄｏｅ",
    "＠jane.doe",
    "jane\u200b.doe\ufeff",
    "\u2068jane.doe\u2069",
]
REFUSED = [
    ("", "is empty"),
    (" @ ", "is empty"),
    ("a" * 31, "31 characters"),
    ("a" * 100_000, "100000 characters"),
    (".jane", "starts with a period"),
    ("jane.", "ends with a period"),
    ("jane..doe", "two periods"),
    ("jane doe", "blank inside"),
    ("jane-doe", "HYPHEN-MINUS"),
    ("jane@example.com", "e-mail"),
    ("jаne", "CYRILLIC SMALL LETTER A"),
    ("jane\u202edoe", "RIGHT-TO-LEFT OVERRIDE"),
    ("ja\x00ne", "U+0000"),
    ("José", "LATIN SMALL LETTER E WITH ACUTE"),
    ("İstanbul", "COMBINING DOT ABOVE"),
    ("👩‍👩‍👧", "WOMAN"),
    ("jane\ud800", "U+D800"),
    ("instagram.com", "names no person"),
    ("https://instagram.com/", "names no person"),
    ("https://instagram.com/instagram.com", "names no person"),
    ("https://instagram.com/p/Cxyz/", "post"),
    ("https://instagram.com/reel/Cxyz/", "post"),
    ("https://instagram.com/explore/tags/x", "own page /explore"),
    ("https://instagram.com/stories/highlights/1", "own page"),
    ("https://instagram.com/stories/", "own page"),
    ("https://instagram.com/share/BAxyz", "share link"),
    ("https://ig.me/jane", "own page"),
    ("instagram://camera", "names no person"),
    ("https://tiktok.com/@jane", "another site (tiktok.com)"),
    ("https://instagram.com.example.org/jane", "another site"),
    ("https://instagram.com@example.org/jane", "another site"),
    ("https://example.org@instagram.com/jane", "another site"),
    ("mailto:jane", "not a link that can be read"),
    ("javascript:alert(1)", "not a link that can be read"),
    ("https://instagram.com/jane doe", "blank or a control"),
    ("https://[::1/jane", "not a link that can be read"),
    ("https://instagram.com:99999/jane", "not a link that can be read"),
    ("https://instagram.com/j%D0%B0ne", "CYRILLIC SMALL LETTER A"),
]


@pytest.mark.parametrize("written", ONE_PERSON)
def test_every_way_to_write_a_username_means_one_person(written: str) -> None:
    assert canonical(written) == "jane.doe"


def test_periods_and_underscores_tell_people_apart() -> None:
    names = ["jane.doe", "janedoe", "jane_doe", "_jane_doe_", "jane__doe", "1", "a" * 30]
    assert [canonical(name) for name in names] == names


@pytest.mark.parametrize(("written", "reason"), REFUSED)
def test_what_is_no_username_is_refused_with_the_reason(written: str, reason: str) -> None:
    with pytest.raises(InvalidUsername) as refused:
        canonical(written)
    assert reason in refused.value.message
    assert refused.value.code == "invalid_field"
    assert refused.value.param == "instagramUsername"
    assert refused.value.next_step
    assert len(refused.value.message) < 200


def test_a_lookalike_letter_is_named_in_the_remedy() -> None:
    with pytest.raises(InvalidUsername) as refused:
        canonical("jаne")
    assert "looks like “a”" in refused.value.next_step


_pieces = st.sampled_from([
    "@", "/", ":", "?", "%2e", "https://", "instagram.com", "ig.me/m/", "stories/", "jane",
    ".", "_", "Ａ", "\u200b", "а", "ß",
])  # fmt: skip


@given(st.one_of(st.text(), st.text(alphabet="aZ09._@ /"), st.lists(_pieces, max_size=8).map("".join)))
def test_canonical_is_its_own_canonical_form(written: str) -> None:
    try:
        once = canonical(written)
    except InvalidUsername:
        return
    assert canonical(once) == once
    assert 1 <= len(once) <= 30
    assert once.isascii()


def test_names_that_are_canonical_already_cost_little() -> None:
    runs = 20_000
    best = min(timeit.repeat(lambda: canonical("creator.name_0042"), number=runs, repeat=5)) / runs
    assert best < 5e-6, f"{best * 1e6:.2f} µs"  # about 0.7 µs where it was written
