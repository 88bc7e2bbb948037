"""Plain texts, Markdown and CSV are read as they are meant."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arcana_pipelines.files.parsing.blocks import Note, Title
from arcana_pipelines.files.parsing.markdown_blocks import written
from arcana_pipelines.files.parsing.parsers import texts
from arcana_pipelines_tests.files.small_files import blocks, said, short, words
from arcana_pipelines_tests.testing.shared_data import shared_file


def read(tmp_path: Path, text: str | bytes, kind: str, **options: int) -> list[tuple[str, object]]:
    (path := tmp_path / "a").write_bytes(text if isinstance(text, bytes) else text.encode())
    return short(said(texts, path, kind, **options))


def test_lines_of_a_text_are_kept_but_for_those_that_a_measure_made(tmp_path: Path) -> None:
    set_lines = (
        "이 문단은 일정한 너비로 나뉜 줄로 되어 있어서 줄 끝에서\n"
        "문장이 끝나지 않고 다음 줄로 이어지는 글이며 마지막\n줄은 짧다."
    )
    text = f"이름: 홍길동\r\n전화: 010\r\n\r\n{set_lines}\n \n- 하나\n• 둘\n\f끝"
    assert read(tmp_path, text, "text") == [
        ("text", "이름: 홍길동"), ("text", "전화: 010"), ("text", set_lines.replace("\n", " ")), ("item 0", "하나"),
        ("item 0", "둘"), ("text", "끝"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "lines",
    [
        "2026-01-21 21:14:02 D 2.3 contact check: 47 mOhm (limit 40)\n"
        "2026-01-21 21:14:02 D-12 contact resistance too high, charging refused\n"
        "2026-01-22 04:58:11 self test: relay ok, fan ok, contacts 48 mOhm",
        "[INFO] the dock has measured its contacts, and they have 48 mOhm\n"
        "[WARN] the dock has measured its contacts, and they have 61 mOhm\n"
        "    at dock.measure(Dock.java:112) after three seconds of waiting it",
        "2026. 1. 21. 21:14 접점 저항이 높아 충전을 거부했습니다. 기준은 40입니다\n"
        "2026. 1. 22. 04:58 자체 점검을 마쳤습니다. 릴레이와 팬은 정상이었습니다",
        "성명 : 홍길동   부서 : 개발   직위 : 선임   입사일 : 2024년 3월 2일   구분 : 정규\n"
        "연락처 : 010-0000-0000   주소 : 서울시 성동구   비고 : 없음   담당 : 오태경 책임",
    ],
    ids=["log", "levels", "한국어 기록", "서식"],
)
def test_lines_of_a_log_and_of_a_form_are_lines_however_wide_they_are(tmp_path: Path, lines: str) -> None:
    assert read(tmp_path, lines, "text") == [("text", " ".join(line.split())) for line in lines.split("\n")]


MARKDOWN = {
    "headings": (
        "# 하나 #\n둘\n===\n셋\n---\n####### 일곱",
        [("h1", "하나"), ("h1", "둘"), ("h2", "셋"), ("text", "####### 일곱")],
    ),
    "a paragraph of lines": (
        "한 *줄*\n**다음** 줄\n\n새 [글](http://x.y)",
        [("text", "한 줄 다음 줄"), ("text", "새 글")],
    ),
    "lists in lists": (
        "- 가\n  이어서\n  - 나\n    1. 다\n- 라\n\n  더\n\n문단",
        [("item 0", "가 이어서"), ("item 1", "나"), ("item 2", "1. 다"),
         ("item 0", "라"), ("text", "더"), ("text", "문단")],
    ),
    "tasks": ("* [ ] 할 일\n+ [x] 한 일", [("item 0", "[ ] 할 일"), ("item 0", "[x] 한 일")]),
    "fences": (
        "```py\nx = '*a*'\n\n# no heading\n```\n뒤\n~~~\n끝없이",
        [("code", "x = '*a*'\n\n# no heading"), ("text", "뒤"), ("code", "끝없이")],
    ),
    "a fence in an item": (
        "1. 하나\n   ```\n   a\n     b\n   ```",
        [("item 0", "1. 하나"), ("code", "a\n  b")],
    ),
    "indented code": (
        "앞\n\n    a\n\n      b\n\n뒤",
        [("text", "앞"), ("code", "a\n\n  b"), ("text", "뒤")],
    ),
    "quotes": ("> 하나\n> 둘\n\n>> 셋", [("quote", "하나 둘"), ("quote", "셋")]),
    "tables": (
        "표\n| 가 | *나* |\n|:--|--:|\n| 1 | x\\|y |\n2 | 3 | 4\n\n뒤",
        [("text", "표"), ("table", [["가", "나", ""], ["1", "x|y", ""], ["2", "3", "4"]]), ("text", "뒤")],
    ),
    "rules": ("a\n\n***\n- - -\nb", [("text", "a"), ("text", "b")]),
    "a list counts on behind what stands in an item": (
        "1. a\n\n   p\n\n1. b\n    ```\n    x\n    ```\n1. c\n   - y\n1. d\n\np\n\n1. e\n3. f",
        [("item 0", "1. a"), ("text", "p"), ("item 0", "2. b"), ("code", "x"), ("item 0", "3. c"),
         ("item 1", "y"), ("item 0", "4. d"), ("text", "p"), ("item 0", "1. e"), ("item 0", "3. f")],
    ),
    "comments": (
        "<!-- a\n```\nb -->\n뒤 <!-- c --> d `<!-- e -->`",
        [("text", "뒤 d `<!-- e -->`")],
    ),
    "HTML": (
        '<p align="center">\n  <img src="x" alt="로고">\n  <b>제목</b>\n</p>\n\n글 <kbd>Ctrl</kbd>',
        [("text", "로고 제목"), ("text", "글 Ctrl")],
    ),
    "references": ("[글][a] ![그림][b]\n\n[a]: http://x.y\n[b]: z.png", [("text", "글 그림")]),
    "entities and escapes": (
        "A &amp; B \\* C 5 * 3 snake_case_name",
        [("text", "A & B * C 5 * 3 snake_case_name")],
    ),
    "nothing": ("\n \n", []),
}  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), MARKDOWN.values(), ids=MARKDOWN)
def test_markdown(tmp_path: Path, text: str, expected: list[tuple[str, object]] | None) -> None:
    found = read(tmp_path, text, "markdown")
    assert expected is None or found == expected


def test_front_matter_gives_the_title(tmp_path: Path) -> None:
    things = list(written("---\r\ntitle: '휴가 규정'\r\ndate: 2025-01-02\r\n---\r\n# 제목\r\n"))
    assert things[0] == Title("휴가 규정")
    assert short(things) == [("h1", "제목")]


def test_a_divider_at_the_top_is_no_front_matter(tmp_path: Path) -> None:
    assert read(tmp_path, "---\n\na: b\n\n---\nc", "markdown") == [("text", "a: b"), ("text", "c")]


@given(st.text(alphabet="가나ab#>-*+`~|[]()!<>:= \t\n1.\\&_", max_size=80))
def test_markdown_of_any_kind_has_an_end_and_its_words(text: str) -> None:
    found = words(list(written(text)))
    for letter in "가나":
        assert found.count(letter) <= text.count(letter)


CSV = {
    "commas": ("이름,수\n가,1\n", [["이름", "수"], ["가", "1"]]),
    "semicolons and decimal commas": (
        "이름;값;비율\n가;1,5;2,5\n나;2,5;3,5\n",
        [["이름", "값", "비율"], ["가", "1,5", "2,5"], ["나", "2,5", "3,5"]],
    ),
    "tabs": ("이름\t주소\n가\t서울, 종로\n", [["이름", "주소"], ["가", "서울, 종로"]]),
    "bars": ("a|b|c\n1|2,0|3\n", [["a", "b", "c"], ["1", "2,0", "3"]]),
    "what Excel is told": ("sep=;\n이름;a,b,c\n가;d,e,f\n", [["이름", "a,b,c"], ["가", "d,e,f"]]),
    "quotes": ('이름,글\n가,"한 줄\n두 줄, ""끝"""\n', [["이름", "글"], ["가", '한 줄 두 줄, "끝"']]),
    "rows of other lengths": ("a,b\n1\n1,2,3\n", [["a", "b", ""], ["1", "", ""], ["1", "2", "3"]]),
    "the same in each field": ("A,A,A\nA,A,A\n", [["A", "A", "A"], ["A", "A", "A"]]),
    "one column": ("하나\n", None),
}  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), CSV.values(), ids=CSV)
@pytest.mark.parametrize("encoding", ["utf-8", "cp949", "utf-16"])
def test_tables_of_text(tmp_path: Path, text: str, expected: list[list[str]] | None, encoding: str) -> None:
    found = read(tmp_path, text.encode(encoding), "csv")
    assert found == ([("text", "하나")] if expected is None else [("table", expected)])


