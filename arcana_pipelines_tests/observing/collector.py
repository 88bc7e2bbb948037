"""A collector of traces: what was sent to it by OTLP over HTTP, from whatever process."""

from __future__ import annotations

import gzip
from dataclasses import dataclass

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from arcana_pipelines.testing.http_server import Answer, AnsweringServer, Request


@dataclass(frozen=True, slots=True)
class Sent:
    """A span as it was sent; ids as they are in it."""

    service: str
    name: str
    trace_id: bytes
    span_id: bytes
    parent_id: bytes
    nanoseconds: int
    attributes: dict[str, str | int]


class Collector(AnsweringServer):
    """Takes spans, the `spans` so far."""

    def __init__(self) -> None:
        self.spans: list[Sent] = []
        super().__init__()

    def answer(self, request: Request) -> Answer:
        assert request.target == "/v1/traces"
        is_packed = request.headers.get("content-encoding") == "gzip"
        body = gzip.decompress(request.body) if is_packed else request.body
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            (service,) = [
                each.value.string_value for each in resource.resource.attributes if each.key == "service.name"
            ]
            for scope in resource.scope_spans:
                self.spans += [
                    Sent(
                        service, each.name, each.trace_id, each.span_id, each.parent_span_id,
                        each.end_time_unix_nano - each.start_time_unix_nano,
                        {said.key: said.value.string_value or said.value.int_value for said in each.attributes},
                    )
                    for each in scope.spans
                ]  # fmt: skip
        return Answer(200, b"")

    def named(self, name: str) -> list[Sent]:
        """Those of this name, in the order in which they came."""
        return [each for each in self.spans if each.name == name]
