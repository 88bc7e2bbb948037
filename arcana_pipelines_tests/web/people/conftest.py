"""Visitors of the page, as a browser without JavaScript is one."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from html import unescape

import httpx
import pytest

from arcana_pipelines_tests.web.conftest import Api


@dataclass
class Visitor:
    """Somebody with a browser."""

    client: httpx.Client

    def get(self, path: str, **parameters: str) -> httpx.Response:
        """Open a page; where it leads on, that one."""
        return self.client.get(path, params=parameters or None, follow_redirects=True)

    def send(self, path: str, shown: httpx.Response, **fields: str) -> httpx.Response:
        """Send the form that a page shows, with some fields filled in."""
        hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form_to(path, shown.text)))
        data = {name: unescape(value) for name, value in hidden.items()} | fields
        return self.client.post(path, data=data)

    def log_in(self, key: str) -> httpx.Response:
        """Log in with a key, whoever was logged in before; the page that follows."""
        self.client.cookies.pop("arcana", None)
        answer = self.send("/log-in", self.get("/log-in"), key=key)
        assert answer.status_code == 303, answer.text
        return self.get(answer.headers["location"])


def form_to(path: str, html: str) -> str:
    """The form of a page that is sent to this path."""
    found = re.search(rf'<form method="post" action="{path}".*?</form>', html, re.DOTALL)
    assert found is not None, html
    return found[0]


def seen(html: str) -> str:
    """What a page says, without its marks."""
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", html)).split())


Visit = Callable[..., Visitor]


@pytest.fixture
def visit() -> Iterator[Visit]:
    """Opens browsers that have seen nothing yet; with `https` as a proxy on the same machine passes it on."""
    with ExitStack() as opened:

        def visit(api: Api, scheme: str = "http", language: str = "en") -> Visitor:
            headers = {"Accept-Language": language} | ({"X-Forwarded-Proto": "https"} if scheme == "https" else {})
            client = httpx.Client(base_url=api.url, headers=headers, timeout=30, trust_env=False)
            return Visitor(opened.enter_context(client))

        yield visit


@pytest.fixture
def visitor(api: Api, visit: Visit) -> Visitor:
    """A browser that has seen nothing yet."""
    return visit(api)


@pytest.fixture
def reader(api: Api, visit: Visit) -> Visitor:
    """Somebody who has logged in with a key that searches and reads."""
    found = visit(api)
    found.log_in(api.key("search", "read").key)
    return found
