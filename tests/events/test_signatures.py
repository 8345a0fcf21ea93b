"""Receivers that check what the documentation tells them to check accept every delivery, and nothing else."""

import base64
import hmac
import json
import os
import re
import shutil
import subprocess
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from iglayers.accounts.model import Caller
from iglayers.accounts.services import Services
from iglayers.core.clock import Moment, real_now
from iglayers.core.crypto import new_webhook_secret
from iglayers.core.db import Database
from iglayers.core.ids import DeliveryId, EventId
from iglayers.events import signing
from tests.events.receiving import Hit, all_ended, delivering, endpoint, happen, receiving, until
from tests.house.source import ROOT
from tests.serving import Api

DOCS = (ROOT / "docs" / "webhooks.md").read_text(encoding="utf-8")
REFERENCE = (ROOT / "docs" / "reference.txt").read_text(encoding="utf-8")


def block(language: str) -> str:
    found = re.findall(rf"```{language}\n(.*?)```", DOCS, re.DOTALL)
    assert len(found) == 1
    return found[0]


class Case(msgspec.Struct):
    """A request as a receiver got it, the secret that it knows, and whether it must accept."""

    secret: str
    headers: dict[str, str]
    body: bytes
    genuine: bool


def signed(body: bytes, *secrets: str, age_s: int = 0) -> dict[str, str]:
    made = signing.Signer(secrets).headers(
        body, event_id=str(EventId.new()), kind="message.sent", delivery_id=str(DeliveryId.new()),
        timestamp=int(time.time()) - age_s,
    )  # fmt: skip
    return {name.lower(): text for name, text in made.items()}


def cases() -> list[Case]:
    body, new, old = '{"text": "Grüße ✨", "n": 1.0}'.encode(), new_webhook_secret(), new_webhook_secret()
    fresh = signed(body, new)
    moved = fresh | {"webhook-timestamp": str(int(fresh["webhook-timestamp"]) - 1)}
    return [
        Case(new, fresh, body, genuine=True),
        Case(new, signed(body, new, old), body, genuine=True),
        Case(old, signed(body, new, old), body, genuine=True),
        Case(new, signed(body, new, age_s=290), body, genuine=True),
        Case(new, signed(body, new, age_s=310), body, genuine=False),
        Case(new, signed(body, new, age_s=-310), body, genuine=False),
        Case(new, fresh, body[:-1] + b" ", genuine=False),
        Case(new, fresh, body + b"\n", genuine=False),
        Case(old, fresh, body, genuine=False),
        Case(new, moved, body, genuine=False),
        Case(new, fresh | {"webhook-id": "evt_other"}, body, genuine=False),
        Case(new, fresh | {"webhook-signature": "v1,"}, body, genuine=False),
        Case(new, fresh | {"webhook-signature": "v2," + fresh["webhook-signature"][3:]}, body, genuine=False),
    ]


def test_the_python_sample_tells_genuine_from_forged() -> None:
    names: dict[str, Any] = {}
    exec(block("python"), names)  # noqa: S102 the documentation's own code
    for case in cases():
        assert names["is_genuine"](case.secret, case.headers, case.body) is case.genuine, case


def test_the_node_sample_tells_genuine_from_forged() -> None:
    program = (
        block("js")
        + """
        const cases = JSON.parse(require("fs").readFileSync(0));
        console.log(JSON.stringify(cases.map((c) => isGenuine(c.secret, c.headers, Buffer.from(c.body, "base64")))));
    """
    )
    given = cases()
    assert node(program, given) == [case.genuine for case in given]


def test_the_npm_package_of_the_standard_tells_genuine_from_forged() -> None:
    given = cases()
    assert standard_library(given) == [case.genuine for case in given]


@pytest.mark.parametrize("number", range(len(cases())))
def test_the_openssl_sample_tells_genuine_from_forged(number: int, tmp_path: Path) -> None:
    case = cases()[number]
    (tmp_path / "body.json").write_bytes(case.body)
    done = subprocess.run(
        ["bash", "-c", block("bash")], cwd=tmp_path, check=False, capture_output=True, text=True,
        env={
            "PATH": "/usr/local/bin:/usr/bin:/bin:/opt/homebrew/bin", "SECRET": case.secret,
            "ID": case.headers["webhook-id"], "TIMESTAMP": case.headers["webhook-timestamp"],
            "SIGNATURE": case.headers["webhook-signature"],
        },
    )  # fmt: skip
    assert (done.returncode == 0) is case.genuine, done.stderr


