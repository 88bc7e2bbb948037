"""Files that another program saved again: which text their bytes are, and what is said where nothing tells."""

from __future__ import annotations

from pathlib import Path

import pytest

from arcana_pipelines.errors import PageRejected
from arcana_pipelines.sources.notion_export.encodings import decode

from .test_notion_export_support import A, B, C, by_title, dashed, listed, source, texts, write

KOREAN = [
    "메모",
    "# 회의록\n\n안건을 정했다.",
    "이름,상태\n출시,완료\n",
    "참고 ★ (memo) ― 2026년…",
    "漢字와 한글을 섞은 글이다",
]
JAPANESE = [
    "# 会議の記録\n\nきょうは予算について話した。",
    "価格表ヤマダ",
    "価格,状態\n出荷,完了\n",
    "番号,会社名,担当\n1,東京商事,田中\n2,大阪電機,佐藤\n",
]
WESTERN = [
    "# Café menu\n\nCrème brûlée – 5 €",
    "Größe L, ±5 µm, 20 °C",
    "it’s “fine”…",
    "¿Qué tal? Ángel – São Paulo, 12 m²",
]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-8-sig", "cp949", "euc_kr"])
@pytest.mark.parametrize("text", KOREAN)
def test_korean_is_read_in_the_encodings_that_programs_save_it_in(text: str, encoding: str) -> None:
    assert decode(text.encode(encoding)) == (text, None)


@pytest.mark.parametrize(("text", "encoding"), [(t, "cp932") for t in JAPANESE] + [(t, "cp1252") for t in WESTERN])
def test_japanese_and_western_code_pages_are_read(text: str, encoding: str) -> None:
    assert decode(text.encode(encoding)) == (text, None)


@pytest.mark.parametrize("order", ["utf-16-le", "utf-16-be"])
def test_utf16_of_either_order_is_read_by_its_mark(order: str) -> None:
    assert decode("\ufeff본문 text".encode(order)) == ("본문 text", None)


@pytest.mark.parametrize("order", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize(
    "text",
    [text for text in KOREAN if not text.isalpha()]
    + [
        "Name,K\r\nRow,1\r\n",
        "가가\n",
        "가, 각, 간\n",
        "# 会議の記録\n" + "予算について話した。" * 40,
        "Привет, мир",
        "é\n",
        "a😀\n",
    ],
)
def test_utf16_without_a_mark_is_known_by_the_zeros_of_its_blanks_and_line_ends(text: str, order: str) -> None:
    assert decode(text.encode(order)) == (text, None)
    damaged = f"{text}{text}".encode(order)[:-1]
    what = f"some bytes are not {order.upper()} text and were replaced"
    assert decode(damaged) == (f"{text}{text[:-1]}\ufffd", what)


def test_zeros_among_other_text_make_it_no_utf16() -> None:
    for data in (b"some text\0with a zero in it", "한글\0과 글".encode(), b"\0" * 40, bytes(range(256)) * 4):
        found, problem = decode(data)
        assert "\ufffd" in found and problem is not None
        assert not any("\u4e00" <= char <= "\u9fff" for char in found)


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Привет, мир. Это русский текст.", "cp1251"),
        ("zażółć gęślą jaźń", "cp1250"),
        ("会议记录：今天讨论了预算。", "gb18030"),
        ("価格,状態\n出荷,完了\n", "euc_jp"),
        ("姓名,部门\n张伟,销售\n", "gb18030"),
        ("姓名,部門\n張偉,銷售\n", "big5"),
        ("ДОМ, СВЕТ\nдом, свет\n", "cp866"),
    ],
)
def test_an_encoding_that_nothing_proves_is_told_and_never_read_as_another_language(text: str, encoding: str) -> None:
    found, problem = decode(text.encode(encoding))
    assert "\ufffd" in found
    assert problem is not None


def test_a_broken_byte_does_not_make_utf8_another_encoding() -> None:
    found, problem = decode("휴가는 십오일이다. Café".encode() + b"\xff" + "끝".encode())
    assert found == "휴가는 십오일이다. Café\ufffd끝"
    assert problem == "some bytes are not UTF-8 text and were replaced"


def test_bytes_of_no_text_are_replaced_and_told() -> None:
    assert decode(b"ok \x93\x00\x01\x02\xff") == (
        "ok \ufffd\ufffd\x01\x02\ufffd",
        "some bytes are not UTF-8 text and were replaced",
    )


