"""Which part of a body a request asks for."""

from __future__ import annotations

import pytest

from arcana_pipelines.web.ranges import NotInside, part_of


@pytest.mark.parametrize(
    ("asked", "part"),
    [
        (None, None),
        ("", None),
        ("bytes=0-0", (0, 1)),
        ("bytes=0-99", (0, 100)),
        ("bytes=10-", (10, 90)),
        ("bytes=90-5000", (90, 10)),
        ("bytes=-1", (99, 1)),
        ("bytes=-5000", (0, 100)),
        ("bytes = 5 - 9", (5, 5)),
        # The whole is an answer to what nobody understands.
        ("bytes=9-5", None),
        ("bytes=0-1,5-6", None),
        ("bytes=-", None),
        ("bytes=a-b", None),
        ("bytes=٠-٩", None),
        ("lines=1-2", None),
        ("bytes=" + "9" * 5000 + "-", None),
    ],
)
def test_a_part_is_told_by_its_begin_and_its_length(asked: str | None, part: tuple[int, int] | None) -> None:
    assert part_of(asked, 100) == part


@pytest.mark.parametrize("asked", ["bytes=100-", "bytes=100-200", "bytes=-0"])
def test_a_part_behind_the_end_is_none(asked: str) -> None:
    with pytest.raises(NotInside):
        part_of(asked, 100)


def test_an_empty_body_has_no_part() -> None:
    with pytest.raises(NotInside):
        part_of("bytes=0-", 0)
