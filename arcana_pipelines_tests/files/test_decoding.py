"""A text is read in the encoding that it is in, whatever its length."""

from __future__ import annotations

import re

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from arcana_pipelines.files.parsing.decoding import decode
from arcana_pipelines.files.parsing.protocol import Reason, Unreadable
from arcana_pipelines_tests.testing.shared_data import shared_file

CHINESE = "这是一个简单的中文文本，我们在北京开会，讨论人工智能的发展。"
JAPANESE = "これは日本語の文章です。東京で会議を開きます。カタカナも使います。"
CZECH = "Příliš žluťoučký kůň úpěl ďábelské ódy. Věcně řečeno, čtvrtek je důležitý."
POLISH = "Zażółć gęślą jaźń. Właśnie się dowiedział, że książka została wydana."
RUSSIAN = "Привет мир, это простой русский текст для проверки."

TEXTS = {
    "a word of Korean": ("견적서", "cp949"),
    "a word of Korean in UTF-8": ("견적서", "utf-8"),
    "single syllables in a table": ("1,남\n2,여\n3,남\n", "cp949"),
    "Korean of syllables that EUC-KR lacks": ("똠방각하 펲시콜라 햏자", "cp949"),
    "Korean with Chinese characters": ("대한민국(大韓民國)의 헌법(憲法) 제1조를 읽는다", "cp949"),
    "Korean from mail": ("안녕하세요. 견적서를 보냅니다.", "iso2022_kr"),
    "Korean, mostly digits": ("100\t200\t300\n합계\t600\t0\n" * 3, "cp949"),
    "UTF-16 with a mark": ("부서,이름\n총무과,박시우\n", "utf-16"),
    "UTF-16 without one": ("부서,이름\n총무과,박시우\n", "utf-16-le"),
    "UTF-16, the other end first": ("부서, 이름\n", "utf-16-be"),
    "English in UTF-16 without a mark": ("This is a test document.", "utf-16-le"),
    "UTF-32 with a mark": ("이름 name", "utf-32"),
    "UTF-8 with a mark": ("이름", "utf-8-sig"),
    "German, short": ("Größe: 12 µm", "cp1252"),
    "French, short": ("café résumé naïve", "cp1252"),
    "French, long": ("Le café était très naïve, à côté de la forêt où les élèves étudient. " * 50, "cp1252"),
    "Danish": ("På øen lå en rød båd, og æblerne faldt fra træet, når det blæste.", "cp1252"),
    "Portuguese": ("A informação não está disponível até amanhã; você poderá fazê-lo.", "cp1252"),
    "Western typography": ("“It’s 5 € – really…”", "cp1252"),
    "Czech": (CZECH, "cp1250"),
    "Polish": (POLISH, "cp1250"),
    "Russian": (RUSSIAN, "cp1251"),
    "Japanese": (JAPANESE, "cp932"),
    "Japanese of Unix": (JAPANESE * 3, "euc_jp"),
    "Chinese": (CHINESE, "gb18030"),
    "Chinese of Taiwan": ("這是一個簡單的中文文本，我們在臺北開會。", "big5"),
    "nothing": ("", "ascii"),
    "English": ("plain\ttext\r\n", "ascii"),
    "a terminal's colours": ("\x1b[32mok\x1b[0m done, and the rest is text as well", "ascii"),
}


@pytest.mark.parametrize(("text", "encoding"), TEXTS.values(), ids=TEXTS)
def test_texts_of_many_languages(text: str, encoding: str) -> None:
    assert decode(text.encode(encoding)) == text


HANGUL = st.characters(min_codepoint=0xAC00, max_codepoint=0xD7A3)
KOREAN = st.text(st.one_of(HANGUL, HANGUL, HANGUL, st.sampled_from(" ,.\n19aZ·「」")), min_size=2, max_size=60)


@given(KOREAN, st.sampled_from(["utf-8", "utf-8-sig", "cp949", "utf-16"]))
@example("견적서", "cp949")
def test_korean_goes_through_every_encoding_that_it_is_written_in(text: str, encoding: str) -> None:
    assume(re.search("[가-힣]{2}", text))
    data = text.encode(encoding)
    if encoding == "cp949":
        assume(not _is_utf8(data))
    assert decode(data) == text


@given(KOREAN, st.sampled_from(["utf-16-le", "utf-16-be"]))
def test_utf_16_needs_no_mark_where_there_are_blanks(text: str, encoding: str) -> None:
    text = text.replace("·", "")  # U+00B7, whose bytes the other way round are a syllable: in two words nobody can tell
    assert decode(f"{text} {text}\n".encode(encoding)) == f"{text} {text}\n"


@given(st.binary(max_size=300))
def test_any_bytes_are_a_text_without_nul_or_none(data: bytes) -> None:
    try:
        text = decode(data)
    except Unreadable:
        return
    assert "\x00" not in text
    text.encode()  # no half of a pair


@pytest.mark.parametrize("data", [bytes(range(256)) * 8, b"\x7fELF\x02\x01\x01" + bytes(64), b"\x00" * 100])
def test_programs_are_no_text(data: bytes) -> None:
    with pytest.raises(Unreadable) as refused:
        decode(data)
    assert refused.value.reason == Reason.UNSUPPORTED


def test_wrong_bytes_do_not_turn_a_whole_text_into_another_language() -> None:
    text = "회의록을 정리하여 보내 드립니다. " * 20
    assert decode(text.encode()[:-2]).startswith(text[:-3])
    assert decode(text.encode("cp949") + b"\xff")[:-1] == text
    assert decode(text.encode() + b"\xb0\xa1") == f"{text}\ufffd\ufffd"


def test_a_hole_in_a_log_is_left_out() -> None:
    assert decode(b"started at nine, all is well\n" * 9 + bytes(9) + "끝\n".encode()).endswith("well\n끝\n")


def test_a_zero_byte_in_a_text_of_an_older_code_page_is_left_out() -> None:
    assert decode("Größe und Maße\x00 stehen hier".encode("cp1252")) == "Größe und Maße stehen hier"
    assert decode("견적서를 보냅니다\x00. 확인 바랍니다".encode("cp949")) == "견적서를 보냅니다. 확인 바랍니다"


def test_the_given_texts() -> None:
    assert "This is a test document" in decode(shared_file("files/txt/utf16le-no-bom.txt").read_bytes())
    assert "정보통신과" in decode(shared_file("files/csv/roster-cp949.csv").read_bytes())
    assert "Maple Leafs" in decode(shared_file("files/csv/utf16.csv").read_bytes())


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
