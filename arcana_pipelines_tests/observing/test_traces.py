"""Traces of a sync and of a search: their stages, and nothing that people wrote."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from arcana_pipelines.errors import SourceError, WrongUse
from arcana_pipelines.net.workers import worker_threads
from arcana_pipelines.observing import traces
from arcana_pipelines.observing.context import working_for
from arcana_pipelines.observing.traces import span, traced
from arcana_pipelines_tests.harness import Harness
from arcana_pipelines_tests.observing.collector import Collector
from arcana_pipelines_tests.observing.lines import Lines
from arcana_pipelines_tests.observing.spans import Spans

CANARY = "Kanarienvogel-카나리아"
STAGES = [
    "read pages", "document_files", "document_content", "document_chunks", "chunk_embeddings", "rag_indexes",
    "doc_taxonomy", "index_targets",
]  # fmt: skip


@pytest.fixture
def handbook(acme: Harness) -> Harness:
    acme.world.add_page(f"Vacation {CANARY}", blocks=f"Thirty days of vacation. {CANARY}")
    acme.settle()
    return acme


def test_a_sync_is_a_trace_with_a_span_for_each_stage(handbook: Harness, spans: Spans) -> None:
    handbook.sync()
    root = spans.one("sync")
    assert [each.name for each in spans.all() if spans.parent_of(each) is root] == STAGES
    said = dict(root.attributes or {})
    assert said["arcana.workspace"] == "acme" and said.keys() == {
        "arcana.workspace", "arcana.run", "arcana.company"
    }  # fmt: skip
    assert root.context is not None and root.context.trace_id == UUID(str(said["arcana.run"])).int


def test_a_search_is_a_trace_of_what_it_spends_its_time_on(handbook: Harness, spans: Spans) -> None:
    handbook.sync()
    before = len(spans.all())
    assert handbook.search(f"vacation {CANARY}")
    found = spans.all()[before:]
    assert {tuple(spans.path(each)) for each in found} >= {
        ("search",),
        ("search", "embed the question"),
        ("search", "search a snapshot"),
        ("search", "search a snapshot", "find by words"),
        ("search", "search a snapshot", "score"),
        ("search", "search a snapshot", "read hits"),
    }


def test_no_span_holds_what_people_wrote_asked_or_were_told(handbook: Harness, spans: Spans) -> None:
    handbook.sync()
    handbook.search(f"vacation {CANARY}")
    with pytest.raises(SourceError), span("sync"):
        raise SourceError(f"Notion answers 404 for {CANARY}")
    told = "".join(each.to_json() for each in spans.all())
    assert CANARY not in told and CANARY.encode("unicode_escape").decode() not in told and "vacation" not in told
    failed = spans.all()[-1]
    assert dict(failed.attributes or {}) == {"error.type": "SourceError"} and not failed.status.is_ok
    assert failed.status.description is None and not failed.events


def test_a_span_says_nothing_that_is_not_on_the_list(spans: Spans) -> None:
    with pytest.raises(AssertionError, match=r"a span may not say \['arcana.query'\]"), span("search", query="x"):
        pass


def test_processes_of_one_run_make_one_trace(spans: Spans) -> None:
    run = str(uuid4())
    for name in ("document_chunks", "rag_indexes"):
        with working_for(run=run), span(name):
            pass
    assert {each.context.trace_id for each in spans.all() if each.context} == {UUID(run).int}


def test_threads_of_a_stage_are_parts_of_its_span(spans: Spans) -> None:
    with span("stage"), worker_threads(2, "test") as pool:
        pool.submit(traced("read")(lambda: None)).result()
    assert spans.path(spans.one("read")) == ["stage", "read"]


def test_a_line_of_the_log_names_the_span_that_is_open(spans: Spans, lines: Lines) -> None:
    import logging

    with span("stage"):
        logging.getLogger("arcana_pipelines.somewhere").warning("inside")
    (line,) = lines.all()
    context = spans.one("stage").context
    assert context is not None
    assert (line["trace_id"], line["span_id"]) == (f"{context.trace_id:032x}", f"{context.span_id:016x}")


def test_nothing_is_traced_until_a_collector_is_named(handbook: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(traces.ENDPOINT, raising=False)
    traces.start_if_asked("test")
    handbook.sync()
    assert traces.ids() == {} and traces._tracer is None


def test_finished_spans_are_sent_to_the_collector_that_the_environment_names(monkeypatch: pytest.MonkeyPatch) -> None:
    with Collector() as collector:
        monkeypatch.setenv(traces.ENDPOINT, collector.address)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
        traces.start_if_asked("test")
        with span("sync"), span("rag_indexes"):
            pass
        traces.end()
        assert [each.name for each in collector.spans] == ["rag_indexes", "sync"]


def test_without_the_extra_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(traces.ENDPOINT, "http://127.0.0.1:4318")
    monkeypatch.setitem(__import__("sys").modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(WrongUse, match=r"arcana-pipelines\[otel\]"):
        traces.start_if_asked("test")
