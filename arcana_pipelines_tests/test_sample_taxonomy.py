"""The taxonomy of the sample: 25 topics of its handbook and its helpdesk, in English and Korean."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

from arcana_pipelines import demo

FILE = Path(demo.__file__).parent / "taxonomy.csv"
HANGUL = re.compile("[가-힣]")


@pytest.fixture(scope="module")
def rows() -> list[dict[str, str]]:
    with FILE.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_it_has_25_topics_on_three_levels_each_below_one_that_is_there(rows: list[dict[str, str]]) -> None:
    paths = [row["path"] for row in rows]
    assert len(paths) == len(set(paths)) == 25
    assert {len(path.split("/")) for path in paths} == {1, 2, 3}
    assert all(path.rpartition("/")[0] in (*paths, "") for path in paths)


def test_each_topic_is_called_and_explained_in_both_languages(rows: list[dict[str, str]]) -> None:
    for row in rows:
        assert not HANGUL.search(row["path"]) and HANGUL.search(row["label@ko"])
        for explained in (row["definition"], row["synonyms"]):
            assert HANGUL.search(explained) and re.search("[A-Za-z]{2}", explained)
