"""The line that moves while new builds are filled, and the time that it says is left."""

from __future__ import annotations

import bisect
import itertools
import os
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from arcana_pipelines.cli.fill_course import FillCourse
from arcana_pipelines.cli.step_rates import FILE, StepRates, assumed, keep, key_of, measured
from arcana_pipelines.operations.filling import Filling, Step

CHUNKS_OF_A_DOCUMENT = 5
MODEL = "a-model"
EMPTY = Filling(
    "building", MODEL, 384, uncut=1000, cut=0, chunks=0, unembedded=0, passages=0, new_passages=0, documents=0,
    served=0, has_words=False, is_verified=False,
)  # fmt: skip
SERVING = replace(EMPTY, state="active", uncut=0, documents=1000, served=5000, has_words=True)
BEGAN = 100.0
MOST_WRONG = 0.20

Moment = tuple[float, Filling]
Slower = Callable[[float], float]


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


def nothing_known(key: str) -> None:
    """No run was measured yet."""


def run(rates: StepRates, documents: int, passages: int, slower: Slower, already: int = 0) -> Iterator[Moment]:
    """A filling of so many documents in steps that take so long, each so much slower at its time: what changes when.

    Of its documents `already` so many were cut by a run before.
    """
    at, chunks = BEGAN, float(documents * CHUNKS_OF_A_DOCUMENT)
    begun = replace(EMPTY, uncut=documents)

    def later(seconds: float) -> float:
        nonlocal at
        at += seconds * slower(at - BEGAN)
        return at

    yield at, cut(already, passages, begun) if already else begun
    later(rates.start)
    for done in range(already + 200, documents + 1, 200):
        yield later(rates.seconds(Step.CUTTING, 200 * CHUNKS_OF_A_DOCUMENT)), cut(done, passages, begun)
    whole = cut(documents, passages, begun)
    yield later(rates.seconds(Step.EMBEDDING, chunks)), replace(whole, passages=0)
    for done in range(500, documents + 1, 500):
        yield later(rates.seconds(Step.PUBLISHING, 500 * CHUNKS_OF_A_DOCUMENT)), published(done, whole)
    last = replace(published(documents, whole), has_words=True)
    yield later(rates.seconds(Step.WORDS, chunks)), last
    yield later(rates.seconds(Step.VECTORS, chunks)), (last := replace(last, state="verifying"))
    yield later(rates.seconds(Step.VERIFYING, chunks)), (last := replace(last, is_verified=True))
    yield later(rates.seconds(Step.FINISHING, chunks)), last


class Shown:
    """A run, with the line as somebody sees it who looks all the time; the database is asked twice a second."""

    def __init__(self, course: FillCourse, moments: Iterator[Moment]) -> None:
        self.course, looks = course, list(moments)
        times = [at for at, _ in looks]
        self.took = times[-1] - BEGAN
        self.left: list[tuple[float, float | None]] = []
        for tick in range(1, int(2 * self.took)):
            at = BEGAN + tick / 2
            course.look([SERVING, looks[bisect.bisect(times, at) - 1][1]], at)
            course.line(at)
            self.left.append((at - BEGAN, course.left))

    def wrong(self, share: float) -> float:
        """By which part of what was left it was wrong when this share of the time had gone."""
        at = share * self.took
        left = [left for when, left in self.left if when <= at][-1]
        assert left is not None, "no time was told"
        return abs(left - (self.took - at)) / (self.took - at)


def steady(slower: float) -> Slower:
    return lambda at: slower


RATES = replace(assumed(2, 384, 3.0), are_measured=True)


@pytest.mark.parametrize("passages", [0, 4])
@pytest.mark.parametrize(("slower", "documents"), [(0.5, 80_000), (1.0, 30_000), (2.0, 20_000), (4.0, 20_000)])
def test_on_a_machine_that_nothing_is_known_of_the_first_documents_say_it_by_a_tenth(
    passages: int, slower: float, documents: int
) -> None:
    rates = assumed(2, 384, passages)
    shown = Shown(FillCourse(2, BEGAN, nothing_known), run(rates, documents, passages, steady(slower)))
    assert [share for share in (0.1, 0.25, 0.5, 0.75) if shown.wrong(share) > MOST_WRONG] == []


