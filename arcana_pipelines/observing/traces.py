"""Traces by OpenTelemetry, where `OTEL_EXPORTER_OTLP_ENDPOINT` is set: what a sync and a search spend their time on.

A span has a name of ours and numbers, and names for whom it was (`context`). None holds a text of a page, a query, a
title, a key or what an error said: of an error there is its class.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from typing import Any, ParamSpec, TypeVar
from uuid import UUID

from arcana_pipelines import plugins
from arcana_pipelines.observing import context

Parameters = ParamSpec("Parameters")
Made = TypeVar("Made")
Value = str | int | float | bool

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
# What a span may say besides for whom it was.
ATTRIBUTES = frozenset(
    {"arcana.mode", "arcana.purpose", "arcana.kind", "arcana.ranking", "arcana.hits", "arcana.texts", "arcana.index"}
    | {"arcana.pages", "arcana.chunks"}
    | {"http.request.method", "http.route", "http.response.status_code", "error.type"}
)

# opentelemetry's tracer, and what it belongs to; None: nobody wants traces, and nothing of it is imported.
_tracer: Any = None
_provider: Any = None


def start_if_asked(service: str) -> None:
    """Send spans to the collector that the environment names, in this process's name.

    Raises:
        WrongUse: the extra `otel` is not installed.
    """
    if _tracer is not None or not os.environ.get(ENDPOINT):
        return
    with plugins.optional(ENDPOINT, "otel"):
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    begin(BatchSpanProcessor(OTLPSpanExporter()), service)


def is_taken(seconds: float) -> bool:
    """Whether the collector that the environment names takes a message, here one without spans.

    Raises:
        WrongUse: the extra `otel` is not installed.
    """
    with plugins.optional(ENDPOINT, "otel"):
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace.export import SpanExportResult
    its = logging.getLogger("opentelemetry.exporter")
    level = its.level
    its.setLevel(logging.CRITICAL)  # it tells each attempt
    try:
        return bool(OTLPSpanExporter(timeout=seconds).export([]) is SpanExportResult.SUCCESS)
    finally:
        its.setLevel(level)


def begin(processor: Any, service: str) -> None:
    """Give each finished span to a processor of opentelemetry's SDK, until `end`."""
    global _tracer, _provider
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider

    _provider = TracerProvider(resource=Resource.create({"service.name": f"arcana-{service}"}))
    _provider.add_span_processor(processor)
    _tracer = _provider.get_tracer("arcana_pipelines")


def end() -> None:
    """Send what was finished, and trace no more. A process that ends by itself does the same."""
    global _tracer, _provider
    if _provider is not None:
        _provider.shutdown()
    _tracer = _provider = None


@contextmanager
def span(
    name: str, caller: Mapping[str, str] | None = None, since: int | None = None, **attributes: Value
) -> Iterator[Callable[..., None]]:
    """Time what is done inside; yields what sets more attributes. Names in them have `_` for a dot.

    Args:
        caller: headers of a request, or what `told` says in another process: that trace goes on here, where it has one
            (https://www.w3.org/TR/trace-context/).
        since: it began then (nanoseconds, as `time.time_ns` has them); None: now.
    """
    if _tracer is None:
        yield _nothing
        return
    from opentelemetry.trace import Status, StatusCode

    known = {f"arcana.{key}": value for key, value in context.now().items()} | _named(attributes)
    with _tracer.start_as_current_span(
        name, _parent(caller), attributes=known, start_time=since, record_exception=False, set_status_on_exception=False
    ) as made:
        try:
            yield lambda **more: made.set_attributes(_named(more))
        except BaseException as error:
            made.set_attribute("error.type", type(error).__qualname__)
            made.set_status(Status(StatusCode.ERROR))
            raise


def traced(name: str) -> Callable[[Callable[Parameters, Made]], Callable[Parameters, Made]]:
    """A span around each call of a function."""

    def wrap(function: Callable[Parameters, Made]) -> Callable[Parameters, Made]:
        @wraps(function)
        def timed(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Made:
            if _tracer is None:
                return function(*args, **kwargs)
            with span(name):
                return function(*args, **kwargs)

        return timed

    return wrap


def carried() -> Callable[[], None]:
    """What makes another thread's spans parts of this one's, when it is called there."""
    if _tracer is None:
        return lambda: None
    from opentelemetry import context as of_otel

    held = of_otel.get_current()

    def adopt() -> None:
        of_otel.attach(held)

    return adopt


def told() -> dict[str, str]:
    """What makes spans of another process parts of the one that is open here, given there as their `caller`."""
    headers: dict[str, str] = {}
    if _tracer is not None:
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        TraceContextTextMapPropagator().inject(headers)
    return headers


def ids() -> dict[str, str]:
    """The trace and the span that are open, as a line of the log names them."""
    if _tracer is None:
        return {}
    from opentelemetry import trace

    held = trace.get_current_span().get_span_context()
    return {"trace_id": f"{held.trace_id:032x}", "span_id": f"{held.span_id:016x}"} if held.is_valid else {}


def _nothing(**_: Value) -> None:
    pass


def _named(attributes: Mapping[str, Value]) -> dict[str, Value]:
    named = {_dotted(key): value for key, value in attributes.items()}
    assert named.keys() <= ATTRIBUTES, f"a span may not say {sorted(named.keys() - ATTRIBUTES)}"
    return named


def _dotted(key: str) -> str:
    return {
        "method": "http.request.method", "route": "http.route", "status": "http.response.status_code",
    }.get(key, f"arcana.{key}")  # fmt: skip


def _parent(caller: Mapping[str, str] | None) -> Any:
    """The caller's trace; else that of the run, which the processes of a run share; None: what is open here."""
    from opentelemetry import trace

    if caller is not None and "traceparent" in caller:
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        return TraceContextTextMapPropagator().extract(dict(caller))
    run = context.now().get("run")
    if run is None or trace.get_current_span().get_span_context().is_valid:
        return None
    try:
        number = UUID(run).int
    except ValueError:
        return None
    held = trace.SpanContext(number, number & (1 << 64) - 1 or 1, is_remote=True, trace_flags=trace.TraceFlags(1))
    return trace.set_span_in_context(trace.NonRecordingSpan(held))
