"""The Markdown endpoint's answer is followed to its end."""

from __future__ import annotations

from time import thread_time
from typing import Any
from uuid import UUID

import pytest

from arcana_pipelines.errors import PageRejected
from arcana_pipelines.markdown import share
from arcana_pipelines.sources.notion.body import BodyReader
from arcana_pipelines.sources.notion.endpoints import Endpoints

PAGE = "1f7effb2-9211-800a-af32-c10cd6f51abc"
BLOCK = "1f8effb2-9211-8024-8da6-d7c4ac2c3482"


class _OnePage(Endpoints):
    """An API that has one page and none of its blocks."""

    def __init__(self, markdown: str) -> None:
        super().__init__()
        self.markdown = markdown
        self.calls: list[str] = []

    def request(self, path: str, method: str, **_: Any) -> dict[str, Any]:
        self.calls.append(path)
        return {"object": "page_markdown", "id": PAGE, "markdown": self.markdown}


@pytest.mark.parametrize("typed", ["\\<unknown {}/>", "\\\\\\<unknown {}/>", "`<unknown {}/>`"])
def test_a_placeholder_that_somebody_typed_is_text(typed: str) -> None:
    markdown = "see " + typed.format(f'url="https://app.notion.com/p/x#{BLOCK}" alt="link_preview"')
    api = _OnePage(markdown)
    body = BodyReader(api).read(PAGE)  # type: ignore[arg-type]
    assert (body.markdown, body.unknown_types, len(api.calls)) == (markdown, (), 1)


class _Parts(Endpoints):
    """An API whose answers are given: of a page or block its Markdown, and the ids that it did not render."""

    def __init__(self, parts: dict[str, tuple[str, list[str]]]) -> None:
        super().__init__()
        self._parts = parts

    def request(self, path: str, method: str, **_: Any) -> dict[str, Any]:
        kind, own_id = path.split("/")[:2]
        if kind == "blocks":
            texts = [{"type": "text", "text": {"content": "words"}, "plain_text": "words", "annotations": {}}]
            block = {"object": "block", "id": own_id, "type": "paragraph", "has_children": False}
            return {**block, "paragraph": {"rich_text": texts, "color": "default"}}
        markdown, unknown = self._parts[own_id]
        return {"object": "page_markdown", "id": own_id, "markdown": markdown, "unknown_block_ids": unknown}


def _placeholder(number: int, alt: str = "callout") -> str:
    return f'<unknown url="https://app.notion.com/p/x#{number:032x}" alt="{alt}"/>'


def _id(number: int) -> str:
    return str(UUID(int=number))


def test_parts_stand_where_their_placeholders_do_also_one_in_another_and_the_rest_at_the_end() -> None:
    api = _Parts(
        {
            PAGE: (f"`code` {_placeholder(1)} after\n{_placeholder(2)}\nend", [_id(2), _id(1), _id(4)]),
            _id(1): (f"one\n{_placeholder(3)}\none", [_id(3)]),
            _id(2): ("two", []),
            _id(3): ("three", []),
            _id(4): ("four", []),
        }
    )
    body = BodyReader(api).read(PAGE)  # type: ignore[arg-type]
    assert "".join(body.markdown.split()) == "`code`onethreeoneaftertwoendfour"
    assert (body.partial, body.unknown_types) == ((), ())


def test_a_thousand_placeholders_are_filled_in_one_pass() -> None:
    def seconds(count: int) -> float:
        text = "\n".join(f"`a` {_placeholder(number, 'link_preview')}" for number in range(count))
        started = thread_time()
        body = BodyReader(_Parts({PAGE: (text, [])})).read(PAGE)  # type: ignore[arg-type]
        assert body.markdown.count("words") == count
        return thread_time() - started

    assert min(seconds(1600) for _ in range(2)) < 9 * min(seconds(400) for _ in range(2))


def test_a_body_that_takes_more_than_its_share_is_put_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(share, "thread_time", iter(range(0, 10_000, 20)).__next__)
    with pytest.raises(PageRejected, match="30 seconds"):
        BodyReader(_OnePage("a")).read(PAGE)  # type: ignore[arg-type]
