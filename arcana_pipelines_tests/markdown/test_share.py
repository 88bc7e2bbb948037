"""No page takes more than its share."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from arcana_pipelines.chunking.chunker import chunk_document
from arcana_pipelines.chunking.sizes import ChunkerSettings
from arcana_pipelines.chunking.tokens import vocabulary
from arcana_pipelines.documents.contents import make_contents
from arcana_pipelines.documents.read_page import ReadPage
from arcana_pipelines.embedding.catalogue import SMALL_MODEL
from arcana_pipelines.errors import PageTooLarge
from arcana_pipelines.markdown import share
from arcana_pipelines.markdown.normalise import normalise

# Work, not time, would be compared best; but it is done inside patterns, which do not count. So: four times the text
# may take ten times the processor's time, and only where it takes any. What grows with the square takes sixteen.
_COMPARE = """
import json, sys, time
from arcana_pipelines.chunking.chunker import chunk_document
from arcana_pipelines.chunking.sizes import ChunkerSettings
from arcana_pipelines.lexical.weights import chunk_weights
from arcana_pipelines.chunking.tokens import vocabulary
from arcana_pipelines.markdown.normalise import normalise
from arcana_pipelines_tests.markdown.hostile import patterns

words, settings = vocabulary("wordllama-l2-supercat"), ChunkerSettings()

def seconds(text):
    started = time.process_time()
    made = chunk_document({"title": "T", "text": normalise(text).text, "properties": {}}, settings, words)
    chunk_weights([("T", chunk.heading_path, chunk.text) for chunk in made])
    return time.process_time() - started

seconds("# warm up\\n\\nwith words")
worse = {}
for name, make in patterns():
    if seconds(make(64_000)) > 0.5:
        long, short = (min(seconds(make(size)) for _ in range(3)) for size in (64_000, 16_000))
        if long > 10 * short:
            worse[name] = [short, long]
print(json.dumps(worse))
"""


@pytest.mark.e2e
def test_four_times_a_hostile_page_takes_about_four_times_as_long() -> None:
    done = subprocess.run([sys.executable, "-c", _COMPARE], capture_output=True, text=True, timeout=600, check=True)
    assert json.loads(done.stdout) == {}


def test_a_page_that_is_too_large_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(share, "LARGEST_PAGE", 1000)
    assert normalise("a" * 1000).text
    with pytest.raises(PageTooLarge, match=r"1,001 characters.*Divide it"):
        normalise("a" * 1001)


@pytest.mark.parametrize(
    "page",
    [
        {"properties": {"K": {"type": "text", "text": "a" * 1001}}},
        {"properties": {"K" * 1001: {"type": "text", "text": "a"}}},
        {"properties": {f"K{number}": {"type": "text", "text": "가"} for number in range(400)}},
        {"title": "a" * 1001},
        {"body": "a" * 600, "properties": {"K": {"type": "text", "text": "a" * 600}}},
    ],
)
def test_what_is_beside_a_pages_text_counts_as_well(monkeypatch: pytest.MonkeyPatch, page: dict[str, Any]) -> None:
    monkeypatch.setattr(share, "LARGEST_PAGE", 1000)
    whole = ReadPage(
        external_id="a", kind="row", title="T", url=None, properties={}, body="b", body_links=[], partial=[],
        last_edited_at=None, database=None,
    )  # fmt: skip
    assert make_contents(whole, {}).data["text"] == "b"
    with pytest.raises(PageTooLarge, match=r"characters.*Divide it"):
        make_contents({**whole, **page}, {})


def test_a_page_of_more_chunks_than_any_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(share, "MOST_CHUNKS", 3)
    words, settings = vocabulary(SMALL_MODEL), ChunkerSettings(16, 32)
    text = "\n\n".join(["A paragraph of some words about robots and batteries."] * 20)
    lines = {f"K{number}": {"type": "text", "text": "words about robots"} for number in range(40)}
    for contents in (
        {"title": "T", "text": text, "properties": {}},
        {"title": "T", "text": "", "properties": lines},
        {"title": "T " * 200, "text": "", "properties": {}},
    ):
        with pytest.raises(PageTooLarge, match=r"chunks, and 3 is the most.*Divide it"):
            chunk_document(contents, settings, words)
    assert len(chunk_document({"title": "T", "text": text[:100], "properties": {}}, settings, words)) <= 3


@pytest.mark.parametrize("name", ["K" * 5000, "Long names " * 500, "속성" * 2000])
def test_a_rows_text_repeats_no_more_than_the_beginning_of_a_name(name: str) -> None:
    words, settings = vocabulary(SMALL_MODEL), ChunkerSettings()
    value = {"type": "text", "text": "1"}
    contents = {
        "title": "T",
        "text": "",
        "database": name,
        "properties": {f"{number} {name}": value for number in range(5)},
    }
    text = "".join(chunk.text for chunk in chunk_document(contents, settings, words))
    assert name[:150] in text and len(text) < 6 * 210


@pytest.mark.slow
def test_a_page_whose_time_is_used_up_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(share, "thread_time", iter(range(0, 10_000, 20)).__next__)
    with pytest.raises(PageTooLarge, match="30 seconds"):
        normalise("a\n\n" * 1000)
    with pytest.raises(PageTooLarge, match="30 seconds"):
        normalise('<callout icon="a">b' * 100 + "</callout>" * 100)
    for few_long in ("a " * 1000, "# " + "a " * 1000, "| a |\n|-|\n" + "| b |\n" * 9, "[a]: b\n" + "[a]\n" * 9):
        with pytest.raises(PageTooLarge, match="30 seconds"):
            normalise(few_long)
    with pytest.raises(PageTooLarge, match="30 seconds"):
        chunk_document({"title": "T", "text": "中文，" * 50_000}, ChunkerSettings(), vocabulary(SMALL_MODEL))
    words = "\n\n".join(f"word {number} of many" for number in range(2000))
    with pytest.raises(PageTooLarge, match="30 seconds"):
        chunk_document({"title": "T", "text": words}, ChunkerSettings(), vocabulary(SMALL_MODEL))
