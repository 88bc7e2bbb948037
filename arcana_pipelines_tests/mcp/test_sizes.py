"""Texts cut to what they may take, and parts that know their passages."""

from __future__ import annotations

import json
from uuid import UUID

import pytest

from arcana_pipelines.mcp import sizes
from arcana_pipelines.mcp.answers import search_answer
from arcana_pipelines.mcp.first_passages import first_passages
from arcana_pipelines.retrieval.relevance import WHY_UNJUDGED
from arcana_pipelines.retrieval.results import Hit, Passage, Results

TEXTS = {
    "prose": "The lamp is lit at dusk. " * 400,
    "quotes": '"\\"' * 3000,
    "hangul": "등대지기는 해질녘에 등불을 켠다. " * 300,
    "pictures": "🦓🦒" * 900,
    "one word": "x" * 9000,
    "lines": "a line\n" * 2000,
    "blank": "\n" * 3000,
    "short": "dusk",
    "nothing": "",
}


@pytest.mark.parametrize("kind", TEXTS)
def test_what_is_cut_is_the_beginning_and_not_too_long(kind: str) -> None:
    text = TEXTS[kind]
    for most in (5, 40, 200):
        begin = sizes.cut(text, most)
        assert sizes.tokens(json.dumps(begin, ensure_ascii=False)) <= most + 2  # the quotation marks
        assert text.startswith(begin.removesuffix(" …"))
        assert begin == text or begin.endswith(" …")
    assert sizes.cut(text, 100_000) == text


@pytest.mark.parametrize("kind", TEXTS)
def test_parts_are_all_of_the_text_and_none_is_too_long(kind: str) -> None:
    text = TEXTS[kind]
    for most in (40, 300):
        parts = sizes.parts(text, most)
        assert "".join(parts) == text
        assert all(sizes.tokens_in_json(part) <= most + 2 for part in parts)
        assert all(parts) or parts == [""]


def test_a_heading_stays_with_what_follows_it() -> None:
    text = "".join(f"## Chapter {number}\n\n" + "words of it " * 30 + "\n\n" for number in range(20))
    parts = sizes.parts(text, 200)
    assert len(parts) > 5 and "".join(parts) == text
    assert all(part.startswith("## Chapter") for part in parts)


def test_each_part_knows_its_first_passage() -> None:
    parts = ["one two\n\nthree four\n\n", "| a | b |\n| 1 | 2 |\n| 3 | 4 |\n\n", "five\n\n", "one two\n\nend"]
    passages = ["one two", "three four", "| a | b |\n| 1 | 2 |", "| a | b |\n| 3 | 4 |", "five", "one two", "end"]
    assert first_passages(parts, passages) == [1, 3, 5, 6]


@pytest.mark.parametrize("passages", [[], ["not in it"], ["a"] * 9, ["d", "a"]])
def test_each_part_has_a_number_of_its_own_whatever_its_passages_are(passages: list[str]) -> None:
    numbers = first_passages(["a\n", "b\n", "c\n", "d"], passages)
    assert numbers[0] == 1 and numbers == sorted(set(numbers)) and len(numbers) == 4


@pytest.mark.parametrize("hits", [1, 10])
@pytest.mark.parametrize("around", ["The keeper walks up the stairs at dusk. ", "등대지기는 해질녘에 계단을 오른다. "])
def test_an_assistant_is_told_what_answers_best_whatever_stands_before_it(around: str, hits: int) -> None:
    before, answer = around * 12, "The code of the lamp room is 4711."
    text = f"{before}\n{answer}\n{around * 12}"
    begin = text.index(answer)
    hit = Hit(
        score=0.5, document_id=str(UUID(int=1)), external_id="e", kind="page", title="Lamp", url=None, link=None,
        path="w.p", heading_path=[], position=0, text=text * 3, version=1, last_edited_at=None, workspace="acme",
        passage=Passage(0, len(text), [], text, (begin, begin + len(answer))),
    )  # fmt: skip
    told = search_answer(Results([hit] * hits, 0.1), lambda named: f"arcana://{named}")
    assert len(told.results) == hits and all(answer in each.text for each in told.results)
    assert all(sizes.tokens_in_json(each.text) <= sizes.HIT_TOKENS + 2 for each in told.results)


@pytest.mark.parametrize(
    ("heading", "told"), [("Seoul", "Thirty days.\n… Seoul\nTwenty days."), ("Berlin", "Thirty days.\n…\nTwenty days.")]
)
def test_another_passage_is_told_with_its_own_headings(heading: str, told: str) -> None:
    hit = Hit(
        score=0.5, document_id=str(UUID(int=1)), external_id="e", kind="page", title="Leave", url=None, link=None,
        path="w.p", heading_path=[], position=0, text="Many words. " * 400, version=1, last_edited_at=None,
        workspace="acme", passage=Passage(0, 12, ["Berlin"], "Thirty days.", (0, 12)),
        also=Passage(90, 102, [heading], "Twenty days.", (0, 12)),
    )  # fmt: skip
    (found,) = search_answer(Results([hit], 0.1), lambda named: f"arcana://{named}").results
    assert (found.headings, found.text) == (["Berlin"], told)


@pytest.mark.parametrize("step", ["Walk up the stairs at dusk with a lamp.", "해질녘에 등을 들고 계단을 오른다."])
def test_an_assistant_is_told_what_is_left_out_and_that_nothing_is_refused(step: str) -> None:
    lines = [f"{number}. {step}" for number in range(1, 40)]
    text = "\n".join(lines)
    first, other = (
        Passage(text.index(lines[at]), text.index(lines[at]) + len(lines[at]), [], lines[at], (0, len(lines[at])),
                begins_inside=True, ends_inside=True)
        for at in (4, 20)
    )  # fmt: skip
    hit = Hit(
        score=0.5, document_id=str(UUID(int=1)), external_id="e", kind="page", title="Lamp", url=None, link=None,
        path="w.p", heading_path=[], position=0, text=text, version=1, last_edited_at=None, workspace="acme",
        passage=first, also=other,
    )  # fmt: skip
    told = search_answer(Results([hit], 0.1, unjudged="not_measured"), lambda named: f"arcana://{named}")
    assert told.results[0].text == f"…\n{lines[4]}\n…\n{lines[20]}\n…"
    assert told.notes == [WHY_UNJUDGED["not_measured"]]
