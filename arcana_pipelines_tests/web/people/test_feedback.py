"""Thumbs: what a reader says of a hit, in a form of the page."""

from __future__ import annotations

import pytest

from arcana_pipelines_tests.web.conftest import Api
from arcana_pipelines_tests.web.people.conftest import Visit, Visitor, seen


@pytest.fixture
def judge(api: Api, visit: Visit) -> Visitor:
    """Somebody whose key may say how good an answer was."""
    found = visit(api)
    found.log_in(api.key("search", "feedback").key)
    return found


def test_is_kept_as_that_of_the_api(api: Api, judge: Visitor) -> None:
    shown = judge.get("/", query="vacation days")
    answer = judge.send("/feedback", shown, verdict="helpful")
    assert answer.status_code == 200 and "Thank you" in seen(answer.text)
    assert 'href="/?query=vacation+days"' in answer.text
    kept = api.acme.rows("SELECT verdict FROM search_feedback")
    assert kept == [("helpful",)]


def test_needs_the_scope_and_a_form_of_this_session(api: Api, judge: Visitor, reader: Visitor) -> None:
    assert 'action="/feedback"' not in reader.get("/", query="vacation").text
    shown = judge.get("/", query="vacation")
    assert judge.send("/feedback", shown, verdict="helpful", form_token="x").status_code == 403
    token = {"form_token": judge_token(reader.get("/").text)}
    assert reader.send("/feedback", shown, verdict="helpful", **token).status_code == 403
    for wrong in (
        {"verdict": "x"},
        {"request_id": "\0"},
        {"document_id": "x"},
        {"position": "-1"},
        {"verdict": "no_answer"},
    ):
        assert judge.send("/feedback", shown, **{"verdict": "helpful", **wrong}).status_code == 422
    assert judge.send("/feedback", shown, verdict="helpful", request_id="another").status_code == 404
    assert api.acme.rows("SELECT count(*) FROM search_feedback") == [(0,)]


def judge_token(html: str) -> str:
    return html.partition('name="form_token" value="')[2].partition('"')[0]
