"""What the server counts of itself, for Prometheus, on a port of its own: no key opens it, and no proxy should.

Labels come from closed sets (routes as they are written, methods, statuses), so that nobody can make series. What the
database says of the installation is told beside it (`monitoring`), where the server has it as the application.
"""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPMethod
from math import nan

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Receive, Scope, Send

from arcana_pipelines.caching.caches import Caches, Level, Outcome
from arcana_pipelines.db.engine import Database
from arcana_pipelines.db.replica import Replica
from arcana_pipelines.monitoring.catalogue import Figure
from arcana_pipelines.monitoring.exporter import Figures, listen
from arcana_pipelines.taxonomy.lookup import lookup
from arcana_pipelines.web.outcomes import answered, route_of
from arcana_pipelines.web.reads import ReadOutcome

# Of seconds. A search takes a few hundredths, a first one some tenths.
_BUCKETS = (0.005, 0.01, 0.02, 0.04, 0.08, 0.15, 0.3, 0.6, 1.2, 2.5, 5, 10)
# A lookup takes a few thousandths where the database is asked, and nothing where it is not.
_BUCKETS_OF_LOOKUPS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5)
_OTHER = "other"
# What is there once it is asked for.
OF_CACHES = (Figure("arcana_cache_megabytes", "What caches hold.", ("level",)),)
OF_REPLICA = (
    Figure("arcana_replica_read", "1: searches and documents are read from the replica; 0: from the database."),
    Figure("arcana_replica_lag_seconds", "How long the replica is behind; NaN: not known."),
)
OF_LOOKUPS = (
    Figure("arcana_topic_lookups", "Paths that were looked up.", ("outcome",), "counter"),
    Figure("arcana_topic_lookups_left", "Paths kept no longer.", ("why",), "counter"),
    Figure("arcana_topic_lookups_kept", "Paths kept."),
)
_METHODS = frozenset(HTTPMethod)


class Metrics:
    """The counts of one server."""

    def __init__(self, database: Database) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._requests = Counter(
            "arcana_http_requests",
            "Requests that were answered.",
            ("route", "method", "status"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "arcana_http_request_seconds", "How long answers took.", ("route",),
            buckets=_BUCKETS, registry=self.registry,
        )  # fmt: skip
        self._caches = Counter(
            "arcana_cache", "Values that were asked for.", ("level", "outcome"), registry=self.registry
        )
        self._reads = Counter(
            "arcana_replica_reads", "Searches and documents that a replica may answer.", ("outcome",),
            registry=self.registry,
        )  # fmt: skip
        self.in_progress = Gauge("arcana_http_requests_in_progress", "Requests being answered.", registry=self.registry)
        connections = Gauge("arcana_database_connections_used", "Connections in use.", registry=self.registry)
        connections.set_function(lambda: database.pool.lent)
        most = Gauge("arcana_database_connections_most", "Connections that may be in use.", registry=self.registry)
        most.set(database.settings.database_pool_size + database.settings.database_max_overflow)
        self.figures: Figures | None = None
        lookup_seconds = Histogram(
            "arcana_topic_lookup_seconds", "How long it took to look up the paths of one call.",
            buckets=_BUCKETS_OF_LOOKUPS, registry=self.registry,
        )  # fmt: skip
        lookup.on_found = lookup_seconds.observe
        self.registry.register(_Lookups())

    def listen(self, host: str, port: int) -> int:
        """Answer Prometheus at this address, in a thread of its own; returns the port.

        Raises:
            WrongUse: it cannot be listened at.
        """
        return listen(self.registry, host, port, "--metrics-port")

    def note(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count a request that was answered."""
        self._requests.labels(route, method if method in _METHODS else _OTHER, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def note_cache(self, level: Level, outcome: Outcome) -> None:
        """Count a value that was asked for (a hit, a miss, or made for another meanwhile), or that was wrong."""
        self._caches.labels(level, outcome).inc()

    def note_read(self, outcome: ReadOutcome) -> None:
        """Count a read that a replica may answer, by how it went."""
        self._reads.labels(outcome).inc()

    def watch_caches(self, caches: Caches) -> None:
        """Measure what they hold."""
        (figure,) = OF_CACHES
        megabytes = Gauge(figure.name, figure.help, figure.labels, registry=self.registry)
        if caches.redis is not None:  # all levels are in one
            megabytes.labels("all").set_function(caches.embeddings.megabytes)
            return
        for cache in caches.levels:
            megabytes.labels(cache.level).set_function(cache.megabytes)

    def watch_replica(self, replica: Replica) -> None:
        """Measure how far it is behind."""
        of_use, of_lag = OF_REPLICA
        is_read = Gauge(of_use.name, of_use.help, registry=self.registry)
        is_read.set_function(lambda: replica.is_read)
        lag = Gauge(of_lag.name, of_lag.help, registry=self.registry)
        lag.set_function(lambda: nan if (seconds := replica.standing.lag) is None else seconds)

    def watch_installation(self, database: Database) -> None:
        """Tell what the database says of all workspaces, and of itself. `database`: as the application."""
        self.figures = Figures(database)
        self.registry.register(self.figures)


class _Lookups(Collector):
    """Reads, whenever Prometheus asks, how often paths of topics were known without asking the database."""

    def collect(self) -> Iterator[Metric]:
        """See `Collector.collect`. Nothing until a path was looked up."""
        report = lookup.report()
        if not report.asked:
            return
        of_asked, of_left, of_kept = OF_LOOKUPS
        asked = CounterMetricFamily(of_asked.name, of_asked.help, labels=of_asked.labels)
        asked.add_metric(("hit",), report.hits)
        asked.add_metric(("miss",), report.misses)
        left = CounterMetricFamily(of_left.name, of_left.help, labels=of_left.labels)
        left.add_metric(("expired",), report.expired)
        left.add_metric(("evicted",), report.evicted)
        yield from (asked, left, GaugeMetricFamily(of_kept.name, of_kept.help, value=report.size))


class Metered:
    """An ASGI application in front of another: counts what that answers."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See `Metered`."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        def note(status: int, seconds: float) -> None:
            self._metrics.note(route_of(scope), scope["method"], status, seconds)

        with self._metrics.in_progress.track_inprogress():
            await answered(self._app, scope, receive, send, note)
