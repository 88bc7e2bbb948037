"""The line that moves while a sync works."""

from __future__ import annotations

from dataclasses import replace

from arcana_pipelines.cli.course import Course
from arcana_pipelines.operations.reports import Progress


def progress(listed: int = 0, pending: int = 0, chunks: int = 0, embedded: int = 0) -> Progress:
    return Progress(listed, pending, chunks, embedded, served=0, is_indexing=False)


def test_it_says_how_many_of_the_pages_that_need_it_are_read_how_fast_and_how_long_it_takes() -> None:
    course = Course()
    assert course.line(progress(1000, 1000), at=0) == "1000 listed, 0 of 1000 read"
    assert course.line(progress(1000, 700), at=60) == "1000 listed, 300 of 1000 read, 300 pages/min, 2:20 left"


def test_pages_that_are_unchanged_are_not_counted_as_to_be_read() -> None:
    course = Course()
    course.line(progress(1000, 20), at=0)
    assert course.line(progress(1000, 10), at=30) == "1000 listed, 10 of 20 read, 20 pages/min, 0:30 left"


def test_pages_that_can_be_found_while_others_are_read_are_told_and_what_limits() -> None:
    course = Course()
    course.line(progress(1000, 1000), at=0)
    now = replace(progress(1000, 700), served=250, behind=50)
    assert course.line(now, at=60) == "1000 listed, 300 of 1000 read, 250 can be found, 300 pages/min, 2:20 left"
    course, now = Course(), replace(progress(1000, 700), served=100, behind=200)
    course.line(progress(1000, 1000), at=0)
    assert course.line(now, at=60) == (
        "1000 listed, 300 of 1000 read, 100 can be found, 300 pages/min, indexing limits, 9:00 left"
    )


def test_after_reading_the_time_left_is_that_of_embedding() -> None:
    course = Course()
    course.line(progress(10, 10), at=0)
    course.line(progress(10, 0, chunks=500, embedded=0), at=10)
    line = course.line(progress(10, 0, chunks=500, embedded=100), at=20)
    assert line.startswith("10 listed, 10 of 10 read, 500 chunks, 100 embedded, ")
    assert line.endswith("1:20 left") and "pages/min" not in line


def test_passages_are_embedded_as_well_and_take_their_time() -> None:
    course = Course()
    course.line(replace(progress(10, 0, chunks=100, embedded=0), passages=600), at=0)
    line = course.line(replace(progress(10, 0, chunks=100, embedded=0), passages=500), at=10)
    assert line == "10 listed, 100 chunks, 0 embedded, 500 passages to embed, 1:00 left"


def test_a_rate_is_that_of_the_last_minutes() -> None:
    course = Course()
    for minute, pending in enumerate([7000, 4000, 1000, 900, 800, 700]):
        line = course.line(progress(7000, pending), at=60 * minute)
    assert "100 pages/min, 7:00 left" in line


def test_an_hour_is_an_hour() -> None:
    course = Course()
    course.line(progress(9000, 9000), at=0)
    assert course.line(progress(9000, 8990), at=10).endswith("2:29:50 left")


def test_what_takes_long_at_the_end_is_named() -> None:
    course, all_embedded = Course(), progress(10, 0, chunks=500, embedded=500)
    course.line(progress(10, 0, chunks=500, embedded=499), at=0)
    assert course.line(all_embedded, at=1).endswith("500 embedded, publishing")
    line = course.line(replace(progress(10, 0), is_indexing=True), at=2)
    assert line == "10 listed, making the index of the vectors"
