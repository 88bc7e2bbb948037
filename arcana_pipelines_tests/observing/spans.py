"""What is traced while a test runs, in memory."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from arcana_pipelines.observing import traces


class Spans:
    """Finished spans."""

    def __init__(self, exporter: InMemorySpanExporter) -> None:
        self._exporter = exporter

    def all(self) -> tuple[ReadableSpan, ...]:
        return self._exporter.get_finished_spans()

    def named(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.all() if span.name == name]

    def one(self, name: str) -> ReadableSpan:
        (span,) = self.named(name)
        return span

    def parent_of(self, span: ReadableSpan) -> ReadableSpan | None:
        held = span.parent
        found = [each for each in self.all() if held and each.context and each.context.span_id == held.span_id]
        return found[0] if found else None

    def path(self, span: ReadableSpan) -> list[str]:
        """The names from the root down to a span."""
        above = self.parent_of(span)
        return [*(self.path(above) if above else []), span.name]


@pytest.fixture
def spans() -> Iterator[Spans]:
    exporter = InMemorySpanExporter()
    traces.begin(SimpleSpanProcessor(exporter), "test")
    try:
        yield Spans(exporter)
    finally:
        traces.end()
