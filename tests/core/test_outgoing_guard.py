"""No address of our own networks is dialled, however a URL or a name server spells it."""

import asyncio
import socket
import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from iglayers.core import addresses
from iglayers.core.addresses import Guard, is_public
from iglayers.core.config import Settings, SettingsError, load
from iglayers.core.outgoing import Client, Failure
from tests.events.receiving import receiving

REFUSED = [
    "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.127.255.255", "127.0.0.1",
    "127.255.255.254", "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.8", "192.0.0.170",
    "192.0.2.1", "192.88.99.1", "192.168.0.1", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1",
    "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255", "::", "::1", "::127.0.0.1", "::8.8.8.8",
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:0:127.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::7f00:1",
    "64:ff9b::a9fe:a9fe", "100::1", "2001::1", "2001:2::1", "2001:10::1", "2001:20::1", "2001:db8::1",
    "2002:7f00:1::", "2002:a00:1::", "3fff::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fec0::1",
    "ff02::1", "ff0e::1", "4000::1", "e000::1",
]  # fmt: skip
PUBLIC = [
    "1.1.1.1", "8.8.8.8", "93.184.216.34", "100.128.0.1", "172.32.0.1", "2606:4700::1111",
    "2a00:1450:4001::1", "2001:4860::1",
]  # fmt: skip
SPELLINGS = [
    "127.0.0.1", "127.1", "2130706433", "0x7f.1", "0x7f000001", "0177.0.0.1", "017700000001", "[::1]", "[::127.0.0.1]",
    "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:127.0.0.1]", "localhost", "0", "0.0.0.0", "[::]",
    "127.0.0.1.", "１２７.0.0.1",
]  # fmt: skip


@pytest.mark.parametrize("address", REFUSED)
def test_an_address_that_is_not_of_the_public_internet_is_refused(address: str) -> None:
    assert not Guard().permits(ip_address(address))


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_permitted(address: str) -> None:
    assert Guard().permits(ip_address(address))


@given(st.ip_addresses())
def test_what_python_calls_private_or_special_is_never_public(address: Any) -> None:
    if is_public(address):
        assert address.is_global
        assert not any((address.is_multicast, address.is_private, address.is_reserved))


@pytest.mark.parametrize(
    ("allowed", "address", "permitted"),
    [
        (["10.2.0.0/16"], "10.2.3.4", True),
        (["10.2.0.0/16"], "10.3.3.4", False),
        (["10.2.0.0/16"], "::ffff:10.2.3.4", True),
        (["64:ff9b::/96"], "64:ff9b::808:808", True),
        (["127.0.0.0/8"], "::1", False),
        (["::1/128"], "::1", True),
    ],
)
def test_a_network_on_the_allow_list_is_permitted(allowed: list[str], address: str, permitted: bool) -> None:
    assert Guard(allowed).permits(ip_address(address)) is permitted


@pytest.mark.parametrize(
    ("host", "networks", "permitted"),
    [
        ("127.0.0.1", None, {"127.0.0.1", "::1"}),
        ("localhost", None, {"127.0.0.1", "::1"}),
        ("0.0.0.0", None, set[str]()),
        ("192.168.1.5", None, set[str]()),
        ("0.0.0.0", "127.0.0.1/32, 10.0.0.0/8", {"127.0.0.1", "10.9.9.9"}),
    ],
)
def test_loopback_is_permitted_while_the_server_listens_there_alone(
    host: str, networks: str | None, permitted: set[str], tmp_path: Path
) -> None:
    guard = addresses.guard(Settings(data_dir=tmp_path, host=host, allow_networks=networks))
    asked = ["127.0.0.1", "::1", "10.9.9.9", "169.254.169.254"]
    assert {address for address in asked if guard.permits(ip_address(address))} == permitted


@pytest.mark.parametrize("text", ["10.0.0.1/8", "everything", "10.0.0.0/33"])
def test_a_network_that_is_none_is_refused_at_the_start(text: str) -> None:
    with pytest.raises(SettingsError, match="IGLAYERS_ALLOW_NETWORKS"):
        load({"IGLAYERS_ALLOW_NETWORKS": text})


@pytest.mark.parametrize("spelling", SPELLINGS)
async def test_no_spelling_of_loopback_is_dialled(spelling: str) -> None:
    async with receiving() as receiver, Client(Guard(), deadline_s=5) as client:
        port = receiver.url.rpartition(":")[2]
        answer = await client.post(f"http://{spelling}:{port}", b"", headers={})
        assert (answer.failure, answer.status, receiver.hits) == (Failure.CONNECTION_FAILED, None, [])


