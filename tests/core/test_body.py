"""What is wrong with a body is told by the path of the field, whatever is wrong with it."""

from enum import StrEnum
from typing import Annotated, Any, Literal

import msgspec
import pytest

from iglayers.core import body
from iglayers.core.errors import Error
from iglayers.core.ids import CampaignId, ClientId


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Inner(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    client_id: ClientId
    delay_hours: Annotated[int, msgspec.Meta(ge=1)]


class Sent(msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    name: str
    client_id: ClientId
    colour: Colour = Colour.RED
    mode: Literal["skip", "fail"] | msgspec.UnsetType | None = msgspec.UNSET
    inner: list[Inner] = []
    sample: dict[str, str | int | None] = {}
    metadata: dict[str, Any] = {}
    campaign_ids: list[CampaignId] = []


def refused(data: str) -> tuple[str, str | None, str]:
    with pytest.raises(Error) as caught:
        body.convert(body.parse(data.encode()), Sent)
    return caught.value.code, caught.value.param, caught.value.message


def with_fields(fields: str) -> str:
    return f'{{"name": "a", "clientId": "cl_{"1" * 32}", {fields}}}'


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ('"metadata": {"a": [1, NaN]}', "metadata.a[1]"),
        ('"metadata": {"a": -Infinity}', "metadata.a"),
        ('"metadata": {"a": 1e999}', "metadata.a"),
        (f'"metadata": {{"a": {"9" * 5_000}}}', "metadata.a"),
        ('"metadata": {"a": {"b": 1, "b": 2}}', "metadata.a.b"),
        ('"name": "b"', "name"),
        ('"sample": {"a": "\\ud800"}', "sample.a"),
        ('"sample": {"\\ud800": 1}', "sample"),
        ('"sample": {"a": 1', "body"),
    ],
)
def test_what_json_does_not_have_is_named_by_its_path(fields: str, param: str) -> None:
    code, named, message = refused(with_fields(fields))
    assert (code, named) == ("invalid_json", param)
    assert "sys." not in message


@pytest.mark.parametrize(
    ("fields", "param", "says"),
    [
        ('"colour": "green"', "colour", "must be one of red, blue."),
        ('"mode": "x"', "mode", "must be one of skip, fail."),
        ('"mode": 5', "mode", "Expected `str | null`, got `int`."),
        ('"sample": {"a": "b", "c": []}', "sample.c", "Expected `int | str | null`, got `array`."),
        (f'"inner": [{{"clientId": "cl_{"1" * 32}", "delayHours": 0}}]', "inner[0].delayHours", "Expected `int` >= 1."),
        ('"inner": [{"clientId": 5, "delayHours": 1}]', "inner[0].clientId", "expected an id that starts with cl_."),
    ],
)
def test_a_value_that_does_not_fit_is_told_with_what_would(fields: str, param: str, says: str) -> None:
    code, named, message = refused(with_fields(fields))
    assert (code, named) == ("invalid_field", param)
    assert message.endswith(says)


@pytest.mark.parametrize(
    ("data", "param"),
    [
        ('{"clientId": "x"}', "name"),
        ('{"name": null, "clientId": "x"}', "name"),
        ('{"name": " ", "clientId": "x"}', "name"),
        ('{"name": "a", "clientId": null}', "clientId"),
        ('{"name": "a", "clientId": ""}', "clientId"),
        (with_fields('"inner": [{"delayHours": 1}]'), "inner[0].clientId"),
        (with_fields('"inner": [{"clientId": "", "delayHours": 1}]'), "inner[0].clientId"),
        (with_fields('"inner": [{"clientId": "x", "delayHours": null}]'), "inner[0].delayHours"),
    ],
)
def test_a_required_field_is_missing_when_it_is_empty_too(data: str, param: str) -> None:
    assert refused(data)[:2] == ("missing_required_field", param)


def test_a_misspelled_id_is_that_of_nothing() -> None:
    read = body.convert({"name": "a", "clientId": "YOUR_CLIENT_ID", "campaignIds": ["cl_1"]}, Sent)
    assert read.client_id == ClientId.of_nothing()
    assert read.campaign_ids == [CampaignId.of_nothing()]
