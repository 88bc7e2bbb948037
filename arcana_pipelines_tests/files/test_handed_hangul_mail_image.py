"""The handed documents of Hangul, mails and images, in the process that reads them."""

from __future__ import annotations

import pytest

from arcana_pipelines.files.kinds import kind_of
from arcana_pipelines.files.parsing import languages
from arcana_pipelines.files.parsing.protocol import Reason, Unreadable
from arcana_pipelines.files.parsing.registry import Options
from arcana_pipelines.files.parsing.run import read_file
from arcana_pipelines_tests.files.sayings import shared, words_of

LANGUAGES = "kor+eng"

pytestmark = pytest.mark.slow  # a process a file, and OCR takes seconds a page

needs_ocr = pytest.mark.skipif(
    not languages.is_available(LANGUAGES), reason="tesseract is not installed here: NO picture was read."
)


@pytest.mark.parametrize(
    ("name", "phrases"),
    [
        ("hwp/press-release.hwp", ["한국형발사체", "보도일시", "장인숙(02-2110-2430)", "거대공공연구정책과"]),
        ("hwp/distribution.hwp", ["Apache Tika - 컨텐츠 분석 툴킷", "메타 데이터 및 텍스트를 탐지하고"]),
        ("hwpx/table.hwpx", ["C반 기말고사", "개똥이", "팔푼이"]),
        ("hwpx/press-release.hwpx", ["문화체육관광부", "보도자료", "우리 선수단 격려한다"]),
        ("eml/attachment.eml", ["Lots of whitespace"]),
        ("msg/attachments.msg", ["This email contains an attachment"]),
    ],
)
def test_their_text_is_found(name: str, phrases: list[str]) -> None:
    path = shared(name)
    with read_file(path, path.name, kind_of(path, path.name)) as reading:
        words = words_of(reading.blocks)
    assert [phrase for phrase in phrases if phrase not in words] == []


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("hwp/hwp3.hwp", Reason.UNSUPPORTED),
        ("hwpx/password.hwpx", Reason.ENCRYPTED),
        ("image/korean-scan.png", Reason.NEEDS_OCR),
        ("audio/sample-10s.mp3", Reason.NO_TRANSCRIPT),
    ],
)
def test_what_has_no_text_says_why(name: str, reason: Reason) -> None:
    path = shared(name)
    with pytest.raises(Unreadable) as refused, read_file(path, path.name, kind_of(path, path.name)):
        pass
    assert refused.value.reason is reason


@needs_ocr
@pytest.mark.parametrize(
    ("name", "phrases", "least"),
    [
        (
            "image/english-korean.png",
            ["RULES AND INSTRUCTIONS", "안녕하세요", "불공평함", "keep track of how many emails"],
            4,
        ),
        ("image/korean-scan.png", ["불이익의", "보험금", "생명보험", "해석원칙", "금융상품으로"], 3),
    ],
)
def test_images_are_read_by_ocr(name: str, phrases: list[str], least: int) -> None:
    path = shared(name)
    with read_file(path, path.name, kind_of(path), Options(ocr_languages=LANGUAGES)) as reading:
        words = words_of(reading.blocks)
    assert sum(phrase in words for phrase in phrases) >= least


@needs_ocr
def test_a_photograph_has_no_text_and_nothing_of_its_camera_is_one() -> None:
    path = shared("image/photo-exif.jpg")
    options = Options(ocr_languages=LANGUAGES)
    with pytest.raises(Unreadable) as refused, read_file(path, path.name, kind_of(path), options):
        pass
    assert refused.value.reason is Reason.NO_TEXT
