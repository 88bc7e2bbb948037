"""What a chunk holds: all text, cut between and inside blocks, never too long."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arcana_pipelines.chunking.chunker import Chunk, chunk_document
from arcana_pipelines.chunking.sizes import CHUNKER_VERSION, ChunkerSettings
from arcana_pipelines.chunking.tokens import Vocabulary, vocabulary
from arcana_pipelines.embedding.catalogue import SMALL_MODEL
from arcana_pipelines.errors import WrongUse

DEFAULT = ChunkerSettings()
SMALL = ChunkerSettings(target_tokens=32, max_tokens=64)
WORDS = [
    "battery",
    "배터리",
    "로봇을",
    "42",
    "HR-200",
    "the",
    "and",
    "휴가",
    "internationalisation",
    "🔋",
    "a,",
    "done.",
]
HEADER = "| Part | Price |\n| --- | --- |"


def chunks(text: str, how: ChunkerSettings = DEFAULT, model: str = SMALL_MODEL, **properties: str) -> list[Chunk]:
    """The chunks of a page with this text."""
    return chunk_document(page(text, **properties), how, vocabulary(model))


def page(text: str, **properties: str) -> Mapping[str, Any]:
    """A version's contents."""
    shown = {name: {"type": "text", "text": value, "value": value} for name, value in properties.items()}
    return {"title": "Title", "text": text, "properties": shown}


def words(text: str) -> list[str]:
    """What a person reads, without markup."""
    return re.findall(r"[^\s|`#-]+", text)


_sentence = st.lists(st.sampled_from(WORDS), min_size=1, max_size=60).map(" ".join)
_block = st.one_of(
    _sentence,
    st.tuples(st.integers(1, 4), st.sampled_from(WORDS)).map(lambda at: f"{'#' * at[0]} {at[1]}"),
    st.lists(st.tuples(st.integers(0, 2), _sentence), min_size=1, max_size=20).map(
        lambda items: "\n".join(f"{'  ' * depth if at else ''}- {text}" for at, (depth, text) in enumerate(items))
    ),
)
_table = st.lists(_sentence, min_size=1, max_size=20).map(
    lambda rows: "\n".join([HEADER, *(f"| {row} | 1 |" for row in rows)])
)
_code = st.lists(_sentence, min_size=1, max_size=20).map(lambda lines: "\n".join(["```python", *lines, "```"]))


# Nothing is lost


@pytest.mark.slow
@given(st.lists(_block, max_size=12), st.sampled_from([SMALL_MODEL, "cl100k_base"]))
def test_every_word_is_in_a_chunk_in_order(blocks: list[str], model: str) -> None:
    text = "\n\n".join(blocks)
    found = chunks(text, SMALL, model)
    assert words(" ".join(chunk.text for chunk in found)) == ["Title", *words(text)]
    assert [chunk.position for chunk in found] == list(range(len(found)))


@pytest.mark.slow
@given(
    st.lists(st.one_of(_block, _table, _code), max_size=8),
    st.sampled_from([SMALL_MODEL, "cl100k_base"]),
    st.sampled_from([0, 8, 16]),
)
def test_no_chunk_is_longer_than_the_maximum_and_what_it_repeats(blocks: list[str], model: str, overlap: int) -> None:
    how = ChunkerSettings(32, 64, overlap)
    count = vocabulary(model).count
    header, fences = count([f"\n{HEADER}\n", "\n```python\n\n```\n"])
    for chunk in chunks("\n\n".join(blocks), how, model):
        assert count([chunk.text]) == [chunk.token_count]
        repeated = header * chunk.text.count(HEADER) + fences * chunk.text.count("```python")
        assert chunk.token_count <= 64 + overlap + repeated


def test_an_empty_page_is_its_title() -> None:
    (chunk,) = chunks("")
    assert chunk.text == chunk.embed_text == "# Title"


def test_a_title_that_is_longer_than_a_chunk_is_cut() -> None:
    found = chunk_document({"title": "제목 " * 400, "text": "Text."}, SMALL, vocabulary(SMALL_MODEL))
    assert len(found) > 5
    assert all(chunk.token_count <= 64 for chunk in found)


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    [
        "\n\n".join(f"Block {number} of many." for number in range(10_000)),
        "\n\n".join("All the same." for _ in range(10_000)),
        "\n\n".join(f"{'#' * (1 + number % 6)} Heading {number}" for number in range(10_000)),
        "가나다라마바사아자차카타파하" * 50_000,
        "word " * 40_000,
        "😀" * 100_000,
    ],
    ids=["blocks", "equal blocks", "headings", "no space", "no full stop", "one character"],
)
def test_a_page_of_any_size_and_shape_is_cut(text: str) -> None:
    found = chunks(text)
    assert re.sub(r"\s", "", "".join(chunk.text for chunk in found)) == re.sub(r"\s", "", f"# Title{text}")
    assert max(chunk.token_count for chunk in found) <= 512


