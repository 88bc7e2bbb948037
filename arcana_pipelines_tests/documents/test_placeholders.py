"""A tag is known by its name; whatever else stands in angle brackets is text."""

from __future__ import annotations

import pytest

from arcana_pipelines.documents.inline import readable
from arcana_pipelines.documents.normalise import normalise

TYPED = [
    "<placeholder>", "<your-team>", "<user>@<host>", "Promise<void>", "Vec<u8>", "Map<string, List<b>>", "<a.b_c:d>",
    "Result<Option<i32>>", "<account>/<region>", "git add <file>", "<date> <time>", "<unclosed", "<x><y>", "List<a>",
    "<이름>", "<server port='80'>",
]  # fmt: skip
PLACES = {
    "paragraph": "see {} now",
    "heading": "## Options of {}",
    "list item": "- run {} twice",
    "numbered item": "1. run {} twice",
    "table cell": "| a | {} |\n| --- | --- |\n| {} | b |",
    "tagged cell": "<table><tr><td>{}</td></tr></table>",
    "callout": '<callout icon="💡">\n{}\n</callout>',
    "quote": "> {}",
    "task": "- [ ] {}",
    "toggle": "<details>\n<summary>{}</summary>\n\n{}\n</details>",
}


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES.keys())
@pytest.mark.parametrize("typed", TYPED)
def test_what_somebody_typed_in_angle_brackets_stays_wherever_it_stands(typed: str, place: str) -> None:
    text = normalise(place.replace("{}", typed)).text
    assert typed in readable(text)
    assert normalise(text).text == text


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("Press <kbd>Ctrl</kbd>, H<sub>2</sub>O, <b>bold</b>", "Press Ctrl, H2O, bold"),
        ('<a href="https://x.y">there</a><br/><time datetime="2026">noon</time>', "there\nnoon"),
        ("<mark>a</mark> <code>b</code> <u>c</u> <small>d</small>", "a b c d"),
        ("<section>\na\n</section>\n\n<quote>\nb\n</quote>", "a\n\n> b"),
        ('<file source="https://x.y/a.pdf">plan</file>', "plan a.pdf"),
        ("<summary>a</summary> and <summary>", "a\n\nand"),
    ],
)
def test_known_tags_go_and_their_text_stays(source: str, text: str) -> None:
    assert normalise(source).text == text


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("<ol>\n<li>\na\n\n```\nx\n```\n</li>\n<li>b</li>\n<li>c</li>\n</ol>", "1. a\n\n```\nx\n```\n\n2. b\n3. c"),
        ('<ol type="a"><li>a</li><li>b</li></ol>', "1. a\n1. b"),
        ('<ol type="i" start="4"><li>a</li><li>b</li></ol>', "4. a\n5. b"),
        ("<ol><li>a<ul><li>x</li></ul></li><li>b</li></ol>", "1. a\n  - x\n1. b"),
        ("<ul><li>a<ol><li>x</li><li>y</li></ol></li><li>b</li></ul>", "- a\n  1. x\n  1. y\n- b"),
        ('<ol><li><p>a</p></li><li value="7">b</li></ol>', "1. a\n7. b"),
        ("<ol><li>a</li></ol>\n\nbetween\n\n<ol start=\"2\"><li>b</li></ol>", "1. a\n\nbetween\n\n2. b"),
        ("3. a\n4. b", "3. a\n4. b"),
    ],
)  # fmt: skip
def test_ordered_lists_written_with_tags_stay_numbered(source: str, text: str) -> None:
    assert normalise(source).text == text
    assert normalise(text).text == text
