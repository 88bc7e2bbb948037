"""Folding: the shortcuts change the time it takes, never the answer."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from arcana_pipelines.retrieval.folding import are_alike, fold
from arcana_pipelines.retrieval.results import Hit


def hit(number: int, text: str) -> Hit:
    page = f"page-{number}"
    return Hit(
        score=0.5, document_id=page, external_id=page, title=f"Title {number}", url=None, link=None, path="a",
        heading_path=[], position=0, text=text, version=1, last_edited_at=None,
    )  # fmt: skip


def folded(texts: list[str], most: int) -> list[tuple[str, list[str]]]:
    """(page, the pages that are folded into it)."""
    hits = fold([hit(number, text) for number, text in enumerate(texts)], most)
    return [(each.external_id, [twin.external_id for twin in each.duplicates]) for each in hits]


def compared_in_full(texts: list[str], most: int) -> list[tuple[str, list[str]]]:
    """The definition: every text with every one before it."""
    kept: list[tuple[Hit, list[str]]] = []
    for number, text in enumerate(texts):
        one = hit(number, text)
        twin = next((twins for other, twins in kept if are_alike(one, other)), None)
        if twin is None:
            kept.append((one, []))
        else:
            twin.append(one.external_id)
        if len(kept) == most:
            break
    return [(each.external_id, twins) for each, twins in kept]


@st.composite
def repetitive(draw: st.DrawFn) -> list[str]:
    """Texts of which many are others with a few characters changed, around the limit of what is alike."""
    texts = draw(st.lists(st.text(alphabet="abc 휴가\ud800", max_size=60), min_size=1, max_size=5))
    for _ in range(draw(st.integers(0, 15))):
        text = draw(st.sampled_from(texts)) * draw(st.integers(1, 3))
        for _ in range(draw(st.integers(0, 5))):
            at = draw(st.integers(0, len(text)))
            text = text[:at] + draw(st.sampled_from(["", "x", "y"])) + text[at + draw(st.integers(0, 1)) :]
        texts.append(text)
    return texts


@settings(deadline=None, max_examples=300)
@given(repetitive(), st.integers(1, 30))
def test_the_same_is_folded_as_by_comparing_all_texts_in_full(texts: list[str], most: int) -> None:
    assert folded(texts, most) == compared_in_full(texts, most)


def test_a_text_with_one_other_word_in_thirty_is_the_same_text() -> None:
    text = "Whoever finds the door of the archive open closes it and tells the reception which one it was. "
    assert folded([text, "Another text.", text.replace("archive", "archives"), text], 10) == [
        ("page-0", ["page-2", "page-3"]),
        ("page-1", []),
    ]


def test_no_more_is_looked_at_than_is_asked_for() -> None:
    assert folded(["one", "two", "two", "three"], 2) == [("page-0", []), ("page-1", [])]
    assert fold([], 10) == []