@pytest.mark.parametrize("documents", [2_000, 6_000, 20_000])
def test_what_the_last_run_has_measured_tells_the_time_from_the_first_second_whatever_the_ratios_are_here(
    documents: int,
) -> None:
    """For instance slow disks: publishing takes ten times as long, the index of vectors a third."""
    ratios = {Step.PUBLISHING: 10.0, Step.VECTORS: 0.3, Step.FINISHING: 5.0}
    here = replace(RATES, thousand={step: cost * ratios.get(step, 2.0) for step, cost in RATES.thousand.items()})
    learning = FillCourse(2, BEGAN, nothing_known)
    first = Shown(learning, run(here, 6_000, 3, steady(1.0)))
    learned = learning.learned(BEGAN + first.took)
    assert learned is not None and learned[0] == key_of(EMPTY, 2)
    shown = Shown(FillCourse(2, BEGAN, dict([learned]).get), run(here, documents, 3, steady(1.0)))
    assert [share for share in (0.03, 0.1, 0.25, 0.5, 0.75) if shown.wrong(share) > 0.15] == []


# Seconds for a thousand chunks of each step, as rebuilds on two cores were recorded: of the CPU (others used them too),
# half of them where two processes cut. By the number of chunks; the default model has three passages a chunk.
DEFAULT_MODEL = {
    10_000: (0.44, 0.050, 0.080, 0.052, 0.165, 0.080, 0.12),
    30_000: (0.425, 0.066, 0.062, 0.057, 0.125, 0.071, 0.08),
    100_000: (0.453, 0.080, 0.056, 0.042, 0.135, 0.112, 0.09),
}
SMALL_MODEL = {
    30_000: (0.17, 0.012, 0.055, 0.050, 0.116, 0.080, 0.10),
    100_000: (0.17, 0.009, 0.066, 0.060, 0.085, 0.110, 0.085),
}
RECORDED = [(chunks, 3, took) for chunks, took in DEFAULT_MODEL.items()] + [
    (chunks, 0, took) for chunks, took in SMALL_MODEL.items()
]