def test_an_escaped_character_is_shown_and_embedded_as_itself() -> None:
    (chunk,) = chunks(r"Two \*stars\* and `C:\*`.")
    assert chunk.text == "# Title\n\nTwo *stars* and `C:\\*`."


# Structure


def test_a_chunk_knows_its_headings_and_the_embedded_text_carries_them() -> None:
    long = "word " * 300
    last = chunks(f"# Safety\n\n{long}\n\n## Batteries\n\n{long}")[-1]
    assert last.heading_path == ("Safety", "Batteries")
    assert last.embed_text == f"Title > Safety > Batteries\n{last.text}"
    assert last.text.startswith("## Batteries")


def test_a_heading_as_long_as_a_page_does_not_lengthen_what_is_embedded() -> None:
    for chunk in chunks(f"# {'heading ' * 1000}\n\n" + "\n\n".join("word " * 50 for _ in range(20))):
        assert len(chunk.embed_text) - len(chunk.text) < 500


def test_a_page_that_begins_with_a_heading_has_its_title_in_that_section() -> None:
    (chunk,) = chunks("# Safety\n\nWear gloves.")
    assert chunk.text == "# Title\n\n# Safety\n\nWear gloves."
    assert chunk.heading_path == ("Safety",)


@pytest.mark.parametrize("seed", range(20))
def test_no_chunk_ends_with_a_heading(seed: int) -> None:
    blocks = [f"## Part {at}" if at % 7 == seed % 7 else f"{at} {seed} " + "word " * 30 for at in range(100)]
    for chunk in chunks("\n\n".join([*blocks, "The end."])):
        assert not chunk.text.split("\n\n")[-1].startswith("#")


def test_sections_that_are_short_share_a_chunk_and_long_ones_begin_one() -> None:
    sections = [f"## Section {at}\n\n{'word ' * 200}" for at in range(10)]
    for chunk in chunks("\n\n".join(sections))[1:]:
        assert chunk.text.startswith("## Section")
    assert len(chunks("\n\n".join(f"## Section {at}\n\nShort." for at in range(10)))) == 1


def test_a_long_table_repeats_its_header() -> None:
    table = "\n".join([HEADER, *(f"| part {n} | {n} |" for n in range(400))])
    found = chunks(table)
    assert len(found) > 2
    assert all(chunk.text.count(HEADER) == 1 for chunk in found)


def test_a_header_that_is_nearly_a_chunk_is_not_repeated() -> None:
    header = "| " + " | ".join(f"column {n}" for n in range(150)) + " |\n|" + " --- |" * 150
    found = chunks("\n".join([header, *("| " + " | ".join("x" * 150) + " |" for _ in range(20))]))
    assert sum(chunk.text.count("column 7 ") for chunk in found) == 1


def test_code_is_not_cut_where_it_fits_and_stays_fenced_where_it_does_not() -> None:
    fitting = "```python\n" + "\n\n".join(f"x{n} = {n}" for n in range(40)) + "\n```"
    around = "\n\n".join(f"Sentence {n} before and after." for n in range(100))
    assert any(fitting in chunk.text for chunk in chunks(f"{around}\n\n{fitting}\n\n{around}"))
    long = "```python\n" + "\n".join(f"value_{n} = compute({n})" for n in range(600)) + "\n```"
    first, *others = chunks(long)
    assert first.text.startswith("# Title\n\n```python\n")
    assert len(others) > 5
    for chunk in others:
        assert chunk.text.startswith("```python\n")
    for chunk in (first, *others):
        assert chunk.text.endswith("\n```")
        assert chunk.text.count("```") == 2


def test_a_long_list_is_cut_before_items_and_a_long_text_behind_sentences() -> None:
    for chunk in chunks("\n".join(f"- Item {n}\n  - which says more" for n in range(300)))[1:]:
        assert chunk.text.startswith("- Item")
    for chunk in chunks(" ".join(f"Sentence {n} says this." for n in range(300)))[1:]:
        assert chunk.text.startswith("Sentence") and chunk.text.endswith("this.")


# Settings


def test_a_larger_target_makes_larger_chunks() -> None:
    text = "\n\n".join(f"Paragraph {n}, item {n * 7919 % 1000}: the battery is checked twice." for n in range(2000))
    for target in (64, 256, 1024):
        sizes = [chunk.token_count for chunk in chunks(text, ChunkerSettings.of_target(target))]
        assert max(sizes) <= 2 * target
        assert 0.7 * target < sum(sizes) / len(sizes) < 1.4 * target


def test_the_maximum_is_twice_the_target_unless_it_is_said() -> None:
    assert ChunkerSettings.of_target(256) == DEFAULT
    assert ChunkerSettings.of_target(100, 20) == ChunkerSettings(100, 200, 20)


def test_settings_stored_before_there_was_an_overlap_mean_none() -> None:
    stored = {"target_tokens": 256, "max_tokens": 512}
    assert ChunkerSettings(**stored) == DEFAULT
    assert ChunkerSettings(**asdict(DEFAULT)) == DEFAULT


