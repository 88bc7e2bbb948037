"""What an edit leaves alone: chunks that it does not touch keep the hash that names their embedding."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arcana_pipelines.chunking.chunker import chunk_document
from arcana_pipelines.chunking.sizes import ChunkerSettings
from arcana_pipelines.chunking.tokens import vocabulary
from arcana_pipelines.embedding.catalogue import SMALL_MODEL, model_named

pytestmark = pytest.mark.slow

_COMMON = (
    "the of and to a in for is on that by with as it from are be or an which at this have not was can will one all "
    "their has if more when other out so said what up its about into than them only some could new time these two "
    "battery robot policy holiday invoice request index search access deploy backup review audit team ticket week "
    "배터리 로봇은 로봇을 휴가 정책은 청구서 요청을 색인 검색 권한 배포 백업을 검토 감사 팀의 티켓 한 주에"
)
VOCABULARY = _COMMON.split()


def sentence(rng: random.Random, least: int = 5, most: int = 20) -> str:
    """Some words and a full stop, a comma among them now and then."""
    words = rng.choices(VOCABULARY, k=rng.randint(least, most))
    if rng.random() < 0.4:
        words[rng.randrange(len(words))] += ","
    return f"{' '.join(words)}."


def paragraphs(rng: random.Random) -> list[str]:
    """300 paragraphs of one to three sentences."""
    return [" ".join(sentence(rng) for _ in range(rng.randint(1, 3))) for _ in range(300)]


def sections(rng: random.Random) -> list[str]:
    """300 blocks as people write them: headings, paragraphs, lists, a table and code."""
    blocks: list[str] = []
    while len(blocks) < 300:
        kind = rng.choice(["heading", "text", "text", "text", "text", "list", "table", "code"])
        if kind == "heading":
            blocks.append(f"{'#' * rng.randint(1, 3)} {sentence(rng, 1, 2)}")
        elif kind == "text":
            blocks.append(" ".join(sentence(rng) for _ in range(rng.randint(1, 3))))
        elif kind == "list":
            blocks.append("\n".join(f"- {sentence(rng, 2, 9)}" for _ in range(rng.randint(2, 9))))
        elif kind == "table":
            rows = [f"| {sentence(rng, 1, 4)} | {rng.randint(1, 999)} |" for _ in range(rng.randint(2, 9))]
            blocks.append("\n".join(["| Part | Price |", "| --- | --- |", *rows]))
        else:
            lines = [f"{rng.choice(VOCABULARY[30:60])}({rng.randint(1, 999)})" for _ in range(rng.randint(2, 9))]
            blocks.append("\n".join(["```python", *lines, "```"]))
    return blocks


def hashes(blocks: list[str], **properties: str) -> set[bytes]:
    """The names of the embeddings that a page needs."""
    shown = {name: {"text": text} for name, text in properties.items()}
    contents = {"title": "Title", "text": "\n\n".join(blocks), "properties": shown}
    return {chunk.text_hash for chunk in chunk_document(contents, ChunkerSettings(), vocabulary(SMALL_MODEL))}


def with_another_word(rng: random.Random, blocks: list[str]) -> list[str]:
    """The same page with one word changed, not of a heading: all below it carries a heading."""
    at = rng.choice([at for at, block in enumerate(blocks) if not block.startswith("#")])
    found = rng.choice(list(re.finditer(r"\w+", blocks[at].replace("```python", " " * 9))))
    word = rng.choice([word for word in VOCABULARY if word != found[0]])
    return [*blocks[:at], f"{blocks[at][: found.start()]}{word}{blocks[at][found.end() :]}", *blocks[at + 1 :]]


@pytest.mark.parametrize("make", [paragraphs, sections])
def test_one_changed_word_is_one_embedding(make: Callable[[random.Random], list[str]]) -> None:
    rng = random.Random(make.__name__)
    needed: Counter[int] = Counter()
    for _ in range(5):
        blocks = make(rng)
        before = hashes(blocks)
        for _ in range(40):
            needed[len(hashes(with_another_word(rng, blocks)) - before)] += 1
    # Where the word is one that a boundary was drawn by, the boundary moves: two.
    assert set(needed) <= {0, 1, 2}
    assert needed[1] >= 0.98 * needed.total()


@pytest.mark.parametrize("make", [paragraphs, sections])
@pytest.mark.parametrize("at", [0, 300], ids=["top", "end"])
def test_a_paragraph_put_in_at_the_top_or_the_end_is_two_embeddings_at_most(
    make: Callable[[random.Random], list[str]], at: int
) -> None:
    rng = random.Random(make.__name__)
    for _ in range(20):
        blocks = make(rng)
        assert len(hashes([*blocks[:at], sentence(rng), *blocks[at:]]) - hashes(blocks)) <= 2


@pytest.mark.parametrize("blocks_of", ["| {} | 1 |", "- {}", "{}"], ids=["table", "list", "text"])
def test_inside_a_long_block_an_edit_stays_where_it_is(blocks_of: str) -> None:
    rng = random.Random(blocks_of)
    head = ["| Part | Price |", "| --- | --- |"] if "|" in blocks_of else []
    joint = " " if blocks_of == "{}" else "\n"
    for _ in range(10):
        lines = [blocks_of.format(sentence(rng)) for _ in range(300)]
        before = hashes([joint.join([*head, *lines])])
        for at in (0, rng.randrange(300), 300):
            put_in = [*lines[:at], blocks_of.format(sentence(rng)), *lines[at:]]
            assert len(hashes([joint.join([*head, *put_in])]) - before) <= 2


@given(st.integers(0, 2**32))
@settings(max_examples=50)
def test_a_renamed_heading_changes_what_is_in_its_section_and_no_more(seed: int) -> None:
    rng = random.Random(seed)
    blocks = sections(rng)
    at = rng.choice([at for at, block in enumerate(blocks) if block.startswith("#")])
    marks = blocks[at].split()[0]
    renamed = [*blocks[:at], f"{marks} Renamed {rng.randint(1, 99)}", *blocks[at + 1 :]]
    before, after = (
        chunk_document({"title": "Title", "text": "\n\n".join(page)}, ChunkerSettings(), vocabulary(SMALL_MODEL))
        for page in (blocks, renamed)
    )
    assert len(before) == len(after)
    old = blocks[at].removeprefix(marks).strip()
    for was, now in zip(before, after, strict=True):
        if was.text_hash != now.text_hash:
            assert blocks[at] in was.text or old in was.heading_path


def test_a_changed_property_leaves_the_body_alone() -> None:
    body = paragraphs(random.Random(1))
    assert len(hashes(body, Status="Done", Owner="Kim") - hashes(body, Status="Open", Owner="Kim")) == 1


def test_properties_that_are_too_long_for_one_chunk_are_cut_between_them() -> None:
    rng = random.Random(1)
    properties = {f"Property {at}": sentence(rng) for at in range(200)}
    before = hashes(["Body."], **properties)
    assert len(before) > 5
    assert len(hashes(["Body."], **{**properties, "Property 100": "Another."}) - before) == 1


def test_another_model_of_the_same_vocabulary_moves_no_boundary() -> None:
    contents = {"title": "Title", "text": "\n\n".join(sections(random.Random(1)))}
    small, large = (
        chunk_document(contents, ChunkerSettings(), vocabulary(model_named(model).vocabulary))
        for model in ("text-embedding-3-small", "text-embedding-3-large")
    )
    assert small == large
