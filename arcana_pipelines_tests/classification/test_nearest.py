"""Which topics are suggested for how near they are."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID, uuid4

import numpy as np
import pytest

from arcana_pipelines.classification.nearest import Suggestion, Topics, scores, suggestions
from arcana_pipelines.taxonomy.labels import read_path
from arcana_pipelines.taxonomy.nodes import Node

TREE = ("People", "People/Leave", "People/Hiring", "Robots", "Robots/Batteries", "Customers")


def _topics(paths: Sequence[str] = TREE) -> Topics:
    ids = {path: uuid4() for path in paths}
    nodes = [Node(ids[path], _above(ids, path), read_path(path)[-1], read_path(path)) for path in paths]
    return Topics(nodes, np.zeros((len(paths), 2), dtype=np.float32), np.arange(len(paths)))


def _above(ids: dict[str, UUID], path: str) -> UUID | None:
    above = path.rpartition("/")[0]
    return ids.get(above, uuid4()) if above else None


def _found(near: dict[str, float], paths: Sequence[str] = TREE, without: Sequence[str] = ()) -> list[str]:
    return [paths[each.at] for each in _suggested(near, paths, without)]


def _suggested(near: dict[str, float], paths: Sequence[str] = TREE, without: Sequence[str] = ()) -> list[Suggestion]:
    given = np.array([near.get(path, 0.0) for path in paths], dtype=np.float32)
    return suggestions(given, _topics(paths), {paths.index(path) for path in without})


def test_a_document_is_scored_by_its_first_chunk_and_its_best() -> None:
    assert scores(np.array([0.2, 0.4]), np.array([0.6, 0.4])).tolist() == pytest.approx([0.4, 0.4])


def test_the_nearest_comes_first_and_others_that_are_unlike_it_behind() -> None:
    near = {"People/Leave": 0.9, "People": 0.8, "Robots/Batteries": 0.6, "Customers": 0.4, "Robots": 0.3}
    assert _found(near) == ["People/Leave", "Robots/Batteries", "Customers"], "not its own parent, nor that of another"


def test_the_margin_is_to_the_next_topic_that_stands_neither_above_nor_below() -> None:
    first, second, _ = _suggested({"People/Leave": 0.9, "People": 0.8, "Customers": 0.6})
    spread = float(np.std(np.array([0.8, 0.9, 0, 0, 0, 0.6], dtype=np.float32)))
    assert first.margin == pytest.approx(0.3 / spread, abs=1e-4)
    assert second.margin == pytest.approx(-0.3 / spread, abs=1e-4)
    assert (first.score, second.score) == (0.9, 0.6)


def test_of_two_children_that_tie_their_parent_is_suggested() -> None:
    near = {"People/Leave": 0.9, "People/Hiring": 0.895, "Robots": 0.5}
    assert _found(near)[0] == "People"
    assert _suggested(near)[0].margin > 0.9, "the margin is that to other parents' children"


def test_children_that_do_not_tie_are_told_apart() -> None:
    assert _found({"People/Leave": 0.9, "People/Hiring": 0.6, "Robots": 0.5})[0] == "People/Leave"


def test_two_topics_at_the_top_that_tie_have_no_parent() -> None:
    assert _found({"Robots": 0.9, "Customers": 0.895})[0] == "Robots"


def test_a_parent_that_people_have_refused_is_not_suggested_for_a_tie() -> None:
    near = {"People/Leave": 0.9, "People/Hiring": 0.895, "Robots": 0.5}
    assert _found(near, without=["People"])[0] == "People/Leave"


def test_a_tie_in_a_tree_of_one_parent_is_no_reason_for_the_parent() -> None:
    paths = ("People", "People/Leave", "People/Hiring")
    assert _found({"People/Leave": 0.9, "People/Hiring": 0.89}, paths)[0] == "People/Leave"


def test_what_people_have_refused_is_not_suggested() -> None:
    assert _found({"People/Leave": 0.9, "Robots": 0.5}, without=["People/Leave"])[0] == "Robots"


@pytest.mark.parametrize("paths", [(), ("People",), ("People", "People/Leave")])
def test_without_a_topic_to_compare_with_nothing_is_suggested(paths: Sequence[str]) -> None:
    assert _found({"People": 0.9}, paths) == []


def test_what_is_equally_near_to_everything_is_near_to_nothing() -> None:
    assert _found(dict.fromkeys(TREE, 0.5)) == []


def test_of_many_topics_below_the_nearest_the_next_is_found_behind_all_of_them() -> None:
    below = [f"People/{number}" for number in range(200)]
    paths = ("People", *below, "Robots", "Customers")
    near = {"People": 0.99, **dict.fromkeys(below, 0.9), "Robots": 0.2, "Customers": 0.1}
    assert _found(near, paths) == ["People", "Robots", "Customers"]


def test_a_topic_whose_parent_has_no_vector_stands_for_itself() -> None:
    paths = ("People/Leave", "People/Hiring", "Robots")
    assert _found({"People/Leave": 0.9, "People/Hiring": 0.899}, paths)[0] == "People/Leave"


def test_the_same_vectors_give_the_same_numbers_however_many_topics_are_compared_at_once() -> None:
    first = _suggested({"People/Leave": 0.9000001, "Robots": 0.5})
    second = _suggested({"People/Leave": 0.9000002, "Robots": 0.5})
    assert [(each.score, each.margin) for each in first] == [(each.score, each.margin) for each in second]
