"""The line that moves while new builds are filled, and the time that it says is left."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from arcana_pipelines.cli.fill_course import FillCourse
from arcana_pipelines.operations.filling import Filling, Step

CHUNKS_OF_A_DOCUMENT = 5
EMPTY = Filling(
    "building", 384, uncut=1000, cut=0, chunks=0, unembedded=0, passages=0, new_passages=0, documents=0, served=0,
    has_words=False, is_verified=False,
)  # fmt: skip
SERVING = replace(EMPTY, state="active", uncut=0, documents=1000, served=5000, has_words=True)


def cut(documents: int, passages: int = 0, of: Filling = EMPTY) -> Filling:
    """A build of which so many documents are cut, each chunk with so many passages that another build has."""
    chunks = documents * CHUNKS_OF_A_DOCUMENT
    left = of.uncut - documents
    return replace(of, uncut=left, cut=documents, chunks=chunks, passages=chunks * passages)


def published(documents: int, of: Filling) -> Filling:
    chunks = documents * CHUNKS_OF_A_DOCUMENT
    return replace(
        of, cut=of.cut - documents, chunks=of.chunks - chunks, documents=documents, served=chunks, passages=0
    )


def run(processes: int, passages: int, slower: float) -> Iterator[tuple[float, Filling]]:
    """A filling of 10,000 documents as the costs have it, on a machine so much slower: looks at it."""
    begun = replace(EMPTY, uncut=10_000)
    costs = FillCourse(processes).costs(384, passages)
    thousand = CHUNKS_OF_A_DOCUMENT * 10 * slower
    at = 5.0
    yield at, begun
    for documents in range(200, 10_001, 200):
        at += costs[Step.CUTTING] * thousand / 50
        yield at, cut(documents, passages, begun)
    whole = cut(10_000, passages, begun)
    at += costs[Step.EMBEDDING] * thousand
    yield at, replace(whole, passages=0)
    for documents in range(500, 10_001, 500):
        at += costs[Step.PUBLISHING] * thousand / 20
        yield at, published(documents, whole)
    last = replace(published(10_000, whole), has_words=True)
    yield (at := at + costs[Step.WORDS] * thousand), last
    yield (at := at + costs[Step.VECTORS] * thousand), (last := replace(last, state="verifying"))
    yield (at := at + costs[Step.VERIFYING] * thousand), (last := replace(last, is_verified=True))
    yield at + costs[Step.FINISHING] * thousand, last


@pytest.mark.parametrize("processes", [1, 2, 8])
@pytest.mark.parametrize("passages", [0, 4])
@pytest.mark.parametrize("slower", [0.5, 1, 7])
def test_from_how_fast_documents_are_cut_follows_the_time_left_of_all(
    processes: int, passages: int, slower: float
) -> None:
    looks = list(run(processes, passages, slower))
    ended, course = looks[-1][0], FillCourse(processes)
    told = []
    for at, seen in looks[:-1]:
        course.line([SERVING, seen], at)
        if course.left is not None:
            told.append((at, course.left))
    begun = looks[0][0]
    assert told[0][0] < begun + (ended - begun) / 2
    assert all(left == pytest.approx(ended - at, rel=0.01, abs=0.01) for at, left in told)


def test_before_batches_were_measured_no_time_is_said() -> None:
    course = FillCourse(2)
    assert course.line([EMPTY], at=10) == "cutting: 0 of 1000 documents"
    assert course.line([cut(100)], at=12) == "cutting: 100 of 1000 documents"
    assert "left" in course.line([cut(200)], at=16)


def test_what_another_run_has_cut_is_not_taken_for_the_speed_of_this_one() -> None:
    fresh, resumed = FillCourse(1), FillCourse(1)
    for at, documents in ((0, 0), (10, 100), (20, 200), (30, 300)):
        fresh.line([cut(documents)], at)
    for at, documents in ((0, 900), (10, 1000), (20, 1100), (30, 1200)):
        resumed.line([cut(documents, of=replace(EMPTY, uncut=1900))], at)
    assert fresh.left is not None and resumed.left is not None
    assert resumed.left > fresh.left, "more is to be published, and as much is to be cut"


def test_where_texts_are_to_be_embedded_the_time_is_known_when_some_were_and_is_that_of_all() -> None:
    course = FillCourse(1)
    for at in range(10):
        seen = replace(cut(100 * at), unembedded=500 * at)
        line = course.line([seen], at)
    assert (
        line == "cutting: 900 of 1000 documents, texts are to be embedded: the time left is known when that has begun"
    )
    whole = cut(1000)
    assert course.line([replace(whole, unembedded=5000)], 10) == "embedding: 5000 texts to embed"
    line = course.line([replace(whole, unembedded=4000)], 110)
    assert line.startswith("embedding: 4000 texts to embed, 6:") and course.left is not None
    # The first 900 documents were cut in nine seconds, which tells how long what comes after takes.
    costs = course.costs(384, 0)
    after = 10 * sum(costs[step] for step in Step if step is not Step.CUTTING) / costs[Step.CUTTING]
    assert course.left == pytest.approx(400 + after, abs=1)


def test_a_run_that_goes_on_with_embedding_says_how_long_that_takes() -> None:
    course = FillCourse(1)
    assert course.line([replace(cut(1000), unembedded=3000)], 0) == "embedding: 3000 texts to embed"
    assert course.line([replace(cut(1000), unembedded=2900)], 10).startswith("embedding: 2900 texts to embed, 4:5")


def test_a_chunk_takes_as_long_to_embed_as_its_passages() -> None:
    course = FillCourse(1)
    for at in range(10):
        seen = cut(100 * at, passages=4)
        course.line([replace(seen, unembedded=seen.chunks, new_passages=seen.passages)], at)
    whole = replace(cut(1000, passages=4), unembedded=5000, new_passages=20_000)
    course.line([whole], 10)
    course.line([replace(whole, passages=10_000, new_passages=10_000)], 110)
    assert course.left is not None and 300 < course.left < 320, "10,000 passages, and chunks as long as 20,000"


def test_time_goes_by_in_a_step_that_shows_nothing_of_itself() -> None:
    course = FillCourse(1)
    looks = [*run(1, 0, 4)]
    for at, seen in looks[:-4]:
        course.line([seen], at)
    before = course.left
    course.line([seen], at + 1.0)
    assert before is not None and course.left == pytest.approx(before - 1.0)


@pytest.mark.parametrize(
    ("builds", "line"),
    [
        ([SERVING, cut(40)], "cutting: 40 of 1000 documents"),
        ([cut(40), cut(1000)], "cutting: 1040 of 2000 documents"),
        ([cut(1000, passages=4)], "taking over what was embedded before"),
        ([replace(cut(1000), unembedded=300)], "embedding: 300 texts to embed"),
        ([published(400, cut(1000))], "publishing: 3000 chunks to publish"),
        ([published(1000, cut(1000))], "indexing the words"),
        ([replace(published(1000, cut(1000)), has_words=True)], "making the index of the vectors"),
        ([replace(SERVING, state="verifying")], "verifying"),
        ([SERVING], "finishing"),
        ([], "finishing"),
    ],
)
def test_the_first_step_that_a_build_is_at_is_named(builds: list[Filling], line: str) -> None:
    assert FillCourse(2).line(builds, at=1) == line
