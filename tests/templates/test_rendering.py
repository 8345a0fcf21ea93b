"""A template holds named variables with fallbacks and nothing else; values are never looked at again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iglayers.core.errors import Invalid
from iglayers.templates.render import Missing, Recipient, byte_length, parse, render, variables


def test_variables_and_fallbacks_are_filled() -> None:
    template = parse("Hi {{firstName|there}}, {{ category }} and {{followerCount}}! {not} a { variable }")
    values = {"firstName": None, "category": "fitness", "followerCount": 24_000}
    assert render(template, values) == "Hi there, fitness and 24000! {not} a { variable }"


def test_what_is_missing_is_named_once_in_order() -> None:
    template = parse("{{b}} {{a}} {{b}} {{c|}} {{d}}")
    assert render(template, {"a": "", "b": None, "d": "  "}) == Missing(("b", "a", "d"))
    assert variables("{{b}} {{a}} {{b}} {{c|}}") == ["b", "a", "c"]


def test_values_are_never_expanded_again() -> None:
    template = parse("Hi {{firstName}}")
    assert render(template, {"firstName": "{{secret}}", "secret": "x"}) == "Hi {{secret}}"
    assert render(template, {"firstName": "{0.__class__} %s ${x} \\1"}) == "Hi {0.__class__} %s ${x} \\1"


def test_an_uploaded_variable_does_not_hide_a_published_field() -> None:
    person = Recipient(username="jane", first_name="Jane", variables={"firstName": "x", "city": "Rome"})
    assert render(parse("{{firstName}} {{city}} {{instagramUsername}}"), person.values()) == "Jane Rome jane"


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ("Hi {{firstName", "line 1, character 4 is opened and never closed"),
        ("Hi\n you }}", "line 2, character 6 closes nothing"),
        ("Hi {{}}", "line 1, character 4 does not hold"),
        ("{{first name}}", "line 1, character 1"),
        ("{{name.__class__}}", "line 1, character 1"),
        ("{{1st}}", "line 1, character 1"),
        ("{{|x}}", "line 1, character 1"),
        ("{{{firstName}}}", "line 1, character 1 has a brace inside"),
        ("{{firstName}}}", "line 1, character 14 is one brace too many"),
        ("{{a {{b}} }}", "line 1, character 1 has a brace inside"),
        ("{{a|x}y}}", "line 1, character 1 has a brace inside"),
        ("{{if x}}", "line 1, character 1"),
        ("{{ａ}}", "line 1, character 1"),
        ("{{" + "a" * 65 + "}}", "line 1, character 1"),
    ],
)
def test_malformed_braces_are_refused_with_their_position(body: str, where: str) -> None:
    with pytest.raises(Invalid) as refused:
        parse(body)
    assert where in refused.value.message
    assert refused.value.param == "body"


@given(st.text(alphabet="ab{}| \n"))
def test_any_text_is_parsed_or_refused_and_rendered_in_full(body: str) -> None:
    try:
        template = parse(body)
    except Invalid:
        return
    values = dict.fromkeys(variables(body), "v")
    text = render(template, values)
    assert isinstance(text, str)
    assert "{{" not in text


@given(st.text(), st.text().filter(lambda value: value.strip()))
def test_a_value_stands_in_the_text_as_it_is(around: str, value: str) -> None:
    around = around.replace("{", "").replace("}", "")
    assert render(parse(f"{around}{{{{name}}}}{around}"), {"name": value}) == f"{around}{value}{around}"


def test_length_is_counted_in_bytes() -> None:
    assert byte_length("né👋") == 7