def recorded(course: FillCourse, chunks: int, passages: int, took: tuple[float, ...]) -> Shown:
    rates = StepRates(2.0, dict(zip(Step, took, strict=True)))
    return Shown(course, run(rates, chunks // CHUNKS_OF_A_DOCUMENT, passages, steady(1.0)))


@pytest.mark.parametrize(("chunks", "passages", "took"), RECORDED[1:])
def test_the_first_rebuild_of_a_machine_is_told_as_it_was_recorded(
    chunks: int, passages: int, took: tuple[float, ...]
) -> None:
    """One of 10,000 chunks takes twelve seconds: at a tenth of them nothing is cut."""
    shown = recorded(FillCourse(2, BEGAN, nothing_known), chunks, passages, took)
    assert [share for share in (0.1, 0.25, 0.5) if shown.wrong(share) > MOST_WRONG] == []


@pytest.mark.parametrize(("chunks", "passages", "took"), RECORDED)
def test_a_rebuild_of_one_size_tells_the_time_of_another(chunks: int, passages: int, took: tuple[float, ...]) -> None:
    learning = FillCourse(2, BEGAN, nothing_known)
    learned = learning.learned(BEGAN + recorded(learning, chunks, passages, took).took)
    assert learned is not None
    for other in (each for each in RECORDED if each[1] == passages):
        shown = recorded(FillCourse(2, BEGAN, dict([learned]).get), *other)
        assert shown.wrong(0.1) < 0.15 and shown.wrong(0.25) < MOST_WRONG and shown.wrong(0.5) < 0.25, other[0]


def test_where_embedding_takes_most_of_the_time_it_is_told_by_that() -> None:
    """A hundred milliseconds a chunk: the first rebuild with a model, a quarter of an hour of 10,000 chunks."""
    chunks = 10_000
    moments = list(run(StepRates(2.0, dict(zip(Step, SMALL_MODEL[30_000], strict=True))), chunks // 5, 0, steady(1.0)))
    cut_at, whole = next((at, build) for at, build in moments if not build.uncut)
    embedding = [(cut_at + (chunks - left) / 10, replace(whole, unembedded=left)) for left in range(chunks, 0, -10)]
    before = [(at, replace(build, unembedded=build.chunks)) for at, build in moments if at < cut_at]
    after = [(at + chunks / 10, build) for at, build in moments if at > cut_at]
    shown = Shown(FillCourse(2, BEGAN, nothing_known), iter([*before, *embedding, *after]))
    assert [share for share in (0.1, 0.25, 0.5, 0.75) if shown.wrong(share) > 0.05] == []


def test_an_index_that_tells_how_far_it_is_tells_the_time_whatever_was_known() -> None:
    """An HNSW index that does not fit into memory is made at a tenth of the speed."""
    course = FillCourse(2, BEGAN, lambda key: RATES)
    loaded = published(20_000, cut(20_000, of=replace(EMPTY, uncut=20_000)))
    filled = replace(loaded, has_words=True)
    course.look([loaded], BEGAN)
    for second in range(1, 101):
        course.look([replace(filled, ann="hnsw", indexed=second / 200)], BEGAN + second)
        course.line(BEGAN + second)
    behind = RATES.seconds(Step.VERIFYING, 100_000) + RATES.seconds(Step.FINISHING, 100_000)
    assert course.left == pytest.approx(100 + behind, rel=0.1)


def test_a_machine_that_gets_more_to_do_is_followed_within_a_minute() -> None:
    begins, ends = 40.0, 1e9
    course = FillCourse(2, BEGAN, lambda key: RATES)
    shown = Shown(course, run(RATES, 20_000, 3, lambda at: 2.5 if begins <= at < ends else 1.0))
    at = (begins + 60) / shown.took
    assert shown.wrong(at) < MOST_WRONG and shown.wrong(0.75) < MOST_WRONG


def test_one_that_had_more_to_do_for_a_while_is_followed_back() -> None:
    shown = Shown(
        FillCourse(2, BEGAN, lambda key: RATES), run(RATES, 20_000, 3, lambda at: 3.0 if 20 <= at < 50 else 1.0)
    )
    assert shown.wrong(0.75) < MOST_WRONG


def test_the_number_never_grows_while_batches_take_now_longer_now_shorter() -> None:
    rough = random.Random(5)
    shown = Shown(FillCourse(2, BEGAN, lambda key: RATES), run(RATES, 6_000, 3, lambda at: rough.uniform(0.6, 1.4)))
    told = [left for _, left in shown.left if left is not None]
    assert len(told) == len(shown.left)
    assert [(a, b) for a, b in itertools.pairwise(told) if b > a] == []
    assert max(a - b for a, b in itertools.pairwise(told)) < 2.5, "nor does it leap"
    assert shown.wrong(0.1) < MOST_WRONG and shown.wrong(0.5) < MOST_WRONG


@pytest.mark.parametrize("already", [5_000, 10_000])
def test_a_run_that_goes_on_where_another_was_killed_counts_what_is_left(already: int) -> None:
    """Half of the documents were cut by that, or all of them."""
    shown = Shown(FillCourse(2, BEGAN, lambda key: RATES), run(RATES, 10_000, 3, steady(1.2), already))
    assert [share for share in (0.1, 0.25, 0.5, 0.75) if shown.wrong(share) > MOST_WRONG] == []


def test_a_run_that_waited_for_another_one_is_not_taken_for_a_slow_machine() -> None:
    waited = replace(RATES, start=60.0)
    course = FillCourse(2, BEGAN, lambda key: RATES)
    shown = Shown(course, run(waited, 6_000, 3, steady(1.0)))
    assert shown.wrong(75 / shown.took) < MOST_WRONG
    learned = course.learned(BEGAN + shown.took)
    assert learned is not None and learned[1].start == RATES.start


def test_before_anything_was_seen_nothing_is_said_of_the_time() -> None:
    course = FillCourse(2, BEGAN, nothing_known)
    course.look([], BEGAN)
    assert course.line(BEGAN) == "finishing, 0:02 left"
    course.look([EMPTY], BEGAN)
    assert course.line(BEGAN).startswith("cutting: 0 of 1000 documents, 0:0")


def embedding(course: FillCourse, looks: list[Filling], seconds: float = 1.0) -> str:
    """The last line of looks that are so many seconds apart."""
    line = ""
    for number, seen in enumerate(looks):
        course.look([SERVING, seen], BEGAN + number * seconds)
        line = course.line(BEGAN + number * seconds)
    return line


CUT = [replace(cut(100 * tenth), unembedded=500 * tenth) for tenth in range(10)]


def test_where_texts_are_to_be_embedded_and_no_rate_is_known_the_time_is_told_when_some_were() -> None:
    course = FillCourse(1, BEGAN, nothing_known)
    assert embedding(course, CUT) == (
        "cutting: 900 of 1000 documents, texts are to be embedded: the time left is known when that has begun"
    )
    whole = replace(cut(1000), unembedded=5000)
    course.look([whole], BEGAN + 10)
    assert course.line(BEGAN + 10) == "embedding: 5000 texts to embed"
    course.look([replace(whole, unembedded=4000)], BEGAN + 110)
    assert course.line(BEGAN + 110).startswith("embedding: 4000 texts to embed, 6:4")


def test_where_the_rate_of_embedding_was_measured_before_the_time_is_told_from_the_first_document_on() -> None:
    course = FillCourse(1, BEGAN, lambda key: replace(RATES, texts=10.0))
    embedding(course, CUT[:2])
    assert course.left == pytest.approx(5000 / 10, rel=0.05), (
        "five hundred texts are staged, and nine times as many come"
    )


def test_a_run_that_goes_on_with_embedding_says_how_long_that_takes_and_the_next_knows_it() -> None:
    course, whole = FillCourse(1, BEGAN, nothing_known), cut(2000, of=replace(EMPTY, uncut=2000))
    looks = [replace(whole, unembedded=left) for left in range(3000, -1, -100)]
    assert embedding(course, looks[:2], 10).startswith("embedding: 2900 texts to embed, 4:5")
    embedding(course, [*looks, published(1000, whole), replace(published(2000, whole), has_words=True)], 10)
    learned = course.learned(BEGAN + 500)
    assert learned is not None and learned[1].texts == pytest.approx(10.0, rel=0.05)
    assert learned[1].thousand[Step.CUTTING] > 2 * assumed(1, 384, 0).thousand[Step.CUTTING], "all of it was slow"


def test_between_two_counts_of_what_is_to_be_embedded_the_time_goes_on_at_its_rate() -> None:
    """A hundred milliseconds a chunk; of many chunks a count takes long, and is made every half minute."""
    course, whole = FillCourse(1, BEGAN, nothing_known), cut(2000, of=replace(EMPTY, uncut=2000))
    for second in range(600):
        counted = replace(whole, unembedded=10_000 - 10 * (second - second % 30))
        course.look([counted], BEGAN + second, second % 30 == 0)
        course.line(BEGAN + second)
    assert course.left == pytest.approx(400, rel=0.05)


def test_of_chunks_with_passages_it_is_these_that_take_the_time_to_embed() -> None:
    course = FillCourse(1, BEGAN, nothing_known)
    whole = replace(cut(1000, passages=4), unembedded=5000, new_passages=20_000)
    course.look([whole], BEGAN)
    course.look([replace(whole, unembedded=2500, passages=10_000, new_passages=10_000)], BEGAN + 100)
    course.line(BEGAN + 100)
    assert course.left is not None and 100 < course.left < 120, "as many passages again"


def test_time_goes_by_between_looks_and_in_a_step_that_shows_nothing_of_itself() -> None:
    course = FillCourse(1, BEGAN, lambda key: RATES)
    course.look([published(1000, cut(1000))], BEGAN)
    course.line(BEGAN)
    before = course.left
    course.line(BEGAN + 1.0)
    assert before is not None and course.left == pytest.approx(before - 1.0)


def test_one_run_on_a_busy_machine_does_not_outweigh_what_was_known() -> None:
    course = FillCourse(2, BEGAN, lambda key: RATES)
    shown = Shown(course, run(RATES, 6_000, 3, steady(4.0)))
    learned = course.learned(BEGAN + shown.took)
    assert learned is not None
    for step, known in RATES.thousand.items():
        assert learned[1].thousand[step] == pytest.approx(2 * known, rel=0.15), step


def test_a_run_over_a_few_documents_teaches_nothing() -> None:
    course = FillCourse(2, BEGAN, nothing_known)
    shown = Shown(course, run(RATES, 500, 3, steady(1.0)))
    assert course.learned(BEGAN + shown.took) is None


class TestKept:
    def test_what_was_measured_is_there_for_the_next_run_of_its_kind_alone(self, tmp_path: Path) -> None:
        keep(tmp_path, "a 384 2", RATES)
        keep(tmp_path, "b 256 2", replace(RATES, texts=50.0))
        assert measured(tmp_path, "a 384 2") == RATES
        assert (measured(tmp_path, "b 256 2") or RATES).texts == 50.0
        assert measured(tmp_path, "a 384 1") is None

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "{",
            "[]",
            '{"a": 1}',
            '{"a": {"start": 1, "thousand": {}, "texts": null}}',
            '{"a": {"start": "x"}}',
            "[" * 100_000,
            f'{{"a": {{"start": {"9" * 400}, "texts": null}}}}',
            "\0",
            f"{' ' * 2_000_000}{{}}",
        ],
    )
    def test_a_file_that_was_damaged_is_none_and_is_written_anew(self, tmp_path: Path, text: str) -> None:
        (tmp_path / FILE).write_text(text)
        assert measured(tmp_path, "a") is None
        keep(tmp_path, "a", RATES)
        assert measured(tmp_path, "a") == RATES

    def test_a_pipe_in_its_place_is_not_waited_for(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / FILE)
        assert measured(tmp_path, "a") is None
        keep(tmp_path, "a", RATES)
        assert measured(tmp_path, "a") == RATES

    def test_a_link_to_a_file_of_others_is_replaced_and_the_file_left_as_it_is(self, tmp_path: Path) -> None:
        (tmp_path / "theirs").write_text("theirs")
        (tmp_path / FILE).symlink_to(tmp_path / "theirs")
        keep(tmp_path, "a", RATES)
        assert measured(tmp_path, "a") == RATES
        assert (tmp_path / "theirs").read_text() == "theirs"

    @pytest.mark.parametrize("wrong", [0.0, -1.0, float("nan"), float("inf")])
    def test_a_rate_that_cannot_be_is_not_used(self, tmp_path: Path, wrong: float) -> None:
        keep(tmp_path, "a", replace(RATES, start=wrong))
        assert measured(tmp_path, "a") is None

    def test_no_home_is_made_for_it(self, tmp_path: Path) -> None:
        keep(tmp_path / "home", "a", RATES)
        assert not (tmp_path / "home").exists()

    def test_a_home_that_takes_nothing_ends_no_run(self, tmp_path: Path) -> None:
        (tmp_path / FILE).mkdir()
        keep(tmp_path, "a", RATES)
        assert measured(tmp_path, "a") is None


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
    course = FillCourse(2, BEGAN, nothing_known)
    course.look(builds, BEGAN)
    assert course.line(BEGAN).partition(",")[0] == line
