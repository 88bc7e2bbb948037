"""Chunks hold all text, respect the size, and stay put when something else changes."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arcana_pipelines.chunking.chunker import Chunk, ChunkerSettings, chunk_document
from arcana_pipelines.chunking.tokens import estimate_tokens

SETTINGS = ChunkerSettings()
_words = st.sampled_from(["battery", "배터리", "robot", "로봇을", "42", "HR-200", "the", "and", "휴가", "policy"])
_paragraphs = st.lists(st.lists(_words, min_size=1, max_size=120).map(" ".join), max_size=40)


def _chunks(text: str, title: str = "Title", **properties: str) -> list[Chunk]:
    shown = {name: {"type": "text", "text": value, "value": value} for name, value in properties.items()}
    return chunk_document({"title": title, "text": text, "properties": shown}, SETTINGS)


@given(_paragraphs)
def test_every_word_is_in_a_chunk_in_order_and_no_chunk_is_too_long(paragraphs: list[str]) -> None:
    chunks = _chunks("\n\n".join(paragraphs))
    found = re.findall(r"\S+", " ".join(chunk.text for chunk in chunks))
    assert found == ["#", "Title", *" ".join(paragraphs).split()]
    assert all(chunk.token_count <= SETTINGS.max_tokens + 10 for chunk in chunks)
    assert [chunk.position for chunk in chunks] == list(range(len(chunks)))


@given(st.integers(0, 299), st.integers(0, 2**16))
def test_one_changed_word_changes_one_chunk(number: int, seed: int) -> None:
    lines = [f"Paragraph {index} of {seed} says that item {index % 11} is kept for a year." for index in range(300)]
    before = {chunk.text_hash for chunk in _chunks("\n\n".join(lines))}
    lines[number] = lines[number].replace("kept", "held")
    after = {chunk.text_hash for chunk in _chunks("\n\n".join(lines))}
    assert len(after - before) == 1


def test_a_paragraph_inserted_at_the_top_changes_at_most_two_chunks() -> None:
    lines = [f"Paragraph {index} says that item {index % 11} is kept for a year." for index in range(300)]
    before = {chunk.text_hash for chunk in _chunks("\n\n".join(lines))}
    after = {chunk.text_hash for chunk in _chunks("\n\n".join(["A new first paragraph.", *lines]))}
    assert len(after - before) <= 2


def test_a_changed_property_leaves_the_body_alone() -> None:
    body = "\n\n".join(f"Sentence {index} of the body." for index in range(50))
    before, after = _chunks(body, Status="Open"), _chunks(body, Status="Done")
    assert [chunk.text_hash for chunk in before[1:]] == [chunk.text_hash for chunk in after[1:]]
    assert "Status: Done" in after[0].text


def test_a_chunk_knows_its_headings_and_the_embedded_text_carries_them() -> None:
    long = "word " * 200
    last = _chunks(f"# Safety\n\n{long}\n\n## Batteries\n\n{long}")[-1]
    assert last.heading_path == ("Safety", "Batteries")
    assert last.embed_text.startswith("Title > Safety > Batteries\n")
    assert last.text.startswith("## Batteries")


def test_a_long_table_repeats_its_header() -> None:
    table = "\n".join(["| Part | Price |", "| --- | --- |", *(f"| part {n} | {n} |" for n in range(400))])
    chunks = _chunks(table)
    assert len(chunks) > 2
    assert all("| Part | Price |" in chunk.text for chunk in chunks[1:])


def test_code_is_not_cut_where_it_fits_and_stays_fenced_where_it_does_not() -> None:
    short = "```python\n" + "\n\n".join(f"x{n} = {n}" for n in range(30)) + "\n```"
    assert any(short in chunk.text for chunk in _chunks(f"Before.\n\n{short}\n\nAfter."))
    long = "```python\n" + "\n".join(f"value_{n} = compute({n})" for n in range(600)) + "\n```"
    for chunk in _chunks(long)[1:]:
        assert chunk.text.startswith("```python\n")
        assert chunk.text.endswith("\n```")


@pytest.mark.parametrize(
    ("text", "tokens"), [("", 0), ("word", 1), ("internationalisation", 4), ("휴가", 2), ("2026", 2)]
)
def test_the_estimate_counts_in_the_units_it_says(text: str, tokens: int) -> None:
    assert estimate_tokens(text) == tokens