class Names(AbstractResolver):
    """A name server whose answers are written down beforehand; the last one stays."""

    def __init__(self, *answers: list[str]) -> None:
        self._answers: list[list[str]] = list(answers)
        self.asked: int = 0

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_INET,  # noqa: ARG002
    ) -> list[ResolveResult]:
        self.asked += 1
        addresses = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        return [
            ResolveResult(
                hostname=host, host=address, port=port, proto=0, flags=0,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
            )
            for address in addresses
        ]  # fmt: skip

    async def close(self) -> None:
        return


async def test_of_mixed_addresses_only_the_permitted_are_dialled() -> None:
    async with receiving() as receiver:
        url = receiver.url.replace("127.0.0.1", "mixed.example")
        names = Names(["127.0.0.2", "::1", "127.0.0.1"])
        async with Client(Guard(["127.0.0.1/32"]), deadline_s=5, resolver=names) as client:
            answer = await client.post(url, b"", headers={})
        assert (answer.status, answer.address) == (200, "127.0.0.1")
        async with Client(Guard(), deadline_s=5, resolver=names) as client:
            assert (await client.post(url, b"", headers={})).failure is Failure.CONNECTION_FAILED
        assert len(receiver.hits) == 1


async def test_a_name_that_turns_to_another_address_is_judged_again() -> None:
    async with receiving() as receiver:
        receiver.respond = lambda _: web.Response(headers={"Connection": "close"})
        url = receiver.url.replace("127.0.0.1", "turning.example")
        names = Names(["127.0.0.1"], ["127.0.0.2"])
        async with Client(Guard(["127.0.0.1/32"]), deadline_s=5, resolver=names) as client:
            first = await client.post(url, b"", headers={})
            second = await client.post(url, b"", headers={})
        assert (first.status, second.failure, names.asked) == (200, Failure.CONNECTION_FAILED, 2)
        assert len(receiver.hits) == 1


async def test_refused_closed_and_silent_look_alike() -> None:
    with socket.socket() as closed, socket.socket() as silent:
        closed.bind(("127.0.0.1", 0))
        silent.bind(("127.0.0.1", 0))
        silent.listen(0)
        # Connections beyond the backlog get no answer, as behind a firewall.
        fillers = [socket.socket() for _ in range(4)]
        for each in fillers:
            each.setblocking(False)
            each.connect_ex(silent.getsockname())
        answers: list[tuple[Any, ...]] = []
        for guard, target in (
            (Guard(), closed), (Guard(["127.0.0.1/32"]), closed), (Guard(["127.0.0.1/32"]), silent),
        ):  # fmt: skip
            async with Client(guard, deadline_s=0.6) as client:
                answer = await client.post(f"http://127.0.0.1:{target.getsockname()[1]}/", b"", headers={})
                answers.append((answer.failure, answer.status, answer.body, answer.address))
        for each in fillers:
            each.close()
    assert answers == [(Failure.CONNECTION_FAILED, None, b"", None)] * 3


async def test_proxies_of_the_environment_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    async with receiving() as proxy, receiving() as receiver:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        async with Client(Guard(["127.0.0.1/32"]), deadline_s=5) as client:
            await client.post(receiver.url, b"", headers={})
    assert (len(proxy.hits), len(receiver.hits)) == (0, 1)


async def test_a_redirect_is_not_followed() -> None:
    async with receiving() as inside, receiving() as receiver:
        receiver.respond = lambda _: web.Response(status=307, headers={"Location": inside.url})
        async with Client(Guard(["127.0.0.1/32"]), deadline_s=5) as client:
            answer = await client.post(receiver.url, b"", headers={})
    assert (answer.status, answer.location, inside.hits) == (307, inside.url, [])


@pytest.mark.parametrize(("certified", "failure"), [("right.example", None), ("wrong.example", Failure.TLS_FAILED)])
async def test_tls_is_for_the_name_in_the_url(certified: str, failure: Failure | None, tmp_path: Path) -> None:
    server_side, client_side = certificates(tmp_path, certified)
    heard: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=server_side)
    async with server:
        port = server.sockets[0].getsockname()[1]
        client = Client(Guard(["127.0.0.1/32"]), deadline_s=5, ssl_context=client_side, resolver=Names(["127.0.0.1"]))
        async with client:
            found = await client.post(f"https://right.example:{port}/", b"", headers={})
    assert found.failure is failure
    assert bool(heard) is (failure is None)


def certificates(folder: Path, name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's certificate for `name`, and a client that trusts whoever signed it."""
    certificate = make_certificate(folder, name)
    server_side = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server_side.load_cert_chain(certificate)
    return server_side, ssl.create_default_context(cafile=str(certificate))


def make_certificate(folder: Path, name: str) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "certificate.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path
