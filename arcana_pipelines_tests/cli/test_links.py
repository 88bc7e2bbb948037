"""Addresses on a terminal."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from arcana_pipelines.cli.links import link_text, readable

PAGE = "https://www.notion.so/0c6a1f7cd0af4cfe8ec33b0a85f34fad"
ENCODED = f"{PAGE}#:~:text=%EC%97%B0%EC%B0%A8%20%EC%9D%B4%EC%9B%94"


@pytest.mark.parametrize(
    ("fragment", "shown"),
    [
        ("%EC%97%B0%EC%B0%A8%20%EC%9D%B4%EC%9B%94", "연차%20이월"),
        ("caf%C3%A9,-%2D", "café,-%2D"),
        ("%ED%9C%B4%EA%B0%80%C2%B7%EC%97%B0%EC%B0%A8", "휴가%C2%B7연차"),
        ("a%E2%80%AEb", "a%E2%80%AEb"),  # turns about what follows
        ("%EC%97", "%EC%97"),  # half of a letter
        ("%25EC%2597", "%25EC%2597"),
    ],
)
def test_letters_of_the_fragment_are_readable_and_signs_stay_encoded(fragment: str, shown: str) -> None:
    assert readable(f"{PAGE}#:~:text={fragment}") == f"{PAGE}#:~:text={shown}"


def test_host_and_path_stay_as_they_are() -> None:
    assert readable("https://a.example/%D0%B0?q=%D0%B0") == "https://a.example/%D0%B0?q=%D0%B0"


def test_what_a_terminal_shows_leads_to_the_encoded_address() -> None:
    out = Console(file=io.StringIO(), force_terminal=True, color_system="standard", soft_wrap=True, width=200)
    out.print(link_text(out, ENCODED))
    written = out.file.getvalue()  # type: ignore[attr-defined]
    assert f";{ENCODED}\x1b\\" in written and f"{PAGE}#:~:text=연차%20이월" in written


def test_a_file_gets_the_encoded_address() -> None:
    out = Console(file=io.StringIO(), soft_wrap=True, width=200)
    out.print(link_text(out, ENCODED))
    assert out.file.getvalue() == f"{ENCODED}\n"  # type: ignore[attr-defined]
