"""Whatever reads text from outside takes a time that grows as the text does, whatever the text."""

from __future__ import annotations

from collections.abc import Callable
from time import thread_time
from typing import Any

import pytest

from arcana_pipelines.markdown.normalise import normalise
from arcana_pipelines.markdown.reader import without_literals
from arcana_pipelines.sources.notion.body import BodyReader
from arcana_pipelines.sources.notion.endpoints import Endpoints
from arcana_pipelines_tests.markdown.hostile import patterns

pytestmark = pytest.mark.slow

_SHORT, _LONG = 8_000, 32_000
_PAGE = "1f7effb2-9211-800a-af32-c10cd6f51abc"


class _Answers(Endpoints):
    """An API that has one page, and nothing in any block."""

    def __init__(self, markdown: str) -> None:
        super().__init__()
        self._markdown = markdown

    def request(self, path: str, method: str, **_: Any) -> dict[str, Any]:
        if path.startswith("pages/"):
            return {"object": "page_markdown", "id": _PAGE, "markdown": self._markdown}
        return {"object": "block", "id": path.partition("/")[2], "type": "divider", "has_children": False}


def _body(markdown: str) -> None:
    BodyReader(_Answers(markdown)).read(_PAGE)  # type: ignore[arg-type]


READERS: dict[str, Callable[[str], object]] = {
    "the normal form": normalise,
    "what is literal": without_literals,
    "Notion's Markdown": _body,
}


def _seconds(read: Callable[[str], object], text: str) -> float:
    started = thread_time()
    read(text)
    return thread_time() - started


def _grows_too_fast(read: Callable[[str], object], make: Callable[[int], str]) -> bool:
    """Four times the text takes sixteen times as long where each part is read again for each other.

    Short times are not compared, and one that seems too long is measured again.
    """
    text = make(_LONG)
    if _seconds(read, text) < 0.1:
        return False
    long, short = (min(_seconds(read, text) for _ in range(3)) for text in (text, make(_SHORT)))
    return long > 9 * short


@pytest.mark.parametrize(
    "reader", [pytest.param(name, marks=[pytest.mark.e2e] if name == "the normal form" else []) for name in READERS]
)
def test_four_times_the_text_takes_about_four_times_as_long(reader: str) -> None:
    assert [name for name, make in patterns() if _grows_too_fast(READERS[reader], make)] == []
