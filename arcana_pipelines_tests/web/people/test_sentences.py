"""What the page says in Korean, it says whole: sentences of ours that are English elsewhere are known to it."""

from __future__ import annotations

import re
from typing import Any

import pytest

from arcana_pipelines.alerts import causes as alerts
from arcana_pipelines.alerts.causes import FailedRun
from arcana_pipelines.web.people.asked import topic_typed
from arcana_pipelines.web.people.sentences import in_korean
from arcana_pipelines_tests.web.conftest import Api
from arcana_pipelines_tests.web.people.conftest import Visit, seen

FACTS: dict[str, Any] = {
    "mode": "full", "problem": "Notion said 500", "pages": 80, "before": 2, "titles": ["Heron"], "reason": "broken",
    "failures": 4, "spent": 5.0, "limit": 5, "hours": 30,
    "target": "chroma", "waiting": 3, "minutes": 7, "parked": 2, "location": "nowhere/chroma", "is_made_anew": False,
    "files": 4, "names": ["plan.pdf"],
    "version": "1.0.0", "labels": ["AI", "RGA"], "key": "00ff", "times": 5, "more": 12,
}  # fmt: skip


def causes() -> list[alerts.Cause]:
    said = [make("acme", FACTS) for make in alerts._CAUSES.values()]
    of_rows = [cause for cause in (*said, alerts._target_wiped("acme", FACTS | {"is_made_anew": True})) if cause]
    purposes = (*alerts._OF_PURPOSE, "something_new")
    of_runs = [alerts._of_run(FailedRun("acme", purpose, "r", error, "it broke"))
               for purpose in purposes for error in ("", "BudgetReached")]  # fmt: skip
    return [*of_rows, *of_runs, *alerts.embedder_cause("it said 500")]


@pytest.mark.parametrize("cause", causes(), ids=lambda cause: f"{cause.cause} {cause.subject}")
def test_what_alerts_say_is_said_in_korean(cause: alerts.Cause) -> None:
    said = in_korean(cause.text)
    assert said is not None and re.search("[가-힣]", said) and "{" not in said
    assert ", then " not in (in_korean(cause.next_step) or cause.next_step)


@pytest.mark.parametrize(
    ("reason", "wanted"),
    [
        ("merged from 'AI/RAG'", "‘AI/RAG’ 주제와 합쳐짐"),
        ("split of 'AI'", "‘AI’ 주제에서 나뉨"),
        ("retired: 'AI'", "없어진 주제: ‘AI’"),
        ("property 'Topic'", "속성 ‘Topic’"),
        ("unknown topic 'AI/RGA'", "없는 주제 ‘AI/RGA’"),
        ("added with it", "파일과 함께 지정됨"),
        ("No text has 'E99'.", "‘E99’이(가) 있는 내용이 없습니다."),
    ],
)
def test_why_a_person_is_asked_is_said_in_korean(reason: str, wanted: str) -> None:
    assert in_korean(reason) == wanted


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("로봇 › 전원 › 배터리", "로봇/전원/배터리"), ("AI > RAG", "AI/RAG"), ("AI/A > B", "AI/A > B"), ("AI", "AI")],
)
def test_a_topic_may_be_typed_as_the_page_shows_it(typed: str, meant: str) -> None:
    assert topic_typed(typed) == meant


@pytest.mark.parametrize(
    ("field", "typed", "wanted"),
    [
        ("below", "Vacation polisy", "‘Vacation polisy’ 페이지가 없습니다. 비슷한 것: 'Vacation policy'."),
        ("below", "Vacation {0} {near} polisy", "‘Vacation {0} {near} polisy’ 페이지가 없습니다."),
        ("below", "00000000-0000-4000-8000-00000000ffff", "이 ID의 페이지가 없습니다"),
        ("below", "Twins", "제목이 ‘Twins’인 페이지가 2개 있습니다("),
        ("below", "x" * 2500, "2,500자입니다"),
        ("since", "yesterday", "'yesterday'은(는) 날짜가 아닙니다. 2026-02-01처럼 쓰세요."),
        ("where", "done", "‘done’은(는) 조건이 아닙니다."),
        ("where", "Stat=Done", "‘Stat’ 속성이 없습니다. 비슷한 것: 'State'."),
        ("where", "Zzz=Done", "‘Zzz’ 속성이 없습니다. 있는 속성: "),
        ("where", "Hours>many", "‘Hours’은(는) 숫자 속성인데 ‘many’은(는) 숫자가 아닙니다."),
        ("where", "Due>soon", "‘Due’은(는) 날짜 속성인데 ‘soon’"),
        ("where", "State>Done", "‘State’은(는) 텍스트 속성이라 >로 비교할 수 없습니다."),
        ("where", "State=Dune", "‘State’ 값이 ‘Dune’인 문서가 없습니다. 비슷한 것: 'Done'."),
        ("where", "State~Dune", "‘State’에 ‘Dune’이(가) 들어 있는 문서가 없습니다."),
        ("where", "Due=soon", "날짜는 2026-03-05처럼"),
    ],
)
def test_what_is_wrong_with_a_filter_is_said_in_korean_alone(
    with_rows: Api, visit: Visit, field: str, typed: str, wanted: str
) -> None:
    visitor = visit(with_rows, language="ko")
    visitor.log_in(with_rows.key("search").key)
    answer = visitor.get("/", query="vacation", **{field: typed})
    assert wanted in seen(answer.text)
    assert not re.search(r'<span lang="en">', answer.text)


def test_in_english_nothing_is_put_into_other_words(with_rows: Api, visit: Visit) -> None:
    visitor = visit(with_rows)
    visitor.log_in(with_rows.key("search").key)
    said = seen(visitor.get("/", query="vacation", below="Nowhere").text)
    assert "There is no page 'Nowhere' in this workspace." in said


@pytest.fixture(scope="module")
def with_rows(shared_api: Api) -> Api:
    """Two pages of one title, and a row with a state, a number and a date."""
    world = shared_api.acme.world
    for _ in range(2):
        world.add_page("Twins", blocks="One of two.")
    tasks = world.add_database("Tasks", schema={"State": "select", "Hours": "number", "Due": "date"})
    world.add_row(
        tasks.data_source_id, "Mend the heater", {"State": "Done", "Hours": 3, "Due": {"start": "2026-02-10"}}
    )
    shared_api.acme.settle()
    shared_api.acme.sync()
    return shared_api
