"""The files of the sample workspace: made by a program, small, read whole, found, and cited by where they say it."""

from __future__ import annotations

import json
from pathlib import Path
from textwrap import indent

import pytest

from arcana_pipelines.db.engine import Database
from arcana_pipelines.evaluation.metrics import DECISIVE
from arcana_pipelines.evaluation.run import EvalRequest, run
from arcana_pipelines.files.kinds import kind_of
from arcana_pipelines.files.parsing.registry import Options
from arcana_pipelines.files.parsing.run import read_file
from arcana_pipelines.files.text import FileText, written
from arcana_pipelines.retrieval.excerpts import marked_as_part
from arcana_pipelines.retrieval.hit_files import where_in_korean, where_in_words
from arcana_pipelines.retrieval.search_request import SearchRequest
from arcana_pipelines.workspaces.workspaces import find
from arcana_pipelines_tests.evaluation.asking import SLUG, IndexedPages
from arcana_pipelines_tests.evaluation.baseline import HANDBOOK, SMALL_MODEL
from arcana_pipelines_tests.sample_files.made import FILES, FOLDER

_NOT_FILES = (".md", ".csv")


def test_what_lies_in_the_sample_is_what_the_program_makes() -> None:
    lying = {path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*.*") if path.suffix not in _NOT_FILES}
    assert lying == set(FILES)
    stale = [path for path, make in FILES.items() if (FOLDER / path).read_bytes() != make()]
    assert not stale, "python -m arcana_pipelines_tests.sample_files makes them anew"
    assert sum((FOLDER / path).stat().st_size for path in FILES) < 60_000


def _read(name: str) -> FileText:
    (path,) = (FOLDER / path for path in FILES if path.endswith(f"/{name}"))
    with read_file(path, path.name, kind_of(path, path.name), Options()) as reading:
        assert not reading.notes
        return written(reading.blocks)


@pytest.mark.slow  # each is read by a process of its own
@pytest.mark.parametrize(
    ("name", "says"),
    [
        (
            "여비_기준표_2026.pdf",
            [
                "# 여비 기준표 2026",
                "영수증으로 정산합니다",
                "| 짐 보관함 Luggage locker, one day | €8 |",
                "119,600원",
            ],
        ),
        (
            "Daily_safety_checklist.docx",
            ["# Limits", "1. Press the front bumper", "| Loudness of the horn | 72 dB |", "3년 동안 보관합니다"],
        ),
        (
            "부서별_예산_2026.xlsx",
            [
                "2026년 부서별 예산(단위: 백만 원)\n",
                "| 부서 | 상반기 |",
                "| 회사 전체 | 3360 | 3525 | 6885 |",
                "2026-09-30",
            ],
        ),
        (
            "정보보안_서약서.hwpx",
            ["| 성명 |  | 소속 |  |", "퇴사하고 2년 동안", "# 서약을 어겼을 때", "Two private phones at most"],
        ),
    ],
)
def test_each_is_read_with_its_headings_and_tables(name: str, says: list[str]) -> None:
    text = _read(name).text
    assert [each for each in says if each not in text] == []


@pytest.mark.slow
def test_each_answers_in_both_languages_and_says_where(database: Database) -> None:
    with IndexedPages(database, HANDBOOK, SMALL_MODEL).searcher() as searcher:

        def cited(query: str) -> tuple[str, str]:
            file = searcher.search(SearchRequest(query, 1)).hits[0].file
            return (where_in_words(file), where_in_korean(file)) if file else ("a page", "페이지")

        assert cited("how many robots fit on one truck to Busan?") == (
            "page 3 of 여비_기준표_2026.pdf, attached to 출장 규정",
            "여비_기준표_2026.pdf 3쪽, 출장 규정에 첨부",
        )
        assert cited("출장 가지급금은 얼마까지 미리 받을 수 있어요?")[1] == "여비_기준표_2026.pdf 1쪽, 출장 규정에 첨부"
        hit = searcher.search(SearchRequest("how many robots fit on one truck to Busan?", 1)).hits[0]
        readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
        assert hit.file and hit.passage
        before, behind = marked_as_part(hit, hit.passage)
        printed = indent(f"{where_in_words(hit.file)}\n{before}{hit.passage.text}{behind}\n", " " * 6)
        assert printed in readme
        checklist = "Daily_safety_checklist.docx, attached to HR-450 Busan pilot"
        for query in ("how loud must the horn be?", "로봇 일일 점검표는 얼마 동안 보관하나요?"):
            assert cited(query)[0] == checklist
        assert cited("when does our CAD subscription have to be renewed?")[0] == (
            "sheet Software, rows 1–8 of 부서별_예산_2026.xlsx, attached to 경비 정산"
        )
        assert cited("하드웨어팀의 올해 상반기 예산은 얼마인가요?")[1].startswith(
            "부서별_예산_2026.xlsx 시트 부서별 예산 "
        )
        for query in ("how many private phones may I register for work?", "테스트 존에서 사진을 찍어도 되나요?"):
            assert cited(query)[1] == "정보보안_서약서.hwpx, 정보보안 정책에 첨부"


@pytest.mark.slow
def test_a_golden_question_names_a_file_by_its_page_and_name(database: Database) -> None:
    IndexedPages(database, HANDBOOK, SMALL_MODEL)
    page, query = "acb71c3438984185aba19c9170b2e510", "how many robots fit on one truck to Busan?"
    relevant = [{"external_id": f"{page}/여비_기준표_2026.pdf", "passage": "One truck takes three robots"}]
    golden = json.dumps({"query": query, "relevant": relevant})
    with database.connection() as connection:
        request = EvalRequest(golden=golden.encode())
        evaluation = run(connection, database.settings, find(connection, SLUG), request).evaluation
    assert not evaluation.unknown and not evaluation.unsaid
    assert evaluation.metrics["fused"][DECISIVE] == 1.0
