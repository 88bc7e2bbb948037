"""Rich text keeps what a person reads, and names the pages it mentions."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from arcana_pipelines.markdown.normalise import normalise
from arcana_pipelines.sources.notion.rich_text import inline, page_links, plain

PAGE = "1f7effb2-9211-800a-af32-c10cd6f51abc"


def text(content: str, *, code: bool = False, href: str | None = None) -> dict[str, Any]:
    return {
        "type": "text",
        "text": {"content": content, "link": {"url": href} if href else None},
        "annotations": {"bold": True, "code": code, "color": "red"},
        "plain_text": content,
        "href": href,
    }


def mention(kind: str, label: str, **target: Any) -> dict[str, Any]:
    return {"type": "mention", "mention": {"type": kind, kind: target}, "plain_text": label, "href": None}


def equation(expression: str) -> dict[str, Any]:
    return {"type": "equation", "equation": {"expression": expression}, "plain_text": expression}


def test_segments_are_joined_without_a_separator() -> None:
    assert plain([text("Hel"), text("lo "), mention("user", "@Ada"), equation("x")]) == "Hello @Adax"


def test_code_and_equations_keep_their_marks() -> None:
    segments = [text("run "), text("a*b*", code=True), text("c`d", code=True), text(" "), equation("x_1 * y")]
    assert inline(segments) == "run ``a*b*c`d`` $x_1 * y$"


def test_literal_markup_stays_text() -> None:
    assert inline([text("a <b> *c* 5 * 3 snake_case "), text("[d](e)")]) == r"a \<b> \*c\* 5 \* 3 snake_case [d\](e)"
    assert inline([text("a <p>, <em>d</em>")]) == r"a \<p>, \<em>d\</em>", "what may read as a tag is escaped"
    assert inline([text("5 * 3 < 4 & [x] a_b")]) == "5 * 3 < 4 & [x] a_b"


def test_page_links_come_from_mentions_and_addresses() -> None:
    hexed = PAGE.replace("-", "")
    assert page_links([text("a", href=f"/{hexed}?pvs=4"), mention("page", "P", id=PAGE)]) == [PAGE]
    assert page_links([mention("database", "D", id=hexed), text("x", href="https://x.y/" + hexed)]) == [PAGE]
    assert page_links([mention("user", "@Ada", id=PAGE)]) == []
    assert page_links([text("b", href=f"https://app.notion.com/p/slug-{hexed}#{'1' * 32}")]) == [PAGE]


def test_signed_addresses_do_not_stay() -> None:
    assert plain([text("https://x.y/a.pdf?X-Amz-Signature=1 end")]) == "https://x.y/a.pdf end"


def test_odd_shapes_give_the_best_text_there_is() -> None:
    assert plain(None) == inline(None) == plain([]) == ""
    assert plain([None, "x", {"type": "text", "text": {"content": "a"}}, {"plain_text": None}]) == "a"  # type: ignore[list-item]
    assert plain([{"type": "mention", "mention": {"type": "user", "user": {"id": "1", "name": "Ada"}}}]) == "Ada"
    assert page_links([{"type": "mention", "mention": None}, {"text": "x", "href": 3}]) == []


@settings(max_examples=150)
@given(
    st.lists(
        st.tuples(st.text("ab*_~`$[](){}<>\\&;/!|#- 한", max_size=8), st.sampled_from(["text", "code", "math"])),
        max_size=6,
    )
)
def test_what_inline_writes_is_its_own_normal_form(parts: list[tuple[str, str]]) -> None:
    segments = [equation(t) if kind == "math" else text(t, code=kind == "code") for t, kind in parts]
    written = "x " + inline(segments)
    assert normalise(normalise(written).text).text == normalise(written).text
    if all(kind == "text" for _, kind in parts):
        assert inline([text(" ".join(plain(segments).split()))]) == inline(segments)
