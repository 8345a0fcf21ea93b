"""The reference page: everything in it, nothing from elsewhere, and samples that run."""

import asyncio
import os
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from iglayers.web.docs_html import element, inline, markdown
from iglayers.web.docs_samples import samples
from iglayers.web.guides import codes
from iglayers.web.openapi.document import operations
from iglayers.web.openapi.operation import Operation
from tests.serving import Api
from tests.web.openapi import DOCUMENT

VOID = {"meta", "link", "input", "br", "hr"}
# Calls that can be repeated and need no id.
RUN = ("create_template", "list_clients", "me", "import_suppressions", "metrics")


class Page(HTMLParser):
    """Ids, links and elements of a page; what is opened is closed in turn."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.elements: set[str] = set()
        self.attributes: set[str] = set()
        self._open: list[str] = []
        self.feed(text)
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        for name, text in attrs:
            self.attributes.add(name)
            if name == "id" and text:
                self.ids.append(text)
            if name in ("href", "src") and text:
                self.links.append(text)
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag


@pytest.fixture
async def page(api: Api) -> Page:
    answer = await api.with_key("none").get("/docs")
    assert answer.status == 200
    return Page(answer.raw.decode())


async def test_the_page_needs_no_key_and_nothing_from_elsewhere(api: Api, page: Page) -> None:
    answer = await api.get("/docs")
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'self'")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert not page.elements & {"script", "style", "iframe", "form", "img", "object"}
    assert not {name for name in page.attributes if name.startswith("on")} | page.attributes & {"style"}
    outside = {each for each in page.links if not each.startswith(("#", "/"))}
    assert outside == {"https://www.standardwebhooks.com"}
    for each in {link for link in page.links if link.startswith("/")}:
        assert (await api.get(each)).status == 200


async def test_the_page_goes_out_packed_once_and_in_the_chosen_colours(api: Api) -> None:
    plain = await api.get("/docs")  # aiohttp unpacks
    bare = await api.call("GET", "/docs", headers={"Accept-Encoding": "identity"})
    assert (plain.headers["Content-Encoding"], bare.headers.get("Content-Encoding")) == ("gzip", None)
    assert plain.raw == bare.raw
    assert int(plain.headers["Content-Length"]) < 80_000 < len(plain.raw)
    tag = plain.headers["ETag"]
    again = await api.call("GET", "/docs", headers={"If-None-Match": tag})
    assert (again.status, again.raw) == (304, b"")
    dark = await api.call("GET", "/docs", headers={"Cookie": "iglayers_theme=dark", "If-None-Match": tag})
    assert (dark.status, b'data-theme="dark"' in dark.raw) == (200, True)
    odd = await api.call("GET", "/docs", headers={"Cookie": "iglayers_theme=<script>"})
    assert odd.raw == plain.raw


async def test_each_anchor_is_there_once_and_each_link_leads_to_one(page: Page) -> None:
    assert len(page.ids) == len(set(page.ids))
    assert {each.removeprefix("#") for each in page.links if each.startswith("#")} <= set(page.ids)


async def test_the_doc_url_of_every_code_leads_to_it(page: Page) -> None:
    assert {f"error-{name}" for name in codes()} <= set(page.ids)


async def test_every_operation_and_event_is_shown(page: Page) -> None:
    shown = [each for methods in DOCUMENT["paths"].values() for each in methods.values()]
    wanted = {each["operationId"] for each in shown} | {f"event-{name}" for name in DOCUMENT["webhooks"]}
    assert wanted <= set(page.ids)


def test_text_is_escaped() -> None:
    bad = '<script>alert("1")</script>'
    for made in (element("p", bad), element("p", "x", title=bad), inline(bad), markdown(bad, anchor="a", links={})):
        assert "<script" not in made
    assert "href" not in inline("[x](javascript:alert)")


@pytest.mark.parametrize("operation", [each for each in operations() if each.name in RUN], ids=lambda each: each.name)
async def test_samples_run_in_each_language(api: Api, operation: Operation, tmp_path: Path) -> None:
    for language, text in samples(operation).items():
        if language == "node" and shutil.which("node") is None:
            continue  # the product does not need it
        printed = await asyncio.to_thread(run, language, text, api, tmp_path)
        assert printed
        assert "requestId" not in printed, "refused"


def test_every_python_sample_compiles() -> None:
    for operation in operations():
        compile(samples(operation)["python"], operation.name, "exec")


def run(language: str, text: str, api: Api, folder: Path) -> str:
    """What a sample prints, run as a person would run it."""
    program, ending = {"curl": ("sh", "sh"), "python": (sys.executable, "py"), "node": ("node", "mjs")}[language]
    file = folder / f"sample.{ending}"
    file.write_text(text, encoding="utf-8")
    environment = os.environ | {"IGLAYERS_URL": api.base, "IGLAYERS_API_KEY": api.key}
    command = [program, str(file)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
