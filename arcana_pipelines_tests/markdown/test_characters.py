"""Which characters a stored text may hold."""

from __future__ import annotations

import pytest

from arcana_pipelines.markdown.characters import clean

SCOTLAND = "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f"


@pytest.mark.parametrize(
    "hidden", "\xad \u200b \u2060 \u202a \u202e \u2066 \u2069 \ufeff \x1b \x9b \ud800 \ufffe".split(" ")
)
def test_what_nobody_sees_or_what_turns_text_around_goes(hidden: str) -> None:
    assert clean(f"pay{hidden}roll 회{hidden}의") == "payroll 회의"


@pytest.mark.parametrize("hidden", ["\U000e0041\U000e0042", "\U0001f3f4\U000e0041"[1:], "\U0001ffff", "\U0010fffe"])
def test_tag_characters_and_non_characters_go(hidden: str) -> None:
    assert clean(f"a{hidden}b") == "ab"


@pytest.mark.parametrize("kept", [SCOTLAND, "👨\u200d👩\u200d👧", "می\u200cخواهم", "क्\u200dष", "❤\ufe0f"])
def test_what_emoji_and_scripts_need_stays(kept: str) -> None:
    assert clean(f"x {kept} y") == f"x {kept} y"


def test_joiners_between_letters_that_are_never_joined_go() -> None:
    assert clean("em\u200dploy\u200cee 회\u200d의") == "employee 회의"
