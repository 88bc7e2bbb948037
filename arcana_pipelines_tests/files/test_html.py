"""Pages are read as a reader sees them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arcana_pipelines.files.parsing.blocks import Place, Title
from arcana_pipelines.files.parsing.parsers import html
from arcana_pipelines_tests.files.small_files import said, short, words
from arcana_pipelines_tests.testing.shared_data import shared_file


def read(text: str) -> list[tuple[str, object]]:
    return short(list(html.blocks(text)))


PAGES = {
    "paragraphs without their ends": ("<p>하나<p>둘", [("text", "하나"), ("text", "둘")]),
    "text around a block": ("앞<div>안</div>뒤", [("text", "앞"), ("text", "안"), ("text", "뒤")]),
    "marks inside a word": ("<p>확<b>진</b>자<i>는</i>&nbsp;9,661명</p>", [("text", "확진자는 9,661명")]),
    "a line end and two": ("<p>한 줄<br>다음 줄<br><br>새 문단</p>", [("text", "한 줄 다음 줄"), ("text", "새 문단")]),
    "headings": ("<h1>제목 <small>작게</small></h1><h7>x</h7><h6></h6>", [("h1", "제목 작게"), ("text", "x")]),
    "lists in lists": (
        "<ul><li>가<ul><li>나<li>다</ul>라<li><p>마</p><p>바</p></ul><p>밖</p>",
        [("item 0", "가"), ("item 1", "나"), ("item 1", "다"), ("text", "라"), ("item 0", "마"), ("text", "바"),
         ("text", "밖")],
    ),
    "numbers": (
        "<ol start=3><li>셋<li>넷</ol><ol type=a><li>a</ol>",
        [("item 0", "3. 셋"), ("item 0", "4. 넷"), ("item 0", "a")],
    ),
    "quotes": ("<blockquote>말<p>둘째</p></blockquote>밖", [("quote", "말"), ("quote", "둘째"), ("text", "밖")]),
    "code": ("<pre>\ndef f():\n    <b>return</b> 1\n\n</pre>", [("code", "def f():\n    return 1")]),
    "terms": ("<dl><dt>용어<dd>뜻</dl>", [("text", "용어"), ("text", "뜻")]),
    "pictures": ("<p>앞<img src=http://x.y/z alt='도표'>뒤<img src=q></p>", [("text", "앞 도표 뒤")]),
    "what is not shown": (
        "<nav>차례</nav><script>x</script><style>y</style><p hidden>z</p><p style='Display : none'>q</p>"
        "<div role=navigation>n</div><template>t</template><!-- c --><svg><text>s</text></svg><p>글</p>",
        [("text", "글")],
    ),
    "annotations of characters": ("<p><ruby>漢<rp>(<rt>한<rp>)</ruby></p>", [("text", "漢")]),
    "merged cells": (
        "<table><tr><th rowspan=2>구분<th colspan=2>예산<tr><th>본<th>추경<tr><td>가<td>1<td>2</table>",
        [("table", [["구분", "예산", "예산"], ["구분", "본", "추경"], ["가", "1", "2"]])],
    ),
    "a long merged cell": (
        f"<table><tr><th>a<th>b<th>c<tr><td colspan=2 rowspan=2>{'긴 글 ' * 100}<td>1<tr><td>2</table>",
        [("table", [["a", "b", "c"], [("긴 글 " * 100).strip(), "", "1"], ["", "", "2"]])],
    ),
    "a caption and sections": (
        "<table><caption>표 1</caption><thead><tr><th>a<th>b</thead><tbody><tr><td>1<td>2</tbody></table>",
        [("text", "표 1"), ("table", [["a", "b"], ["1", "2"]])],
    ),
    "a table that arranges the page": (
        "<table><tr><td>왼쪽<td><table><tr><td>a<td>b<tr><td>1<td>2</table></table>",
        [("text", "왼쪽"), ("table", [["a", "b"], ["1", "2"]])],
    ),
    "a mail in one column of cells": ("<table><tr><td><h1>제목</h1><p>글</table>", [("h1", "제목"), ("text", "글")]),
    "rich cells": (
        "<table><tr><th>a<th>b<tr><td><ul><li>x<li>y</ul><td><table><tr><td>1<td>2</table></table>",
        [("table", [["a", "b"], ["x y", "1 2"]])],
    ),
    "nothing": ("", []),
    "a cell that claims too much": ("<table><tr><td colspan=999999999>x<td>y<tr><td rowspan=9999999>z</table>", None),
}  # fmt: skip


@pytest.mark.parametrize(("page", "expected"), PAGES.values(), ids=PAGES)
def test_pages(page: str, expected: list[tuple[str, object]] | None) -> None:
    found = read(page)
    assert expected is None or found == expected


def test_every_block_stands_where_its_page_does() -> None:
    place = Place(slide=3)
    assert {block.place for block in html.blocks("<h1>a</h1><p>b<table><tr><td>1<td>2</table>", place)} == {place}


@pytest.mark.parametrize(
    ("head", "encoding"),
    [
        ('<meta charset="euc-kr">', "cp949"),
        ('<meta http-equiv="Content-Type" content="text/html; charset=ks_c_5601-1987">', "cp949"),
        ('<?xml version="1.0" encoding="shift_jis"?>', "cp932"),
        ("<meta charset=koi8-r>", "koi8-r"),
        ('<meta charset="euc-kr">', "utf-8"),
        ("<meta charset=no-such-thing>", "utf-8"),
        ("<meta charset=utf-8>", "utf-16"),
        ("", "cp949"),
    ],
)
def test_pages_say_how_they_are_encoded(tmp_path: Path, head: str, encoding: str) -> None:
    text = {"cp932": "ゾルゲと尾崎", "koi8-r": "Привет мир"}.get(encoding, "똠방각하 견적서")
    (path := tmp_path / "a").write_bytes(f"<html><head>{head}<title>{text}</title></head><p>{text}".encode(encoding))
    things = said(html, path, "html")
    assert things[0] == Title(text)
    assert short(things) == [("text", text)]


@pytest.mark.parametrize("layer", ["<div>", "<table><tr><td>", "<ul><li>", "<blockquote>", "<h1><span>"])
def test_pages_nest_as_deep_as_they_like(layer: str) -> None:
    assert words(list(html.blocks(layer * 3_000 + "깊은 곳"))) == "깊은 곳"


TAGS = st.sampled_from(
    "<p> </p> <div> </div> <table> <tr> <td> <th> </table> <ul> <li> </ul> <br> <pre> </pre>".split()
)


@given(st.lists(st.one_of(TAGS, st.sampled_from(["가", "나다", "w1", "w2 ", "&amp;"])), max_size=40))
def test_no_word_is_lost_or_said_twice(pieces: list[str]) -> None:
    page = "".join(pieces)
    expected = "".join(piece.strip().replace("&amp;", "&") for piece in pieces if not piece.startswith("<"))
    text = "".join(block.text or "".join("".join(row) for row in block.rows) for block in html.blocks(page))
    # A table moves what stands between its cells to its front.
    assert sorted(text.replace(" ", "").replace("\n", "")) == sorted(expected)


def test_the_given_page() -> None:
    text = words(said(html, shared_file("files/html/rich-table.html"), "html"))
    expected = ["Basic duck facts", "Wood Duck", "Often seen near ponds"]
    assert [phrase for phrase in expected if phrase not in text] == []