@pytest.mark.parametrize("sizes", [(15, 512, 0), (256, 255, 0), (256, 8001, 0), (256, 512, 129), (256, 512, -1)])
def test_sizes_that_cannot_be_are_refused(sizes: tuple[int, int, int]) -> None:
    with pytest.raises(WrongUse):
        ChunkerSettings(*sizes)


@pytest.mark.parametrize("sign", [",", ";", "|", "&", "/", ":"])
def test_a_line_without_spaces_is_cut_inside_no_number_and_no_word(sign: str) -> None:
    whole = [f"{number * 7919 % 9973}.{number % 7}" if number % 3 else WORDS[number % 7] for number in range(1500)]
    found = "".join(f"{chunk.text}{sign}" for chunk in chunks(f"```\n{sign.join(whole)}\n```"))
    assert set(whole) <= set(re.split(rf"[{re.escape(sign)}\n`]+", found))


def test_a_long_row_of_blocks_is_cut_as_by_comparing_all(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "\n\n".join(f"{'## ' * (n % 40 == 0)}{n * 7919 % 97} words and {n % 13} more" for n in range(900))
    compared = chunks(text, ChunkerSettings.of_target(64))
    monkeypatch.setattr("arcana_pipelines.chunking.chunker._FEW", 0)
    assert chunks(text, ChunkerSettings.of_target(64)) == compared


def test_the_first_chunk_of_a_row_names_its_database() -> None:
    row = {"title": "Robot", "database": "할 일", "properties": {"State": {"text": "open"}}, "text": "Its body."}
    found = chunk_document(row, ChunkerSettings(), vocabulary(SMALL_MODEL))
    assert [chunk.text for chunk in found] == ["# Robot\n\nDatabase: 할 일\nState: open", "Its body."]


# Overlap

_LONG = "\n\n".join(
    [f"First {n} says little. Second {n} says as little. Third {n} ends it." for n in range(60)]
    + ["# Another section"]
    + [f"Here {n} is one of many more. There {n} is another." for n in range(60)]
)


def test_an_overlap_repeats_the_end_of_the_chunk_before_and_moves_no_boundary() -> None:
    count = vocabulary(SMALL_MODEL).count
    plain, overlapping = chunks(_LONG), chunks(_LONG, ChunkerSettings(overlap_tokens=40))
    assert len(plain) == len(overlapping)
    for before, alone, longer in zip(plain, plain[1:], overlapping[1:], strict=False):
        assert longer.text.endswith(alone.text)
        assert longer.embed_text.endswith(longer.text)
        repeated = longer.text.removesuffix(alone.text).strip()
        assert before.text.endswith(repeated)
        assert 0 <= count([repeated])[0] <= 40
        assert bool(repeated) != alone.text.startswith("# Another section")


def test_an_overlap_that_is_shorter_than_a_block_is_its_last_sentences() -> None:
    plain, overlapping = chunks(_LONG), chunks(_LONG, ChunkerSettings(overlap_tokens=12))
    repeated = overlapping[1].text.removesuffix(plain[1].text).strip()
    assert re.fullmatch(r"Third \d+ ends it\.", repeated)


def test_an_overlap_inside_a_table_is_of_rows_below_the_header() -> None:
    table = "\n".join([HEADER, *(f"| part {n} | {n} |" for n in range(400))])
    plain, overlapping = chunks(table), chunks(table, ChunkerSettings(overlap_tokens=40))
    for before, alone, longer in zip(plain, plain[1:], overlapping[1:], strict=False):
        assert longer.text.count(HEADER) == 1
        rows, own = longer.text.split("\n")[2:], alone.text.split("\n")[2:]
        repeated = rows[: len(rows) - len(own)]
        assert repeated
        assert before.text.endswith("\n".join(repeated))


# The version


def test_other_boundaries_are_another_version() -> None:
    blocks = [f"{n * 7919 % 997}, {WORDS[n % 7]}: checked {'once' if n % 3 else 'twice'}." for n in range(100)]
    text = "\n\n".join(["# One", *blocks[:40], "## Two", *blocks[40:], "\n".join(f"- {block}" for block in blocks)])
    starts = [re.split(r"[,\n]", chunk.text)[0] for chunk in chunks(text, ChunkerSettings.of_target(128))]
    in_text = ["769", "968", "569", "## Two", "369", "568", "169", "368", "966", "567", "396"]
    in_list = ["- 769", "- 85", "- 569", "- 882", "- 369", "- 682", "- 938", "- 482", "- 738"]
    assert (CHUNKER_VERSION, starts) == (3, ["# Title", *in_text, *in_list])


@pytest.mark.slow
@pytest.mark.parametrize("unit", ["中文", "a-", "[a](", "가나다라마바사", "word "])
def test_a_text_without_places_to_cut_is_not_counted_again_and_again(unit: str) -> None:
    counted = 0

    def length(text: str) -> int:
        nonlocal counted
        counted += len(text)
        return len(text) // 2

    text = unit * (400_000 // len(unit))
    assert len(chunk_document(page(text), DEFAULT, Vocabulary("pairs", length))) > 300
    assert counted < 5 * len(text)
