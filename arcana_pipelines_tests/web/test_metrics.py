"""What the server tells Prometheus."""

from __future__ import annotations

import httpx
import pytest

from arcana_pipelines.errors import WrongUse
from arcana_pipelines.indexes.targets.targets import add_target
from arcana_pipelines.taxonomy.lookup import TopicLookup
from arcana_pipelines.web import metrics
from arcana_pipelines.web.metrics import Metrics
from arcana_pipelines.workspaces import workspaces
from arcana_pipelines_tests.taxonomy.test_counts import TOPIC, release, say
from arcana_pipelines_tests.web.conftest import SEARCH, Api


def told(api: Api) -> dict[str, float]:
    """Each series with its value, as Prometheus gets them."""
    if api.metrics.figures is not None:
        api.metrics.figures.kept_seconds = 0
    port = api.metrics.listen("127.0.0.1", 0)
    answer = httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False)
    assert answer.status_code == 200
    lines = (line.rsplit(" ", 1) for line in answer.text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, value in lines}


def test_requests_are_counted_by_route_and_status_and_none_makes_series_of_its_own(api: Api) -> None:
    with api.client("search") as client:
        assert client.post(SEARCH, json={"query": "vacation"}).status_code == 200
        assert client.post("/v1/workspaces/globex/search", json={"query": "vacation"}).status_code == 404
        for number in range(3):
            client.get(f"/made-up-{number}")
        client.request("PROPFIND", "/made-up")
    series = told(api)
    search = 'route="/v1/workspaces/{slug}/search"'
    assert series[f'arcana_http_requests_total{{method="POST",{search},status="200"}}'] == 1
    assert series[f'arcana_http_requests_total{{method="POST",{search},status="404"}}'] == 1
    assert series['arcana_http_requests_total{method="GET",route="other",status="404"}'] == 3
    assert series['arcana_http_requests_total{method="other",route="other",status="404"}'] == 1
    assert series[f"arcana_http_request_seconds_count{{{search}}}"] == 2
    assert series["arcana_http_requests_in_progress"] == series["arcana_database_connections_used"] == 0
    assert series["arcana_database_connections_most"] == 30
    assert not any("made-up" in name or ("http" in name and "acme" in name) for name in series)


def test_paths_that_were_looked_up_are_told_by_how_they_were_known(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "lookup", TopicLookup())
    assert not any("arcana_topic_lookups" in name for name in told(api))
    with api.acme.database.connection() as connection:
        workspace_id = workspaces.find(connection, "acme").workspace_id
        release(connection, workspace_id, "1.0.0", TOPIC)
        for _ in range(3):
            metrics.lookup.find(connection, workspace_id, [("topic 0",)])
    series = told(api)
    assert series['arcana_topic_lookups_total{outcome="hit"}'] == 2
    assert series['arcana_topic_lookups_total{outcome="miss"}'] == series["arcana_topic_lookups_kept"] == 1
    assert series['arcana_topic_lookups_left_total{why="evicted"}'] == 0


def test_targets_are_told_with_what_waits_for_them(api: Api) -> None:
    series = told(api)
    assert not any("arcana_target" in name for name in series)
    with api.acme.database.connection() as connection:
        workspace_id = workspaces.find(connection, "acme").workspace_id
        target = add_target(connection, workspace_id, "sqlite", "/nowhere/acme.sqlite", "copy")
        connection.execute(
            "INSERT INTO sync_operations (index_target_id, rag_index_build_id, document_id, operation, since) "
            "SELECT %s, active_build_id, gen_random_uuid(), 'put', now() - interval '90 seconds' "
            "FROM rag_indexes WHERE workspace_id = %s",
            [target.index_target_id, workspace_id],
        )
    labels = '{kind="sqlite",target="copy",workspace="acme"}'
    series = told(api)
    assert 90 <= series[f"arcana_target_lag_seconds{labels}"] < 120
    assert series[f"arcana_target_documents_waiting{labels}"] == 1
    assert series[f"arcana_target_documents_parked{labels}"] == series[f"arcana_target_live{labels}"] == 0


def test_topics_are_told_by_where_they_are_from_with_what_waits(api: Api) -> None:
    assert not any("arcana_topics" in name for name in told(api))
    with api.acme.database.connection() as connection:
        acme = workspaces.find(connection, "acme").workspace_id
        release(connection, acme, "1.0.0", TOPIC)
        say(connection, "Vacation policy", TOPIC, "rule")
        say(connection, "휴가 규정", TOPIC, "nearest", waits=True)
        with connection.transaction():
            connection.execute("UPDATE doc_taxonomy SET created_at = now() - interval '1 hour' WHERE hitl_required")
    series = told(api)
    assert series['arcana_topics{origin="rule",workspace="acme"}'] == 1
    assert series['arcana_topics{origin="nearest",workspace="acme"}'] == 0
    assert series['arcana_topics_waiting{workspace="acme"}'] == 1
    assert 3600 <= series['arcana_topics_waiting_seconds{workspace="acme"}'] < 3660
    assert series['arcana_topic_coverage_ratio{workspace="acme"}'] == 0.5
    assert series['arcana_topic_unknown_paths{workspace="acme"}'] == 0


def test_they_are_not_told_to_who_may_search(api: Api) -> None:
    with api.client("search", "read", "admin") as client:
        assert client.get("/metrics").status_code == 404


def test_a_port_that_is_taken_is_named(api: Api) -> None:
    port = api.metrics.listen("127.0.0.1", 0)
    with pytest.raises(WrongUse, match=f"127.0.0.1:{port} cannot be listened at .* choose another --metrics-port"):
        Metrics(api.acme.database).listen("127.0.0.1", port)