def test_rows_are_numbered_as_records_and_those_beyond_the_limit_are_noted(tmp_path: Path) -> None:
    (path := tmp_path / "a").write_text('표 1,\n\n번호,글\n1,"a\nb"\n2,c\n3,d\n')
    things = said(texts, path, "csv", most_rows=4)
    assert [(b.text or b.rows[-1][1], b.place.first_row, b.place.last_row) for b in blocks(things)] == [
        ("표 1", 1, 1), ("c", 3, 5),
    ]  # fmt: skip
    assert things[-1] == Note("what follows row 5 was not read")


def test_one_column_of_sentences_is_text(tmp_path: Path) -> None:
    assert read(tmp_path, "의견\n좋다, 아주\n빠르다\n늦다, 그리고, 비싸다\n그냥 그렇다\n", "csv")[1] == (
        "text",
        "좋다, 아주",
    )


def test_a_quote_that_never_ends_is_no_quote(tmp_path: Path) -> None:
    text = 'size,name\n"5 inch,a\n' + "".join(f"{n},b\n" for n in range(300))
    found = read(tmp_path, text, "csv")
    assert found[0][1][:2] == [["size", "name"], ['"5 inch', "a"]]  # type: ignore[index]
    assert len(found) == 7


def test_the_given_texts(tmp_path: Path) -> None:
    roster = said(texts, shared_file("files/csv/roster-cp949.csv"), "csv")
    first = blocks(roster)[0]
    assert first.rows[0][0] == "사번"
    assert [
        phrase for phrase in ("정보통신과", "이예원", "정기인사이동") if phrase not in " ".join(first.rows[1])
    ] == []
    cups = words(said(texts, shared_file("files/csv/utf16.csv"), "csv"))
    assert "Blues" in cups and "Maple Leafs" in cups
    assert "This is a test document" in words(said(texts, shared_file("files/txt/utf16le-no-bom.txt"), "text"))
