"""What a request looks like on the wire."""

import pytest

from iglayers.core.addresses import Guard
from iglayers.core.outgoing import Client, place_of, rendered
from tests.core.scripted import scripted
from tests.core.test_outgoing_guard import Names


@pytest.mark.parametrize(
    ("url", "target", "host", "port", "named"),
    [
        ("http://example.com", "/", "example.com", 80, "example.com"),
        ("https://example.com:443/", "/", "example.com", 443, "example.com"),
        ("https://example.com:8443/a/b?c=d&e#f", "/a/b?c=d&e", "example.com", 8443, "example.com:8443"),
        ("http://EXAMPLE.com:443/", "/", "example.com", 443, "example.com:443"),
        ("https://example.com./", "/", "example.com.", 443, "example.com"),
        ("https://bücher.example/", "/", "xn--bcher-kva.example", 443, "xn--bcher-kva.example"),
        ("http://[2001:DB8::1]/", "/", "2001:db8::1", 80, "[2001:db8::1]"),
        ("http://[::1]:8080/", "/", "::1", 8080, "[::1]:8080"),
        ("https://example.com/ü/%C3%BC/%2F/%7e/a+b?q=ü&r=%26", "/%C3%BC/%C3%BC/%2F/~/a+b?q=%C3%BC&r=%26", "example.com",
         443, "example.com"),
        ("https://example.com/a/../b/./c;d=e", "/b/c;d=e", "example.com", 443, "example.com"),
    ],
)  # fmt: skip
def test_a_url_is_where_it_leads(url: str, target: str, host: str, port: int, named: str) -> None:
    origin, head = place_of(url)
    assert origin == (url.startswith("https"), host, port)
    assert head.startswith(f"POST {target} HTTP/1.1\r\nHost: {named}\r\n".encode())


@pytest.mark.parametrize(
    "url", ["", "/path", "ftp://example.com/", "mailto:a@example.com", "https://", "https://[::1/"]
)
def test_what_leads_nowhere_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        place_of(url)


@pytest.mark.parametrize(
    "headers", [{"A": "b\r\nX: y"}, {"A": "b\n"}, {"A": "b\r"}, {"A\r\nX": "b"}, {"A": "\r", "B": "\n"}, {"A": "\n\r"}]
)
def test_a_header_begins_no_other_line(headers: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="line break"):
        rendered(headers)


async def test_a_request_is_whole_and_as_it_was_given() -> None:
    body = bytes(range(256)) * 1_024
    async with (
        scripted() as receiver,
        Client(Guard(["127.0.0.1/32"]), deadline_s=5, resolver=Names(["127.0.0.1"])) as client,
    ):
        for sent in (body, b""):
            await client.post(f"http://some.example:{receiver.port}/ü?a=b", sent, headers={"Webhook-Id": "evt_1"})
    assert receiver.heard == [
        b"POST /%%C3%%BC?a=b HTTP/1.1\r\nHost: some.example:%d\r\nAccept-Encoding: identity\r\nAccept: */*\r\n"
        b"Webhook-Id: evt_1\r\nContent-Length: %d\r\n\r\n%b" % (receiver.port, len(sent), sent)
        for sent in (body, b"")
    ]  # fmt: skip