@pytest.mark.parametrize("encoding", ["utf-8", "cp949", "utf-16", "utf-16-le"])
@pytest.mark.parametrize("cut", range(4))
def test_a_beginning_that_ends_inside_a_character_is_no_damage(encoding: str, cut: int) -> None:
    text = "안전 수칙을 지킨다. " * 40
    found, problem = decode(text.encode(encoding)[: 200 + cut], whole=False)
    assert problem is None
    assert text.startswith(found)


def test_a_page_in_a_korean_code_page_is_read_whole(tmp_path: Path) -> None:
    write(tmp_path, {f"Rules {A}.md": ("# 사내 규정\n\n" + "휴가는 십오일이다. " * 2000).encode("cp949")})
    opened = source(tmp_path)
    page = opened.fetch(by_title(opened)["사내 규정"])
    assert page.markdown.startswith("휴가는 십오일이다.")
    assert page.partial == ()


@pytest.mark.parametrize("encoding", ["cp949", "utf-16", "utf-16-le", "utf-16-be"])
def test_a_table_in_another_encoding_finds_its_row_files(tmp_path: Path, encoding: str) -> None:
    csv = "이름,등급,메모\r\n한빛상사,우수,매월 방문\r\n"
    files = {
        f"고객 {A}.csv": csv.encode(encoding),
        f"고객/한빛상사 {B}.md": "# 한빛상사\n\n등급: 우수\n메모: 매월 방문\n\n본문\n",
    }
    refs, listing = listed(write(tmp_path, files))
    assert [texts(ref) for ref in refs if ref.kind == "row"] == [{"등급": "우수", "메모": "매월 방문"}]
    assert (listing.complete, listing.problems) == (True, [])


def test_a_table_in_an_unknown_encoding_is_told_removes_nothing_and_hides_no_page(tmp_path: Path) -> None:
    files = {
        f"Prices {A}.csv": "цена,товар\nдорого,хлеб\nдёшево,соль\n".encode("cp1251"),
        f"Prices {A}/хлеб {B}.md": "# хлеб\n\nцена: дорого\n\nсвежий",
        f"Page {C}.md": "# Page",
    }
    opened = source(write(tmp_path, files))
    refs = by_title(opened)
    assert set(refs) == {"Prices", "хлеб", "Page"}
    assert (refs["хлеб"].kind, texts(refs["хлеб"])) == ("row", {})
    page = opened.fetch(refs["хлеб"])
    why = f"Prices {A}.csv: is in an unknown encoding; save it as UTF-8"
    assert (page.markdown, page.partial) == ("цена: дорого\n\nсвежий", (f"{why}; its properties are not known",))
    _, listing = listed(opened)
    assert (listing.complete, listing.problems) == (False, [f"{why}; its rows without pages are not listed"])


@pytest.mark.parametrize(
    "data",
    ["# Отчёт\n\nРабота сделана.".encode("cp1251"), b"# x\n\n" + bytes(range(256)) * 20],
    ids=["text", "no text"],
)
def test_a_page_that_nothing_can_decode_is_refused_by_its_name_and_published_nowhere(
    tmp_path: Path, data: bytes
) -> None:
    write(tmp_path, {f"Report {A}.md": data, f"Page {B}.md": "# Page\n\nbody"})
    opened = source(tmp_path)
    refs = {ref.external_id: ref for ref in listed(opened)[0]}
    assert "\ufffd" not in "".join(ref.title for ref in refs.values())
    with pytest.raises(PageRejected, match=rf"Report {A}\.md .*unknown encoding.*UTF-8"):
        opened.fetch(refs[dashed(A)])
    assert opened.fetch(refs[dashed(B)]).markdown == "body"


def test_a_broken_cell_makes_its_own_row_partial_and_is_told(tmp_path: Path) -> None:
    rows = "".join(f"행 {number},좋음\n" for number in range(30))
    write(tmp_path, {f"T {A}.csv": f"이름,상태\n{rows}".encode() + "끝,나".encode() + b"\xff\n"})
    opened = source(tmp_path)
    refs, listing = listed(opened)
    assert listing.complete
    assert listing.problems == [f"T {A}.csv: some bytes are not UTF-8 text and were replaced"]
    partial = {ref.title: opened.fetch(ref).partial for ref in refs if opened.fetch(ref).partial}
    assert partial == {"끝": (f"T {A}.csv: some bytes are not UTF-8 text and were replaced (in 상태)",)}
