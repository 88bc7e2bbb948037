"""What of an address in Markdown is kept."""

from __future__ import annotations

import pytest

from arcana_pipelines.markdown.urls import without_signatures_in_markdown


@pytest.mark.parametrize(
    ("markdown", "kept"),
    [
        ("![a](https://h/a(1).png?X-Amz-Signature=1&x=%29) and ?", "![a](https://h/a(1).png) and ?"),
        ('<pdf src="https://h/a.pdf?a=1&amp;X-Amz-Signature=1"/>', '<pdf src="https://h/a.pdf"/>'),
        ("![a](<https://h/a.png?X-Amz-Signature=1>)", "![a](<https://h/a.png>)"),
        ("| ![a](https://h/a.png?X-Amz\\_x=1&X-Amz-Signature=1\\)2) | b |", "| ![a](https://h/a.png) | b |"),
        ("[a](https://h/?page=2) 그리고 (https://h/b?sig=1)", "[a](https://h/?page=2) 그리고 (https://h/b)"),
        ("What? sig=1", "What? sig=1"),
    ],
)
def test_in_markdown_a_signature_goes_and_what_stands_around_it_stays(markdown: str, kept: str) -> None:
    assert without_signatures_in_markdown(markdown) == kept
