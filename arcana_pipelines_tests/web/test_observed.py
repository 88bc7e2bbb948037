"""What the log and a trace say of a request."""

from __future__ import annotations

from arcana_pipelines_tests.observing.lines import Lines
from arcana_pipelines_tests.observing.spans import Spans
from arcana_pipelines_tests.web.conftest import SEARCH, Api

CANARY = "Kanarienvogel-카나리아"


def test_each_answer_is_a_line_with_its_route_and_without_what_was_asked(api: Api, lines: Lines) -> None:
    with api.client("search") as client:
        asked = client.post(SEARCH, json={"query": f"vacation {CANARY}"}, headers={"X-Request-Id": "r-1"})
        assert asked.status_code == 200
        key = client.headers["Authorization"].split()[1]
        client.get(f"/{CANARY.encode().hex()}?q=hunter2hunter2")
    found, lost = [line for line in lines.all() if line["message"] == "answered"]
    assert (found["request_id"], found["workspace"], found["status"]) == ("r-1", "acme", 200)
    assert (found["route"], found["method"]) == ("/v1/workspaces/{slug}/search", "POST")
    assert found["milliseconds"] >= 0 and len(found["company"]) == 36
    assert (lost["route"], lost["status"]) == ("other", 404)
    for said in (CANARY, "hunter2", key, CANARY.encode().hex()):
        assert said not in lines.text


def test_a_search_over_http_is_one_trace_that_goes_on_from_its_callers(api: Api, spans: Spans) -> None:
    trace_id, span_id = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    with api.client("search") as client:
        headers = {"traceparent": f"00-{trace_id}-{span_id}-01", "X-Request-Id": "r-1"}
        assert client.post(SEARCH, json={"query": f"vacation {CANARY}"}, headers=headers).status_code == 200
    request = spans.one("http request")
    assert request.context is not None and f"{request.context.trace_id:032x}" == trace_id
    said = dict(request.attributes or {})
    assert said == {
        "arcana.request_id": "r-1", "http.request.method": "POST", "http.response.status_code": 200,
        "http.route": "/v1/workspaces/{slug}/search",
    }  # fmt: skip
    search = spans.one("search")
    assert spans.path(search) == ["http request", "search"]
    assert dict(search.attributes or {}).keys() == {"arcana.request_id", "arcana.workspace", "arcana.company"}
    assert "vacation" not in "".join(each.to_json() for each in spans.all())
