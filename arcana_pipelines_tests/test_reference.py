"""The generated reference says what the code says."""

from __future__ import annotations

import types
import typing
from decimal import Decimal
from pathlib import Path

import pytest

from arcana_pipelines.settings import Settings
from arcana_pipelines_tests import reference


@pytest.mark.parametrize("path", reference.PAGES, ids=lambda path: path.name)
def test_a_generated_page_is_current(path: Path) -> None:
    said = path.read_text(encoding="utf-8")

    assert said == reference.PAGES[path](), f"{path.name} is out of date: run `make reference` and commit it"


def test_no_arrow_between_rooms_goes_upward_or_in_a_circle() -> None:
    floor = {room: number for number, layer in enumerate(reference.layers()) for room in layer}

    assert not [pair for pair in reference.arrows() if pair[0] != "__init__" and floor[pair[0]] >= floor[pair[1]]]


def test_an_arrow_that_follows_from_others_is_left_out() -> None:
    assert reference.reduced({("a", "b"), ("b", "c"), ("a", "c"), ("c", "d"), ("a", "d")}) == {
        ("a", "b"),
        ("b", "c"),
        ("c", "d"),
    }


def test_each_setting_that_is_a_number_has_a_unit() -> None:
    numbers = set()
    for name, field in Settings.model_fields.items():
        kinds = typing.get_args(field.annotation) if isinstance(field.annotation, types.UnionType) else ()
        if {int, float, Decimal} & {field.annotation, *kinds}:
            numbers.add(name)

    assert numbers == set(reference.UNITS)
