"""A tag is known by its name; whatever else stands in angle brackets is text."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arcana_pipelines.markdown.inline import readable
from arcana_pipelines.markdown.normalise import normalise

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
        (
            "Press <b>Ctrl</b>, <u>no</u><i>w</i> or <s>later </s>or <b>never: </b>",
            "Press Ctrl, now or later or never:",
        ),
        ('say <b>"no"</b> <span color="red">a</span><br/>b <br>c', 'say "no" a\nb\nc'),
        ("<quote>\nb\n</quote>\n<p> a</p>\n<p>c </p>\n<p></p><p>(d)</p>", "> b\n\na\n\nc\n\n(d)"),
        ('<file source="https://x.y/a.pdf">plan</file>', "plan a.pdf"),
        ("<details>\n<summary>a</summary>\n\nb\n</details>", "a\n\nb"),
        ("<table>\n<tr> <td> a </td><td> </td> <td><br></td></tr>\n</table>", "| a |  |  |\n| --- | --- | --- |"),
    ],
)
def test_what_notion_writes_is_markup_and_its_text_stays(source: str, text: str) -> None:
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
        ('1. a\n   <ol type="a">\n   <li>x</li>\n   <li>y</li>\n   </ol>\n2. b', "1. a\n  1. x\n  1. y\n1. b"),
        ('1. a\n\n\t<ul>\n\t<li color="red">x</li>\n\t</ul>\n\n2. b\n   - c', "1. a\n  - x\n1. b\n  - c"),
        ('- a\n  - b\n    <ol type="i"><li>x\n\n    - y\n    </li></ol>\n- c', "- a\n  - b\n    1. x\n      - y\n- c"),
        ("<ol>\n<li>\n\na\n\n<ol>\n<li>\n\nx\n\n</li>\n</ol>\n\n</li>\n</ol>", "1. a\n  1. x"),
        ('1. a\n   <todo checked="true">x\n\n   - y\n   </todo>\n2. b', "1. a\n  - [x] x\n    - y\n1. b"),
        ('> 1. a\n>    <ol type="a">\n>    <li>x</li>\n>    </ol>\n> 2. b', "1. a\n  1. x\n1. b"),
    ],
)  # fmt: skip
def test_lists_written_with_tags_stay_numbered_and_nested(source: str, text: str) -> None:
    assert normalise(source).text == text
    assert normalise(text).text == text


# Tags of Notion and of HTML, and what only looks like one, as somebody writes about them.
NAMES = (
    "b i s u p h1 ul ol li td tr th table details summary callout quote toggle column columns tabs todo equation aside"
    " col hr wbr img input link meta source area a code kbd mark span div section br date page file image database"
    " mention unknown synced_block bookmark your-team T string"
).split()
TYPED_TAGS = st.builds(
    str.format,
    st.sampled_from(["<{}>", "</{}>", "<{}/>", "List<{}>", "(<{}>)", '"<{}>"', "<{}>,", "</{}>.", "<{}>을", "</{}>로"]),
    st.sampled_from(NAMES),
).filter(lambda word: word != "List<br>")  # as Notion writes a line break
PROSE = st.lists(st.sampled_from(["use", "the", "태그는", "and"]) | TYPED_TAGS, min_size=1, max_size=7).map(" ".join)
FORMS = ["{} end", "see {}", "# {} end", "- {} end", "> {} end", "| a | {} end |\n| --- | --- |\n| b | c |"]


def _paragraph(form: str, prose: str) -> str:
    # Between words of a cell it is the only way to write a line break.
    return form.format(prose.replace("<br", "<wbr") if form.startswith("|") else prose)


def spelled(text: str) -> list[str]:
    return re.findall(r"[\w<>/]+", text.replace("\\", ""))


@pytest.mark.slow
@settings(max_examples=400)
@given(st.lists(st.builds(_paragraph, st.sampled_from(FORMS), PROSE), min_size=1, max_size=5))
def test_prose_about_tags_loses_no_word(paragraphs: list[str]) -> None:
    source = "\n\n".join(paragraphs)
    text = normalise(source).text
    assert spelled(readable(text)) == spelled(source)
    assert normalise(text).text == text


@pytest.mark.parametrize(
    ("markdown", "text"),
    [
        ("Press <kbd>Ctrl</kbd>, see H<sub>2</sub>O.", "Press Ctrl, see H2O."),
        ("<mark>중요</mark>합니다: <a href='https://example.com/x'>규정</a>을 보세요.", "중요합니다: 규정을 보세요."),
        ("the <kbd> tag and the </kbd> tag", r"the \<kbd> tag and the \</kbd> tag"),
        ("Vec<q> and List<code>", r"Vec\<q> and List\<code>"),
    ],
)
def test_elements_of_html_go_where_they_are_closed_around_words(markdown: str, text: str) -> None:
    assert normalise(markdown).text == text