def test_the_standard_library_tells_genuine_from_forged() -> None:
    for case in cases():
        try:
            Webhook(case.secret).verify(case.body, case.headers, json_parse=False)
        except WebhookVerificationError:
            assert not case.genuine, case
        else:
            assert case.genuine, case


def test_the_test_vector_of_the_standard_is_met() -> None:
    signer = signing.Signer(["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"])
    made = signer.headers(
        b'{"test": 2432232314}', event_id="msg_p5jXN8AQM9LWM0D4loKWxJek", kind="", delivery_id="", timestamp=1614265330
    )
    assert made["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


async def test_the_published_snippet_accepts_every_delivery_and_no_changed_byte(
    services: Services, database: Database, caller: Caller
) -> None:
    async with receiving() as receiver, delivering(services):
        made = await endpoint(services, caller, receiver.url)
        await happen(database, caller, times=20, data={"text": "Grüße ✨ \u2028"})
        await until(lambda: all_ended(database))
    given = [
        Case(made.secret, {"signature": hit.headers["X-IG-Layers-Signature"]}, body, genuine=genuine)
        for hit in receiver.hits
        for body, genuine in ((hit.body, True), (_changed(hit.body), False))
    ]
    assert published_snippet(given) == [case.genuine for case in given]
    assert len(given) == 40


def _changed(body: bytes) -> bytes:
    middle = len(body) // 2
    return body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :]


async def test_while_a_rotation_overlaps_both_secrets_verify_and_then_the_new_alone(
    services: Services, database: Database, caller: Caller, api: Api
) -> None:
    moment = real_now()
    async with receiving() as receiver, delivering(services, now=lambda: moment):
        made = await endpoint(services, caller, receiver.url)
        new = (await api.post(f"/webhooks/{made.id}/rotate-secret", {"overlapHours": 1})).body["secret"]
        await happen(database, caller)
        await until(lambda: all_ended(database))
        moment = Moment.of(moment + timedelta(minutes=61))
        await happen(database, caller)
        await until(lambda: all_ended(database))
    during, after = receiver.hits
    assert (_verifies(during, made.secret), _verifies(during, new)) == (True, True)
    assert during.headers["X-IG-Layers-Signature-Previous"] == _published(during, made.secret)
    assert during.headers["X-IG-Layers-Signature"] == _published(during, new)
    assert after.headers["X-IG-Layers-Signature"] == _published(after, new)
    assert len(after.headers["webhook-signature"].split()) == 1
    assert "X-IG-Layers-Signature-Previous" not in after.headers


def _published(hit: Hit, secret: str) -> str:
    return hmac.new(secret.encode(), hit.body, "sha256").hexdigest()


def _verifies(hit: Hit, secret: str) -> bool:
    try:
        Webhook(secret).verify(hit.body, hit.headers, json_parse=False)
    except WebhookVerificationError:
        return False
    return True


def published_snippet(given: list[Case]) -> list[bool]:
    """The snippet of the reference, to the letter, for each case."""
    found = re.search(r"(const crypto = require.*?\n\);)", REFERENCE, re.DOTALL)
    assert found is not None
    program = f"""
        const snippet = {json.dumps(found[1])};
        const check = new Function("require", "secret", "rawBody", "signature", snippet + ";return valid");
        const cases = JSON.parse(require("fs").readFileSync(0));
        console.log(JSON.stringify(cases.map(
            (c) => check(require, c.secret, Buffer.from(c.body, "base64"), c.headers.signature))));
    """
    return node(program, given)


def standard_library(given: list[Case]) -> list[bool]:
    """The npm package of the standard, on each case."""
    program = """
        const { Webhook } = require("standardwebhooks");
        const accepts = (c) => {
            try { new Webhook(c.secret).verify(Buffer.from(c.body, "base64"), c.headers); return true; }
            catch (error) { return false; }
        };
        const cases = JSON.parse(require("fs").readFileSync(0));
        console.log(JSON.stringify(cases.map(accepts)));
    """
    return node(program, given)


def node(program: str, given: list[Case]) -> list[bool]:
    if shutil.which("node") is None:
        assert "IGLAYERS_CI_RUN" not in os.environ, "the checks before a change lands need Node"
        pytest.skip("Node is not installed, and this is a sample for it")
    sent = json.dumps([
        {"secret": case.secret, "headers": case.headers, "body": base64.b64encode(case.body).decode()} for case in given
    ])  # fmt: skip
    done = subprocess.run(
        ["node", "-e", program], input=sent, check=True, capture_output=True, text=True, cwd=ROOT / "tests" / "node"
    )
    return json.loads(done.stdout)
