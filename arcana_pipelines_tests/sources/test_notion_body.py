"""The Markdown endpoint's answer is followed to its end."""

from __future__ import annotations

from typing import Any

import pytest

from arcana_pipelines.sources.notion.body import BodyReader

PAGE = "1f7effb2-9211-800a-af32-c10cd6f51abc"
BLOCK = "1f8effb2-9211-8024-8da6-d7c4ac2c3482"


class _OnePage:
    """An API that has one page and none of its blocks."""

    def __init__(self, markdown: str) -> None:
        self.markdown = markdown
        self.calls: list[str] = []

    def call(self, method: str, path: str, **_: Any) -> dict[str, Any]:
        self.calls.append(path)
        return {"object": "page_markdown", "id": PAGE, "markdown": self.markdown}


@pytest.mark.parametrize("typed", ["\\<unknown {}/>", "\\\\\\<unknown {}/>", "`<unknown {}/>`"])
def test_a_placeholder_that_somebody_typed_is_text(typed: str) -> None:
    markdown = "see " + typed.format(f'url="https://app.notion.com/p/x#{BLOCK}" alt="link_preview"')
    api = _OnePage(markdown)
    body = BodyReader(api).read(PAGE)  # type: ignore[arg-type]
    assert (body.markdown, body.unknown_types, len(api.calls)) == (markdown, (), 1)
