"""Keys are random, recognisable, and tell a typing error by themselves."""

from __future__ import annotations

import re

import pytest

from arcana_pipelines.keys.spelling import PATTERN, hash_of, id_of, new_key


def test_a_key_holds_its_id_and_looks_like_one() -> None:
    key_id, key = new_key()
    assert re.fullmatch(PATTERN, key) and id_of(key) == key_id
    assert new_key() != (key_id, key)


@pytest.mark.parametrize("position", [4, 20, 55, 61])
def test_a_key_that_was_mistyped_is_none(position: int) -> None:
    _, key = new_key()
    other = "b" if key[position] != "b" else "c"
    assert id_of(key[:position] + other + key[position + 1 :]) is None


@pytest.mark.parametrize("key", ["", "arc_", "arc_abcdefgh_", "arc_abcdefgh_" + "é" * 49, "x" * 10_000, "arc_\0"])
def test_what_is_no_key_has_no_id(key: str) -> None:
    assert id_of(key) is None
    assert id_of(new_key()[1] + "\n") is None


def test_what_is_stored_of_a_key_depends_on_the_salt() -> None:
    _, key = new_key()
    assert hash_of(key, "one" * 11) != hash_of(key, "two" * 11)
    assert len(hash_of(key, "one" * 11)) == 32
